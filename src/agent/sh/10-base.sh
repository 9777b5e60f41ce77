# hactl's program on a host. It is sent with every call, runs as root, and needs a POSIX shell,
# coreutils, util-linux, iproute2 and systemd. Values arrive as arguments or on standard input,
# never as part of this text. What it answers is a list of records, one a line, fields separated
# by tabs; a line that starts with a blank carries the record's body in base64.
# shellcheck disable=SC2015 # 'A && B || die' is meant: die when either fails
set -u
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset CDPATH ENV BASH_ENV 2>/dev/null || :

state=/var/lib/hactl
tab=$(printf '\t')
newline='
'

# say TAG FIELD...: answer one record. Control characters in a field become '?', so that nothing
# that a host stores can form a record of its own.
say() {
    line=$1
    shift
    for field; do
        case $field in
        *[![:print:]]*) field=$(printf '%s' "$field" | tr -c '[:print:]' '?') ;;
        esac
        line="$line$tab${field:--}"
    done
    printf '%s\n' "$line"
}

# body FILE: the body of the record just said.
body() {
    printf ' '
    base64 -w0 <"$1"
    printf '\n'
}

# body_text TEXT: the same for a text.
body_text() {
    printf ' '
    printf '%s' "$1" | base64 -w0
    printf '\n'
}

# split_lines: until split_words, what is expanded without quotes is split into lines, and holds no patterns.
split_lines() {
    set -f
    IFS=$newline
}

split_words() {
    unset IFS
    set +f
}

# Bodies that are sent together: a process for each would cost more than what they tell. The record just said gets
# ` =N` for its body, and a record `bodies` has them in that order, after a line of their sizes in bytes.
bodies=0 texts='' sizes=''

# text_later TEXT: sent at the end of the answer.
text_later() {
    printf ' =%s\n' "$bodies"
    bodies=$((bodies + 1)) texts=$texts$1 sizes="$sizes ${#1}"
}

send_texts() {
    [ -n "$sizes" ] || return 0
    say bodies
    body_text "${sizes# }$newline$texts"
}

# finish: the last record, which tells a whole answer from one cut short.
finish() {
    send_texts
    say end
    exit 0
}

# die CODE MESSAGE [OUTPUT]: the call failed; CODE is for hactl, MESSAGE for its user.
die() {
    say fail "$1" "$2"
    [ -z "${3-}" ] || body_text "$3"
    send_texts
    say end
    exit 1
}

# is_function NAME
is_function() { command -v "$1" >/dev/null 2>&1; }

# uptime_seconds: whole seconds since boot, a clock that nobody sets.
uptime_seconds() {
    read -r up _ </proc/uptime
    printf '%s' "${up%%.*}"
}

# boot_id: tells one boot of this machine from the next.
boot_id() {
    read -r boot_now </proc/sys/kernel/random/boot_id
    printf '%s' "$boot_now"
}

# read_exactly N: copies the next N bytes of standard input to standard output, not one more.
read_exactly() {
    [ "$1" -eq 0 ] || dd bs="$1" count=1 iflag=fullblock 2>/dev/null
}

sha256_of() {
    sum=$(sha256sum <"$1")
    printf '%s' "${sum%% *}"
}

# note_owners PATH... and note_sums PATH...: note whose the files are, and what they hold, with one process for all.
note_owners() {
    owners=$newline
    [ $# -eq 0 ] || owners=$newline$(stat -c '%a %U %G %u %g %n' -- "$@" 2>/dev/null)$newline
}

note_sums() {
    sums=$newline
    [ $# -eq 0 ] || sums=$newline$(sha256sum -- "$@" 2>/dev/null)$newline
}

# for_files_of MANIFEST DIR FUNCTION...: calls each with the regular files that MANIFEST speaks of, below DIR.
for_files_of() {
    below=$2 listed=''
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] && [ -f "$below$path" ] && [ ! -L "$below$path" ] || continue
        listed=$listed$below$path$newline
    done <"$1"
    shift 2
    functions=$*
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $listed
    split_words
    for function in $functions; do "$function" "$@"; done
}

# known_sum PATH: sets sum to its hash, as it was when it was looked at.
known_sum() {
    before=${sums%%"  $1$newline"*}
    # It has come since.
    if [ "$before" = "$sums" ]; then sum=$(sha256_of "$1"); else sum=${before##*"$newline"}; fi
}

# known_owner PATH: the same for its owner, as owner_of.
known_owner() {
    before=${owners%%" $1$newline"*}
    if [ "$before" = "$owners" ]; then
        owner_of "$1"
    else
        # shellcheck disable=SC2086 # five words
        name_owner ${before##*"$newline"}
    fi
}

# owner_of PATH: sets owner to its mode in four digits, its owner and its group.
owner_of() {
    owner=''
    # shellcheck disable=SC2046 # five words
    name_owner $(stat -c '%a %U %G %u %g' -- "$1")
}

# name_owner MODE USER GROUP UID GID: sets owner; to numbers where these have no name.
name_owner() {
    [ $# -ge 5 ] || return 1
    mode=$1 user=$2 group=$3
    while [ ${#mode} -lt 4 ]; do mode=0$mode; done
    [ "$user" != UNKNOWN ] || user=$4
    [ "$group" != UNKNOWN ] || group=$5
    owner="$mode $user $group"
}

# put FILE: standard input becomes its content; whoever reads it sees the old one or the new one,
# also after a power cut.
put() { cat >"$1.new" && sync "$1.new" && mv -f -- "$1.new" "$1" && { sync "${1%/*}" || :; }; }

# put_text FILE TEXT: the same for a text, with fewer processes.
put_text() { printf '%s' "$2" >"$1.new" && sync "$1.new" && mv -f -- "$1.new" "$1" && { sync "${1%/*}" || :; }; }

# sync_tree DIR: everything in it is on the disk.
sync_tree() { find "$1" -exec sync {} + || :; }

# value_in FILE KEY: the first value of KEY in a manifest or journal.
value_in() {
    [ -f "$1" ] || return 0
    while IFS=$tab read -r key value _; do
        if [ "$key" = "$2" ]; then
            printf '%s' "$value"
            return 0
        fi
    done <"$1"
}

# http_get PORT PATH: what the web server on loopback answers, its status line first. bash is the
# one client that every supported distribution has. --norc: below sshd it reads ~/.bashrc even for -c,
# and what that prints would come before the answer.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
http_get() {
    timeout 2 bash --norc -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$2" >&3
        while IFS= read -r line || [ -n "$line" ]; do printf "%s\n" "$line"; done <&3' hactl "$1" "$2" 2>/dev/null
}

# served_id PORT: the configuration that the running nginx serves, or nothing.
served_id() {
    answer=$(http_get "$1" /generation)
    case $answer in
    HTTP/*' 200 '*) printf '%s' "${answer##*"$newline"}" ;;
    esac
}

# addresses_of NAME: what this host resolves it to, as nginx does (getaddrinfo), one a line. Three DNS
# servers that do not answer take the resolver half a minute; nobody waits that long.
addresses_of() {
    timeout 12 getent ahosts "$1" 2>/dev/null | while read -r address kind _; do
        [ "$kind" != STREAM ] || printf '%s\n' "$address"
    done
}

main_pid() { systemctl show -p MainPID --value "$1" 2>/dev/null; }

is_active() { systemctl is-active --quiet "$1" 2>/dev/null; }

# with_mutex [SECONDS]: held until this program ends; orders two calls that change the state folder.
# The subshell keeps a redirection that fails from ending the whole program (POSIX 2.8.1).
with_mutex() {
    # It mostly is as it should be: it was looked at when this program began.
    case ${folders-} in
    *"${newline}0 0 700 $state$newline"*) problem=$( (: >>"$state/mutex") 2>&1) ;;
    *) problem=$( (mkdir -p "$state" && chmod 700 "$state" && : >>"$state/mutex") 2>&1) ;;
    esac || die state-unwritable "cannot write in $state: ${problem##*: }"
    exec 9>>"$state/mutex"
    flock -w "${1:-20}" 9 || die busy "another call of hactl's works on this host"
}

# carry_on: from here on a connection that ends, and a reader that is gone, stop nothing: a step that
# was begun is better ended than left to the timer.
carry_on() { trap '' HUP PIPE; }

# change_id TEXT and number TEXT: refuse what is none, before it becomes a part of a path or a unit.
change_id() {
    case $1 in
    '' | .* | *[!A-Za-z0-9._-]*) die protocol "this is no id of a change: $1" ;;
    esac
}

number() {
    case $1 in
    '' | *[!0-9]*) die protocol "this is no number: $1" ;;
    esac
}

# sysctl_file KEY: sets file to its place in /proc/sys; a '/' in a key stands for a dot in a name (sysctl.d(5)).
sysctl_file() {
    rest=$1 file=/proc/sys/
    while :; do
        part=${rest%%[./]*}
        [ "$part" != "$rest" ] || break
        case ${rest#"$part"} in
        .*) file=$file$part/ ;;
        *) file=$file$part. ;;
        esac
        rest=${rest#"$part"?}
    done
    file=$file$rest
}

# note_sysctls KEY...: notes their values. One process reads them all: a shell's own `read` takes a byte at a time, of
# which the kernel gives a number's first only.
note_sysctls() {
    sysctl_files=''
    for key; do
        sysctl_file "$key"
        [ ! -r "$file" ] || sysctl_files=$sysctl_files$file$newline
    done
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $sysctl_files
    split_words
    sysctls_noted=''
    [ $# -eq 0 ] || sysctls_noted=$(grep -H '' -- "$@" 2>/dev/null)
}

# known_sysctl KEY: sets text to its value with single blanks; empty where the kernel has no such key.
known_sysctl() {
    sysctl_file "$1"
    text=''
    split_lines
    for line in $sysctls_noted; do
        case $line in "$file:"*) text="$text ${line#"$file:"}" ;; esac
    done
    # A '*' in a value stays one.
    unset IFS
    # shellcheck disable=SC2086 # its words
    single_blanks $text
    split_words
}

# single_blanks WORD...: sets text to them.
single_blanks() { text=$*; }

# sysctl_value KEY: its value with single blanks, or nothing where the kernel has no such key.
sysctl_value() {
    sysctl_file "$1"
    [ -r "$file" ] || return 0
    set -f # a '*' in a value is no pattern
    # shellcheck disable=SC2046
    set -- $(cat "$file" 2>/dev/null)
    printf '%s' "$*"
}
