//! Summary of a cluster's takeovers: for each virtual IP and fault, the cost if the preferred node is the owner, and
//! the worst case.

use std::net::IpAddr;

use super::takeover::{Fault, Gap, Takeover, takeovers};
use crate::model::{Cluster, NodeName, Version};

/// The cost of one fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// The virtual IP does not serve for that long.
    Gap(Gap),
    /// It does not serve until someone intervenes.
    ForEver,
}

impl Cost {
    fn of(takeover: &Takeover) -> Self {
        takeover.gap.map_or(Self::ForEver, Self::Gap)
    }

    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Gap(one), Self::Gap(other)) => Self::Gap(one.later(other)),
            _ => Self::ForEver,
        }
    }
}

/// The cost of one fault, depending on the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct FaultCost {
    /// The fault.
    pub fault: Fault,
    /// If the preferred node owns the virtual IP.
    pub preferred: Cost,
    /// In the worst case, for any owner while another node is alive.
    pub worst: Cost,
}

/// The cost of faults for users, for virtual IPs with the same values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Prediction {
    /// The virtual IPs.
    pub addresses: Vec<IpAddr>,
    /// Their owners while all nodes are healthy: one node per address.
    pub preferred: Vec<NodeName>,
    /// The cost of every fault.
    pub faults: Vec<FaultCost>,
}

/// The predictions for `cluster`, where `keepalived` is the oldest version on its nodes. Empty for a single node.
pub fn predictions(cluster: &Cluster, keepalived: Version) -> Vec<Prediction> {
    let all = takeovers(cluster, keepalived);
    let mut predictions: Vec<Prediction> = Vec::new();
    for instance in &cluster.instances {
        let own = all
            .iter()
            .filter(|takeover| takeover.instance == instance.name);
        let own: Vec<&Takeover> = own.filter(|takeover| !takeover.is_last).collect();
        let Some((preferred, _)) = instance.priority_order.first() else {
            continue;
        };
        let faults: Vec<FaultCost> = Fault::ALL
            .into_iter()
            .filter_map(|fault| {
                let mut with = own.iter().filter(|takeover| takeover.fault == fault);
                let first = with.clone().find(|takeover| takeover.owner == *preferred)?;
                let first = Cost::of(first);
                let worst =
                    with.try_fold(first, |worst, next| Some(worst.worse(Cost::of(next))))?;
                Some(FaultCost {
                    fault,
                    preferred: first,
                    worst,
                })
            })
            .collect();
        if faults.is_empty() {
            continue;
        }
        let addresses = instance.addresses.iter().map(ipnet::IpNet::addr);
        let same = predictions.iter_mut().find(|known| known.faults == faults);
        match same {
            Some(known) => {
                known
                    .preferred
                    .extend(addresses.clone().map(|_| preferred.clone()));
                known.addresses.extend(addresses);
            }
            None => predictions.push(Prediction {
                preferred: addresses.clone().map(|_| preferred.clone()).collect(),
                addresses: addresses.collect(),
                faults,
            }),
        }
    }
    predictions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{cluster, weight};
    use crate::model::Preemption;

    const DEBIAN_12: Version = Version::new(2, 2, 7);

    #[test]
    fn the_worst_owner_is_the_one_before_the_last() {
        let three = cluster(&[254, 200, 100]);
        let [only] = &predictions(&three, DEBIAN_12)[..] else {
            panic!("one virtual IP");
        };
        assert_eq!(only.faults.len(), Fault::ALL.len());
        for cost in &only.faults {
            let (Cost::Gap(first), Cost::Gap(worst)) = (cost.preferred, cost.worst) else {
                panic!("{cost:?}");
            };
            // A node that is stopped cleanly answers until the next owner is known, whichever that is.
            let is_planned = matches!(cost.fault, Fault::NginxStopped | Fault::KeepalivedStopped);
            assert_eq!(worst.latest > first.latest, !is_planned, "{cost:?}");
        }
    }

    #[test]
    fn what_never_fails_over_is_for_ever_and_one_node_has_no_prediction() {
        let mut stuck = cluster(&[254, 252, 250]);
        stuck.vrrp.preemption = Preemption::Keep;
        stuck.vrrp.on_nginx_failure = weight(-20);
        let [only] = &predictions(&stuck, DEBIAN_12)[..] else {
            panic!("one virtual IP");
        };
        assert_eq!(only.faults[0].preferred, Cost::ForEver);
        assert!(matches!(only.faults[4].worst, Cost::Gap(_)));
        assert!(predictions(&cluster(&[254]), DEBIAN_12).is_empty());
    }
}
