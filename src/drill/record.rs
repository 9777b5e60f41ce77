//! What is kept of drills: data that serialises, from which every table, page and comparison is made.
//!
//! All times are milliseconds on one clock, the operator's, counted from the fault of their run, so
//! that what came before it is negative. A host's own times were brought to that clock by an estimate
//! of its offset, which is kept beside them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::kind::Drill;
use crate::model::NodeName;

/// Milliseconds since the fault; negative before it.
pub type Millis = f64;

/// One call of `hactl failover-test`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct DrillReport {
    /// The layout of this record. Readers refuse what they don't know.
    pub format: u32,
    /// hactl's version.
    pub hactl: String,
    /// The cluster's name.
    pub cluster: String,
    /// When it was begun, RFC 3339.
    pub started: String,
    /// The failover profile of the inventory: `fast`, `standard`, `wan`.
    pub profile: String,
    /// The advert interval, in milliseconds.
    pub advert_ms: f64,
    /// How many adverts must be missing before another node takes over.
    pub down_timer_adverts: u8,
    /// The nodes, in the inventory's order.
    pub nodes: Vec<NodeName>,
    /// A new connection was begun at this interval in milliseconds.
    pub probe_interval_ms: f64,
    /// What was asked to be done, in order.
    pub runs: Vec<DrillRun>,
}

impl DrillReport {
    /// The layout that this program writes.
    pub const FORMAT: u32 = 1;

    /// The timers by which its runs are judged.
    pub fn adverts(&self) -> Adverts {
        Adverts {
            every_ms: self.advert_ms,
            missing: self.down_timer_adverts,
        }
    }
}

/// How often the cluster that is judged adverts, and how long a silence makes a node its owner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adverts {
    /// Milliseconds from one to the next.
    pub every_ms: f64,
    /// How many must be missing.
    pub missing: u8,
}

/// One fault, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct DrillRun {
    /// Which drill.
    pub drill: Drill,
    /// Which repetition, from 1.
    pub repeat: u32,
    /// The VIP that was watched.
    pub vip: IpAddr,
    /// The node to which the fault was done; the first one where a drill concerns several.
    pub node: NodeName,
    /// The VIP's owner before.
    pub from: NodeName,
    /// Who took it over, and kept it where several took it at once.
    pub to: Option<NodeName>,
    /// The owner at the end.
    pub after: Option<NodeName>,
    /// When the watching began.
    pub begin_ms: Millis,
    /// When it ended.
    pub end_ms: Millis,
    /// How long the fault lasted by order, in milliseconds; `None` where it heals on its own.
    pub hold_ms: Option<f64>,
    /// Requests, each over a new connection: by these the drill is judged.
    pub new: Requests,
    /// The path that they asked for.
    pub path: String,
    /// As many to another path: what nginx answers itself beside what it fetches from a backend, or the
    /// other way round.
    pub beside: Option<Beside>,
    /// Requests over connections that are kept open.
    pub held: Held,
    /// Downloads that were under way; `None` where nothing large could be fetched.
    pub downloads: Option<Downloads>,
    /// From the fault to the service's return, split; `None` where the VIP did not move.
    pub phases: Option<Phases>,
    /// From the end of the fault until the VIP was where it stays; `None` where it did not come back.
    pub back_ms: Option<f64>,
    /// What the formulas say about the outage; `None` where they say nothing about such a fault.
    pub predicted: Option<Predicted>,
    /// The longest outage that is accepted, in milliseconds.
    pub budget_ms: Option<f64>,
    /// How far each host's clock is from the operator's.
    pub offsets: Vec<ClockOffset>,
    /// Everything that was seen, in order.
    pub timeline: Vec<Event>,
    /// What must not be, and was.
    pub violations: Vec<Violation>,
}

/// Requests at a set rate, none waiting for another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Requests {
    /// In all.
    pub count: usize,
    /// Without an answer, or with a status of 500 or more.
    pub lost: usize,
    /// Every stretch in which they were lost, in order.
    pub gaps: Vec<LostStretch>,
    /// The service was there at the end.
    pub recovered: bool,
    /// Half of those that were answered took no longer, in milliseconds.
    pub median_ms: f64,
    /// The slowest that was answered, in milliseconds.
    pub slowest_ms: f64,
}

impl Requests {
    /// The longest stretch, in milliseconds; `None` when none was lost.
    pub fn outage_ms(&self) -> Option<f64> {
        self.gaps.iter().map(|gap| gap.length_ms).reduce(f64::max)
    }
}

/// Requests to another path than the one by which a drill is judged.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Beside {
    /// The path.
    pub path: String,
    /// What became of them.
    pub requests: Requests,
}

/// From the first lost request to the beginning of the next one that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct LostStretch {
    /// When its first lost request was begun.
    pub at_ms: Millis,
    /// Its length, in milliseconds.
    pub length_ms: f64,
    /// Requests lost in it.
    pub lost: usize,
}

/// Connections that are kept open, with a request on each at intervals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Held {
    /// How many there were.
    pub connections: usize,
    /// How many broke, or were no longer answered: their clients had to connect anew.
    pub broken: usize,
    /// Requests over all of them.
    pub requests: usize,
    /// Requests without an answer.
    pub lost: usize,
    /// The longest time that one client was without an answer, in milliseconds.
    pub longest_ms: f64,
}

/// Large answers that were being read when the fault came.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema, Deserialize,
)]
pub struct Downloads {
    /// How many.
    pub under_way: usize,
    /// How many did not reach their end.
    pub broken: usize,
}

/// The time from the fault to the first request that was answered again, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Phases {
    /// From the fault until a node acts on it: its owner lets the VIP go, or another one misses its
    /// adverts.
    pub detection_ms: f64,
    /// From then until the next owner has the address.
    pub election_ms: f64,
    /// From then until it answers: neighbours have learned where the address is.
    pub announcement_ms: f64,
}

/// What `check` predicts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Predicted {
    /// At best.
    pub earliest_ms: f64,
    /// At worst.
    pub latest_ms: f64,
}

/// A host's clock less the operator's, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct ClockOffset {
    /// The host.
    pub node: NodeName,
    /// The estimate.
    pub offset_ms: f64,
    /// It is no further off than this: half of the fastest round trip.
    pub error_ms: f64,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
pub struct Event {
    /// When.
    pub at_ms: Millis,
    /// On which node; `None` for what was seen from outside.
    pub node: Option<NodeName>,
    /// What.
    pub what: What,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum What {
    /// The fault was made here.
    Fault {
        /// The drill, or the step of a drill that has several.
        name: String,
    },
    /// The fault ended here.
    Healed,
    /// The VIP is on an interface here, by the kernel's word.
    Owns,
    /// It is no longer; of a machine that lost its power, from then on.
    Released,
    /// keepalived's state changed here.
    State {
        /// `MASTER`, `BACKUP`, `FAULT` or `STOP`.
        state: String,
    },
    /// nginx answers here.
    Serves,
    /// nginx does not answer here.
    Silent,
    /// The node can't be reached from the others: its link or its power is gone.
    Cut,
    /// It can be reached again.
    Joined,
    /// A bystander learned here that the VIP has another owner's hardware address.
    Announced {
        /// The node that the hardware address belongs to, where it is known.
        owner: Option<NodeName>,
    },
    /// A line of a daemon's log that explains something.
    Log {
        /// The unit.
        unit: String,
        /// What it says.
        line: String,
    },
    /// Requests began to be lost.
    Lost,
    /// Requests are answered again.
    Answered,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case", tag = "violation")]
pub enum Violation {
    /// Two nodes had the VIP, and both could be reached and answered.
    TwoOwners {
        /// Since when.
        at_ms: Millis,
        /// For how long, in milliseconds.
        length_ms: f64,
        /// Who.
        nodes: Vec<NodeName>,
    },
    /// No node that answers had the VIP, for longer than the budget.
    NoOwner {
        /// Since when.
        at_ms: Millis,
        /// For how long, in milliseconds.
        length_ms: f64,
    },
    /// The VIP moved, and nothing that was seen explains why.
    Unexplained {
        /// When.
        at_ms: Millis,
        /// To whom.
        to: NodeName,
    },
    /// The record contradicts itself or lacks something, so that it proves nothing.
    Unclear {
        /// What is wrong with it.
        why: String,
    },
}
