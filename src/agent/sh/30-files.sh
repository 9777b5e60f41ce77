# Files: receiving, recording and installing them.
#
# A "tree" is a folder with a manifest, and the contents of its files under files/. The staged change, the snapshot of
# the host before it, and every generation are trees. The lines of a manifest:
#   file ROLE MODE OWNER GROUP SHA256 PATH | link TARGET PATH | absent PATH
#   sysctl KEY VALUE | service UNIT ENABLED ACTIVE | package NAME | KEY VALUE (anything else)

# receive_tree DIR: receives a tree from standard input. Each file line is followed by a size and that many bytes.
# Their hash is checked here, before anything uses them.
receive_tree() {
    mkdir -p "$1/files" || die state-unwritable "cannot create $1/files"
    true >"$1/manifest" || die disk "cannot write $1/manifest"
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file)
            read -r size || die protocol "the stream ended within $f"
            number "$size"
            [ -d "$1/files${f%/*}" ] || mkdir -p "$1/files${f%/*}" || die disk "cannot create a folder in $1: $(space "$1")"
            read_exactly "$size" >"$1/files$f" && [ -f "$1/files$f" ] || die disk "cannot write $1/files$f: $(space "$1")"
            printf 'file\t%s\t%s\t%s\t%s\t%s\t%s\n' "$a" "$b" "$c" "$d" "$e" "$f" >>"$1/manifest"
            ;;
        end)
            refuse_incomplete "$1"
            return 0
            ;;
        *) printf '%s\n' "$kind${a:+$tab$a}${b:+$tab$b}${c:+$tab$c}" >>"$1/manifest" ;;
        esac || die disk "cannot write $1/manifest: $(space "$1")"
    done
    die protocol "the stream ended early"
}

# refuse_incomplete DIR: ends the program unless every file of the tree arrived as it was sent.
refuse_incomplete() {
    for_files_of "$1/manifest" "$1/files" note_sums
    while IFS=$tab read -r kind _ _ _ _ e f; do
        [ "$kind" = file ] || continue
        [ -f "$1/files$f" ] && known_sum "$1/files$f" && [ "$sum" = "$e" ] ||
            die disk "$1/files$f is not what was sent: is the disk full? $(space "$1")"
    done <"$1/manifest"
}

# existing_dir PATH: sets dir to the nearest existing folder above PATH; empty for /.
existing_dir() {
    dir=${1%/*}
    while [ -n "$dir" ] && [ ! -d "$dir" ]; do dir=${dir%/*}; done
}

# space DIR: prints the free space of its file system.
space() {
    df -hP "$1" | {
        read -r _
        read -r _ size _ free _ on
        printf '%s of %s free on %s' "$free" "$size" "$on"
    }
}

# note_entries MANIFEST: sets entries to the paths, kernel settings and units that it has entries for.
note_entries() {
    entries=$newline
    while IFS=$tab read -r kind one two _ _ _ six; do
        case $kind in
        file) entries=$entries$six$newline ;;
        link) entries=$entries$two$newline ;;
        absent) entries=$entries$one$newline ;;
        sysctl | service) entries="$entries$kind $one$newline" ;;
        esac
    done <"$1"
}

# has_entry PATH, or `sysctl KEY`, or `service UNIT`: true if note_entries found it.
has_entry() { case $entries in *"$newline$1$newline"*) ;; *) return 1 ;; esac }

# capture_path PATH DIR: records what exists at PATH in the tree DIR, whose manifest is being written.
capture_path() {
    if [ -L "$1" ]; then
        target=$(readlink -- "$1")
        case $target in
        *[![:print:]]*) die obstacle "the target of the link $1 has unprintable characters" ;;
        esac
        printf 'link\t%s\t%s\n' "$target" "$1" >>"$2/manifest.new"
    elif [ -f "$1" ]; then
        known_owner "$1"
        # It is copied and hashed later, together with all others.
        copied=$copied$1$newline
        # shellcheck disable=SC2086 # three words
        printf 'file\tother\t%s\t%s\t%s\t-\t%s\n' $owner "$1" >>"$2/manifest.new"
    elif [ -e "$1" ]; then
        die obstacle "$1 is not a regular file"
    else
        printf 'absent\t%s\n' "$1" >>"$2/manifest.new"
    fi || die disk "cannot write $2/manifest.new: $(space "$2")"
}

# capture_sysctl KEY DIR and capture_service UNIT DIR: record a kernel setting and the state of a unit there.
capture_sysctl() {
    known_sysctl "$1"
    printf 'sysctl\t%s\t%s\n' "$1" "$text" >>"$2/manifest.new" || die disk "cannot write $2/manifest.new"
}

capture_service() {
    property "$1" UnitFileState
    # An alias is known by another name.
    enabled=${value:-$(systemctl is-enabled "$1" 2>/dev/null)}
    property "$1" ActiveState
    [ -n "$value" ] || value=$(systemctl is-active "$1" 2>/dev/null) || :
    printf 'service\t%s\t%s\t%s\n' "$1" "${enabled:-none}" "${value:-inactive}" >>"$2/manifest.new" ||
        die disk "cannot write $2/manifest.new"
}

# capture_missing MANIFEST DIR: records in DIR whatever MANIFEST names and DIR does not have yet. DIR's manifest is
# replaced atomically, once all contents are on disk.
capture_missing() {
    mkdir -p "$2/files" || die disk "cannot create $2: $(space "$state")"
    true >"$2/manifest.new" || die disk "cannot write in $2"
    [ ! -f "$2/manifest" ] || cat "$2/manifest" >"$2/manifest.new" || die disk "cannot write in $2: $(space "$2")"
    note_entries "$2/manifest.new"
    for_files_of "$1" '' note_owners
    note_sysctls_of "$1"
    copied=''
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file) has_entry "$f" || capture_path "$f" "$2" ;;
        link) has_entry "$b" || capture_path "$b" "$2" ;;
        absent) has_entry "$a" || capture_path "$a" "$2" ;;
        sysctl) has_entry "sysctl $a" || capture_sysctl "$a" "$2" ;;
        esac
    done <"$1"
    # shellcheck disable=SC2086 # names of units are words
    services=$(systemctl show $unit_services -p Id,ActiveState,UnitFileState,NeedDaemonReload 2>/dev/null)
    for unit in $units; do
        has_entry "service $unit.service" || capture_service "$unit.service" "$2"
    done
    copy_files "$2"
    set_sums "$2"
    sync_tree "$2"
    mv -f "$2/manifest.new" "$2/manifest" || die disk "cannot write $2/manifest"
    sync "$2" || :
}

# note_sysctls_of MANIFEST: caches the values of the kernel settings that it names.
note_sysctls_of() {
    keys=''
    while IFS=$tab read -r kind key _; do
        [ "$kind" != sysctl ] || keys="$keys $key"
    done <"$1"
    # shellcheck disable=SC2086 # keys are words
    note_sysctls $keys
}

# copy_files DIR: copies the files in copied to DIR/files.
copy_files() {
    kept_in=$1
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $copied
    split_words
    [ $# -eq 0 ] || cp --parents -- "$@" "$kept_in/files" || die disk "cannot keep copies in $kept_in: $(space "$kept_in")"
}

# set_sums DIR: adds the hashes of the copies to the manifest that is being written.
set_sums() {
    for_files_of "$1/manifest.new" "$1/files" note_sums
    while IFS= read -r line; do
        case $line in
        "file$tab"*"$tab-$tab"*)
            path=${line##*"$tab"}
            known_sum "$1/files$path"
            line=${line%"$tab-$tab"*}$tab$sum$tab$path
            ;;
        esac
        printf '%s\n' "$line"
    done <"$1/manifest.new" >"$1/manifest.summed" && mv -f "$1/manifest.summed" "$1/manifest.new" ||
        die disk "cannot write $1/manifest.new: $(space "$1")"
}

# make_dirs DIR: creates it and its parents, world-readable, and records each before creating it, so that none ever
# exists without a record.
make_dirs() {
    [ -d "$1" ] && return 0
    make_dirs "${1%/*}" || return 1
    printf '%s\n' "$1" >>"$state/created-dirs" && mkdir -m 755 -- "$1"
}

# drop_dirs DIR: removes it and its parents, as far as make_dirs created them and they are empty. A folder that is
# already gone counts as removed, since a rollback may be repeated.
drop_dirs() {
    dir=$1
    while [ -n "$dir" ]; do
        if grep -qxF -- "$dir" "$state/created-dirs" 2>/dev/null; then
            rmdir -- "$dir" 2>/dev/null || [ ! -e "$dir" ] || break
            grep -vxF -- "$dir" "$state/created-dirs" >"$state/created-dirs.new"
            # 1 means that no line is left. Anything above is an error.
            [ "$?" -le 1 ] || break
            mv -f "$state/created-dirs.new" "$state/created-dirs"
        else
            [ ! -e "$dir" ] || break
        fi
        dir=${dir%/*}
    done
}

# install_file SOURCE MODE OWNER GROUP PATH: installs it atomically. Readers see the old file or the new one. A
# rollback must not need disk space: if there is none, it links the saved copy into place.
install_file() {
    make_dirs "${5%/*}" || return 1
    new=$(mktemp "${5%/*}/.hactl.XXXXXX") || return 1
    if { cat <"$1" >"$new" || { [ "$place_on_error" = note ] && ln -f -- "$1" "$new"; }; } &&
        chown "$3:$4" "$new" && chmod "$2" "$new" && sync "$new" && mv -fT -- "$new" "$5"; then
        return 0
    fi
    rm -f -- "$new"
    return 1
}

# install_link TARGET PATH: installs a link atomically. It is created in a folder that only root can write to.
install_link() {
    make_dirs "${2%/*}" || return 1
    new=$(mktemp -d "${2%/*}/.hactl.XXXXXX") || return 1
    ln -s -- "$1" "$new/link" && mv -fT -- "$new/link" "$2" && rmdir -- "$new" && return 0
    rm -rf -- "$new"
    return 1
}

# sweep MANIFEST: removes temporary files that an interrupted install_file or check_writable left next to its paths.
sweep() {
    [ -f "$1" ] || return 0
    while IFS=$tab read -r kind a b _ _ _ f; do
        case $kind in
        file) dir=${f%/*} ;;
        link) dir=${b%/*} ;;
        absent) dir=${a%/*} ;;
        *) continue ;;
        esac
        while [ -n "$dir" ] && [ ! -d "$dir" ]; do dir=${dir%/*}; done
        rm -rf -- "$dir"/.hactl.??????
    done <"$1"
}

# is_same_file MODE OWNER GROUP SHA256 PATH: true if PATH, as cached, already matches its manifest line.
is_same_file() {
    [ -f "$5" ] && [ ! -L "$5" ] && known_owner "$5" && [ "$owner" = "$1 $2 $3" ] &&
        known_sum "$5" && [ "$sum" = "$4" ]
}

# place_tree DIR: makes the host's files match the tree. Changes only what differs.
place_tree() {
    units_changed=no hand_over_changed=no
    for_files_of "$1/manifest" '' note_owners note_sums
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file)
            is_same_file "$b" "$c" "$d" "$e" "$f" && continue
            note_change "$f"
            install_file "$1/files$f" "$b" "$c" "$d" "$f" || place_failed "$f"
            ;;
        link)
            [ ! -L "$b" ] || [ "$(readlink -- "$b")" != "$a" ] || continue
            note_change "$b"
            install_link "$a" "$b" || place_failed "$b"
            ;;
        absent)
            if [ -e "$a" ] || [ -L "$a" ]; then
                note_change "$a"
                rm -f -- "$a" || place_failed "$a"
            fi
            drop_dirs "${a%/*}"
            ;;
        esac
    done <"$1/manifest"
}

# is_fixed PATH: true, with the reason in fixed, if PATH cannot be replaced even though its folder is writable: it is
# immutable, or a mount point.
is_fixed() {
    [ -e "$1" ] && [ ! -L "$1" ] && env test -w "${1%/*}/" || return 1
    fixed='it is immutable (chattr +i)'
    case $(lsattr -d -- "$1" 2>/dev/null) in
    *[ia]*' '*) return 0 ;;
    esac
    env test -w "$1" || return 0
    fixed='it is a mount of its own'
    while read -r _ _ _ _ point _; do
        [ "$point" != "$1" ] || return 0
    done </proc/self/mountinfo
    return 1
}

# refuse_fixed MANIFEST: ends the program if a file that has to change cannot be replaced.
refuse_fixed() {
    for_files_of "$1" '' note_owners note_sums
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file)
            is_same_file "$b" "$c" "$d" "$e" "$f" && continue
            place=$f
            ;;
        absent) place=$a ;;
        *) continue ;;
        esac
        ! is_fixed "$place" || die fixed "cannot replace $place: $fixed"
    done <"$1"
}

# place_failed PATH: reports why, as far as the system tells. place_on_error is `die` during activation, whose caller
# rolls back, and `note` during a rollback, which goes on with the next file.
place_failed() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        reason='a folder is in the way'
    elif is_fixed "$1"; then
        reason=$fixed
    elif reason=$(mktemp "${1%/*}/.hactl.XXXXXX" 2>&1); then
        rm -f -- "$reason"
        reason=$(space "${1%/*}")
    else
        reason=${reason##*: }
    fi
    $place_on_error write "cannot write $1: $reason"
}

note() {
    problems=$((problems + 1))
    say problem "$1" "$2"
}

# note_change PATH: records whether systemd has to reload its units, and whether the hand-over's script is another one.
note_change() {
    case $1 in
    /etc/systemd/*) units_changed=yes ;;
    "$hand_over") hand_over_changed=yes ;;
    esac
}

# place_sysctls DIR: sets the kernel settings of the tree and reads them back. A value that the kernel refuses is an
# error here, since sysctl.d(5) would skip it silently at boot.
place_sysctls() {
    note_sysctls_of "$1/manifest"
    while IFS=$tab read -r kind key value; do
        [ "$kind" = sysctl ] || continue
        # '-' stands for an empty value: an empty field would be lost in word splitting.
        [ "$value" != - ] || value=''
        known_sysctl "$key"
        [ "$text" != "$value" ] || continue
        sysctl_file "$key"
        if [ ! -e "$file" ]; then
            [ -z "$value" ] || $place_on_error sysctl "the kernel has no setting $key"
            continue
        fi
        # cat reports the kernel's reason. dash's printf says "I/O error" for all of them.
        problem=$( (printf '%s\n' "$value" | cat >"$file") 2>&1)
        # An empty value means that the key was empty or did not exist. Neither is an error.
        [ -z "$value" ] || [ "$(sysctl_value "$key")" = "$value" ] ||
            $place_on_error sysctl "the kernel refuses $key = $value and keeps $(sysctl_value "$key"): ${problem##*: }"
        # One key may change others.
        # shellcheck disable=SC2086 # keys are words
        note_sysctls $keys
    done <"$1/manifest"
}
