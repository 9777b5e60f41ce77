# The faults themselves: their preconditions, how each is made, and how it is undone.

filter_table=hactl_drill
flaps=5
flap_pause=0.7 # seconds between a restart of nginx and its next crash in a flap

# is_possible NAME: ends the program unless this host has what the fault needs.
is_possible() {
    case $1 in
    nginx-kill | nginx-stop | nginx-hang | flap) must_run nginx.service ;;
    keepalived-stop | keepalived-kill) must_run keepalived.service ;;
    vrrp-blocked) must_run keepalived.service && must_filter ;;
    packet-loss)
        must_run keepalived.service
        [ -n "$(parameter percent)" ] || die protocol "no packet loss percentage was given"
        must_filter
        ;;
    backend-down | all-backends-down)
        [ -n "$(parameter target)" ] || die protocol "no backend was given"
        resolve_targets
        must_filter
        ;;
    overload) must_run nginx.service && must_fill ;;
    link-down) must_restore "$(parameter interface)" ;;
    power-off) ;;
    *) die protocol "no such fault: $1" ;;
    esac
}

must_run() { is_active "$1" || die service "$1 is not running here"; }

# must_filter: adds this host's packet filter to given.
must_filter() {
    if command -v nft >/dev/null 2>&1 && nft list tables >/dev/null 2>&1; then
        given="${given}filter${tab}nft
"
    elif iptables -w -n -L INPUT >/dev/null 2>&1 && ip6tables -w -n -L INPUT >/dev/null 2>&1; then
        given="${given}filter${tab}iptables
"
    else
        die lacking "this host has neither nft nor iptables to drop packets with"
    fi
}

# resolve_targets: adds the addresses of the targets to given, since packet filters match addresses only.
resolve_targets() {
    addresses=''
    while IFS=$tab read -r what host port; do
        [ "$what" = target ] || continue
        found=$(getent ahosts "$host" | while read -r address _; do printf '%s\n' "$address"; done | sort -u)
        [ -n "$found" ] || die protocol "this host cannot resolve the backend $host"
        for address in $found; do
            addresses="${addresses}address$tab$address$tab$port
"
        done
    done <<END
$given
END
    given=$given$addresses
}

must_restore() {
    [ -n "$1" ] && [ -e "/sys/class/net/$1" ] || die protocol "there is no interface ${1:-(none was given)}"
    # Without them, VIPs would be restored with the rest of the network, and have a second owner.
    [ -n "$(parameter vip)" ] || die protocol "no VIPs were given"
    case $(ip -o route show table all 2>/dev/null) in
    *' nhid '*) die unable "this host's routes use nexthop objects, which hactl cannot restore" ;;
    esac
}

# make_fault NAME: makes it. Sets problem if that fails, and heals_itself if nothing has to be undone.
make_fault() {
    case $1 in
    nginx-kill) crash nginx.service main ;;
    nginx-stop) order stop nginx.service ;;
    nginx-hang) order kill --signal=STOP nginx.service ;;
    keepalived-stop) order stop keepalived.service ;;
    keepalived-kill) crash keepalived.service all ;;
    flap) flap ;;
    overload) fill_nginx ;;
    link-down) output=$(ip link set dev "$(parameter interface)" down 2>&1) || problem=$output ;;
    power-off)
        order reboot --force --force
        # If this is still running afterwards, the host did not go down.
        [ -n "$problem" ] || sleep 5
        problem=${problem:-this host did not restart}
        ;;
    vrrp-blocked) drop_vrrp '' ;;
    packet-loss) drop_vrrp "$(parameter percent)" ;;
    backend-down | all-backends-down) drop_targets ;;
    esac
}

order() { output=$(systemctl "$@" 2>&1) || problem="systemctl $*: $output"; }

# crash UNIT main|all: sends SIGKILL, after which systemd starts the unit again (Restart=).
crash() {
    heals_itself=yes healing=$1
    was_pid=$(main_pid "$1")
    if [ "${was_pid:-0}" -le 0 ]; then
        problem="$1 is not running"
        return
    fi
    if [ "$2" = all ]; then
        # A running parent restarts a child that dies, and children stop cleanly when their parent dies
        # (PR_SET_PDEATHSIG). A parent stopped with SIGSTOP does not react until all are dead.
        kill -s STOP "$was_pid" 2>/dev/null || {
            problem="$1 ended before it was killed"
            return
        }
        children=$(children_of "$was_pid")
        # shellcheck disable=SC2086 # numbers
        [ -z "$children" ] || kill -s KILL $children 2>/dev/null
    fi
    kill -s KILL "$was_pid" 2>/dev/null || problem="$1 ended before it was killed"
}

# look_at PID: sets process to its state, its parent and so on (proc(5)), without its name, which comes first and may
# contain blanks and parentheses.
look_at() { { read -r process <"/proc/$1/stat"; } 2>/dev/null && process=${process##*) }; }

# children_of PID: prints them, from proc(5) if the kernel was built with that list, else by scanning all processes,
# which takes a tenth of a second for a few hundred.
children_of() {
    children=''
    # The line has no newline, so `read` fails even though it sets the variable.
    { read -r children <"/proc/$1/task/$1/children"; } 2>/dev/null
    if [ -n "$children" ]; then
        printf '%s' "$children"
        return
    fi
    for folder in /proc/[0-9]*; do
        look_at "${folder##*/}" || continue
        case $process in
        ?" $1 "*) printf '%s ' "${folder##*/}" ;;
        esac
    done
}

# is_held PID: true if it is stopped by SIGSTOP.
is_held() {
    look_at "$1" || return 1
    case $process in "T "*) return 0 ;; esac
    return 1
}

# has_healed: true if the unit runs again, as a new process.
has_healed() {
    now_pid=$(main_pid "$healing")
    [ "${now_pid:-0}" -gt 0 ] && [ "$now_pid" != "$was_pid" ] && is_active "$healing"
}

# flap: crashes nginx repeatedly, each time shortly after it has come back.
flap() {
    crash nginx.service main
    crashes=1
    while [ "$crashes" -lt "$flaps" ] && [ -z "$problem" ]; do
        hold_fault
        has_healed || return 0
        sleep "$flap_pause"
        drill_event begun
        crash nginx.service main
        crashes=$((crashes + 1))
    done
}

# undo_fault NAME: restores the state before the fault, even if it was never made or is already undone.
undo_fault() {
    case $1 in
    nginx-hang)
        ! is_active nginx.service || order kill --signal=CONT nginx.service
        run_again nginx.service
        ;;
    nginx-kill | nginx-stop | flap) run_again nginx.service ;;
    overload) empty_nginx ;;
    keepalived-kill)
        # An interrupted kill leaves the parent stopped, possibly without its children.
        was_pid=$(main_pid keepalived.service)
        ! is_held "$was_pid" || kill -s KILL "$was_pid" 2>/dev/null
        run_again keepalived.service
        ;;
    keepalived-stop) run_again keepalived.service ;;
    link-down) restore_network "$(parameter interface)" ;;
    vrrp-blocked | packet-loss | backend-down | all-backends-down) drop_nothing ;;
    esac
}

# run_again UNIT: starts a unit that ran before the fault.
run_again() {
    ! is_active "$1" || return 0
    systemctl reset-failed "$1" 2>/dev/null
    order start "$1"
}

# drop_vrrp PERCENT: drops that share of the VRRP packets, or all if it is empty, in both directions.
drop_vrrp() {
    case $(parameter filter) in
    nft)
        rule='meta l4proto 112'
        [ -z "$1" ] || rule="$rule numgen random mod 100 < $1"
        nft_rules "$rule drop" "$rule drop"
        ;;
    *)
        set -- -p 112 ${1:+-m statistic --mode random --probability "0.$(printf %02d "$1")"} -j DROP
        case $* in *0.100*) set -- -p 112 -j DROP ;; esac
        iptables_begin
        for tool in iptables ip6tables; do
            iptables_rule "$tool" -A HACTL_DRILL_IN "$@"
            iptables_rule "$tool" -A HACTL_DRILL_OUT "$@"
        done
        ;;
    esac
}

# drop_targets: drops everything that this host sends to the backends.
drop_targets() {
    rules='' filter=$(parameter filter)
    [ "$filter" = nft ] || iptables_begin
    while IFS=$tab read -r what address port; do
        [ "$what" = address ] || continue
        case $address in *:*) family='ip6' tool=ip6tables ;; *) family='ip' tool=iptables ;; esac
        for protocol in tcp udp; do
            if [ "$filter" = nft ]; then
                rules="$rules
                $family daddr $address $protocol dport $port drop"
            else
                iptables_rule "$tool" -A HACTL_DRILL_OUT -d "$address" -p "$protocol" --dport "$port" -j DROP
            fi
        done
    done <"$drill/given"
    [ "$filter" != nft ] || nft_rules '' "$rules"
}

# nft_rules IN OUT: atomically creates a table of its own, whose hooks run before all others.
nft_rules() {
    output=$(nft -f - 2>&1 <<END
add table inet $filter_table
delete table inet $filter_table
table inet $filter_table {
    chain in {
        type filter hook input priority -310;
        $1
    }
    chain out {
        type filter hook output priority -310;
        $2
    }
}
END
    ) || problem="nft: $output"
}

iptables_begin() {
    for tool in iptables ip6tables; do
        for chain in IN OUT; do
            iptables_rule "$tool" -N "HACTL_DRILL_$chain"
            iptables_rule "$tool" -I "${chain}PUT" 1 -j "HACTL_DRILL_$chain"
        done
    done
}

iptables_rule() { output=$("$@" -w 2>&1) || problem="$*: $output"; }

# drop_nothing: removes the rules of either filter.
drop_nothing() {
    if [ "$(parameter filter)" = nft ]; then
        ! nft list table inet "$filter_table" >/dev/null 2>&1 || output=$(nft delete table inet "$filter_table" 2>&1) ||
            problem="nft: $output"
        return
    fi
    for tool in iptables ip6tables; do
        for chain in IN OUT; do
            "$tool" -w -n -L "HACTL_DRILL_$chain" >/dev/null 2>&1 || continue
            "$tool" -w -D "${chain}PUT" -j "HACTL_DRILL_$chain" 2>/dev/null
            iptables_rule "$tool" -F "HACTL_DRILL_$chain"
            iptables_rule "$tool" -X "HACTL_DRILL_$chain"
        done
    done
}
