# The part of hactl that runs on a host. hactl sends it once for a connection (serve). It runs as root, and needs a
# POSIX shell, coreutils, util-linux, iproute2 and systemd. Values arrive as arguments or on standard input, never as
# part of this text. The answer is a list of records, one per line, with tab-separated fields. A line that starts with a blank is
# the body of the record before it, in base64.
# shellcheck disable=SC2015 # 'A && B || die' is meant: die when either fails
set -u
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# TMOUT would end bash between two calls.
unset CDPATH ENV BASH_ENV TMOUT 2>/dev/null || :

state=/var/lib/hactl
tab=$(printf '\t')
newline='
'

# say TAG FIELD...: answers with one record. Control characters in a field become '?', so that nothing stored on a
# host can forge a record.
say() {
    line=$1
    shift
    for field; do
        printable "$field"
        line="$line$tab${text:--}"
    done
    printf '%s\n' "$line"
}

# body FILE: sends it as the body of the record just said.
body() {
    printf ' '
    base64 -w0 <"$1"
    printf '\n'
}

# body_text TEXT: sends it as the body of the record just said.
body_text() {
    printf ' '
    printf '%s' "$1" | base64 -w0
    printf '\n'
}

# split_lines: until split_words, unquoted expansions split at newlines only, without globbing.
split_lines() {
    set -f
    IFS=$newline
}

split_words() {
    unset IFS
    set +f
}

# Bodies that are sent together, since one process per body would cost more than the bodies are worth. The record just
# said gets ` =N` in place of its body. A record `bodies` carries them all in that order, after a line with their
# sizes in bytes.
bodies=0 texts='' sizes=''

# text_later TEXT: queues it as a body to send at the end of the answer.
text_later() {
    printf ' =%s\n' "$bodies"
    bodies=$((bodies + 1)) texts=$texts$1 sizes="$sizes ${#1}"
}

send_texts() {
    [ -n "$sizes" ] || return 0
    say bodies
    body_text "${sizes# }$newline$texts"
}

# finish: sends the last record, which tells a complete answer from a truncated one, and exits.
finish() {
    send_texts
    say end
    exit 0
}

# die CODE MESSAGE [OUTPUT]: ends the call as failed. CODE is for hactl, MESSAGE for its user.
die() {
    say fail "$1" "$2"
    [ -z "${3-}" ] || body_text "$3"
    send_texts
    say end
    exit 1
}

# is_function NAME
is_function() { command -v "$1" >/dev/null 2>&1; }

# read_uid: sets uid to the effective user id.
read_uid() {
    while read -r key _ uid _; do
        if [ "$key" = Uid: ]; then return; fi
    done </proc/self/status
    uid=$(id -u)
}

# read_uptime: sets up to whole seconds since boot, a clock that cannot be set.
read_uptime() {
    read -r up _ </proc/uptime
    up=${up%%.*}
}

uptime_seconds() { read_uptime && printf '%s' "$up"; }

# read_boot_id: sets boot_now to the kernel's id of the current boot.
read_boot_id() { read -r boot_now </proc/sys/kernel/random/boot_id; }

boot_id() { read_boot_id && printf '%s' "$boot_now"; }

# read_exactly N: copies the next N bytes of standard input to standard output, and reads no further.
read_exactly() {
    [ "$1" -eq 0 ] || dd bs="$1" count=1 iflag=fullblock 2>/dev/null
}

sha256_of() {
    sum=$(sha256sum <"$1")
    printf '%s' "${sum%% *}"
}

# note_owners PATH... and note_sums PATH...: cache the owners and the hashes of the files, with one process for all.
note_owners() {
    owners=$newline
    [ $# -eq 0 ] || owners=$newline$(stat -c '%a %U %G %u %g %n' -- "$@" 2>/dev/null)$newline
}

note_sums() {
    sums=$newline
    [ $# -eq 0 ] || sums=$newline$(sha256sum -- "$@" 2>/dev/null)$newline
}

# for_files_of MANIFEST DIR FUNCTION...: calls each FUNCTION with all regular files that MANIFEST lists, below DIR.
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

# known_sum PATH: sets sum to its hash, from the cache of note_sums if it is there.
known_sum() {
    before=${sums%%"  $1$newline"*}
    # Created after note_sums ran.
    if [ "$before" = "$sums" ]; then sum=$(sha256_of "$1"); else sum=${before##*"$newline"}; fi
}

# known_owner PATH: sets owner like owner_of, from the cache of note_owners if it is there.
known_owner() {
    before=${owners%%" $1$newline"*}
    if [ "$before" = "$owners" ]; then
        owner_of "$1"
    else
        # shellcheck disable=SC2086 # five words
        name_owner ${before##*"$newline"}
    fi
}

# owner_of PATH: sets owner to its mode in four digits, its user and its group.
owner_of() {
    owner=''
    # shellcheck disable=SC2046 # five words
    name_owner $(stat -c '%a %U %G %u %g' -- "$1")
}

# name_owner MODE USER GROUP UID GID: sets owner, with numeric ids if they have no name.
name_owner() {
    [ $# -ge 5 ] || return 1
    mode=$1 user=$2 group=$3
    while [ ${#mode} -lt 4 ]; do mode=0$mode; done
    [ "$user" != UNKNOWN ] || user=$4
    [ "$group" != UNKNOWN ] || group=$5
    owner="$mode $user $group"
}

# printable TEXT: sets text to it, with '?' for everything that is not.
printable() {
    text=$1
    case $text in *[![:print:]]*) text=$(printf '%s' "$text" | tr -c '[:print:]' '?') ;; esac
}

# put FILE: replaces its content with standard input, atomically. Readers see the old content or the new, even after a
# power failure.
put() { cat >"$1.new" && replace "$1"; }

# put_text FILE TEXT: like put, for a text, with fewer processes.
put_text() { printf '%s' "$2" >"$1.new" && replace "$1"; }

# replace FILE: FILE.new takes its place.
replace() { sync "$1.new" && mv -f -- "$1.new" "$1" && { sync "${1%/*}" || :; }; }

# sync_tree DIR: flushes everything in it to disk.
sync_tree() { find "$1" -exec sync {} + || :; }

# value_in FILE KEY: prints the first value of KEY in a manifest or journal.
value_in() {
    read_value "$1" "$2"
    printf '%s' "$value"
}

# read_value FILE KEY: sets value to it.
read_value() {
    value=''
    [ -f "$1" ] || return 0
    while IFS=$tab read -r key value _; do
        if [ "$key" = "$2" ]; then return 0; fi
    done <"$1"
    value=''
}

# http_get PORT PATH: prints the response of the web server on loopback, status line first. bash is the only client
# that every supported distribution has. --norc: under sshd, bash reads ~/.bashrc even with -c, and its output would
# precede the response.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
http_get() {
    timeout 2 bash --norc -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$2" >&3
        while IFS= read -r line || [ -n "$line" ]; do printf "%s\n" "$line"; done <&3' hactl "$1" "$2" 2>/dev/null
}

# served_id PORT: prints the id of the configuration that the running nginx serves, or nothing.
served_id() {
    answer=$(http_get "$1" /generation)
    case $answer in
    HTTP/*' 200 '*) printf '%s' "${answer##*"$newline"}" ;;
    esac
}

# addresses_of NAME: prints the addresses that this host resolves it to, as nginx does (getaddrinfo), one per line.
# The resolver would wait half a minute for three unresponsive DNS servers, hence the timeout.
addresses_of() {
    timeout 12 getent ahosts "$1" 2>/dev/null | while read -r address kind _; do
        [ "$kind" != STREAM ] || printf '%s\n' "$address"
    done
}

main_pid() { systemctl show -p MainPID --value "$1" 2>/dev/null; }

is_active() { systemctl is-active --quiet "$1" 2>/dev/null; }

# with_mutex [SECONDS]: takes the mutex, which serializes calls that change the state folder, until this call ends.
# The subshell keeps a failed redirection from ending the whole program (POSIX 2.8.1).
with_mutex() {
    # Usually in order: it was checked when this program started.
    case ${folders-} in
    *"${newline}0 0 700 $state$newline"*) problem=$( (: >>"$state/mutex") 2>&1) ;;
    *) problem=$( (mkdir -p "$state" && chmod 700 "$state" && : >>"$state/mutex") 2>&1) ;;
    esac || die state-unwritable "cannot write in $state: ${problem##*: }"
    exec 9>>"$state/mutex"
    flock -w "${1:-20}" 9 || die busy "another hactl call is running on this host"
}

# ignore_hangup: from here on, a lost connection or a closed pipe stops nothing. Finishing a step that has begun is
# better than leaving it to the timer.
ignore_hangup() { trap '' HUP PIPE; }

# change_id TEXT and number TEXT: refuse malformed values before they become part of a path or a unit.
change_id() {
    case $1 in
    '' | .* | *[!A-Za-z0-9._-]*) die protocol "invalid change id: $1" ;;
    esac
}

number() {
    case $1 in
    '' | *[!0-9]*) die protocol "invalid number: $1" ;;
    esac
}

# sysctl_file KEY: sets file to its path in /proc/sys. A '/' in a key stands for a dot in a name (sysctl.d(5)).
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

# note_sysctls KEY...: caches their values. One process reads them all: a shell's own `read` takes one byte at a time,
# and the kernel then returns only the first byte of a number.
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

# known_sysctl KEY: sets text to its cached value with single blanks; empty if the kernel has no such key.
known_sysctl() {
    sysctl_file "$1"
    text=''
    split_lines
    for line in $sysctls_noted; do
        case $line in "$file:"*) text="$text ${line#"$file:"}" ;; esac
    done
    # Globbing stays off: a value may contain '*'.
    unset IFS
    # shellcheck disable=SC2086 # its words
    single_blanks $text
    split_words
}

# single_blanks WORD...: sets text to the words, joined by single blanks.
single_blanks() { text=$*; }

# sysctl_value KEY: prints its value with single blanks, or nothing if the kernel has no such key.
sysctl_value() {
    note_sysctls "$1"
    known_sysctl "$1"
    printf '%s' "$text"
}
