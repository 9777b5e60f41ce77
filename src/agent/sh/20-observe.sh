# observe: what this host is, what it was last given, what lies there now and what runs. Standard
# input names what to look at; nothing on the host is changed.

observe() {
    # shellcheck disable=SC2046 # two words: neither a host's name nor a kernel's release has blanks
    say host $(uname -nr) "$(id -u)"
    say clock "$(date +%s.%N)" "$(uptime_seconds)" "$(boot_id)"
    observe_os
    observe_recorded
    observe_drill
    observe_addresses
    port=$(value_in "$state/live/manifest" status_port)
    paths='' sysctls='' network='' hooks='' programs='' probes='' serving=no
    while IFS=$tab read -r what one two; do
        case $what in
        path) paths=$paths$one$newline ;;
        sysctl) sysctls=$sysctls$one$newline ;;
        backend | neighbour | name | peer | peer_vip) network=$network"$what $one ${two:--}"$newline ;;
        hook) hooks=$hooks$one$newline ;;
        program) programs=$programs$two$tab$one$newline ;;
        status_port) port=${port:-$one} ;;
        serving) serving=yes ;;
        probe) case $one in networkd | file_limit | adverts) probes="$probes $one" ;; esac ;;
        end) break ;;
        esac
    done
    observe_paths
    observe_sysctls
    [ "$serving" = no ] || observe_serving
    observe_services
    observe_running "${port:-}"
    observe_programs
    observe_probes
    observe_network
    finish
}

observe_os() {
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
            version=$("$program" "$version_option" 2>&1)
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

# nginx_has_stream: built in, or built as a module of which the file is there (nginx -V).
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

observe_recorded() {
    if [ -f "$state/live/manifest" ]; then
        say recorded "$(value_in "$state/live/manifest" generation)"
        body "$state/live/manifest"
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
        body "$state/generations/0/manifest"
    fi
    if [ -f "$state/journal" ]; then
        say_journal
    fi
    if [ -f "$state/lock" ]; then
        say lock "$(value_in "$state/lock" tx)"
        body "$state/lock"
    fi
    if [ -f "$state/outcome" ]; then
        say outcome "$(value_in "$state/outcome" tx)" "$(value_in "$state/outcome" result)" "$(value_in "$state/outcome" why)" \
            "$(value_in "$state/outcome" at)" "$(value_in "$state/outcome" noted)" "$(value_in "$state/outcome" cause)"
    fi
}

observe_services() {
    # shellcheck disable=SC2086 # names of units are words
    services=$(systemctl show $unit_services \
        -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NeedDaemonReload,PIDFile 2>/dev/null)
    say services
    body_text "$services"
}

# property UNIT NAME: sets value to what systemd has just said of it.
property() {
    value='' rest=$services$newline$newline
    # A blank line is between two units.
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

# was_active UNIT: as `systemctl is-active`, by what systemd has just said.
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
    body_text "$(ip -o addr show 2>/dev/null)"
}

# observe_paths: every file that was asked for. One process tells of all of them whose they are.
observe_paths() {
    set --
    while IFS= read -r path; do
        if [ -L "$path" ] || [ -f "$path" ]; then set -- "$@" "$path"; fi
    done <<END
$paths
END
    owners=$newline
    [ $# -eq 0 ] || owners=$newline$(stat -c '%a %U %G %u %g %n' -- "$@" 2>/dev/null)$newline
    while IFS= read -r path; do
        [ -z "$path" ] || observe_path "$path"
    done <<END
$paths
END
}

observe_path() {
    if [ -L "$1" ]; then
        known_owner "$1"
        say path "$1" link "$owner" "$(readlink -- "$1")"
    elif [ -f "$1" ]; then
        known_owner "$1"
        say path "$1" file "$owner"
        body "$1"
    elif [ -e "$1" ]; then
        say path "$1" other
    else
        say path "$1" absent
    fi
}

# known_owner PATH: as owner_of, without another process.
known_owner() {
    before=${owners%%" $1$newline"*}
    if [ "$before" = "$owners" ]; then
        # It has come since.
        owner_of "$1"
    else
        # shellcheck disable=SC2086 # five words
        name_owner ${before##*"$newline"}
    fi
}

# observe_sysctls: the value of each key that was asked for. One process reads them all: a shell's own `read`
# takes a byte at a time, of which the kernel gives a number's first only.
observe_sysctls() {
    set --
    while IFS= read -r key; do
        sysctl_file "$key"
        if [ -n "$key" ] && [ -r "$file" ]; then set -- "$@" "$file"; fi
    done <<END
$sysctls
END
    values=''
    [ $# -eq 0 ] || values=$newline$(grep -H '' -- "$@" 2>/dev/null)$newline
    while IFS= read -r key; do
        [ -n "$key" ] || continue
        sysctl_file "$key"
        rest=$values text=''
        while :; do
            case $rest in *"$newline$file:"*) ;; *) break ;; esac
            rest=${rest#*"$newline$file:"}
            text="$text ${rest%%"$newline"*}"
            rest=$newline${rest#*"$newline"}
        done
        set -f # a '*' in a value stays one
        # shellcheck disable=SC2086 # single blanks between its words
        set -- $text
        set +f
        say sysctl "$key" "$*"
    done <<END
$sysctls
END
}

# All at once, and after every other record: what several processes say at a time must not come
# between a record and its body.
observe_network() {
    while read -r what host port; do
        case $what in
        backend) observe_backend "$host" "$port" & ;;
        neighbour) observe_neighbour "$host" & ;;
        name) observe_name "$host" & ;;
        peer | peer_vip) observe_peer "$what" "$host" "$port" & ;;
        esac
    done <<END
$network
END
    wait
}

# A connection is all that can be asked of a backend without knowing what it speaks.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
observe_backend() {
    if said=$(LC_ALL=C timeout 1 bash --norc -c 'exec 3<>"/dev/tcp/$1/$2"' hactl "$1" "$2" 2>&1); then
        say backend "$1" "$2" up
        return
    fi
    # What the time was over for has said nothing.
    case $said in
    '') cause=timeout ;;
    *': Connection refused'*) cause=refused ;;
    *': No route to host'* | *': Network is unreachable'*) cause=no_route ;;
    *': Name or service not known'* | *'name resolution'*) cause=no_name ;;
    *) cause=other ;;
    esac
    say backend "$1" "$2" down "$cause"
}

# A few addresses tell as much as hundreds, and a record of one write stays in one piece.
observe_name() {
    command -v getent >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2046 # one word an address
    set -- "$1" $(addresses_of "$1" | head -n 16)
    name=$1
    shift
    say name "$name" "$*"
}

# What becomes of a connection to a peer's port, made from here: only a firewall leaves it without an answer
# where the kernel has one, whether something listens there or not.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
observe_peer() {
    timeout 2 bash --norc -c 'exec 3<>"/dev/tcp/$1/$2"' hactl "$2" "$3" 2>/dev/null
    case $? in
    0) say "$1" "$2" "$3" open ;;
    124) say "$1" "$2" "$3" silent ;;
    *) say "$1" "$2" "$3" refused ;;
    esac
}

# Whether anybody on the wire answers for an address: a packet to it makes the kernel ask for its
# owner (ARP, or neighbour discovery), and what the kernel learned is read back. Nothing that it knows is
# deleted. What it remembers may be of a host that is gone, or had the address last: it is `remembered` until the
# kernel has asked that one, and where that one is silent, everybody.
observe_neighbour() {
    ask_neighbours "$1"
    case $found in
    # What somebody else has put there would lose what it says of that.
    '' | *extern_learn* | *PERMANENT* | *NOARP*) ;;
    *)
        # Asked now, it answers at once or is FAILED after 3 s.
        interface=${found#* dev }
        ip neigh change "$1" dev "${interface%% *}" nud probe 2>/dev/null
        tries=0
        while known_neighbour "$1"; do
            case $found in *PROBE*) ;; *) break ;; esac
            tries=$((tries + 1))
            [ "$tries" -lt 40 ] || break
            sleep 0.1
        done
        [ -n "$found" ] || ask_neighbours "$1"
        ;;
    esac
    [ -n "$found" ] || return 0
    hardware=${found##*lladdr }
    case $found in
    *STALE* | *DELAY* | *PROBE*) say neighbour "$1" "${hardware%% *}" remembered ;;
    *) say neighbour "$1" "${hardware%% *}" answered ;;
    esac
}

# ask_neighbours ADDRESS: sets found to what the kernel learns of it. On a busy host the packet may leave late: that
# nobody answers is known only once the kernel has asked for half a second.
ask_neighbours() {
    touch_address "$1"
    asked=0 tries=0
    while ! known_neighbour "$1" && [ "$asked" -lt 5 ] && [ "$tries" -lt 12 ]; do
        tries=$((tries + 1))
        case $(ip neigh show to "$1" 2>/dev/null) in
        *INCOMPLETE*) asked=$((asked + 1)) ;;
        # Asked until it gave up, or long ago.
        *FAILED*) [ "$asked" -eq 0 ] || break ;;
        # It is this host's own, or behind a gateway: no neighbour has it.
        *) case $(ip route get "$1" 2>/dev/null) in '' | 'local '* | *' via '*) break ;; esac ;;
        esac
        if [ "$asked" -eq 0 ]; then touch_address "$1"; else sleep 0.1; fi
    done
}

# known_neighbour ADDRESS: sets found to what the kernel has of it, where that is a hardware address.
known_neighbour() {
    found=$(ip neigh show to "$1" 2>/dev/null | grep -m1 lladdr)
    [ -n "$found" ]
}

observe_running() {
    # Whatever ends this program meanwhile, nothing that keepalived wrote stays there.
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
        body_text "$dump"
        observe_failed_scripts
        observe_watches "$pid"
        [ "$serving" = no ] || [ "$tests_reloads" = yes ] || observe_unsure_reload
        # Without keepalived nobody would take back what the check said last.
        verdict=''
        if was_active nginx.service && { read -r verdict _ </run/hactl/check_nginx; } 2>/dev/null; then
            [ "$verdict" != overloaded ] || say overloaded
        fi
    fi
    observe_hooks
}

# observe_failed_scripts: the last that keepalived logged of each check that fails, by the name that it
# has in the dump.
observe_failed_scripts() {
    case $dump in *'Status = BAD'*) ;; *) return 0 ;; esac
    journalctl -u keepalived.service -o cat -n 1000 --no-pager 2>/dev/null |
        sed -n 's/^\(Keepalived_vrrp[^:]*: \)\{0,1\}VRRP_Script(\([^)]*\)) \(failed.*\)$/\2\t\3/p' | tail -n 20 |
        while IFS=$tab read -r name text; do say script_failed "$name" "$text"; done
}

# observe_watches PID: the tracked files of the dump that keepalived would not see a change of. It watches
# their folder, by its inode: when somebody removes that, the watch goes with it, and one that takes its
# place is not watched until keepalived reads its configuration again.
observe_watches() {
    tracked=$(printf '%s\n' "$dump" | sed -n '/^ Track file = /,/^   Status/s/^   File = //p')
    [ -n "$tracked" ] || return 0
    keepalived=$1
    children=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || return 0
    set --
    for child in "$keepalived" $children; do
        for descriptor in /proc/"$child"/fdinfo/*; do set -- "$@" "$descriptor"; done
    done
    watched=$newline$(sed -n 's/^inotify wd:[^ ]* ino:\([0-9a-f]*\) .*/\1/p' "$@" 2>/dev/null)$newline
    while IFS= read -r file; do
        inode=$(stat -c %i -- "${file%/*}" 2>/dev/null) || inode=0
        case $watched in
        *"$newline$(printf '%x' "$inode")$newline"*) [ -e "$file" ] || say unwatched "$file" ;;
        *) say unwatched "$file" ;;
        esac
    done <<END
$tracked
END
}

# observe_hooks: every script that the live keepalived.conf names, or that such a script calls, and what lies
# there. keepalived itself goes on without one that is missing.
observe_hooks() {
    # Beside others, what stands in their file is not ours to judge.
    conf=/etc/keepalived/conf.d/hactl.conf
    [ -f "$conf" ] || conf=/etc/keepalived/keepalived.conf
    [ -f "$conf" ] || return 0
    secure=no
    if grep -q '^[[:space:]]*enable_script_security' "$conf"; then secure=yes; fi
    scripts=$(sed -n '/^[[:space:]]*notify_fifo[[:space:]]/d;s/^[[:space:]]*\(script\|notify\|notify_[a-z_]*\)[[:space:]]\{1,\}["'"'"']\{0,1\}\(\/[^"'"'"' 	]*\).*/\2/p' "$conf" | sort -u)
    while IFS= read -r hook; do
        [ -z "$hook" ] || observe_hook "$hook" "$secure"
    done <<END
$scripts
END
    # What a script of hactl's calls itself, once the one that is live does.
    while IFS= read -r hook; do
        [ -n "$hook" ] && is_called "$hook" && observe_hook "$hook" no
    done <<END
$hooks
END
    return 0
}

# observe_programs: what a configuration to come names, whatever is live.
observe_programs() {
    while IFS=$tab read -r secure program; do
        [ -z "$program" ] || observe_hook "$program" "$secure" program
    done <<END
$programs
END
}

# observe_hook PATH SECURE [RECORD]: with `yes`, keepalived's script security looks at it.
observe_hook() {
    if [ ! -e "$1" ]; then
        say "${3:-hook}" "$1" missing
    elif [ ! -f "$1" ] || [ ! -x "$1" ]; then
        say "${3:-hook}" "$1" not_executable
    elif [ "$2" = yes ] && open=$(writable_by_others "$1"); then
        say "${3:-hook}" "$1" unsafe "$open"
    else
        say "${3:-hook}" "$1" ready
    fi
}

# is_called PATH: true where one of the scripts speaks of it.
is_called() {
    while IFS= read -r script; do
        if [ -f "$script" ] && grep -qF -- "$1" "$script"; then return 0; fi
    done <<END
$scripts
END
    return 1
}

# writable_by_others PATH: the first of the path's components that somebody besides root can write to;
# false where there is none. keepalived's script security looks at the same.
writable_by_others() {
    component=$(readlink -f -- "$1") || return 1
    set --
    while [ -n "$component" ]; do
        set -- "$@" "$component"
        component=${component%/*}
    done
    owners=$(stat -c '%u %g %a' -- "$@") || return 1
    while read -r uid gid mode; do
        is_open=no
        case $mode in
        1???) ;; # sticky
        *[2367]) is_open=yes ;;
        *[2367]?) [ "$gid" = 0 ] || is_open=yes ;;
        esac
        if [ "$is_open" = yes ] || [ "$uid" != 0 ]; then
            printf '%s' "$1"
            return 0
        fi
        shift
    done <<END
$owners
END
    return 1
}
