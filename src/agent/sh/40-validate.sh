# Validation: a tree as the daemons would see it at its real paths, in a mount namespace of its own,
# so that includes resolve and the host is left untouched.

# in_private_mounts VERB [ARGUMENT...]: runs this program again in a mount namespace of its own.
in_private_mounts() {
    command -v unshare >/dev/null 2>&1 || die lacking "unshare is missing: install util-linux"
    exec 4<&0
    # As a stream: one argument may have 128 KiB, which this text has outgrown.
    # shellcheck disable=SC2016,SC2154 # the inner shell expands it; the call's first step received it
    printf '%s\n' "$script" |
        unshare -m /bin/sh -c 'script=$(cat); exec <&4 4<&-; eval "$script"' hactl-agent "$@"
    exit
}

# validate_inside [DIR]: within that namespace. Without DIR the tree comes on standard input and
# never touches a disk of the host's.
validate_inside() {
    # -n: no note of these mounts under /run/mount, which is the host's.
    mount -n --make-rprivate / || die mount "cannot make the mounts private"
    private=/mnt
    mount -n -t tmpfs -o mode=0700 hactl "$private" || die mount "cannot mount a tmpfs on $private"
    if [ -n "${1-}" ]; then
        tree=$1
        [ -f "$tree/manifest" ] || die protocol "nothing is staged"
    else
        tree=$private/tree
        receive_tree "$tree"
        refuse_unwritable "$tree/manifest"
    fi
    for unit in $units; do
        unit_row "$unit"
        [ ! -d "$folder" ] || own_copy "$folder"
    done
    # What the tests write lands in memory, nginx's pid file among it.
    own_run "$(value_in "$tree/manifest" tracked_file)"
    place_for_validation "$tree"
    for unit in $units; do
        unit_row "$unit"
        command -v "$program" >/dev/null 2>&1 && [ -d "$folder" ] || continue
        about=''
        "${unit}_test" "$tree" || continue
        say tested "$unit" "$code" "$about"
        body_text "$output"
    done
    finish
}

# own_copy DIR: what the tests see there, and may change.
own_copy() {
    umask 022
    mkdir -p "$private$1"
    umask 077
    cp -a "$1/." "$private$1/" || die disk "cannot copy $1"
    mount -n --bind "$private$1" "$1" || die mount "cannot bind over $1"
}

# refuse_unwritable MANIFEST: ends the program where a change would find a file system that is read-only, or a
# place that is not safe to write to. Nothing is written for it. busybox's own test takes root's word for -w.
refuse_unwritable() {
    refuse_strange_state
    refuse_untrusted "$1"
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        existing_dir "$path"
        env test -w "${dir:-/}" || die read-only "cannot write in ${dir:-/}: Read-only file system"
    done <"$1"
    refuse_fixed "$1"
    existing_dir "$state/tx"
    env test -w "${dir:-/}" || die state-unwritable "cannot write in ${dir:-/}: Read-only file system"
}

# own_run [FILE]: a /run that only the tests write in, with everything of the host's in it. FILE is there
# in any case: keepalived 2.3.3 refuses to track one that is missing, and the units make it when they start.
own_run() {
    mkdir -m 755 "$private/run" || die disk "cannot create a folder on $private"
    tables=$private/fstab shared='' own_folders=''
    for entry in /run/* /run/.[!.]*; do
        own=$private$entry
        case $entry:${1-} in
        # nginx -t makes it where it is missing.
        /run/nginx.pid:*) cp -- "$entry" "$own" ;;
        "$entry:$entry/"*) cp -a -- "$entry" "$own" ;;
        *)
            if [ -L "$entry" ]; then
                cp -P -- "$entry" "$own"
            elif [ -d "$entry" ]; then
                shared=$shared$entry$newline own_folders=$own_folders$own$newline
            elif [ -e "$entry" ]; then
                : >"$own" && share "$entry" bind
            fi
            ;;
        # What is gone again by now, or cannot be had twice, is not what these files are about.
        esac 2>/dev/null || :
    done
    split_lines
    # shellcheck disable=SC2086 # a path a line
    [ -z "$shared" ] || mkdir -- $own_folders 2>/dev/null || :
    for entry in $shared; do share "$entry" rbind; done
    split_words
    [ ! -f "$tables" ] || mount -n -a -T "$tables" 2>/dev/null || :
    case ${1-} in
    /run/*/*) [ -e "$private$1" ] || { mkdir -p "$private${1%/*}" && echo 0 >"$private$1"; } || die disk "cannot create a file on $private" ;;
    esac
    mount -n --rbind "$private/run" /run || die mount "cannot bind over /run"
}

# share PATH bind|rbind: what the host has there is mounted at its private place: all together, unless fstab(5) could not
# have its name.
share() {
    case $1 in
    *[!A-Za-z0-9._/@:+-]*) mount -n "--$2" "$1" "$private$1" 2>/dev/null || : ;;
    *) printf '%s %s none %s 0 0\n' "$1" "$private$1" "$2" >>"$tables" ;;
    esac
}

# place_for_validation DIR: only what lies under the private folders.
place_for_validation() {
    while IFS=$tab read -r kind a b c d _ f; do
        case $kind in file) path=$f ;; absent) path=$a ;; *) continue ;; esac
        top=$(folder_of "$path")
        [ -d "$top" ] || continue
        own_way "$top" "$path" || die disk "cannot stage $path"
        if [ "$kind" = absent ]; then
            rm -f -- "$path"
            continue
        fi
        # It removes what lies there first, and follows no link.
        { [ -d "${path%/*}" ] || mkdir -p "${path%/*}"; } && install -m "$b" -o "$c" -g "$d" -T -- "$1/files$path" "$path" ||
            die disk "cannot stage $path"
    done <"$1/manifest"
}

# folder_of PATH: the folder of the unit whose configuration it is; nothing for another path.
folder_of() {
    for unit in $units; do
        unit_row "$unit"
        case $1 in "$folder"/*) printf '%s' "$folder" ;; esac
    done
}

# own_way DIR PATH: folders between the private DIR and PATH that are links become copies: through a
# link the host's own files would be written.
own_way() {
    way=$1 rest=${2#"$1"/}
    while [ "$rest" != "${rest#*/}" ]; do
        way=$way/${rest%%/*} rest=${rest#*/}
        [ -L "$way" ] || continue
        mkdir "$way.hactl" || return 1
        [ ! -d "$way" ] || cp -a "$way/." "$way.hactl/" || return 1
        rm -f -- "$way" && mv -T -- "$way.hactl" "$way" || return 1
    done
}
