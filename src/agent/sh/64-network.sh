# A link that goes down loses its routes, IPv6 addresses and permanent neighbours, and does not get them back when it
# comes up. So they are saved first, and whatever is missing afterwards is added again.

# save_network INTERFACE: saves them as iproute2 prints them, a form that it also reads.
save_network() {
    mkdir -p "$drill/before" || die disk "cannot write in $drill: $(space "$drill")"
    # VLANs and the like go down with their underlying interface.
    printf '%s\n' "$1" >"$drill/before/devices"
    for upper in "/sys/class/net/$1"/upper_*; do
        [ ! -e "$upper" ] || printf '%s\n' "${upper##*/upper_}" >>"$drill/before/devices"
    done
    for family in 4 6; do
        ip -o "-$family" addr show >"$drill/before/addr$family" 2>/dev/null &&
            routes "$family" >"$drill/before/route$family" ||
            die unable "cannot read this host's addresses and routes"
    done
    ip neigh show nud permanent >"$drill/before/neigh" 2>/dev/null
}

# routes FAMILY: prints the routes, one per line, without flags of the link's state.
routes() {
    ip -o "-$1" route show table all 2>/dev/null |
        sed -e 's/\\/ /g' -e 's/ linkdown//g' -e 's/ dead//g' -e 's/  */ /g' -e 's/ $//' | tr -d '\t'
}

# restore_network INTERFACE: sets problem to what is still missing after a few seconds.
restore_network() {
    output=$(ip link set dev "$1" up 2>&1) || problem=$output
    rounds=0
    while [ -z "$problem" ]; do
        missing=''
        for family in 4 6; do
            restore_addresses "$family"
            restore_routes "$family"
        done
        restore_neighbours
        [ -n "$missing" ] || break
        rounds=$((rounds + 1))
        # A route may need an address that was added only just now.
        [ "$rounds" -lt 50 ] || problem="still missing: $missing"
        sleep 0.1
    done
}

# concerns DEVICE: true if it went down. A device that no longer exists does not count.
concerns() { grep -qxF "$1" "$drill/before/devices" && [ -e "/sys/class/net/$1" ]; }

# is_vip ADDRESS: true if keepalived manages it.
is_vip() {
    while IFS=$tab read -r what vip _; do
        if [ "$what" = vip ] && [ "$vip" = "$1" ]; then return 0; fi
    done <"$drill/given"
    return 1
}

# restore_addresses FAMILY: restores all but VIPs, and those that the kernel or a DHCP client manages.
restore_addresses() {
    ip -o "-$1" addr show >"$drill/before/now" 2>/dev/null
    while read -r _ dev _ address rest; do
        concerns "$dev" && ! is_vip "${address%/*}" || continue
        case " $rest " in *' dynamic '* | *' temporary '* | *' scope link '*) continue ;; esac
        ! has_address "$dev" "$address" || continue
        missing="$missing $address"
        # shellcheck disable=SC2046 # words
        ip "-$1" addr add "$address" $(address_words "$dev" "$rest") dev "$dev" 2>/dev/null
    done <"$drill/before/addr$1"
}

has_address() {
    while read -r _ own _ listed _; do
        if [ "$own $listed" = "$1 $2" ]; then return 0; fi
    done <"$drill/before/now"
    return 1
}

# address_words DEVICE REST: prints the attributes in REST of a listed address as arguments for `ip addr add`.
address_words() {
    set -f
    dev=$1
    # shellcheck disable=SC2086 # words
    set -- $2
    while [ "$#" -gt 0 ]; do
        case $1 in
        \\*) break ;;
        peer | brd | scope | metric | proto)
            printf '%s %s ' "$1" "$2"
            shift
            ;;
        nodad | noprefixroute | mngtmpaddr | home) printf '%s ' "$1" ;;
        deprecated) printf 'preferred_lft 0 ' ;;
        "$dev":*) printf 'label %s ' "$1" ;;
        esac
        shift
    done
}

# restore_routes FAMILY: restores all but the kernel's own, keepalived's, and those that a router advertises.
restore_routes() {
    routes "$1" >"$drill/before/now"
    while read -r route; do
        case " $route " in
        *' table local '* | *' proto kernel '* | *' proto keepalived '* | *' proto ra '* | *' expires '*) continue ;;
        esac
        names_device "$route" && ! names_vip "$route" || continue
        ! grep -qxF -e "$route" "$drill/before/now" || continue
        missing="$missing $route;"
        # shellcheck disable=SC2086 # words
        (set -f && ip "-$1" route add $route 2>/dev/null)
    done <"$drill/before/route$1"
}

names_device() {
    case " $1 " in *' dev '*) ;; *) return 1 ;; esac
    while read -r device; do
        case " $1 " in *" dev $device "*) ! concerns "$device" || return 0 ;; esac
    done <"$drill/before/devices"
    return 1
}

names_vip() {
    case $1 in *' src '*) ;; *) return 1 ;; esac
    source=${1##* src }
    is_vip "${source%% *}"
}

restore_neighbours() {
    while read -r address _ dev _ hardware _; do
        concerns "$dev" || continue
        [ -z "$(ip neigh show "$address" dev "$dev" nud permanent 2>/dev/null)" ] || continue
        missing="$missing neighbour $address"
        ip neigh replace "$address" lladdr "$hardware" dev "$dev" nud permanent 2>/dev/null
    done <"$drill/before/neigh"
}
