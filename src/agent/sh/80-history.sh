# history: reports the manifests of all generations. generation N: reports one of them, with its contents.
history() {
    for dir in "$state"/generations/*; do
        [ -f "$dir/manifest" ] || continue
        say generation "${dir##*/}"
        body "$dir/manifest"
    done
    say live "$(value_in "$state/live/manifest" generation)"
    finish
}

generation() {
    number "$1"
    dir=$state/generations/$1
    [ -f "$dir/manifest" ] || die no-generation "there is no generation $1 on this host"
    say generation "$1"
    body "$dir/manifest"
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        say content "$path"
        body "$dir/files$path"
    done <"$dir/manifest"
    finish
}
