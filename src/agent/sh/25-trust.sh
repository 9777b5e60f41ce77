# What is checked before root writes: whether another user could have tampered with the path. In a folder that others
# can write to, a name can become a link to any file of the host between two steps of a program, so hactl does not
# write there at all.

# trusted_dir DIR: true if only root can create or replace anything in DIR, in the folders above it, and in the
# targets of links on the way. Otherwise sets untrusted to the reason.
trusted_dir() {
    case $trusted in *"|$1|"*) return 0 ;; esac
    case $folders in *" ${1:-/}$newline"*) ;; *) note_folders "$1" ;; esac
    [ -z "$1" ] || trusted_dir "${1%/*}" || return 1
    if [ -L "$1" ]; then
        links=$((links + 1)) untrusted="too many links lead to $1"
        [ "$links" -le 40 ] || return 1
        target=$(readlink -- "$1")
        case $target in /*) ;; *) target=${1%/*}/$target ;; esac
        trusted_dir "${target%/}" || return 1
    else
        untrusted="cannot stat ${1:-/}"
        known_folder "${1:-/}" || return 1
        case $who in
        '0 '*' '*[2367]) untrusted="everybody can write in ${1:-/}" && return 1 ;;
        '0 0 '*) ;;
        '0 '*' '*[2367]?) untrusted="the group $(stat -c %G -- "${1:-/}") can write in ${1:-/}" && return 1 ;;
        '0 '*) ;;
        *) untrusted="${1:-/} belongs to $(stat -c %U -- "${1:-/}"), not to root" && return 1 ;;
        esac
    fi
    trusted="$trusted|$1|"
}

# note_folders PATH...: caches the owners and modes of the paths and of all folders above them, with one process for
# all.
note_folders() {
    above=$newline
    for dir; do
        while [ -n "$dir" ]; do
            case $above in *"$newline$dir$newline"*) break ;; esac
            above=$above$dir$newline
            dir=${dir%/*}
        done
    done
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $above
    split_words
    folders=$newline$(stat -c '%u %g %a %n' -- / "$@" 2>/dev/null)$newline$folders
}

# known_folder PATH: sets who to the uid, gid and mode of a path that note_folders has cached.
known_folder() {
    who=${folders%%" $1$newline"*}
    [ "$who" != "$folders" ] || return 1
    who=${who##*"$newline"}
}

# real_path PATH: sets real to it with all links resolved. Few paths contain a link, and only those need a process.
real_path() {
    case $1 in
    *//* | */./* | */../*)
        real=$(readlink -f -- "$1")
        return
        ;;
    esac
    real=$1
    while [ -n "$real" ]; do
        if [ -L "$real" ]; then
            real=$(readlink -f -- "$1")
            return
        fi
        real=${real%/*}
    done
    real=$1
}

# trusted_parent PATH: like trusted_dir, for the folder that PATH is in or would be created in.
trusted_parent() {
    parent=${1%/*} links=0
    while [ -n "$parent" ] && [ ! -e "$parent" ] && [ ! -L "$parent" ]; do parent=${parent%/*}; done
    trusted_dir "$parent"
}

# refuse_untrusted MANIFEST: ends the program if one of its paths cannot be written safely.
refuse_untrusted() {
    trusted='' folders='' places=''
    while IFS=$tab read -r kind a b _ _ _ f; do
        case $kind in
        file) place=$f ;;
        link) place=$b ;;
        absent) place=$a ;;
        *) continue ;;
        esac
        places=$places$place$newline
    done <"$1"
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $places
    split_words
    note_folders "$@"
    for place; do
        trusted_parent "$place" || die unsafe "cannot write $place safely: $untrusted"
    done
}

# can_trust_state: false, with the reason in untrusted, if another user may have created hactl's own folder or anything
# in it: its contents are trusted, and run. Once true it stays so, because only root could change that.
can_trust_state() {
    trusted='' folders=''
    note_folders "$state"
    trusted_parent "$state" || { untrusted="cannot keep state in $state: $untrusted" && return 1; }
    untrusted="$state is a link, but must be a folder"
    [ ! -L "$state" ] || return 1
    [ -e "$state" ] || return 0
    untrusted="$state is not a folder"
    [ -d "$state" ] || return 1
    trusted_dir "$state" || { untrusted="cannot trust what is in $state: $untrusted" && return 1; }
    for kept in "$state"/* "$state"/tx/* "$state"/generations/*; do
        case $kept in "$state/live" | "$state/live.new") continue ;; esac
        untrusted="$kept is a link that hactl did not create"
        [ ! -L "$kept" ] || return 1
        untrusted="$kept does not belong to root"
        [ ! -e "$kept" ] || [ -O "$kept" ] || return 1
    done
}

# refuse_tampered DIR: ends the program unless every staged file is still what was sent.
refuse_tampered() {
    for_files_of "$1/manifest" "$1/files" note_sums
    while IFS=$tab read -r kind _ _ _ _ sum_sent place; do
        [ "$kind" = file ] || continue
        [ -f "$1/files$place" ] && [ ! -L "$1/files$place" ] && known_sum "$1/files$place" && [ "$sum" = "$sum_sent" ] ||
            die tampered "$1/files$place is no longer what was sent"
    done <"$1/manifest"
}
