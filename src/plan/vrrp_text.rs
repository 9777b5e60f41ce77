//! The lines of a keepalived.conf on which all nodes must agree.
//!
//! Nodes that disagree on a virtual router id, a version or the list of addresses elect two owners
//! (rule KA053), so a change of one of these must reach all nodes at once.

use std::collections::BTreeMap;

/// Instance name to the lines that must agree, in a fixed order.
fn agreements(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut global = Vec::new();
    let mut instance: Option<String> = None;
    let mut in_addresses = false;
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["vrrp_instance", name, ..] => {
                instance = Some((*name).to_owned());
                found.entry((*name).to_owned()).or_default();
            }
            ["virtual_ipaddress", ..] => in_addresses = true,
            ["}", ..] => in_addresses = false,
            ["vrrp_version", version] => global.push(format!("version {version}")),
            [address, ..] if in_addresses => {
                push(&mut found, instance.as_ref(), format!("address {address}"));
            }
            ["virtual_router_id" | "advert_int" | "version", _] => {
                push(&mut found, instance.as_ref(), line.to_owned());
            }
            _ => {}
        }
    }
    for lines in found.values_mut() {
        lines.extend(global.iter().cloned());
        lines.sort();
    }
    found
}

fn push(found: &mut BTreeMap<String, Vec<String>>, instance: Option<&String>, line: String) {
    if let Some(lines) = instance.and_then(|name| found.get_mut(name)) {
        lines.push(line);
    }
}

/// What two configurations of one node disagree on.
pub(super) struct Disagreement {
    /// The instance and the line, for a person.
    pub(super) reason: String,
    /// The nodes no longer hear each other's adverts, or refuse them: there is no owner until the next
    /// election.
    pub(super) reelects: bool,
}

/// What two configurations of one node disagree on, for an instance that both have.
pub(super) fn disagreement(before: &str, after: &str) -> Option<Disagreement> {
    let (before, after) = (agreements(before), agreements(after));
    before.iter().find_map(|(name, old)| {
        let new = after.get(name)?;
        let changed = new
            .iter()
            .find(|line| !old.contains(line))
            .or_else(|| old.iter().find(|line| !new.contains(line)))?;
        Some(Disagreement {
            reason: format!("{name}: {changed}"),
            reelects: ["virtual_router_id ", "address "]
                .iter()
                .any(|what| changed.starts_with(what)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::disagreement;

    const CONF: &str = "global_defs {\n    vrrp_version 3\n}\nvrrp_instance VI_1 {\n    virtual_router_id 51\n    priority 100\n    virtual_ipaddress {\n        10.0.0.100/24 dev eth0\n    }\n}\n";

    #[test]
    fn only_what_peers_compare_matters() {
        let found =
            |after: &str| disagreement(CONF, after).map(|found| (found.reason, found.reelects));
        assert_eq!(found(CONF), None);
        assert_eq!(found(&CONF.replace("priority 100", "priority 90")), None);
        let added = CONF.replace(
            "10.0.0.100/24 dev eth0",
            "10.0.0.100/24 dev eth0\n        10.0.0.101/24 dev eth0",
        );
        assert_eq!(
            found(&added),
            Some(("VI_1: address 10.0.0.101/24".to_owned(), true))
        );
        let version = CONF.replace("vrrp_version 3", "vrrp_version 2");
        assert_eq!(found(&version), Some(("VI_1: version 2".to_owned(), false)));
    }
}
