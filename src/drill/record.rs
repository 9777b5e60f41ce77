//! What is recorded about drills: serialisable data, the source of every table, page and comparison.
//!
//! All times are milliseconds on one clock, the operator's, relative to the fault of their run, so times before it are
//! negative. A host's own times were converted by an estimate of its clock's offset, which is recorded too.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::kind::Drill;
use crate::model::NodeName;

/// Milliseconds since the fault. Negative before it.
pub type Millis = f64;

/// One invocation of `hactl failover-test`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct DrillReport {
    /// The format of this record. Readers refuse an unknown one.
    pub format: u32,
    /// hactl's version.
    pub hactl: String,
    /// The cluster's name.
    pub cluster: String,
    /// When it was started, RFC 3339.
    pub started: String,
    /// The failover profile of the inventory: `fast`, `standard`, `wan`.
    pub profile: String,
    /// The advertisement interval, in milliseconds.
    pub advert_ms: f64,
    /// Number of missed advertisements after which another node takes over.
    pub down_timer_adverts: u8,
    /// The nodes, in the inventory's order.
    pub nodes: Vec<NodeName>,
    /// Interval between new connections, in milliseconds.
    pub probe_interval_ms: f64,
    /// The runs, in order.
    pub runs: Vec<DrillRun>,
}

impl DrillReport {
    /// The format that this version writes.
    pub const FORMAT: u32 = 1;

    /// The timers by which its runs are judged.
    pub fn adverts(&self) -> Adverts {
        Adverts {
            every_ms: self.advert_ms,
            missing: self.down_timer_adverts,
        }
    }
}

/// The cluster's advertisement interval, and the silence after which a node takes over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adverts {
    /// Interval in milliseconds.
    pub every_ms: f64,
    /// Number of missed advertisements.
    pub missing: u8,
}

/// One fault and its effects.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct DrillRun {
    /// The drill.
    pub drill: Drill,
    /// Repetition of this drill, from 1.
    pub repeat: u32,
    /// The VIP that was watched.
    pub vip: IpAddr,
    /// The node on which the fault was injected. The first one if a drill affects several.
    pub node: NodeName,
    /// The VIP's owner before the fault.
    pub from: NodeName,
    /// The node that took it over, and kept it if several did.
    pub to: Option<NodeName>,
    /// The owner at the end.
    pub after: Option<NodeName>,
    /// When the watch began.
    pub begin_ms: Millis,
    /// When the watch ended.
    pub end_ms: Millis,
    /// How long the fault was held, in milliseconds. `None` if it heals on its own.
    pub hold_ms: Option<f64>,
    /// Requests over new connections. The drill is judged by them.
    pub new: Requests,
    /// The path of these requests.
    pub path: String,
    /// Requests to a second path: what nginx fetches from a backend if the first path is answered by nginx itself, or
    /// the reverse.
    pub beside: Option<Beside>,
    /// Requests over persistent connections.
    pub held: Held,
    /// Downloads in progress. `None` if nothing large could be fetched.
    pub downloads: Option<Downloads>,
    /// The time from the fault until service is restored, split into phases. `None` if the VIP did not move.
    pub phases: Option<Phases>,
    /// Time from the end of the fault until the VIP was on its final owner, in milliseconds. `None` if it did not
    /// return.
    pub back_ms: Option<f64>,
    /// The predicted outage. `None` if there is no prediction for such a fault.
    pub predicted: Option<Predicted>,
    /// The longest acceptable outage, in milliseconds.
    pub budget_ms: Option<f64>,
    /// Offset of each host's clock from the operator's.
    pub offsets: Vec<ClockOffset>,
    /// All observed events, in order.
    pub timeline: Vec<Event>,
    /// Violated invariants.
    pub violations: Vec<Violation>,
}

/// Requests at a fixed rate, none waiting for another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Requests {
    /// Number of requests.
    pub count: usize,
    /// Requests without an answer, or with a status of 500 or more.
    pub lost: usize,
    /// Every period in which requests were lost, in order.
    pub gaps: Vec<LostStretch>,
    /// Whether the service was up at the end.
    pub recovered: bool,
    /// Median response time of answered requests, in milliseconds.
    pub median_ms: f64,
    /// Slowest response time of answered requests, in milliseconds.
    pub slowest_ms: f64,
}

impl Requests {
    /// The longest such period, in milliseconds. `None` if no request was lost.
    pub fn outage_ms(&self) -> Option<f64> {
        self.gaps.iter().map(|gap| gap.length_ms).reduce(f64::max)
    }
}

/// Requests to a path other than the one by which a drill is judged.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Beside {
    /// The path.
    pub path: String,
    /// Their results.
    pub requests: Requests,
}

/// The period from the first lost request to the start of the next answered one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct LostStretch {
    /// When its first lost request was started.
    pub at_ms: Millis,
    /// Its length, in milliseconds.
    pub length_ms: f64,
    /// Number of requests lost in it.
    pub lost: usize,
}

/// Persistent connections with a request on each at intervals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Held {
    /// Number of connections.
    pub connections: usize,
    /// Connections that broke or were no longer answered, so that their clients had to reconnect.
    pub broken: usize,
    /// Number of requests over all of them.
    pub requests: usize,
    /// Requests without an answer.
    pub lost: usize,
    /// The longest time that one client had no answer, in milliseconds.
    pub longest_ms: f64,
}

/// Large downloads that were in progress at the fault.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize,
)]
pub struct Downloads {
    /// Number of downloads.
    pub under_way: usize,
    /// Downloads that did not complete.
    pub broken: usize,
}

/// The time from the fault to the first request that was answered again, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Phases {
    /// From the fault until a node reacts: the owner releases the VIP, or another node misses its advertisements.
    pub detection_ms: f64,
    /// From then until the next owner has the address.
    pub election_ms: f64,
    /// From then until it answers: neighbours have learned the new owner.
    pub announcement_ms: f64,
}

/// The prediction of `check`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Predicted {
    /// At best.
    pub earliest_ms: f64,
    /// At worst.
    pub latest_ms: f64,
}

/// Offset of a host's clock from the operator's, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct ClockOffset {
    /// The host.
    pub node: NodeName,
    /// The estimate.
    pub offset_ms: f64,
    /// Bound of the estimate's error: half of the fastest round trip.
    pub error_ms: f64,
}

/// An observed event.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at_ms: Millis,
    /// The node. `None` for what was observed from outside.
    pub node: Option<NodeName>,
    /// What happened.
    pub what: DrillEventKind,
}

/// The kind of an observed event.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum DrillEventKind {
    /// The fault was injected.
    Fault {
        /// The drill, or the step of a drill with several steps.
        name: String,
    },
    /// The fault ended.
    Healed,
    /// The VIP was added to an interface, according to the kernel.
    Owns,
    /// The VIP was removed. For a machine that lost power: when it did.
    Released,
    /// keepalived's state changed.
    State {
        /// `MASTER`, `BACKUP`, `FAULT` or `STOP`.
        state: String,
    },
    /// nginx started to answer.
    Serves,
    /// nginx stopped answering.
    Silent,
    /// The node became unreachable: it lost its link or its power.
    Cut,
    /// The node became reachable again.
    Joined,
    /// A bystander learned that the VIP has another owner's MAC address.
    Announced {
        /// The node with that MAC address, if known.
        owner: Option<NodeName>,
    },
    /// A line of a daemon's log that explains something.
    Log {
        /// The unit.
        unit: String,
        /// The text.
        line: String,
    },
    /// Requests started to be lost.
    Lost,
    /// Requests are answered again.
    Answered,
}

/// A violated invariant.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case", tag = "violation")]
pub enum Violation {
    /// Two nodes had the VIP, and both were reachable and answered.
    TwoOwners {
        /// When it began.
        at_ms: Millis,
        /// How long it lasted, in milliseconds.
        length_ms: f64,
        /// The nodes.
        nodes: Vec<NodeName>,
    },
    /// No node that answers had the VIP, for longer than the budget.
    NoOwner {
        /// When it began.
        at_ms: Millis,
        /// How long it lasted, in milliseconds.
        length_ms: f64,
    },
    /// The VIP moved without an observed cause.
    Unexplained {
        /// When it moved.
        at_ms: Millis,
        /// The new owner.
        to: NodeName,
    },
    /// The record is inconsistent or incomplete, and proves nothing.
    Unclear {
        /// What is wrong with it.
        why: String,
    },
}
