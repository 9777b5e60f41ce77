//! The POSIX sh program that does everything on a host, and the typed side of its protocol.
//!
//! The program is in `sh/`, in parts that are sent as one text. Nothing else in hactl knows its
//! verbs, its records or where it keeps its state.

mod answer;
mod backend;
mod call;
mod client;
mod error;
mod fault;
mod keepalived;
mod manifest;
mod observation;
mod observe;
mod peer_key;
mod protocol;
mod reach;
mod reply;
mod script;
mod serving;
mod side;
mod watch;
mod wire;

pub use answer::{Answer, TestResult, TestVerdict};
pub use backend::{BackendState, NoConnection};
pub use call::{Activation, Agent, LockRequest, Part, PeerSide, Switch};
pub use client::{Client, ThisMachine};
pub use error::{AgentError, Pending};
pub use fault::{ArmedFault, FaultEvent, FaultHits, FaultRequest, FaultState, FaultStep};
pub use keepalived::{InstanceState, Tracked, TrackedKind, VrrpState};
pub use manifest::{Entry, Manifest, ServiceRecord};
pub use observation::{
    Deadline, Hook, HookState, Journal, ListensAt, LiveFile, LockInfo, Neighbour, Observation,
    Outcome, PeerAnswer, PeerDoor, PeerPort, Program, Service, UnsupportedHost, UnsureReload,
};
pub use observe::Question;
pub use peer_key::{NoRandomness, PeerKey};
pub use protocol::{Cause, Ending, FailureCode, Phase, Reason};
pub use reach::{Announced, Answered, Door, Reach, ReachQuestion, ReachedVip, Viewpoint, VipDoors};
pub use script::{Tree, TreeFile, agent_script, sha256_hex};
pub use serving::{Serving, ServingFile};
pub use side::Side;
pub use watch::{ClockAnswer, JournalLine, KernelChange, KernelEvent, Watched, Watching};
pub use wire::Wire;
