//! nginx's listeners, as far as a reload cannot change them.
//!
//! A port that goes from the wildcard to a specific address, or back, cannot be bound by a reload
//! while the old socket is open: nginx says so in its error log only, and serves the old
//! configuration (rule NG003). Such a change needs a restart.

use std::collections::{BTreeMap, BTreeSet};

/// Specific addresses by port; an empty text stands for the wildcard.
fn listeners(text: &str) -> BTreeMap<u16, BTreeSet<String>> {
    let mut found: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        let Some(rest) = line.strip_prefix("listen ") else {
            continue;
        };
        let socket = rest
            .trim_end_matches(';')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let (address, port) = socket.rsplit_once(':').unwrap_or(("", socket));
        let address = if matches!(address, "*" | "0.0.0.0" | "[::]") {
            ""
        } else {
            address
        };
        if let Ok(port) = port.parse() {
            found.entry(port).or_default().insert(address.to_owned());
        }
    }
    found
}

/// The ports whose change from `before` to `after` a reload cannot carry out.
pub(super) fn need_restart(before: &str, after: &str) -> Vec<u16> {
    let (before, after) = (listeners(before), listeners(after));
    let is_swap = |port: &u16, old: &BTreeSet<String>| {
        after.get(port).is_some_and(|new| {
            let wildcard = |set: &BTreeSet<String>| set.contains("");
            let specific = |set: &BTreeSet<String>| set.iter().any(|address| !address.is_empty());
            wildcard(old) && specific(new) && !specific(old)
                || specific(old) && wildcard(new) && !wildcard(old)
        })
    };
    before
        .iter()
        .filter(|(port, old)| is_swap(port, old))
        .map(|(port, _)| *port)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::need_restart;

    #[test]
    fn only_a_swap_on_the_same_port_needs_a_restart() {
        for (before, after, expected) in [
            ("listen 80;", "listen 10.0.0.100:80;", vec![80]),
            (
                "listen 10.0.0.100:80 backlog=511;",
                "listen 80 default_server;",
                vec![80],
            ),
            (
                "listen 80;\nlisten [::]:80;",
                "listen 80;\nlisten [::]:80;\nlisten 443;",
                vec![],
            ),
            ("listen 80;", "listen 8080;", vec![]),
            ("listen 127.0.0.1:81;", "listen 127.0.0.1:82;", vec![]),
        ] {
            assert_eq!(need_restart(before, after), expected, "{before} -> {after}");
        }
    }
}
