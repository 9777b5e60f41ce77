# adverts FAMILY ADDRESS INTERFACE VRID INTERVAL DURATION MARGIN TOKEN [PEER...]: sends test packets of IP protocol 112 to
# VRRP's group and to each peer, receives those of the peers, and reports what arrived, together with the adverts of
# virtual routers that it heard meanwhile. INTERVAL is in microseconds; DURATION and MARGIN, for which it listens before
# and after it sends, are in milliseconds. TOKEN, eight characters, tells this test's packets from those of another.
adverts() {
    reason='' interface=$3
    with_hardware "$@"
    # shellcheck disable=SC2086 # words without blanks
    set -- $words
    if command -v perl >/dev/null 2>&1; then send_adverts perl -e "$adverts_perl" "$@"; fi
    for python in python3 /usr/libexec/platform-python python; do
        if command -v "$python" >/dev/null 2>&1; then send_adverts "$python" -c "$adverts_python" "$@"; fi
    done
    say unmeasured "$reason"
    finish
}

# with_hardware ARGUMENT...: sets words to the arguments of adverts, with `=` behind each peer and the hardware address
# that packets for it go to. That is empty where there is none to be had.
with_hardware() {
    words="$1 $2 $3 $4 $5 $6 $7 $8"
    shift 8
    for peer; do
        hop=$peer
        route=$(ip route get "$peer" oif "$interface" 2>/dev/null)
        case $route in *' via '*) hop=${route#*' via '} hop=${hop%% *} ;; esac
        hardware='' asked=0
        until [ -n "$hardware" ] || [ "$asked" -ge 20 ]; do
            case $(ip neigh show to "$hop" dev "$interface" 2>/dev/null) in
            *' lladdr '*) hardware=$(ip neigh show to "$hop" dev "$interface") hardware=${hardware#*lladdr } hardware=${hardware%% *} ;;
            *)
                # A packet to nobody in particular makes the kernel ask for the address.
                [ "$asked" -gt 0 ] || bash -c 'printf x >"/dev/udp/$1/9"' hactl "$peer" 2>/dev/null
                sleep 0.02
                ;;
            esac
            asked=$((asked + 1))
        done
        words="$words $peer=$hardware"
    done
}

# send_adverts PROGRAM...: runs it and ends the call with its report. If it fails, sets reason, unless it is already set.
send_adverts() {
    if result=$("$@" 2>&1); then
        printf '%s\n' "$result"
        finish
    fi
    # Of several lines, the last one has the error.
    reason=${reason:-"${result##*"$newline"}"}
}

# Both programs do the same. A test packet has VRRP's version 3, a type that VRRP does not define and a
# virtual_router_id that the cluster does not have, so every router ignores it. It starts as RFC 9568, 5.1 has it. Then
# come the token, `u` or `m` for unicast or multicast, and its number.
#
# A packet for a peer goes out by a packet socket, past the host's own connection tracking. Otherwise that would take the
# peer's packets for answers, and let them in where a backup, which sends nothing, would hear nothing. Whether the host's
# own firewall lets such packets out is asked with one packet to each peer that goes the usual way, from an address that is
# nobody's (RFC 5737, RFC 3849), so that nothing is remembered of the two hosts.
#
# Neither program needs any module beyond perl-base or a bare Python.
#
# They report, in microseconds where it is a time:
#   sent NUMBER LATENESS                         rounds sent, and the most that this host was late for one
#   unsent ADDRESS ERROR                         where packets could not be sent
#   heard ADDRESS KIND COUNT FIRST LAST SILENCE  packets of a peer: numbers of the first and last, and the longest time
#                                                between two
#   router ADDRESS VRID VERSION PRIORITY COUNT   adverts of a virtual router
# Without a result there is one record, `unmeasured ERROR`; ERROR is empty where the host has neither program.
# shellcheck disable=SC2016 # perl expands it
adverts_perl='
use strict;
use Socket qw(:all);
use POSIX ();
my ($family, $own, $interface, $vrid, $interval, $duration, $margin, $token, @peers) = @ARGV;
my %calls = (x86_64 => 228, aarch64 => 113, riscv64 => 113, loongarch64 => 113, ppc64le => 246, ppc64 => 246,
    s390x => 260, i686 => 265, i586 => 265, i386 => 265, armv7l => 263, armv6l => 263, mips64 => 5222);
my $call = $calls{(POSIX::uname())[4]} or die "unknown machine\n";
sub now {
    my $buffer = "\0" x 16;
    syscall($call, 1, $buffer) == 0 or die "no clock\n";
    my ($seconds, $nanos) = unpack("l!l!", $buffer);
    return $seconds * 1e6 + $nanos / 1e3;
}
my $six = $family == 6;
my $af = $six ? AF_INET6 : AF_INET;
my $group = $six ? "ff02::12" : "224.0.0.18";
my $to = sub { $six ? pack_sockaddr_in6(0, inet_pton($af, $_[0]), $_[1] || 0) : pack_sockaddr_in(0, inet_aton($_[0])) };
open(my $file, "<", "/sys/class/net/$interface/ifindex") or die "no interface $interface\n";
my $index = <$file> + 0;
socket(my $in, $af, SOCK_RAW, 112) or die "socket: $!\n";
socket(my $out, $af, SOCK_RAW, 112) or die "socket: $!\n";
setsockopt($_, SOL_SOCKET, 25, "$interface\0") or die "bind to $interface: $!\n" for ($in, $out);
bind($out, $to->($own)) or die "bind to $own: $!\n";
socket(my $raw, 17, SOCK_DGRAM, 0) or die "socket: $!\n";
socket(my $free, $af, SOCK_RAW, 255) or die "socket: $!\n";
my $source = inet_pton($af, $own);
my $nobody = inet_pton($af, $six ? "2001:db8::112" : "192.0.2.112");
# The header that the kernel would write.
sub header {
    my ($source, $target, $length) = @_;
    return pack("N n C C a16 a16", 6 << 28, $length, 112, 255, $source, $target) if $six;
    my $header = pack("C C n n n C C n a4 a4", 0x45, 0xc0, 20 + $length, 0, 0, 255, 112, 0, $source, $target);
    my $sum = 0;
    $sum += $_ for unpack("n10", $header);
    $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
    substr($header, 10, 2) = pack("n", ~$sum & 0xffff);
    return $header;
}
if ($six) {
    setsockopt($in, IPPROTO_IPV6, IPV6_JOIN_GROUP, pack_ipv6_mreq(inet_pton($af, $group), $index)) or die "join: $!\n";
    setsockopt($out, IPPROTO_IPV6, 17, pack("i", $index)) or die "interface: $!\n";
    setsockopt($out, IPPROTO_IPV6, 18, pack("i", 255)) or die "hops: $!\n";
    setsockopt($out, IPPROTO_IPV6, 16, pack("i", 255)) or die "hops: $!\n";
    setsockopt($out, IPPROTO_IPV6, 19, pack("i", 0)) or die "loop: $!\n";
} else {
    my $request = pack("a4 a4 i", inet_aton($group), inet_aton($own), $index);
    setsockopt($in, IPPROTO_IP, 35, $request) or die "join: $!\n";
    setsockopt($out, IPPROTO_IP, 32, $request) or die "interface: $!\n";
    setsockopt($out, IPPROTO_IP, 33, pack("i", 255)) or die "hops: $!\n";
    setsockopt($out, IPPROTO_IP, 2, pack("i", 255)) or die "hops: $!\n";
    setsockopt($out, IPPROTO_IP, 34, pack("i", 0)) or die "loop: $!\n";
}
my @targets = (["m", $group, $out, $to->($group, $index), ""]);
for my $peer (@peers) {
    my ($address, $hardware) = split(/=/, $peer, 2);
    if ($hardware =~ /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) {
        my $mac = pack("C6", map { hex } split(/:/, $hardware));
        my $link = pack("S n i S C C a8", 17, $six ? 0x86dd : 0x0800, $index, 1, 0, 6, $mac);
        push(@targets, ["u", $address, $raw, $link, header($source, inet_pton($af, $address), 21)]);
    } else {
        push(@targets, ["u", $address, $out, $to->($address), ""]);
    }
}
my (%heard, %routers, %unsent);
my ($sent, $late) = (0, 0);
for my $target (grep { $_->[4] } @targets) {
    my $stray = header($nobody, inet_pton($af, $target->[1]), 8) . pack("C C x6", 0x3f, $vrid);
    defined(send($free, $stray, 0, $to->($target->[1]))) or $unsent{$target->[1]} = "$!";
}
my $start = now() + $margin * 1e3;
my ($next, $last) = ($start, $start + $duration * 1e3);
my $end = $last + $margin * 1e3;
while ((my $now = now()) < $end) {
    if ($now >= $next && $next < $last) {
        $late = $now - $next if $now - $next > $late;
        for my $target (@targets) {
            my $packet = pack("C C C C n n a8 a N", 0x3f, $vrid, 1, 0, 0, 0, $token, $target->[0], $sent);
            defined(send($target->[2], $target->[4] . $packet, 0, $target->[3])) or $unsent{$target->[1]} = "$!";
        }
        $sent++;
        $next += $interval;
        next;
    }
    my $wait = ($next < $last ? $next : $end) - $now;
    my $ready = "";
    vec($ready, fileno($in), 1) = 1;
    next unless select($ready, undef, undef, $wait / 1e6) > 0;
    for (1 .. 64) {
        my $from = recv($in, my $packet, 2048, MSG_DONTWAIT);
        last unless defined $from;
        my $at = now();
        my $address = $six ? inet_ntop($af, (unpack_sockaddr_in6($from))[1]) : inet_ntoa((unpack_sockaddr_in($from))[1]);
        $packet = substr($packet, (ord($packet) & 15) * 4) unless $six;
        next if length($packet) < 8;
        my ($first, $id, $priority) = unpack("C3", $packet);
        if ($first == 0x3f && length($packet) >= 21 && substr($packet, 8, 8) eq $token) {
            my ($kind, $number) = unpack("x16 a N", $packet);
            my $one = $heard{"$address\t$kind"} ||= { count => 0, first => $number, silence => 0 };
            $one->{silence} = $at - $one->{at} if defined $one->{at} && $at - $one->{at} > $one->{silence};
            @$one{qw(at last)} = ($at, $number);
            $one->{count}++;
        } elsif (($first & 15) == 1) {
            $routers{join("\t", $address, $id, $first >> 4, $priority)}++;
        }
    }
}
printf("sent\t%d\t%d\n", $sent, $late);
print("unsent\t$_\t$unsent{$_}\n") for sort keys %unsent;
printf("heard\t%s\t%d\t%d\t%d\t%d\n", $_, @{$heard{$_}}{qw(count first last silence)}) for sort keys %heard;
print("router\t$_\t$routers{$_}\n") for sort keys %routers;
'

adverts_python='
import select, socket, struct, sys, time
family, own, interface, vrid, interval, duration, margin, token = sys.argv[1:9]
peers, six, token = sys.argv[9:], family == "6", token.encode()
clock = getattr(time, "monotonic", time.time)
def now():
    return clock() * 1e6
af = socket.AF_INET6 if six else socket.AF_INET
group = "ff02::12" if six else "224.0.0.18"
with open("/sys/class/net/%s/ifindex" % interface) as text:
    index = int(text.read())
def to(address):
    return (address, 0, 0, index if address == group else 0) if six else (address, 0)
incoming = socket.socket(af, socket.SOCK_RAW, 112)
outgoing = socket.socket(af, socket.SOCK_RAW, 112)
incoming.setblocking(False)
for one in (incoming, outgoing):
    one.setsockopt(socket.SOL_SOCKET, 25, interface.encode() + b"\0")
outgoing.bind(to(own))
raw = socket.socket(17, socket.SOCK_DGRAM, 0)
free = socket.socket(af, socket.SOCK_RAW, 255)
nobody = socket.inet_pton(af, "2001:db8::112" if six else "192.0.2.112")
# The header that the kernel would write.
def header(source, target, length):
    if six:
        return struct.pack("!IHBB16s16s", 6 << 28, length, 112, 255, source, target)
    words = [0x4500 | 0xc0, 20 + length, 0, 0, 255 << 8 | 112, 0]
    words += struct.unpack("!HH", source) + struct.unpack("!HH", target)
    total = sum(words)
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    words[5] = ~total & 0xffff
    return struct.pack("!10H", *words)
number = struct.pack("i", index)
if six:
    incoming.setsockopt(41, 20, socket.inet_pton(af, group) + number)
    options = ((17, index), (18, 255), (16, 255), (19, 0))
else:
    request = socket.inet_aton(group) + socket.inet_aton(own) + number
    incoming.setsockopt(0, 35, request)
    outgoing.setsockopt(0, 32, request)
    options = ((33, 255), (2, 255), (34, 0))
for option, value in options:
    outgoing.setsockopt(41 if six else 0, option, value)
targets, strays = [(b"m", group, outgoing, to(group), b"")], []
for peer in peers:
    address, _, hardware = peer.partition("=")
    if len(hardware) == 17:
        mac = bytes(bytearray(int(part, 16) for part in hardware.split(":")))
        link = (interface, 0x86dd if six else 0x0800, 0, 1, mac)
        target = socket.inet_pton(af, address)
        targets.append((b"u", address, raw, link, header(socket.inet_pton(af, own), target, 21)))
        strays.append((address, header(nobody, target, 8) + struct.pack("!BB6x", 0x3f, int(vrid))))
    else:
        targets.append((b"u", address, outgoing, to(address), b""))
heard, routers, unsent, sent, late = {}, {}, {}, 0, 0
for address, stray in strays:
    try:
        free.sendto(stray, to(address))
    except (OSError, socket.error) as error:
        unsent[address] = error.strerror or str(error)
start = now() + int(margin) * 1000
following, last = start, start + int(duration) * 1000
end = last + int(margin) * 1000
while now() < end:
    at = now()
    if at >= following and following < last:
        late = max(late, at - following)
        for kind, address, way, where, head in targets:
            packet = struct.pack("!BBBBHH8scI", 0x3f, int(vrid), 1, 0, 0, 0, token, kind, sent)
            try:
                way.sendto(head + packet, where)
            except (OSError, socket.error) as error:
                unsent[address] = error.strerror or str(error)
        sent += 1
        following += int(interval)
        continue
    wait = (following if following < last else end) - at
    if not select.select([incoming], [], [], max(wait, 0) / 1e6)[0]:
        continue
    for _ in range(64):
        try:
            packet, source = incoming.recvfrom(2048)
        except (OSError, socket.error):
            break
        at, address, packet = now(), source[0].split("%")[0], bytearray(packet)
        if not six:
            packet = packet[(packet[0] & 15) * 4:]
        if len(packet) < 8:
            continue
        if packet[0] == 0x3f and len(packet) >= 21 and bytes(packet[8:16]) == token:
            kind, count = struct.unpack("!cI", bytes(packet[16:21]))
            one = heard.setdefault((address, kind.decode()), [0, count, count, 0, at])
            one[3] = max(one[3], at - one[4])
            one[0], one[2], one[4] = one[0] + 1, count, at
        elif packet[0] & 15 == 1:
            key = (address, packet[1], packet[0] >> 4, packet[2])
            routers[key] = routers.get(key, 0) + 1
print("sent\t%d\t%d" % (sent, late))
for address in sorted(unsent):
    print("unsent\t%s\t%s" % (address, unsent[address]))
for (address, kind), one in sorted(heard.items()):
    print("heard\t%s\t%s\t%d\t%d\t%d\t%d" % ((address, kind) + tuple(one[:4])))
for key in sorted(routers):
    print("router\t%s\t%d\t%d\t%d\t%d" % (key + (routers[key],)))
'
