//! Who should hold each VIP, and who comes next.

use std::cmp::Reverse;
use std::time::Duration;

use crate::inventory::raw::{ClusterKeys, Pairs, Spanned, VipKeys};
use crate::model::{NodeName, OnNginxFailure, Priority, VrrpSettings, VrrpVersion};

/// The highest default priority.
const TOP_PRIORITY: i64 = 254;
/// The least step down from it, which leaves a weight its effect.
const LEAST_STEP: i64 = 2;
/// By how much later the next node's timer ends than a better one's: long enough for that one's advert to
/// arrive, or both take over and the neighbours learn of two owners.
const APART: Duration = Duration::from_millis(2);
/// After so many failures the VIPs are no longer dealt evenly, but follow the order of the nodes.
const SPREAD_RUNGS: usize = 4;

/// A VIP's contenders with their priorities, best first.
pub(super) type Ladder = Vec<(NodeName, Priority)>;

/// The ladder of each VIP. Its own `priorities` are as typed; otherwise the nodes' or the default ones are
/// dealt out anew, beginning with the preferred node, so that every VIP has the same rungs.
pub(super) fn ladders(
    vips: &[Spanned<VipKeys>],
    keys: &ClusterKeys,
    vrrp: &VrrpSettings,
) -> Option<Vec<Ladder>> {
    let (names, priorities, typed) = rungs(keys, vrrp)?;
    // What somebody chose comes first: the others are dealt out around it.
    let mut orders = Vec::new();
    for vip in vips {
        orders.push(first_rungs(vip, &names, typed)?);
    }
    for vip in 0..orders.len() {
        if orders.get(vip)?.is_empty() && !names.is_empty() {
            let first = next_rung(&orders, vip, names.len(), vip % names.len())?;
            orders.get_mut(vip)?.push(first);
        }
    }
    for rung in 1..names.len() {
        for vip in 0..orders.len() {
            if orders.get(vip)?.len() == rung {
                let first = orders.get(vip)?.first().copied()?;
                let next = next_rung(&orders, vip, names.len(), first)?;
                orders.get_mut(vip)?.push(next);
            }
        }
    }
    let mut ladders = Vec::new();
    for (vip, order) in vips.iter().zip(orders) {
        ladders.push(if let Some(own) = &vip.priorities {
            own_ladder(own)
        } else {
            let named = order
                .into_iter()
                .filter_map(|node| names.get(node).cloned());
            named.zip(priorities.iter().copied()).collect()
        });
    }
    Some(ladders)
}

/// The nodes, best first, the priorities in the same order, and whether somebody typed them.
fn rungs(keys: &ClusterKeys, vrrp: &VrrpSettings) -> Option<(Vec<NodeName>, Vec<Priority>, bool)> {
    let nodes = keys.nodes.as_ref()?;
    let step = step(vrrp, nodes.iter().len());
    let mut rungs = Vec::new();
    for (position, node) in nodes.iter().enumerate() {
        let default = TOP_PRIORITY - step * i64::try_from(position).ok()?;
        let priority = match &node.priority {
            Some(own) => own.value,
            None => Priority::new(default).ok()?,
        };
        rungs.push((node.name.as_ref()?.value.clone(), priority));
    }
    rungs.sort_by_key(|(_, priority)| Reverse(*priority));
    let (names, priorities) = rungs.into_iter().unzip();
    Some((
        names,
        priorities,
        nodes.iter().any(|node| node.priority.is_some()),
    ))
}

/// What is said of a VIP's order: all of it where priorities are typed, otherwise who comes first, if that.
fn first_rungs(vip: &VipKeys, names: &[NodeName], typed: bool) -> Option<Vec<usize>> {
    let place = |name: &NodeName| names.iter().position(|known| known == name);
    if let Some(own) = &vip.priorities {
        let own = own_ladder(own);
        return Some(own.iter().filter_map(|(name, _)| place(name)).collect());
    }
    let first = match &vip.prefer {
        Some(prefer) => place(&prefer.value)?,
        None if typed => 0,
        None => return Some(Vec::new()),
    };
    let all = (0..names.len()).map(|after| (first + after) % names.len());
    Some(all.take(if typed { names.len() } else { 1 }).collect())
}

/// Who follows in the order of `vip`: of the nodes that are left when all those before have failed, the
/// one that then has the fewest VIPs; of equal ones the one that follows here least often, so that other
/// failures find them apart, too; of equal ones the next in the order of the nodes from `begin` on.
fn next_rung(orders: &[Vec<usize>], vip: usize, nodes: usize, begin: usize) -> Option<usize> {
    let failed = orders.get(vip)?;
    let mut load = vec![0_usize; nodes];
    if failed.len() < SPREAD_RUNGS {
        for other in orders {
            let owner = other.iter().find(|node| !failed.contains(node));
            if let Some(count) = owner.and_then(|node| load.get_mut(*node)) {
                *count += 1;
            }
        }
    }
    let here = |node: usize| {
        let same = orders.iter().filter_map(|other| other.get(failed.len()));
        same.filter(|other| **other == node).count()
    };
    let after = |node: usize| (node + nodes - begin) % nodes;
    (0..nodes)
        .filter(|node| !failed.contains(node))
        .min_by_key(|node| (load.get(*node).copied(), here(*node), after(*node)))
}

/// How far apart the default priorities of `nodes` nodes are: a 256th of the advert interval each (of a
/// second in VRRPv2), which makes [`APART`] where so many nodes fit.
fn step(vrrp: &VrrpSettings, nodes: usize) -> i64 {
    let unit = match (vrrp.version, vrrp.on_nginx_failure) {
        (VrrpVersion::V3, OnNginxFailure::Fault) => vrrp.advert_interval.duration(),
        (VrrpVersion::V2, _) | (_, OnNginxFailure::Weight { .. }) => Duration::from_secs(1),
    };
    let apart = (APART * 256).as_nanos().div_ceil(unit.as_nanos());
    let fitting = (TOP_PRIORITY - 1) / i64::try_from(nodes.max(2) - 1).unwrap_or(i64::MAX);
    i64::try_from(apart)
        .unwrap_or(i64::MAX)
        .min(fitting)
        .max(LEAST_STEP)
}

fn own_ladder(own: &Pairs<NodeName, Priority>) -> Ladder {
    let pairs = own.pairs.iter();
    let mut ladder: Ladder = pairs
        .map(|(name, priority)| (name.value.clone(), priority.value))
        .collect();
    ladder.sort_by_key(|(_, priority)| Reverse(*priority));
    ladder
}
