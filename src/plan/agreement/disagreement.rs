//! What a node would disagree on with its peers: its current virtual routers against the planned ones.

use crate::model::UnitId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::change::{self, Change};
use super::own_file::keepalived_conf;
use super::router::{Auth, Key, Router};
use super::strictness::Strictness;
use super::{gap, routers};
use crate::agent::{LiveFile, Observation, VrrpState, sha256_hex};
use crate::plan::beside::shares;
use crate::plan::desired::Desired;
use crate::plan::serving::instances_of_others;

/// What a node would disagree on with peers that do not change at the same moment. A keepalived that is down
/// disagrees with nobody.
pub(in crate::plan) fn disagreement(
    desired: &Desired,
    seen: &Observation,
    strictness: Strictness,
) -> Option<Change> {
    if !seen.service(UnitId::KEEPALIVED).is_active() {
        return None;
    }
    pending_disagreement(desired, seen, strictness)
}

/// The same, even if keepalived is down and only starts later with the files that are there.
pub(in crate::plan) fn pending_disagreement(
    desired: &Desired,
    seen: &Observation,
    strictness: Strictness,
) -> Option<Change> {
    let (path, after) = keepalived_conf(desired)?;
    let file = seen.files.get(path).and_then(LiveFile::content);
    if file.is_none() && seen.vrrp.is_empty() {
        return None;
    }
    let after = routers::read(after, seen).routers;
    let before = running(seen, desired, file);
    match before.map(|all| without_others(all, desired, seen)) {
        Some(before) => compare(&before, &after, strictness),
        None => Some(Change::Unreadable {
            node: seen.node.clone(),
        }),
    }
}

/// How long VIPs have no owner while the keeper loads the new configuration and all other nodes are silent, by the
/// timers of that configuration. `None` if these do not determine it.
pub(in crate::plan) fn without_owner(
    desired: &Desired,
    seen: &Observation,
    held: &[(IpAddr, bool)],
) -> Option<Duration> {
    let (path, after) = keepalived_conf(desired)?;
    let after = routers::read(after, seen);
    let file = seen.files.get(path).and_then(LiveFile::content);
    let before = running(seen, desired, file)?;
    let before = without_others(before, desired, seen);
    after
        .is_whole
        .then(|| gap::without_owner(&before, &after.routers, held))?
}

/// The virtual routers that a node runs. `None` if neither keepalived nor its file tells.
fn running(seen: &Observation, desired: &Desired, file: Option<&[u8]>) -> Option<Vec<Router>> {
    let conf = file.map(|text| routers::read(text, seen));
    let is_active = seen.service(UnitId::KEEPALIVED).is_active();
    let told = is_active && seen.vrrp.iter().any(|state| state.wire.router_id.is_some());
    let Some(conf) = conf else {
        return told.then(|| {
            let states = seen.vrrp.iter();
            states
                .map(|state| unknown(&state.instance).with_wire(&state.wire))
                .collect()
        });
    };
    if !told {
        return conf.is_whole.then_some(conf.routers);
    }
    let is_edited = is_edited(seen, desired);
    let of_state = |state: &VrrpState| {
        let own = conf.routers.iter().find(|own| own.name == state.instance);
        let mut router = own.cloned().unwrap_or_else(|| unknown(&state.instance));
        if is_edited && router.auth != Auth::None {
            router.auth = Auth::Unknown;
        }
        router.with_wire(&state.wire)
    };
    Some(seen.vrrp.iter().map(of_state).collect())
}

/// Removes the instances of others, which a shared configuration keeps as they are.
fn without_others(routers: Vec<Router>, desired: &Desired, seen: &Observation) -> Vec<Router> {
    let (Some((path, _)), Some(serving)) = (keepalived_conf(desired), &seen.serving) else {
        return routers;
    };
    if !shares(&desired.tree.manifest, UnitId::KEEPALIVED) {
        return routers;
    }
    let others = instances_of_others(&desired.tree, serving, path.as_str());
    let is_own = |router: &Router| !others.contains(&router.name);
    routers.into_iter().filter(is_own).collect()
}

fn unknown(name: &str) -> Router {
    Router {
        name: name.to_owned(),
        auth: Auth::Unknown,
        ..Router::default()
    }
}

/// True when the file is not the one that was applied, so that keepalived may have loaded another one.
fn is_edited(seen: &Observation, desired: &Desired) -> bool {
    let Some((path, _)) = keepalived_conf(desired) else {
        return false;
    };
    let Some(applied) = seen.recorded.as_ref().and_then(|own| own.sha256_of(path)) else {
        return false;
    };
    let live = seen.files.get(path).and_then(LiveFile::content);
    live.is_some_and(|live| sha256_hex(live) != applied)
}

/// The first change that a peer would notice, the most severe kind first.
pub(super) fn compare(
    before: &[Router],
    after: &[Router],
    strictness: Strictness,
) -> Option<Change> {
    let homes = |routers: &[Router]| -> BTreeMap<IpAddr, Key> {
        let pairs = routers.iter().flat_map(|router| {
            let key = router.key();
            router.vips().map(move |vip| (vip, key.clone()))
        });
        pairs.collect()
    };
    let (old_homes, new_homes) = (homes(before), homes(after));
    // A VIP that moves to another virtual router: nodes with the old file and nodes with the new one would not
    // hear each other's adverts for it.
    for (vip, old) in &old_homes {
        if let Some(new) = new_homes.get(vip).filter(|new| *new != old) {
            return Some(Change::moved(*vip, old, new));
        }
    }
    let find = |routers: &[Router], key: &Key| routers.iter().position(|own| own.key() == *key);
    for old in before {
        let Some(new) = find(after, &old.key()).and_then(|at| after.get(at)) else {
            return Some(Change::gone(old));
        };
        if let Some(found) = change::between(old, new, strictness) {
            return Some(found);
        }
    }
    let new = after
        .iter()
        .find(|new| find(before, &new.key()).is_none())?;
    // A host without virtual routers joins. Whether its peers have to change for that shows on them.
    (!before.is_empty()).then(|| Change::added(new))
}
