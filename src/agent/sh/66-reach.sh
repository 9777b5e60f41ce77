# The client's view: whether a client on the network reaches each VIP. A node that reports owning an address does not
# prove it, since neighbours send to the hardware address that they learned last.

# announce: standard input names VIPs. Announces those on an interface of this node to its neighbours. Reports which,
# and by which program; `-` if this host has none for it.
announce() {
    read_vips
    # shellcheck disable=SC2086 # one word an address
    announce_owned $vips
    finish
}

# reach: standard input names VIPs and their listeners. Reports, for each VIP, whether it is on an interface here,
# which hardware address this host has for it, and what each listener answers. No neighbour entry is flushed first: a
# client does not flush it either, and this looks for entries that are wrong.
reach() {
    read_vips
    ip -o link show 2>/dev/null | while read -r _ link rest; do
        hardware=${rest##*link/ether }
        [ "$hardware" = "$rest" ] || say hardware "${link%%[@:]*}" "${hardware%% *}"
    done
    for vip in $vips; do reach_vip "$vip" & done
    wait
    finish
}

# read_vips: sets vips, the addresses, and listeners, one per line: ADDRESS PORT PATH. PATH is `-` if only a
# connection is wanted.
read_vips() {
    vips='' listeners=''
    while IFS=$tab read -r what address port path; do
        case $what in
        vip | listener) ;;
        end) break ;;
        *) continue ;;
        esac
        case $address in '' | *[!0-9a-f.:]*) die protocol "invalid address: $address" ;; esac
        if [ "$what" = vip ]; then
            vips="$vips $address"
        else
            number "$port"
            listeners="$listeners$address $port ${path:--}
"
        fi
    done
}

# interface_of ADDRESS: prints the interface of this host that has it, preferably not the loopback; nothing if none
# has.
interface_of() {
    found=''
    for on in $(ip -o address show to "$1" 2>/dev/null | while read -r _ name _; do printf '%s\n' "${name%%@*}"; done); do
        [ "$on" = lo ] && [ -n "$found" ] || found=$on
        [ "$on" = lo ] || break
    done
    printf '%s' "$found"
}

# reach_vip ADDRESS: reports on one VIP. Its records are single lines, since several processes write at a time.
reach_vip() {
    interface=$(interface_of "$1")
    [ -z "$interface" ] || say has "$1" "$interface"
    known=$(neighbour_of "$1")
    asked=0
    while read -r address port path; do
        [ "$address" = "$1" ] || continue
        asked=$((asked + 1))
        reach_listener "$1" "$port" "$path" "$interface" &
        # At most 32 processes at a time.
        [ $((asked % 32)) -ne 0 ] || wait
    done <<END
$listeners
END
    # A packet makes the kernel resolve the address.
    [ "$asked" -gt 0 ] || [ -n "$interface" ] || provoke_arp "$1"
    wait
    [ -n "$known" ] || known=$(neighbour_of "$1")
    [ -z "$known" ] || [ -n "$interface" ] || say learned "$1" "$known"
}

# neighbour_of ADDRESS: prints the hardware address that this host's kernel has for it.
neighbour_of() {
    ip neigh show to "$1" 2>/dev/null | while read -r line; do
        found=${line##*lladdr }
        [ "$found" = "$line" ] || {
            printf '%s' "${found%% *}"
            break
        }
    done
}

# reach_listener ADDRESS PORT PATH INTERFACE: reports `open` if it accepts a connection, with the status of the answer
# to a GET and the first word of its body; `shut` if it does not although this host's nginx listens there; else
# `closed`.
# shellcheck disable=SC2016 # bash expands it, with the values as its arguments
reach_listener() {
    answer=$(timeout 1.5 bash --norc -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
        echo open
        [ "$3" != - ] || exit 0
        case $1 in *:*) host="[$1]" ;; *) host=$1 ;; esac
        printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$3" "$host" >&3
        head -c 4096 <&3' hactl "$1" "$2" "$3" 2>/dev/null | tr -d '\r\000')
    case $answer in
    open*) ;;
    *)
        if [ -n "$4" ] && listens_here "$1" "$2"; then word=shut; else word=closed; fi
        say answer "$1" "$2" "$word"
        return 0
        ;;
    esac
    status='' word=''
    case $answer in
    'open
HTTP/'*)
        status=${answer#*HTTP/* }
        status=${status%%[!0-9]*}
        case $answer in *'

'*) word=${answer#*

} ;; esac
        word=${word%%[!0-9a-f]*}
        ;;
    esac
    say answer "$1" "$2" open "$status" "$word"
}

# listens_here ADDRESS PORT: true if nginx has a listening TCP socket there. Another program's socket does not count,
# since it is not the inventory's listener.
listens_here() {
    case $1 in *:*) host="[$1]" ;; *) host=$1 ;; esac
    ss -Hltnp 2>/dev/null | grep '"nginx"' | {
        while read -r _ _ _ at _; do
            # `*` is both families, `[::]` IPv6 alone.
            case ${at%:*}:$host in
            "$host:$host" | '*:'* | '[::]:['*) ;;
            0.0.0.0:[!\[]*) ;;
            *) continue ;;
            esac
            [ "${at##*:}" != "$2" ] || exit 0
        done
        exit 1
    }
}

# announce_vips: announces the VIPs of the change in progress and of the live generation. False if none of them is on
# an interface.
announce_vips() {
    # shellcheck disable=SC2046 # one word an address
    [ -n "$(announce_owned $(value_in "$into/new/manifest" vips) $(value_in "$state/live/manifest" vips))" ]
}

# announce_owned ADDRESS...: announces those on an Ethernet interface of this host, all at once.
announce_owned() {
    each4='' each6='' named=' '
    for address; do
        case $named in *" $address "*) continue ;; esac
        interface=$(interface_of "$address")
        case $interface in '' | lo) continue ;; esac
        link=$(ip -o link show dev "$interface" 2>/dev/null)
        hardware=${link##*link/ether }
        [ "$hardware" != "$link" ] || continue
        hardware=${hardware%% *} index=${link%%:*}
        router=0
        [ ! -r "/proc/sys/net/ipv6/conf/$interface/forwarding" ] || read -r router <"/proc/sys/net/ipv6/conf/$interface/forwarding"
        case $address in
        *:*) each6="$each6 $interface $index $hardware $address $router" ;;
        *) each4="$each4 $interface $index $hardware $address 0" ;;
        esac
        named="$named$interface $address "
    done
    [ "$named" != ' ' ] || return 0
    # shellcheck disable=SC2086 # words by fives
    tool=$(announce_by $each4 $each6)
    # shellcheck disable=SC2086 # words by twos
    set -- $named
    while [ $# -gt 0 ]; do
        done_by=$tool
        # arping does not support IPv6.
        case $2:$tool in *:*:arping) done_by='' ;; esac
        say announced "$2" "$1" "$done_by"
        shift 2
    done
}

# announce_by INTERFACE INDEX HARDWARE ADDRESS ROUTER...: announces them and prints the program that did it.
announce_by() {
    if command -v perl >/dev/null 2>&1 && perl -e "$announce_perl" "$@" 2>/dev/null 9>&-; then
        printf perl
        return
    fi
    for python in python3 /usr/libexec/platform-python python; do
        if command -v "$python" >/dev/null 2>&1 && "$python" -c "$announce_python" "$@" 2>/dev/null 9>&-; then
            printf python
            return
        fi
    done
    arping=''
    case $(arping -V 2>&1) in *iputils*) arping=arping ;; esac
    if [ -z "$arping" ] && busybox arping --help >/dev/null 2>&1; then arping='busybox arping'; fi
    [ -n "$arping" ] || return 0
    while [ $# -gt 0 ]; do
        case $4 in
        *:*) ;;
        *) for form in -U -A; do
            # arping sends at once, then waits out the second.
            # shellcheck disable=SC2086 # busybox has two words
            timeout 0.3 $arping -q "$form" -c 1 -I "$1" -s "$4" "$4" >/dev/null 2>&1 &
        done ;;
        esac
        shift 5
    done
    wait
    printf arping
}

# Arguments in groups of five: interface, its index, hardware address, address, whether the node is a router. Sends
# each announcement three times: gratuitous ARP in both of its forms for IPv4 (RFC 5227 and RFC 826), and for IPv6 an
# unsolicited neighbour advertisement with the override flag (RFC 4861, 7.2.6). Uses the kernel's interface without
# any module: perl-base and a bare Python suffice.
# shellcheck disable=SC2016 # perl expands it
announce_perl='
use strict;
my @frames;
while (my (undef, $index, $hardware, $address, $router) = splice(@ARGV, 0, 5)) {
    my $mac = pack("C6", map { hex } split(/:/, $hardware));
    if ($address =~ /:/) {
        my ($head, $tail) = split(/::/, $address, 2);
        my @head = map { hex } split(/:/, $head);
        my @tail = defined($tail) ? map { hex } split(/:/, $tail) : ();
        my $ip = pack("n8", @head, (0) x (8 - @head - @tail), @tail);
        my $family = 10;
        socket(my $socket, $family, 3, 58) or die;
        setsockopt($socket, 41, 18, pack("i", 255)) or die;
        bind($socket, pack("S n N a16 L", $family, 0, 0, $ip, 0)) or die;
        my $all_nodes = pack("n8", 0xff02, 0, 0, 0, 0, 0, 0, 1);
        push(@frames, [$socket, pack("S n N a16 L", $family, 0, 0, $all_nodes, $index),
            pack("C2 n C x3 a16 C2 a6", 136, 0, 0, $router ? 0xa0 : 0x20, $ip, 2, 1, $mac)]);
    } else {
        my $ip = pack("C4", split(/\./, $address));
        my $all = "\xff" x 6;
        socket(my $socket, 17, 3, 0) or die;
        my $to = pack("S n i S C C a8", 17, 0x0806, $index, 1, 0, 6, $all);
        for my $form ([1, "\0" x 6], [2, $mac]) {
            push(@frames, [$socket, $to, pack("a6 a6 n n n C C n a6 a4 a6 a4 x18",
                $all, $mac, 0x0806, 1, 0x0800, 6, 4, $form->[0], $mac, $ip, $form->[1], $ip)]);
        }
    }
}
for my $round (1 .. 3) {
    for my $frame (@frames) { defined(send($frame->[0], $frame->[2], 0, $frame->[1])) or die; }
    # The rest is a repetition, for which nobody waits.
    exit if $round == 1 and fork;
    close($_) for (\*STDIN, \*STDOUT, \*STDERR);
    select(undef, undef, undef, 0.02) if $round < 3;
}
'

announce_python='
import os, socket, struct, sys, time
frames, words = [], sys.argv[1:]
while words:
    name, index, hardware, address, router = words[:5]
    words = words[5:]
    mac = bytes(bytearray(int(part, 16) for part in hardware.split(":")))
    if ":" in address:
        ip = socket.inet_pton(socket.AF_INET6, address)
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
        s.setsockopt(41, 18, 255)
        s.bind((address, 0))
        advert = struct.pack("!BBHB3x16sBB6s", 136, 0, 0, 0x20 if router == "0" else 0xa0, ip, 2, 1, mac)
        frames.append((s, advert, ("ff02::1", 0, 0, int(index))))
    else:
        ip = socket.inet_aton(address)
        s = socket.socket(17, socket.SOCK_RAW, 0)
        for op, target in ((1, b"\0" * 6), (2, mac)):
            frame = struct.pack("!6s6sHHHBBH6s4s6s4s18x", b"\xff" * 6, mac, 0x0806, 1, 0x0800, 6, 4, op, mac, ip, target, ip)
            frames.append((s, frame, (name, 0x0806)))
for wait in (0.02, 0.02, 0):
    for s, frame, to in frames:
        s.sendto(frame, to)
    # The rest is a repetition, for which nobody waits.
    if sys.stdout and os.fork():
        os._exit(0)
    sys.stdout = None
    for descriptor in range(3):
        try:
            os.close(descriptor)
        except OSError:
            pass
    time.sleep(wait)
'
