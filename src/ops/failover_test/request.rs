//! The request for drills, their progress, and their outcome.

use std::net::IpAddr;
use std::time::Duration;

use crate::drill::{Drill, DrillReport, Predicted, Scope, Target};
use crate::model::{InstanceName, NodeName};
use crate::ops::events::{Advances, Events};
use crate::ops::recovery::Recovery;

/// Which drills to run, and how to watch them.
pub struct FailoverRequest<'a> {
    /// The drills, in order.
    pub drills: Vec<Drill>,
    /// The node to inject the fault on. The VIP's owner, if none is named.
    pub node: Option<NodeName>,
    /// Skip drills that cannot run here and report them, instead of failing.
    pub skip_impossible: bool,
    /// How long to hold a fault, unless the drill decides.
    pub hold: Option<Duration>,
    /// Number of times to run each drill.
    pub repeat: u32,
    /// Time between two new connections.
    pub probe_interval: Duration,
    /// Number of persistent connections.
    pub held_connections: u32,
    /// Path of a large file to download during the drill.
    pub download: Option<String>,
    /// The longest acceptable outage of any drill. Overrides the inventory's budgets.
    pub budget: Option<Duration>,
    /// Asked for approval before anything is done. `false` aborts.
    pub agree: &'a (dyn Fn(&[DrillPlan], &Recovery) -> bool + Sync),
    /// Receives every event.
    pub events: &'a Events<'a, DrillProgress>,
}

/// An event of running drills.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum DrillProgress {
    /// A drill is skipped.
    #[serde(rename = "drill_skipped")]
    Skipped {
        /// The drill.
        drill: Drill,
        /// The reason.
        why: String,
    },
    /// The lock of a holder that no longer runs was released.
    LockReleased {
        /// The node.
        node: NodeName,
        /// Holder, as `user@machine`.
        holder: String,
    },
    /// A drill begins.
    #[serde(rename = "drill_begun")]
    Begun {
        /// The drill.
        drill: Drill,
        /// The node to inject the fault on.
        node: NodeName,
        /// Repetition of this drill, from 1.
        repeat: u32,
        /// Number of repetitions of this drill.
        times: u32,
        /// Number of this run among all runs, from 1.
        run: u32,
        /// Number of all runs.
        runs: u32,
    },
    /// A fault was requested.
    #[serde(rename = "fault_ordered")]
    Ordered {
        /// The node.
        node: NodeName,
    },
    /// The drill waits until the cluster is healthy again.
    Settling,
}

impl Advances for DrillProgress {}

/// The outcome of a run of drills.
#[derive(Debug, Clone, PartialEq)]
pub struct FailoverOutcome {
    /// The record of the drills that ran.
    pub report: DrillReport,
    /// Why some of them did not run. `None` if all did.
    pub cut_short: Option<Interruption>,
}

/// Why drills ended before the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interruption {
    /// The user stopped it.
    Stopped {
        /// Nodes on which the fault could not be ended.
        left: Vec<NodeName>,
        /// Time within which they end it on their own.
        within: Duration,
    },
    /// The cluster did not recover.
    NotRecovered {
        /// What is still wrong.
        why: String,
    },
}

/// The plan of one drill.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillPlan {
    pub drill: Drill,
    /// The node to inject the first fault on.
    pub node: NodeName,
    /// The VIP to watch.
    pub vip: IpAddr,
    /// Its current owner.
    pub owner: NodeName,
    /// True if the VIP stays with the node that takes it over, on which the next fault is injected then.
    pub owner_stays: bool,
    /// Number of repetitions.
    pub times: u32,
    /// How long the fault is held. A fault that heals on its own is ended after that time.
    pub hold: Duration,
    /// The predicted outage.
    pub predicted: Option<Predicted>,
    /// The longest acceptable outage.
    pub budget: Option<Duration>,
    /// The VRRP instance of the VIP.
    pub(super) instance: InstanceName,
    /// The drill is judged by new connections that request this.
    pub(super) target: Target,
    /// Requested in addition.
    pub(super) beside: Option<Target>,
}

impl DrillPlan {
    /// True if no outage is expected, because the fault hits a node without the VIP.
    pub fn spares_owner(&self) -> bool {
        self.drill.spec().scope == Scope::Owner && self.node != self.owner
    }
}
