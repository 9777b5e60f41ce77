# observe: reports what this host is, what was last applied to it, its current files and what runs. Standard input
# lists what to look at. Nothing on the host is changed.

observe() {
    say_host
    live_generation=0 port=''
    if [ -f "$state/live/manifest" ]; then
        read_value "$state/live/manifest" generation
        live_generation=$value
        read_value "$state/live/manifest" status_port
        port=$value
    fi
    paths='' sysctls='' network='' hooks='' programs='' probes='' serving=no installed=no
    question=$(cat)
    # Not with the shell's own `read`, which makes one system call per byte.
    split_lines
    for line in $question; do
        what=${line%%"$tab"*} one=${line#*"$tab"} two=''
        case $one in *"$tab"*) two=${one#*"$tab"} one=${one%%"$tab"*} ;; esac
        case $what in
        path) paths=$paths$one$newline ;;
        sysctl) sysctls="$sysctls $one" ;;
        backend | neighbour | name | peer | peer_vip) network=$network"$what $one ${two:--}"$newline ;;
        hook) hooks=$hooks$one$newline ;;
        program) programs=$programs$two$tab$one$newline ;;
        status_port) port=${port:-$one} ;;
        serving) serving=yes ;;
        installed) installed=yes ;;
        probe)
            case $one in
            networkd | file_limit | adverts | space | clock_sync | listeners | active_units | ufw | selinux)
                probes="$probes $one"
                ;;
            esac
            ;;
        end) break ;;
        esac
    done
    split_words
    [ "$installed" = no ] || observe_installed
    observe_files
    observe_changes
    observe_drill
    observe_addresses
    observe_sysctls
    observe_services
    observe_running "${port:-}"
    observe_programs
    observe_probes
    observe_network
    finish
}

# say_host: reports its name, its kernel, who asks, and its clock.
say_host() {
    read -r hostname </proc/sys/kernel/hostname
    read -r kernel </proc/sys/kernel/osrelease
    say host "$hostname" "$kernel" "$uid"
    say_clock
}

# say_clock: reports the wall clock, the seconds since boot and the boot id.
say_clock() {
    read_uptime && read_boot_id
    say clock "$(date +%s.%N)" "$up" "$boot_now"
}

# observe_installed: reports the system, the units' programs, and what the host lacks.
observe_installed() {
    os_file=/etc/os-release
    [ -r "$os_file" ] || os_file=/usr/lib/os-release
    (
        ID=unknown VERSION_ID=0 ID_LIKE=''
        # shellcheck disable=SC1090
        . "$os_file" 2>/dev/null
        say os "$ID" "$VERSION_ID" "${ID_LIKE:-}"
    )
    built=''
    for unit in $units; do
        unit_row "$unit"
        if command -v "$program" >/dev/null 2>&1; then
            if is_function "${unit}_version"; then
                "${unit}_version"
            else
                version=$("$program" "$version_option" 2>&1)
            fi
            [ "$unit" != nginx ] || built=$version
            say installed "$unit" "${version%%"$newline"*}"
        elif package_manager; then
            say missing "$unit" "$("${manager}_candidate" "$unit")"
        else
            say missing "$unit" ''
        fi
    done
    if nginx_has_stream; then say module stream; fi
    for tool in unshare flock base64 sha256sum ip systemctl bash timeout; do
        command -v "$tool" >/dev/null 2>&1 || say lacking "$tool"
    done
}

# nginx_has_stream: true if it is built in, or built as a module whose file exists (nginx -V).
nginx_has_stream() {
    case "$built " in
    *'--with-stream=dynamic '*)
        modules=${built##*--modules-path=}
        [ "$modules" != "$built" ] || return 1
        [ -e "${modules%% *}/ngx_stream_module.so" ]
        ;;
    *'--with-stream '*) ;;
    *) return 1 ;;
    esac
}

# observe_files: reports every file whose content matters: recorded, requested or served.
observe_files() {
    found='' judged='' judged_last=''
    [ "$serving" = no ] || find_serving
    attempt=0
    until read_files || [ "$attempt" -ge 3 ]; do attempt=$((attempt + 1)); done
    observe_recorded
    observe_paths
    [ "$serving" = no ] || observe_serving
}

# The most bytes of files that are sent together: a shell holds them in a variable.
together_bytes=8388608

# read_files: one process reads the owners of all these files, and one their contents. Fails if a file changed between
# the two; then each is read when it is reported.
read_files() {
    set --
    known=$newline
    split_lines
    for path in "$state/live/manifest" "$state/generations/0/manifest" $paths $found; do
        if [ -f "$path" ]; then
            case $known in *"$newline$path$newline"*) continue ;; esac
            known=$known$path$newline
            set -- "$@" "$path"
        fi
    done
    split_words
    owners=$newline body_numbers='' sizes='' total=0 count=0 numbered=$newline
    [ $# -gt 0 ] || return 0
    owners=$newline$(stat -L -c '%a %U %G %u %g %s %n' -- "$@" 2>/dev/null)$newline
    set --
    split_lines
    for line in $owners; do
        path=/${line#*" /"} size=${line%%" /"*}
        size=${size##* }
        # A large file is sent separately, up to the limit given for it.
        [ "$size" -le "$serving_bytes" ] && [ $((total + size)) -le "$together_bytes" ] || continue
        set -- "$@" "$path"
        numbered=$numbered$count' '$path$newline
        count=$((count + 1)) sizes="$sizes $size" total=$((total + size))
    done
    split_words
    [ $# -gt 0 ] || return 0
    sizes=${sizes# }$newline
    encoded=$({ printf '%s' "$sizes" && cat -- "$@" 2>/dev/null; } | base64 -w0)
    case $encoded in *==) padding=2 ;; *=) padding=1 ;; *) padding=0 ;; esac
    # base64 encodes three bytes as four characters.
    [ $((${#encoded} * 3 / 4 - padding)) -eq $((${#sizes} + total)) ] || { sizes='' && return 1; }
    body_numbers=$numbered bodies=$count sizes=''
    say bodies
    printf ' %s\n' "$encoded"
}

# file_body FILE [LIMIT]: sends its content, or the first LIMIT bytes, as the body of the record just said.
file_body() {
    before=${body_numbers%%" $1$newline"*}
    if [ "$before" != "$body_numbers" ]; then
        printf ' =%s\n' "${before##*"$newline"}"
    elif [ -n "${2-}" ]; then
        printf ' '
        head -c "$2" <"$1" | base64 -w0
        printf '\n'
    else
        body "$1"
    fi
}

observe_recorded() {
    if [ -f "$state/live/manifest" ]; then
        say recorded "$live_generation"
        file_body "$state/live/manifest"
    fi
    highest=0
    for kept in "$state"/generations/*; do
        kept=${kept##*/}
        case $kept in *[!0-9]*) continue ;; esac
        [ "$kept" -le "$highest" ] || highest=$kept
    done
    say highest "$highest"
    if [ -f "$state/generations/0/manifest" ]; then
        say original
        file_body "$state/generations/0/manifest"
    fi
}

# observe_changes: reports the change in progress, the lock, and how the last change ended.
observe_changes() {
    if [ -f "$state/journal" ]; then
        say_journal
    fi
    if [ -f "$state/lock" ]; then
        say lock "$(value_in "$state/lock" tx)"
        body "$state/lock"
    fi
    [ -f "$state/outcome" ] || return 0
    tx='' result='' why='' at='' noted='' cause=''
    while IFS=$tab read -r key value _; do
        case $key in
        tx) tx=$value ;;
        result) result=$value ;;
        why) why=$value ;;
        at) at=$value ;;
        noted) noted=$value ;;
        cause) cause=$value ;;
        esac
    done 2>/dev/null <"$state/outcome"
    say outcome "$tx" "$result" "$why" "$at" "$noted" "$cause"
}

observe_services() {
    # shellcheck disable=SC2086 # names of units are words
    services=$(systemctl show $unit_services \
        -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NeedDaemonReload,PIDFile 2>/dev/null)
    say services
    text_later "$services"
}

# property UNIT NAME: sets value to that property in systemd's last answer.
property() {
    value='' rest=$services$newline$newline
    # A blank line separates units.
    while [ -n "$rest" ]; do
        said=$newline${rest%%"$newline$newline"*}$newline
        rest=${rest#*"$newline$newline"}
        case $said in
        *"${newline}Id=$1$newline"*)
            case $said in *"$newline$2="*) value=${said#*"$newline$2="} ;; esac
            value=${value%%"$newline"*}
            return
            ;;
        esac
    done
}

# was_active UNIT: like `systemctl is-active`, from systemd's last answer.
was_active() {
    property "$1" ActiveState
    case $value in active | reloading | refreshing) ;; *) return 1 ;; esac
}

observe_addresses() {
    for link in /sys/class/net/*; do
        operstate=unknown
        read -r operstate <"$link/operstate"
        hardware=''
        [ ! -r "$link/address" ] || read -r hardware <"$link/address"
        say interface "${link##*/}" "$operstate" "$hardware"
    done
    say addresses
    text_later "$(ip -o addr show 2>/dev/null)"
}

# observe_paths: reports what exists at each requested path.
observe_paths() {
    split_lines
    # shellcheck disable=SC2086 # a path a line
    set -- $paths
    split_words
    for path; do observe_path "$path"; done
}

observe_path() {
    if [ -L "$1" ]; then
        say path "$1" link - "$(readlink -- "$1")"
    elif [ -f "$1" ]; then
        known_owner "$1"
        say path "$1" file "$owner"
        file_body "$1"
    elif [ -e "$1" ]; then
        say path "$1" other
    else
        say path "$1" absent
    fi
}

# observe_sysctls: reports the value of each requested key.
observe_sysctls() {
    # shellcheck disable=SC2086 # keys are words
    note_sysctls $sysctls
    for key in $sysctls; do
        known_sysctl "$key"
        say sysctl "$key" "$text"
    done
}

observe_running() {
    # Remove keepalived's dump even if this program is interrupted.
    trap 'forget_dump; exit 1' HUP INT PIPE TERM
    for unit in $units; do
        was_active "$unit.service" || continue
        loaded_id=''
        "${unit}_loaded" "$1"
        say loaded "$unit" "$loaded_id"
    done
    trap - HUP INT PIPE TERM
    if was_active keepalived.service; then
        property keepalived.service MainPID
        pid=$value
        say vrrp
        text_later "$dump"
        observe_failed_scripts
        observe_watches "$pid"
        [ "$serving" = no ] || [ "$tests_reloads" = yes ] || observe_unsure_reload
        # Without keepalived, the last verdict of the check script is never updated.
        verdict=''
        if was_active nginx.service && { read -r verdict _ </run/hactl/check_nginx; } 2>/dev/null; then
            [ "$verdict" != overloaded ] || say overloaded
        fi
    fi
    observe_hooks
}

# observe_failed_scripts: reports, for each failing check, the last failure that keepalived logged, under the check's
# name in the dump.
observe_failed_scripts() {
    case $dump in *'Status = BAD'*) ;; *) return 0 ;; esac
    journalctl -u keepalived.service -o cat -n 1000 --no-pager 2>/dev/null |
        sed -n 's/^\(Keepalived_vrrp[^:]*: \)\{0,1\}VRRP_Script(\([^)]*\)) \(failed.*\)$/\2\t\3/p' | tail -n 20 |
        while IFS=$tab read -r name cause; do say script_failed "$name" "$cause"; done
}

# observe_watches PID: reports the tracked files of the dump whose changes keepalived would miss. It watches their
# folder by inode. If the folder is removed, the watch goes with it, and a folder created in its place is not watched
# until keepalived reads its configuration again.
observe_watches() {
    tracked='' is_tracked=no
    split_lines
    for line in $dump; do
        case $is_tracked:$line in
        *:' Track file = '*) is_tracked=yes ;;
        yes:'   Status'*) is_tracked=no ;;
        yes:'   File = '*) tracked=$tracked${line#'   File = '}$newline ;;
        esac
    done
    split_words
    [ -n "$tracked" ] || return 0
    keepalived=$1 children=''
    { read -r children <"/proc/$1/task/$1/children"; } 2>/dev/null
    # The process that watches is a child. Without it, nothing is known.
    [ -n "$children" ] || return 0
    set --
    for child in "$keepalived" $children; do
        for descriptor in /proc/"$child"/fdinfo/*; do set -- "$@" "$descriptor"; done
    done
    watched=$newline$(sed -n 's/^inotify wd:[^ ]* ino:\([0-9a-f]*\) .*/\1/p' "$@" 2>/dev/null)$newline
    while IFS= read -r file; do
        [ -n "$file" ] || continue
        inode=$(stat -c %i -- "${file%/*}" 2>/dev/null) || inode=0
        case $watched in
        *"$newline$(printf '%x' "$inode")$newline"*) [ -e "$file" ] || say unwatched "$file" ;;
        *) say unwatched "$file" ;;
        esac
    done <<END
$tracked
END
}

# observe_hooks: reports every script that the live keepalived.conf names, or that such a script calls, and its state.
# keepalived itself carries on without a missing script.
observe_hooks() {
    # If the host's own keepalived.conf includes hactl's file, only hactl's file is checked.
    conf=/etc/keepalived/conf.d/hactl.conf
    [ -f "$conf" ] || conf=/etc/keepalived/keepalived.conf
    [ -f "$conf" ] || return 0
    secure=no scripts=$newline
    while IFS= read -r line; do
        case $line in
        =secure) secure=yes ;;
        *) case $scripts in *"$newline$line$newline"*) ;; *) scripts=$scripts$line$newline ;; esac ;;
        esac
    done <<END
$(sed -n '/^[[:space:]]*enable_script_security/s/.*/=secure/p;/^[[:space:]]*notify_fifo[[:space:]]/d;s/^[[:space:]]*\(script\|notify\|notify_[a-z_]*\)[[:space:]]\{1,\}["'"'"']\{0,1\}\(\/[^"'"'"' 	]*\).*/\2/p' "$conf")
END
    set --
    while IFS= read -r hook; do
        [ "$secure" = no ] || [ ! -f "$hook" ] || { real_path "$hook" && set -- "$@" "$real"; }
    done <<END
$scripts
END
    [ $# -eq 0 ] || note_folders "$@"
    while IFS= read -r hook; do
        [ -z "$hook" ] || observe_hook "$hook" "$secure"
    done <<END
$scripts
END
    # Programs that hactl's own scripts call, if a live script already calls them.
    while IFS= read -r hook; do
        [ -n "$hook" ] && is_called "$hook" && observe_hook "$hook" no
    done <<END
$hooks
END
    return 0
}

# observe_programs: reports the programs that the new configuration names, whatever is live.
observe_programs() {
    while IFS=$tab read -r secure program; do
        [ -z "$program" ] || observe_hook "$program" "$secure" program
    done <<END
$programs
END
}

# observe_hook PATH SECURE [RECORD]: reports a script's state. If SECURE is `yes`, keepalived's script security
# applies.
observe_hook() {
    if [ ! -e "$1" ]; then
        say "${3:-hook}" "$1" missing
    elif [ ! -f "$1" ] || [ ! -x "$1" ]; then
        say "${3:-hook}" "$1" not_executable
    elif [ "$2" = yes ] && writable_by_others "$1"; then
        say "${3:-hook}" "$1" unsafe "$open"
    else
        say "${3:-hook}" "$1" ready
    fi
}

# is_called PATH: true if one of the scripts mentions it.
is_called() {
    while IFS= read -r script; do
        if [ -f "$script" ] && grep -qF -- "$1" "$script"; then return 0; fi
    done <<END
$scripts
END
    return 1
}

# writable_by_others PATH: true if a user other than root can write to one of the path's components; sets open to the
# first of these. keepalived's script security makes the same check.
writable_by_others() {
    real_path "$1"
    [ -n "$real" ] || return 1
    open=$real
    while [ -n "$open" ]; do
        known_folder "$open" || { note_folders "$real" && known_folder "$open"; } || return 1
        case $who in
        *" "1[0-7][0-7][0-7]) ;; # sticky
        *[2367]) return 0 ;;
        *' 0 '*[2367]?) ;;
        *[2367]?) return 0 ;;
        esac
        case $who in '0 '*) ;; *) return 0 ;; esac
        open=${open%/*}
    done
    return 1
}
