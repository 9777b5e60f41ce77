//! Names in nginx's files: how the host resolves them, and nginx's test in a network namespace
//! without DNS.

use hactl::agent::ObserveRequest;
use hactl::model::UnitId;

use crate::in_every_shell;
use crate::scene::{ID, TX, inhabited, tree};
use crate::world::World;

in_every_shell!(
    names_that_the_host_resolves_pass_in_a_network_without_dns,
    a_name_that_nobody_resolves_is_told_in_nginx_words,
    a_listener_that_nothing_allows_stays_refused,
    names_are_resolved_as_nginx_resolves_them,
);

/// Resolves the names in /etc/dns, which stands for a DNS server, but only in the host's own
/// network namespace.
const GETENT: &str = r#"#!/bin/sh
[ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/1/ns/net)" ] || exit 2
found=2
while read -r address name; do
    [ "$name" = "$2" ] || continue
    printf '%-15s %s\n' "$address" "STREAM $name" "$address" DGRAM
    found=0
done </etc/dns
exit "$found"
"#;

/// An nginx that needs the names in /etc/names, each in a different directive, a listener on an
/// IPv6 address that the host does not have, and the host's own address.
const NGINX: &str = r#"#!/bin/sh
[ "$1" = -t ] || exit 0
exec >&2
while read -r name text; do
    getent ahosts "$name" >/dev/null || grep -q " $name\$" /etc/hosts && continue
    echo "nginx: [emerg] $text in /etc/nginx/nginx.conf:34"
    exit 1
done </etc/names
read -r allowed </proc/sys/net/ipv6/ip_nonlocal_bind
if [ "$allowed" != 1 ]; then
    echo "nginx: [emerg] bind() to [fd00::100]:80 failed (99: Cannot assign requested address)"
    exit 1
fi
ip -o addr show | grep -q ' 10.9.9.9/24 ' || exit 3
echo "nginx: configuration file /etc/nginx/nginx.conf test is successful"
"#;

fn furnished(world: &World) {
    inhabited(world);
    for (name, text) in [("getent", GETENT), ("nginx", NGINX)] {
        world.write(&format!("/stubs/{name}"), text);
        world.sh(&format!("chmod 755 /stubs/{name}"));
    }
    world.write("/kernel/net/ipv4/ip_nonlocal_bind", "0\n");
    world.write("/kernel/net/ipv6/ip_nonlocal_bind", "0\n");
    world.write("/etc/hosts", "127.0.0.1 localhost\n");
    world.write(
        "/etc/names",
        "app.internal host not found in upstream \"app.internal:8080\"\n\
         ocsp.internal host not found in \"http://ocsp.internal/x\" of the directive\n\
         log.internal host not found in syslog server \"log.internal\"\n",
    );
    world.sh("ip link set lo up; ip addr add 10.9.9.9/24 dev lo");
}

fn nonlocal() -> hactl::agent::Tree {
    let mut tree = tree(TX, 1, ID, vec![]);
    let key = "net.ipv6.ip_nonlocal_bind".to_owned();
    tree.manifest.sysctls.push((key, "1".to_owned()));
    tree
}

async fn names_that_the_host_resolves_pass_in_a_network_without_dns(world: &World) {
    furnished(world);
    world.write(
        "/etc/dns",
        "192.0.2.1 app.internal\n192.0.2.2 app.internal\n2001:db8::3 ocsp.internal\n192.0.2.4 log.internal\n",
    );
    let before = world.snapshot("/etc");
    let tests = world.agent().validate(&nonlocal()).await.unwrap();
    let nginx = tests
        .iter()
        .find(|test| test.unit == UnitId::NGINX)
        .unwrap();
    assert_eq!(nginx.code, 0, "{}", nginx.output);
    assert!(nginx.output.contains("successful"), "{}", nginx.output);
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_name_that_nobody_resolves_is_told_in_nginx_words(world: &World) {
    furnished(world);
    world.write(
        "/etc/dns",
        "192.0.2.1 app.internal\n2001:db8::3 ocsp.internal\n",
    );
    let tests = world.agent().validate(&nonlocal()).await.unwrap();
    let nginx = tests
        .iter()
        .find(|test| test.unit == UnitId::NGINX)
        .unwrap();
    assert_eq!(nginx.code, 1, "{}", nginx.output);
    let missed = "host not found in syslog server \"log.internal\"";
    assert!(nginx.output.contains(missed), "{}", nginx.output);
    assert_eq!(world.read("/etc/hosts"), "127.0.0.1 localhost\n");
}

async fn a_listener_that_nothing_allows_stays_refused(world: &World) {
    furnished(world);
    world.write("/etc/names", "");
    world.write("/etc/dns", "");
    // IPv4's sysctl does not affect an IPv6 listener.
    let mut only_ipv4 = tree(TX, 1, ID, vec![]);
    let key = "net.ipv4.ip_nonlocal_bind".to_owned();
    only_ipv4.manifest.sysctls.push((key, "1".to_owned()));
    for tree in [tree(TX, 1, ID, vec![]), only_ipv4] {
        let tests = world.agent().validate(&tree).await.unwrap();
        let nginx = tests
            .iter()
            .find(|test| test.unit == UnitId::NGINX)
            .unwrap();
        assert_eq!(nginx.code, 1, "{}", nginx.output);
        assert!(nginx.output.contains("bind() to"), "{}", nginx.output);
    }
}

async fn names_are_resolved_as_nginx_resolves_them(world: &World) {
    furnished(world);
    world.write(
        "/etc/dns",
        "192.0.2.1 app.internal\n2001:db8::3 app.internal\n",
    );
    let names = ["app.internal", "gone.internal"];
    let question = ObserveRequest {
        names: names.map(str::to_owned).to_vec(),
        ..ObserveRequest::default()
    };
    let seen = world.agent().observe(&question).await.unwrap();
    let addresses: [std::net::IpAddr; 2] =
        ["192.0.2.1", "2001:db8::3"].map(|address| address.parse().unwrap());
    assert_eq!(seen.names["app.internal"], addresses);
    assert_eq!(seen.unresolved(), ["gone.internal"]);
}
