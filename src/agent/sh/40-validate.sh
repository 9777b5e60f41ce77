# Validation: the daemons test a tree at its real paths, in a mount namespace of its own, so that includes resolve and
# the host is left untouched.

# in_private_mounts VERB [ARGUMENT...]: runs this program again in a new mount namespace.
in_private_mounts() {
    command -v unshare >/dev/null 2>&1 || die lacking "unshare is missing: install util-linux"
    exec 4<&0
    # As a stream, since this text exceeds the limit of 128 KiB for one argument.
    # shellcheck disable=SC2016,SC2154 # the inner shell expands it; the call's first step received it
    printf '%s\n' "$script" |
        unshare -m /bin/sh -c 'script=$(cat); exec <&4 4<&-; eval "$script"' hactl-agent "$@"
    exit
}

# validate_inside [DIR]: runs inside that namespace. Without DIR, the tree comes on standard input and never touches
# the host's disks.
validate_inside() {
    # -n: do not record these mounts under /run/mount, which is the host's.
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
        [ ! -d "$folder" ] || private_copy "$folder"
    done
    # Whatever the tests write stays in memory, including nginx's pid file.
    private_run "$(value_in "$tree/manifest" tracked_file)"
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

# private_copy DIR: bind-mounts a copy over it, which the tests may change.
private_copy() {
    umask 022
    mkdir -p "$private$1"
    umask 077
    cp -a "$1/." "$private$1/" || die disk "cannot copy $1"
    mount -n --bind "$private$1" "$1" || die mount "cannot bind over $1"
}

# refuse_unwritable MANIFEST: ends the program if the change would meet a read-only file system or an unsafe path.
# Nothing is written to find out. `env test`, since busybox's own `test -w` is always true for root.
refuse_unwritable() {
    can_trust_state || die unsafe-state "$untrusted"
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

# private_run [FILE]: mounts a /run that only the tests write to, with everything in it that the host's has. FILE
# always exists there: keepalived 2.3.3 refuses to track a missing file, and the units create it when they start.
private_run() {
    mkdir -m 755 "$private/run" || die disk "cannot create a folder on $private"
    tables=$private/fstab shared='' own_folders=''
    for entry in /run/* /run/.[!.]*; do
        own=$private$entry
        case $entry:${1-} in
        # nginx -t creates it if it is missing.
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
        # The tests do not need entries that have gone meanwhile or cannot be copied.
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

# share PATH bind|rbind: mounts the host's PATH at its private place, in one go with all others unless fstab(5) cannot
# hold its name.
share() {
    case $1 in
    *[!A-Za-z0-9._/@:+-]*) mount -n "--$2" "$1" "$private$1" 2>/dev/null || : ;;
    *) printf '%s %s none %s 0 0\n' "$1" "$private$1" "$2" >>"$tables" ;;
    esac
}

# place_for_validation DIR: installs the tree's files, but only those below the private folders.
place_for_validation() {
    while IFS=$tab read -r kind a b c d _ f; do
        case $kind in file) path=$f ;; absent) path=$a ;; *) continue ;; esac
        top=$(folder_of "$path")
        [ -d "$top" ] || continue
        private_path "$top" "$path" || die disk "cannot stage $path"
        if [ "$kind" = absent ]; then
            rm -f -- "$path"
            continue
        fi
        # install removes an existing file first, and follows no link.
        { [ -d "${path%/*}" ] || mkdir -p "${path%/*}"; } && install -m "$b" -o "$c" -g "$d" -T -- "$1/files$path" "$path" ||
            die disk "cannot stage $path"
    done <"$1/manifest"
}

# folder_of PATH: prints the configuration folder of the unit that PATH belongs to, or nothing.
folder_of() {
    for unit in $units; do
        unit_row "$unit"
        case $1 in "$folder"/*) printf '%s' "$folder" ;; esac
    done
}

# private_path DIR PATH: replaces links to folders between the private DIR and PATH with copies: writing through a
# link would change the host's own files.
private_path() {
    way=$1 rest=${2#"$1"/}
    while [ "$rest" != "${rest#*/}" ]; do
        way=$way/${rest%%/*} rest=${rest#*/}
        [ -L "$way" ] || continue
        mkdir "$way.hactl" || return 1
        [ ! -d "$way" ] || cp -a "$way/." "$way.hactl/" || return 1
        rm -f -- "$way" && mv -T -- "$way.hactl" "$way" || return 1
    done
}
