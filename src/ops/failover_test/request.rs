//! What is asked for, what is told meanwhile, and what it came to.

use std::net::IpAddr;
use std::time::Duration;

use crate::drill::{Drill, DrillReport, Predicted, Scope, Target};
use crate::model::{InstanceName, NodeName};
use crate::ops::events::{Advances, Events};
use crate::ops::recovery::Recovery;

/// Which drills, and how they are watched.
pub struct FailoverRequest<'a> {
    /// The drills, in order.
    pub drills: Vec<Drill>,
    /// The node to which the fault is done; the VIP's owner where none is named.
    pub node: Option<NodeName>,
    /// Drills that cannot be done here are left out, and told of, rather than refused.
    pub skip_impossible: bool,
    /// How long a fault is held, where that is not left to the drill.
    pub hold: Option<Duration>,
    /// Number of times to run each drill.
    pub repeat: u32,
    /// Time between two new connections.
    pub probe_interval: Duration,
    /// Number of connections that are kept open.
    pub held_connections: u32,
    /// The path of something large, which is downloaded meanwhile.
    pub download: Option<String>,
    /// The longest outage that is accepted, of any drill; the inventory has others.
    pub budget: Option<Duration>,
    /// Told what will be done before anything is done; false gives up.
    pub agree: &'a (dyn Fn(&[DrillIntent], &Recovery) -> bool + Sync),
    /// Told what happens.
    pub events: &'a Events<'a, DrillProgress>,
}

/// What happens while drills run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum DrillProgress {
    /// A drill is left out.
    #[serde(rename = "drill_skipped")]
    Skipped {
        /// Which.
        drill: Drill,
        /// Why.
        why: String,
    },
    /// The lock of a holder that no longer runs was released.
    LockReleased {
        /// The node.
        node: NodeName,
        /// `user@machine` of who took it.
        holder: String,
    },
    /// A drill begins.
    #[serde(rename = "drill_begun")]
    Begun {
        /// Which.
        drill: Drill,
        /// On which node.
        node: NodeName,
        /// Which repetition of it, from 1.
        repeat: u32,
        /// How often it is done.
        times: u32,
        /// Which of all runs, from 1.
        run: u32,
        /// How many runs there are.
        runs: u32,
    },
    /// A fault was ordered.
    #[serde(rename = "fault_ordered")]
    Ordered {
        /// On which node.
        node: NodeName,
    },
    /// The drill waits until the cluster is healthy again.
    Settling,
}

impl Advances for DrillProgress {}

/// What drills came to.
#[derive(Debug, Clone, PartialEq)]
pub struct FailoverOutcome {
    /// The record of those that ran.
    pub report: DrillReport,
    /// Why not all of them ran; `None` when they did.
    pub cut_short: Option<CutShort>,
}

/// Why drills ended before the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutShort {
    /// The user wanted it.
    Stopped {
        /// The nodes whose fault could not be ended.
        left: Vec<NodeName>,
        /// Time within which they end it on their own.
        within: Duration,
    },
    /// The cluster did not recover.
    NotRecovered {
        /// What is not as it should be.
        why: String,
    },
}

/// What one drill will do.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillIntent {
    /// The drill.
    pub drill: Drill,
    /// The node to which it is done first.
    pub node: NodeName,
    /// The VIP that is watched.
    pub vip: IpAddr,
    /// Its owner now.
    pub owner: NodeName,
    /// The VIP stays with whoever has taken it over, to whom the next fault is done then.
    pub owner_stays: bool,
    /// How often it is done.
    pub times: u32,
    /// How long the fault is held; for one that heals on its own, when it is helped.
    pub hold: Duration,
    /// What the formulas say about the outage.
    pub predicted: Option<Predicted>,
    /// The longest outage that is accepted.
    pub budget: Option<Duration>,
    /// The virtual router of the VIP.
    pub(super) instance: InstanceName,
    /// By what new connections ask for the drill is judged.
    pub(super) target: Target,
    /// What is asked for beside it.
    pub(super) beside: Option<Target>,
}

impl DrillIntent {
    /// True when no outage is expected, since the fault is done to a node that has not the VIP.
    pub fn spares_owner(&self) -> bool {
        self.drill.spec().scope == Scope::Owner && self.node != self.owner
    }
}
