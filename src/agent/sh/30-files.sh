# Files: receiving them, recording what lies there, putting others in place.
#
# A "tree" is a folder with a manifest and the contents of its files under files/. The staged change,
# the host as it was before it, and every generation are trees. A manifest's lines:
#   file ROLE MODE OWNER GROUP SHA256 PATH | link TARGET PATH | absent PATH
#   sysctl KEY VALUE | service UNIT ENABLED ACTIVE | package NAME | KEY VALUE (anything else)

# receive_tree DIR: a tree from standard input. Each file line is followed by a size and its bytes;
# their hash is checked here, before anything is done with them.
receive_tree() {
    mkdir -p "$1/files" || die state-unwritable "cannot create $1/files" 
    : >"$1/manifest" || die state-unwritable "cannot write in $1"
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file)
            read -r size || die protocol "the stream ended within $f"
            mkdir -p "$1/files${f%/*}" || die disk "cannot create a folder in $1"
            read_exactly "$size" >"$1/files$f" || die disk "cannot write $1/files$f: $(df -h "$1" | tail -n 1)"
            [ -f "$1/files$f" ] && [ "$(sha256_of "$1/files$f")" = "$e" ] ||
                die disk "$1/files$f is not what was sent: is the disk full? $(df -h "$1" | tail -n 1)"
            printf 'file\t%s\t%s\t%s\t%s\t%s\t%s\n' "$a" "$b" "$c" "$d" "$e" "$f" >>"$1/manifest"
            ;;
        end) return 0 ;;
        *) printf '%s\n' "$kind${a:+$tab$a}${b:+$tab$b}${c:+$tab$c}" >>"$1/manifest" ;;
        esac || die disk "cannot write $1/manifest: $(df -h "$1" | tail -n 1)"
    done
    die protocol "the stream ended early"
}

# capture_path PATH DIR: records what lies at PATH in the tree DIR.
capture_path() {
    if [ -L "$1" ]; then
        printf 'link\t%s\t%s\n' "$(readlink -- "$1")" "$1" >>"$2/manifest"
    elif [ -f "$1" ]; then
        mkdir -p "$2/files${1%/*}" && cp -- "$1" "$2/files$1" || die disk "cannot keep a copy of $1 in $2"
        printf 'file\tother\t%s\t%s\t%s\n' "$(stat -c "0%a$tab%U$tab%G" -- "$1")" "$(sha256_of "$2/files$1")" "$1" >>"$2/manifest"
    else
        printf 'absent\t%s\n' "$1" >>"$2/manifest"
    fi || die disk "cannot write $2/manifest"
}

# capture_sysctl KEY DIR and capture_service UNIT DIR: likewise.
capture_sysctl() { printf 'sysctl\t%s\t%s\n' "$1" "$(sysctl_value "$1")" >>"$2/manifest"; }

capture_service() {
    enabled=$(systemctl is-enabled "$1" 2>/dev/null) || :
    active=$(systemctl is-active "$1" 2>/dev/null) || :
    printf 'service\t%s\t%s\t%s\n' "$1" "${enabled:-none}" "${active:-inactive}" >>"$2/manifest"
}

# capture_missing MANIFEST DIR: records in DIR what MANIFEST speaks of and DIR does not hold yet.
capture_missing() {
    mkdir -p "$2/files" || die state-unwritable "cannot create $2"
    [ -f "$2/manifest" ] || : >"$2/manifest"
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file) grep -q "$tab$f\$" "$2/manifest" || capture_path "$f" "$2" ;;
        link) grep -q "$tab$b\$" "$2/manifest" || capture_path "$b" "$2" ;;
        absent) grep -q "$tab$a\$" "$2/manifest" || capture_path "$a" "$2" ;;
        sysctl) grep -q "^sysctl$tab$a$tab" "$2/manifest" || capture_sysctl "$a" "$2" ;;
        esac
    done <"$1"
    for unit in nginx.service keepalived.service; do
        grep -q "^service$tab$unit$tab" "$2/manifest" || capture_service "$unit" "$2"
    done
}

# make_dirs DIR: creates it and its parents, readable by all, and notes which were made.
make_dirs() {
    [ -d "$1" ] && return 0
    make_dirs "${1%/*}" || return 1
    mkdir -m 755 -- "$1" && printf '%s\n' "$1" >>"$state/created-dirs"
}

# remove_file PATH: and the folders that were made for it, where they are empty now.
remove_file() {
    rm -f -- "$1" || return 1
    parent=${1%/*}
    while [ -n "$parent" ] && grep -qxF "$parent" "$state/created-dirs" 2>/dev/null; do
        rmdir -- "$parent" 2>/dev/null || break
        grep -vxF "$parent" "$state/created-dirs" >"$state/created-dirs.new"
        mv -f "$state/created-dirs.new" "$state/created-dirs"
        parent=${parent%/*}
    done
    return 0
}

# install_file SOURCE MODE OWNER GROUP PATH: atomically; a reader sees the old file or the new one.
install_file() {
    make_dirs "${5%/*}" || return 1
    new=$(mktemp "${5%/*}/.hactl.XXXXXX") || return 1
    if cat <"$1" >"$new" && chown "$3:$4" "$new" && chmod "$2" "$new" && sync "$new" && mv -f -- "$new" "$5"; then
        return 0
    fi
    rm -f -- "$new"
    return 1
}

# is_same KIND...: true when PATH already is what its manifest line says.
is_same_file() {
    [ -f "$5" ] && [ ! -L "$5" ] && [ "$(stat -c '0%a %U %G' -- "$5")" = "$1 $2 $3" ] && [ "$(sha256_of "$5")" = "$4" ]
}

# place_tree DIR: makes the host's files what the tree says; changes only what differs.
place_tree() {
    units_changed=no
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        file)
            is_same_file "$b" "$c" "$d" "$e" "$f" && continue
            note_unit "$f"
            install_file "$1/files$f" "$b" "$c" "$d" "$f" || place_failed "$f"
            ;;
        link)
            if [ "$(readlink -- "$b" 2>/dev/null)" != "$a" ]; then
                make_dirs "${b%/*}" && ln -sfn -- "$a" "$b" || place_failed "$b"
            fi
            ;;
        absent)
            [ -e "$a" ] || [ -L "$a" ] || continue
            note_unit "$a"
            remove_file "$a" || place_failed "$a"
            ;;
        esac
    done <"$1/manifest"
}

# place_failed PATH: says why as far as the system tells. place_on_error is `die` while activating,
# where the caller undoes it, and `note` while undoing, where every other file still is to be tried.
place_failed() {
    reason=$( (: >"${1%/*}/.hactl-probe") 2>&1 && rm -f "${1%/*}/.hactl-probe")
    $place_on_error write "cannot write $1: ${reason:-no reason given}"
}

note() {
    problems=$((problems + 1))
    say problem "$1" "$2"
}

# note_unit PATH: systemd must read its units again once one of them changed.
note_unit() { case $1 in /etc/systemd/*) units_changed=yes ;; esac }

# place_sysctls DIR: sets the kernel to what the tree says and reads it back. A value that the
# kernel refuses is an error here, since sysctl.d(5) would skip it silently at boot.
place_sysctls() {
    while IFS=$tab read -r kind key value; do
        [ "$kind" = sysctl ] || continue
        # An empty field would vanish in the word splitting, so nothing is written as '-'.
        [ "$value" != - ] || value=''
        now=$(sysctl_value "$key")
        [ "$now" != "$value" ] || continue
        file=$(sysctl_file "$key")
        if [ ! -e "$file" ]; then
            [ -z "$value" ] || $place_on_error sysctl "the kernel has no setting $key"
            continue
        fi
        # cat names the kernel's reason; dash's printf says "I/O error" for every one.
        problem=$( (printf '%s\n' "$value" | cat >"$file") 2>&1)
        [ "$(sysctl_value "$key")" = "$value" ] ||
            $place_on_error sysctl "the kernel refuses $key = $value and keeps $(sysctl_value "$key"): ${problem##*: }"
    done <"$1/manifest"
}
