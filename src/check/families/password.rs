//! VRRP's plaintext password, which is known only once it was fetched (KA030 to KA032).

use secrecy::ExposeSecret;

use crate::check::finding::Finding;
use crate::check::{places, registry};
use crate::model::{Cluster, Secrets};

/// What the field of version 2's packet holds.
const FIELD: usize = 8;

/// Passwords of keepalived's samples, of guides, and of nobody's choosing.
const SAMPLES: [&str; 8] = [
    "1111", "1234", "12345678", "nginx_ha", "pass", "password", "secret", "keepaliv",
];

pub(in crate::check) fn check(cluster: &Cluster, secrets: &Secrets, findings: &mut Vec<Finding>) {
    let Some(authentication) = &cluster.vrrp.authentication else {
        return;
    };
    // What was not fetched is reported by whoever fetches.
    let Ok(secret) = secrets.get(&authentication.password) else {
        return;
    };
    let password = secret.expose_secret();
    let path = || places::vrrp("authentication");
    if password.contains("$(") || password.contains('`') {
        let message = "the password is a shell command; keepalived takes its text literally";
        findings.push(Finding::new(&registry::KA031, path(), message));
    }
    if password.len() > FIELD {
        let message = format!(
            "the password has {} characters, and VRRPv2 sends the first {FIELD}",
            password.len()
        );
        findings.push(Finding::new(&registry::KA030, path(), message));
    }
    // By what is sent of it: a longer password that starts like a sample's is a sample's.
    if SAMPLES
        .iter()
        .any(|sample| password == *sample || cut(password) == *sample)
    {
        let message = "the password, as VRRPv2 sends it, is one of the samples'";
        let fix = "use a random password of at most 8 characters";
        findings.push(Finding::new(&registry::KA032, path(), message).fix(fix));
    }
}

/// The part of `password` that is sent.
fn cut(password: &str) -> &str {
    password.get(..FIELD).unwrap_or(password)
}
