//! Which node should own each VIP, and in which order the others follow.

use std::cmp::Reverse;
use std::time::Duration;

use crate::inventory::raw::{ClusterKeys, Pairs, Spanned, VipKeys};
use crate::model::{NodeName, OnNginxFailure, Priority, VrrpSettings, VrrpVersion};

/// The highest default priority.
const TOP_PRIORITY: i64 = 254;
/// The smallest step between default priorities. A small spread leaves a weight its effect.
const LEAST_STEP: i64 = 2;
/// How much later the timer of the next node expires: late enough for the advert of the better node to arrive.
/// Otherwise both take over, and the neighbours learn of two owners.
const APART: Duration = Duration::from_millis(2);
/// After this many failures, the VIPs are no longer distributed evenly, but follow the order of the nodes.
const SPREAD_RUNGS: usize = 4;

/// The nodes for a VIP with their priorities, best first.
pub(super) type Ladder = Vec<(NodeName, Priority)>;

/// The order of priorities of each VIP. Its own `priorities` are used as typed. Otherwise the priorities of the nodes,
/// or the default ones, are assigned anew from the preferred node on, so that all VIPs use the same priorities.
pub(super) fn priority_orders(
    vips: &[Spanned<VipKeys>],
    keys: &ClusterKeys,
    vrrp: &VrrpSettings,
) -> Option<Vec<Ladder>> {
    let (names, priorities, typed) = rungs(keys, vrrp)?;
    // Explicit choices come first, and the rest is distributed around them.
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
    let mut priority_orders = Vec::new();
    for (vip, order) in vips.iter().zip(orders) {
        priority_orders.push(if let Some(own) = &vip.priorities {
            own_ladder(own)
        } else {
            let named = order
                .into_iter()
                .filter_map(|node| names.get(node).cloned());
            named.zip(priorities.iter().copied()).collect()
        });
    }
    Some(priority_orders)
}

/// The nodes, best first, their priorities in the same order, and whether any of these was typed.
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

/// The explicit part of a VIP's order: all of it if priorities are typed, otherwise at most the first node.
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

/// The next node in the order of `vip`. Of the nodes that are left when all those before have failed, it is the one
/// with the fewest VIPs at that point. On a tie, it is the one that comes least often at this position, so that
/// other failures are distributed as well, then the next in the order of the nodes from `begin` on.
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

/// The step between the default priorities of `nodes` nodes. One priority less delays a takeover by a 256th of the
/// advert interval (of a second in VRRPv2). The step amounts to [`APART`], unless there are too many nodes for that.
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
    let mut priority_order: Ladder = pairs
        .map(|(name, priority)| (name.value.clone(), priority.value))
        .collect();
    priority_order.sort_by_key(|(_, priority)| Reverse(*priority));
    priority_order
}
