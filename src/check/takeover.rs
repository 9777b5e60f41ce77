//! Predicts how long the VIP is gone, for each fault and owner.
//!
//! The formulas use VRRP's timers (RFC 9568, 6.1) and the settings of the checks. They leave out the time that
//! keepalived, the kernel and the neighbours' ARP caches need, which was 5 to 100 ms on an idle machine. A drill
//! measures the real time, and is compared with the prediction.

use std::time::Duration;

use super::election::{Election, Nodes};
use crate::model::{
    Cluster, Health, InstanceName, KeepalivedFeature, NodeName, OnNginxFailure, Preemption,
    Version, VrrpInstance, VrrpVersion,
};

/// A fault on the owner.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// nginx dies.
    NginxKilled,
    /// The service manager stops nginx, which hands the VIP over first.
    NginxStopped,
    /// nginx runs, but does not answer.
    NginxHung,
    /// The host or its link fails without notice.
    NodeLost,
    /// keepalived is stopped, and resigns.
    KeepalivedStopped,
}

impl Fault {
    pub const ALL: [Self; 5] = [
        Self::NginxKilled,
        Self::NginxStopped,
        Self::NginxHung,
        Self::KeepalivedStopped,
        Self::NodeLost,
    ];
}

/// How long nginx keeps serving after its unit announces that it will stop, by the unit's drop-in.
const HANDED_OVER_FOR: Duration = Duration::from_millis(300);
/// When systemd restarts an nginx that has died: `RestartSec=` of the unit's drop-in.
const STARTED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A time that depends on when the fault occurs between two adverts or checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Gap {
    /// At best.
    #[serde(serialize_with = "milliseconds", rename = "earliest_ms")]
    #[schemars(with = "f64")]
    pub earliest: Duration,
    /// At worst.
    #[serde(serialize_with = "milliseconds", rename = "latest_ms")]
    #[schemars(with = "f64")]
    pub latest: Duration,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64() * 1000.0)
}

impl Gap {
    const NONE: Self = Self::exactly(Duration::ZERO);

    /// The longer of the two.
    pub(in crate::check) fn later(self, other: Self) -> Self {
        if (other.latest, other.earliest) > (self.latest, self.earliest) {
            other
        } else {
            self
        }
    }

    fn minus(self, time: Duration) -> Self {
        Self {
            earliest: self.earliest.saturating_sub(time),
            latest: self.latest.saturating_sub(time),
        }
    }

    const fn exactly(time: Duration) -> Self {
        Self {
            earliest: time,
            latest: time,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            earliest: self.earliest + other.earliest,
            latest: self.latest + other.latest,
        }
    }
}

/// The effect of one fault on one owner of one VIP.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Takeover {
    /// The virtual router.
    pub instance: InstanceName,
    /// The owner that fails. With preemption, all nodes of higher priority are dead already.
    pub owner: NodeName,
    /// The fault.
    pub fault: Fault,
    /// The next owner of the VIP. `None` if the VIP stays or no node is left.
    pub next: Option<NodeName>,
    /// How long the VIP does not serve. `None` if it never serves again without help.
    pub gap: Option<Gap>,
    /// True if no other node is alive to take over.
    pub is_last: bool,
}

/// The predicted takeovers of `cluster` with `keepalived` on its nodes, for each virtual router, owner and fault.
pub fn takeovers(cluster: &Cluster, keepalived: Version) -> Vec<Takeover> {
    let health = health_as_rendered(&cluster.health, keepalived);
    let faults = Fault::ALL.map(|fault| {
        let noticed = match fault {
            Fault::NginxHung => hung_nginx_noticed(&health),
            Fault::NginxKilled | Fault::NginxStopped
                if !KeepalivedFeature::TrackFile.is_in(keepalived) =>
            {
                killed_nginx_noticed(&health)
            }
            Fault::NginxKilled
            | Fault::NginxStopped
            | Fault::NodeLost
            | Fault::KeepalivedStopped => Gap::NONE,
        };
        (fault, noticed)
    });
    let mut takeovers = Vec::new();
    for instance in &cluster.instances {
        let election = Election::of(cluster, instance);
        // The capacity of a set of contenders, which no cluster reaches.
        let count = election.contenders.len().min(Nodes::MAX);
        for owner in 0..count {
            for (fault, noticed) in faults {
                let mut takeover = takeover(cluster, instance, &election, owner, fault, noticed);
                if let Some(gap) = takeover.as_mut().and_then(|takeover| takeover.gap.as_mut()) {
                    *gap = served_meanwhile(cluster, keepalived, fault, *gap);
                }
                takeovers.extend(takeover);
            }
        }
    }
    takeovers
}

/// Subtracts the time for which the owner still serves, although it is about to lose the VIP or should have lost it.
fn served_meanwhile(cluster: &Cluster, keepalived: Version, fault: Fault, gap: Gap) -> Gap {
    let resigns = cluster.vrrp.on_nginx_failure == OnNginxFailure::Fault;
    match fault {
        // An owner that resigns loses the VIP at once. Otherwise nginx may be running again before another node has
        // noticed, and the VIP stays.
        Fault::NginxKilled if !KeepalivedFeature::TrackFile.is_in(keepalived) || !resigns => Gap {
            earliest: gap.earliest.min(STARTED_AGAIN_AFTER),
            ..gap
        },
        // It answers until the VIP has left, and as long after that (hand_over.sh). With a weight, the VIP leaves only
        // when the next owner takes it. The script waits for that as long as adverts may be missing, but not for a
        // `preempt_delay`.
        Fault::NginxStopped if KeepalivedFeature::TrackFile.is_in(keepalived) => {
            let waits = if resigns {
                Duration::ZERO
            } else {
                cluster.vrrp.silence()
            };
            gap.minus(waits + HANDED_OVER_FOR)
        }
        Fault::KeepalivedStopped => gap.minus(HANDED_OVER_FOR),
        Fault::NginxKilled | Fault::NginxStopped | Fault::NginxHung | Fault::NodeLost => gap,
    }
}

fn takeover(
    cluster: &Cluster,
    instance: &VrrpInstance,
    election: &Election,
    owner: usize,
    fault: Fault,
    noticed: Gap,
) -> Option<Takeover> {
    let name = |index: usize| Some(election.contenders.get(index)?.node.clone());
    let priority = |index: usize| election.contenders.get(index).map(|node| node.priority);
    let alive: Nodes = Nodes::first(election.contenders.len())
        .iter()
        .filter(|index| !election.preempt || priority(*index) <= priority(owner))
        .collect();
    let (up, serving) = match fault {
        Fault::NginxKilled | Fault::NginxStopped | Fault::NginxHung => {
            (alive, alive.without(owner))
        }
        Fault::NodeLost | Fault::KeepalivedStopped => (alive.without(owner), alive.without(owner)),
    };
    let owners = election.settle(up, serving, Nodes::NONE.with(owner));
    let next = owners.iter().next().filter(|next| *next != owner);
    let gap = next.and_then(|next| {
        let next = election.effective_priority(next, true)?;
        Some(noticed.plus(takeover_time(cluster, fault, next)))
    });
    Some(Takeover {
        instance: instance.name.clone(),
        owner: name(owner)?,
        fault,
        next: next.and_then(name),
        gap,
        is_last: alive.without(owner).iter().next().is_none(),
    })
}

/// The time from the detection of `fault` until a node with the priority `next` has the VIP.
fn takeover_time(cluster: &Cluster, fault: Fault, next: u8) -> Gap {
    let resigns = match fault {
        Fault::NodeLost => false,
        Fault::KeepalivedStopped => true,
        Fault::NginxKilled | Fault::NginxStopped | Fault::NginxHung => {
            cluster.vrrp.on_nginx_failure == OnNginxFailure::Fault
        }
    };
    if resigns {
        return Gap::exactly(skew(cluster, next));
    }
    let held_back = match (fault, cluster.vrrp.preemption) {
        // keepalived treats a lowered priority as a preemption. The delay starts with the first advert that is too
        // low.
        (
            Fault::NginxKilled | Fault::NginxStopped | Fault::NginxHung,
            Preemption::Preempt { delay },
        ) if !delay.is_zero() => {
            let advert = cluster.vrrp.advert_interval.duration();
            Gap {
                earliest: delay,
                latest: delay + advert,
            }
        }
        _ => Gap::NONE,
    };
    held_back.plus(master_down(cluster, next))
}

/// `Skew_Time`: (256 - priority)/256 of a second in version 2, of the advert interval in version 3.
fn skew(cluster: &Cluster, priority: u8) -> Duration {
    let unit = match cluster.vrrp.version {
        VrrpVersion::V2 => Duration::from_secs(1),
        VrrpVersion::V3 => cluster.vrrp.advert_interval.duration(),
    };
    unit * (256 - u32::from(priority)) / 256
}

/// The rest of `Master_Down_Interval`, 3 × advert + skew in the RFC. It started with the last accepted advert, up to
/// one advert ago.
fn master_down(cluster: &Cluster, priority: u8) -> Gap {
    let advert = cluster.vrrp.advert_interval.duration();
    let skew = skew(cluster, priority);
    let missing = u32::from(cluster.vrrp.down_timer_adverts.get());
    Gap {
        earliest: advert * missing.saturating_sub(1) + skew,
        latest: cluster.vrrp.silence() + skew,
    }
}

/// The interval of the checks as rendered for an old keepalived: whole seconds, rounded up. The timeout is always the
/// script's own.
fn health_as_rendered(health: &Health, keepalived: Version) -> Health {
    let interval = health.interval;
    let decimal =
        KeepalivedFeature::DecimalScriptTimes.is_in(keepalived) || interval.subsec_nanos() == 0;
    Health {
        interval: if decimal {
            interval
        } else {
            Duration::from_secs(interval.as_secs() + 1)
        },
        ..health.clone()
    }
}

/// The time until `fall` checks in a row have timed out.
pub(in crate::check) fn hung_nginx_noticed(health: &Health) -> Gap {
    // keepalived starts no check while the last one runs.
    let period = health.interval.max(health.timeout);
    let earliest = period * health.fall.saturating_sub(1) + health.timeout;
    Gap {
        earliest,
        latest: earliest + health.interval,
    }
}

/// The time until `fall` checks in a row were refused, which each takes no time.
pub(in crate::check) fn killed_nginx_noticed(health: &Health) -> Gap {
    let earliest = health.interval * health.fall.saturating_sub(1);
    Gap {
        earliest,
        latest: earliest + health.interval,
    }
}

#[cfg(test)]
#[path = "takeover_tests.rs"]
mod tests;
