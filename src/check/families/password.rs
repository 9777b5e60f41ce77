//! VRRP's password, which is known only after it was fetched, and values copied from samples (KA030 to KA032).

use secrecy::ExposeSecret;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Cluster, Peering, Secrets, VrrpInstance, VrrpVersion};

rules! { RULES:
KA030 {
    Warning, [Secrets(password)],
    title: "a password of more than 8 characters",
    reason: "VRRPv2 sends 8 characters; keepalived cuts the rest, and `keepalived -t` fails.",
    fix: "use a random password of at most 8 characters",
}
KA031 {
    Error, [Inventory(of_version_three), Secrets(password)],
    title: "an authentication that cannot work",
    reason: "VRRPv3 has none: keepalived ignores it, and `keepalived -t` fails. Shell text such as `$(openssl …)` is taken literally and cut to 8 characters. AH is not recommended by keepalived itself, and hactl never renders it.",
    fix: "remove the authentication and let a firewall keep protocol 112 to the peers; with VRRPv2 use a random password of at most 8 characters",
}
KA032 {
    Warning, [Inventory(sample_router_ids), Secrets(password)],
    title: "a virtual_router_id or a password from the samples",
    reason: "51 is in every sample and guide, so another cluster on the same network is likely to use it, too. The passwords of the samples are the first that anyone tries.",
    fix: "choose a virtual_router_id of your own, and a random password",
}
}

/// The `virtual_router_id` of most samples and guides.
const SAMPLE_ROUTER_ID: u8 = 51;

/// Length of the password field in a VRRPv2 packet.
const FIELD: usize = 8;

/// Passwords from keepalived's samples and from guides, and other common ones.
const SAMPLES: [&str; 8] = [
    "1111", "1234", "12345678", "nginx_ha", "pass", "password", "secret", "keepaliv",
];

fn password(cluster: &Cluster, secrets: &Secrets, findings: &mut Vec<Finding>) {
    let Some(authentication) = &cluster.vrrp.authentication else {
        return;
    };
    // A password that could not be fetched is reported by the code that fetches it.
    let Ok(secret) = secrets.get(&authentication.password) else {
        return;
    };
    let password = secret.expose_secret();
    let path = || places::vrrp("authentication");
    if password.contains("$(") || password.contains('`') {
        let message = "the password is a shell command; keepalived takes its text literally";
        findings.push(Finding::new(&KA031, path(), message));
    }
    if password.len() > FIELD {
        let message = format!(
            "the password has {} characters, and VRRPv2 sends the first {FIELD}",
            password.len()
        );
        findings.push(Finding::new(&KA030, path(), message));
    }
    // Only what is sent counts: a longer password that starts like a sample's is as weak.
    if SAMPLES
        .iter()
        .any(|sample| password == *sample || cut(password) == *sample)
    {
        let message = "the password, as VRRPv2 sends it, is one of the samples'";
        let fix = "use a random password of at most 8 characters";
        findings.push(Finding::new(&KA032, path(), message).fix(fix));
    }
}

/// The part of `password` that is sent.
fn cut(password: &str) -> &str {
    password.get(..FIELD).unwrap_or(password)
}

fn of_version_three(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    if vrrp.version == VrrpVersion::V3 && vrrp.authentication.is_some() {
        let message = "VRRPv3 has no authentication: the password protects nothing";
        let path = places::vrrp("authentication");
        findings.push(Finding::new(&KA031, path, message));
    }
}

/// Whether all hosts on the network hear `instance`, because multicast was requested or unicast is impossible.
fn is_multicast(cluster: &Cluster, instance: &VrrpInstance) -> bool {
    let vip = instance.addresses.first();
    let is_ipv6 = vip.is_some_and(|vip| vip.addr().is_ipv6());
    cluster.vrrp.peering == Peering::Multicast
        || cluster.vrrp.strict
        || cluster
            .nodes
            .iter()
            .any(|node| node.address.is_ipv6() != is_ipv6)
}

fn sample_router_ids(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        sample_router_id(cluster, index, instance, findings);
    }
}

fn sample_router_id(
    cluster: &Cluster,
    index: usize,
    instance: &VrrpInstance,
    findings: &mut Vec<Finding>,
) {
    // With unicast, only the peers hear each other, so ids of others do not matter.
    if !is_multicast(cluster, instance) || instance.virtual_router_id.get() != SAMPLE_ROUTER_ID {
        return;
    }
    let message = format!(
        "{}: virtual_router_id {SAMPLE_ROUTER_ID} is the value that most examples use, and by multicast all clusters on the network hear each other",
        instance.name
    );
    let path = places::instance_key(index, "virtual_router_id");
    let fix = "set a virtual_router_id that no other cluster on this wire has, 1 to 255";
    findings.push(Finding::new(&KA032, path, message).fix(fix));
}
