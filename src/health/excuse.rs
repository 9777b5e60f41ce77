//! Problems for which a change does not fail, because they existed before it.
//!
//! Otherwise no change would get through while a node is in FAULT, not even one that fixes half of the problem. A new
//! cause is attributed to the change, even on such a node.

use std::net::IpAddr;

use super::fault::FaultCause;
use super::find::problems;
use super::problem::Problem;
use crate::agent::{Fact, Observation};
use crate::model::{NodeName, UnitId};

/// Problems of nodes that hactl has already set up, and of VIPs that they already have. A node that hactl has not set
/// up must end up healthy.
pub fn known_problems(seen: &[Observation], vips: &[IpAddr]) -> Vec<Problem> {
    let is_managed = |node: &NodeName| {
        let seen = seen.iter().find(|seen| seen.node == *node);
        seen.is_some_and(|seen| seen.generation().is_some())
    };
    let is_new = |vip: &IpAddr| {
        let vip = vip.to_string();
        let records = seen
            .iter()
            .filter_map(|seen| seen.recorded.as_ref()?.get(Fact::Vips));
        let mut records = records.peekable();
        records.peek().is_some() && records.all(|own| own.split(' ').all(|own| own != vip))
    };
    // A new VIP has no owner yet.
    let vips: Vec<IpAddr> = vips.iter().copied().filter(|vip| !is_new(vip)).collect();
    let mut problems = problems(seen, &vips);
    problems.retain(|problem| match problem.node() {
        Some(node) => is_managed(node),
        None => seen.iter().any(|seen| is_managed(&seen.node)),
    });
    problems
}

/// The same for `seen`, given the nodes outside the change. `None` for one that could not be observed: it may own a
/// VIP.
pub fn known_problems_beside(
    seen: &[Observation],
    others: &[Option<&Observation>],
    vips: &[IpAddr],
) -> Vec<Problem> {
    let mut all = seen.to_vec();
    all.extend(others.iter().flatten().copied().cloned());
    let is_all = others.iter().all(Option::is_some);
    let mut problems = known_problems(&all, vips);
    problems.retain(|problem| match problem.node() {
        Some(node) => seen.iter().any(|seen| seen.node == *node),
        None => is_all || !matches!(problem, Problem::NoOwner { .. }),
    });
    problems
}

impl Problem {
    /// True if the problem existed before: the same one on the same node, or one that could not be seen while the
    /// daemon was down. Problems of VIPs are never excused.
    pub fn is_in(&self, before: &[Self]) -> bool {
        let was_down = |node: &NodeName, daemon: UnitId| {
            before.contains(&Self::DaemonDown {
                node: node.clone(),
                daemon,
            })
        };
        match self {
            Self::DaemonDown { node, daemon } => was_down(node, *daemon),
            Self::NotElectable { node, causes, .. } => {
                let is_known = |cause: &FaultCause| {
                    before.iter().any(|earlier| earlier.has_cause(node, cause))
                };
                was_down(node, UnitId::KEEPALIVED)
                    || (before.iter().any(|earlier| earlier.keeps_from_election(node))
                        && causes.iter().all(is_known))
            }
            Self::SourceMissing { node, address, .. } => {
                let cause = FaultCause::AddressMissing { address: *address };
                was_down(node, UnitId::KEEPALIVED)
                    || before.iter().any(|earlier| earlier.has_cause(node, &cause))
            }
            Self::Unreachable { node, port, .. } => {
                let is_it = |earlier: &Self| matches!(earlier, Self::Unreachable { node: other, port: same, .. } if other == node && same == port);
                was_down(node, UnitId::NGINX) || before.iter().any(is_it)
            }
            Self::Dropped { node, .. } => {
                was_down(node, UnitId::NGINX) || before.contains(self)
            }
            Self::ScriptUnusable { node, path, .. } => before.iter().any(|earlier| {
                matches!(earlier, Self::ScriptUnusable { node: other, path: same, .. } if other == node && same == path)
            }),
            Self::Mismatch { node, setting, .. } => before.iter().any(|earlier| {
                matches!(earlier, Self::Mismatch { node: other, setting: same, .. } if other == node && same == setting)
            }),
            Self::NoOwner { .. }
            | Self::SeveralOwners { .. }
            | Self::OwnerCannotServe { .. }
            | Self::Orphaned { .. }
            | Self::WrongHardware { .. }
            | Self::NotReached { .. }
            | Self::OtherGeneration { .. }
            | Self::NotServed { .. } => false,
        }
    }

    fn keeps_from_election(&self, of: &NodeName) -> bool {
        matches!(self, Self::NotElectable { node, .. } | Self::SourceMissing { node, .. } if node == of)
    }

    fn has_cause(&self, of: &NodeName, cause: &FaultCause) -> bool {
        match self {
            Self::NotElectable { node, causes, .. } => {
                node == of && causes.iter().any(|own| own.is_same(cause))
            }
            Self::SourceMissing { node, address, .. } => {
                node == of && *cause == (FaultCause::AddressMissing { address: *address })
            }
            _ => false,
        }
    }
}
