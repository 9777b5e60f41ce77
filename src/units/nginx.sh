# nginx: its functions in the program on the host.

# nginx_test DIR: tests in the host's own network first, where names resolve as they will for the running nginx. Only
# a listener on an address that this node does not hold fails just there, although the tree's kernel settings allow
# it. Then the test is repeated in a network namespace with those settings.
nginx_test() {
    # Keeps its log in memory.
    [ ! -d /var/log/nginx ] || mount -n -t tmpfs hactl /var/log/nginx
    output=$(nginx -t 2>&1)
    code=$?
    if [ "$code" != 0 ] && brings_nonlocal_bind "$1"; then nginx_test_apart "$1"; fi
    return 0
}

# wants_nonlocal_bind DIR FAMILY: true if the tree sets it, for ipv4 or ipv6.
wants_nonlocal_bind() { grep -q "^sysctl${tab}net.$2.ip_nonlocal_bind${tab}1\$" "$1/manifest"; }

# brings_nonlocal_bind DIR: true if the tree sets it and the kernel does not have it yet.
brings_nonlocal_bind() {
    for family in ipv4 ipv6; do
        wants_nonlocal_bind "$1" "$family" && [ "$(sysctl_value "net.$family.ip_nonlocal_bind")" != 1 ] &&
            return 0
    done
    return 1
}

# nginx_test_apart DIR: sets output and code. The namespace has the host's addresses on its loopback, and the tree's
# settings. No DNS server is reachable from it, so each name that nginx looks up is resolved outside and written to a
# private /etc/hosts, until nginx misses no name that this host can resolve. Asking nginx covers the names in every
# directive, including those in raw snippets.
nginx_test_apart() {
    families=''
    for family in ipv4 ipv6; do
        if wants_nonlocal_bind "$1" "$family" || [ "$(sysctl_value "net.$family.ip_nonlocal_bind")" = 1 ]; then
            families="$families $family"
        fi
    done
    has_hosts=no
    if cat /etc/hosts >"$private/hosts" 2>/dev/null && mount -n --bind "$private/hosts" /etc/hosts; then
        has_hosts=yes
    fi
    tried=0
    while [ "$tried" -lt 200 ]; do
        tried=$((tried + 1))
        # shellcheck disable=SC2016 # the inner shell expands it, with the values as its arguments
        output=$(ip -o addr show 2>/dev/null | unshare -n /bin/sh -c '
            {
                ip link set lo up
                while read -r _ _ _ address _; do ip addr add "$address" dev lo; done
                for family in $1; do echo 1 >"/proc/sys/net/$family/ip_nonlocal_bind"; done
            } >/dev/null 2>&1
            exec nginx -t' hactl "$families" 2>&1)
        code=$?
        [ "$code" != 0 ] && [ "$has_hosts" = yes ] && resolve_missed_names "$output" || return 0
    done
}

# resolve_missed_names OUTPUT: adds the names that nginx could not resolve, as quoted in its output, to the private
# /etc/hosts. Fails if this host cannot resolve any of them either.
resolve_missed_names() {
    printf '%s\n' "$1" >"$private/output"
    added=no
    while read -r line; do
        name=${line#*host not found in }
        [ "$name" != "$line" ] || continue
        name=${name#*\"} name=${name%%\"*} # the first that is quoted: [SCHEME://]NAME[:PORT][/PATH]
        name=${name#*://} name=${name%%[:/]*}
        case $name in '' | -* | *[!A-Za-z0-9._-]*) continue ;; esac
        ! grep -q " $name\$" "$private/hosts" || continue
        for address in $(addresses_of "$name"); do
            printf '%s %s\n' "$address" "$name" >>"$private/hosts"
            added=yes
        done
    done <"$private/output"
    [ "$added" = yes ]
}

# nginx_loaded PORT: sets loaded_id to the configuration that nginx reports serving.
nginx_loaded() {
    [ -z "$1" ] || loaded_id=$(served_id "$1")
}

# nginx_emergencies: prints the number of [emerg] lines in its error log. A failed reload is logged only there, and
# `systemctl reload` still returns 0.
nginx_emergencies() {
    log=/var/log/nginx/error.log
    if [ -r "$log" ]; then grep -c '\[emerg\]' "$log"; else printf 0; fi
}

nginx_before() { emergencies=$(nginx_emergencies); }

nginx_complaints() {
    [ "$(nginx_emergencies)" -gt "$emergencies" ] || return 0
    grep '\[emerg\]' /var/log/nginx/error.log 2>/dev/null | tail -n "+$((emergencies + 1))" | sort -u -k 5 | head -n 5
}
