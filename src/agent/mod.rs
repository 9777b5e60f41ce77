//! The POSIX sh program that does all work on a host, and the typed side of its protocol.
//!
//! The program's parts are in `sh/` and are sent as one text. Nothing else in hactl knows its
//! verbs, its records or the location of its state.

mod adverts;
mod answer;
mod backend;
mod call;
mod change;
mod client;
mod decision;
mod error;
mod facts;
mod fault;
mod hooks;
mod keepalived;
mod manifest;
mod observation;
mod observe;
mod peer_key;
mod peers;
mod preflight;
mod probe;
mod protocol;
mod reach;
mod reply;
mod script;
mod serving;
mod switch;
mod unit_state;
mod watch;
mod wire;

pub use adverts::{AdvertTest, AdvertTestRequest, Heard, HeardRouter};
pub use answer::{Answer, TestResult, TestVerdict};
pub use backend::{BackendState, NoConnection};
pub use call::{Activation, Agent, LockRequest, PeerCredentials};
pub use change::{Deadline, Journal, LockInfo, Outcome};
pub use client::{Client, ThisMachine};
pub use decision::Decision;
pub use error::{AgentError, Pending};
pub use facts::{Fact, Facts};
pub use fault::{ArmedFault, FaultEvent, FaultHits, FaultRequest, FaultState, FaultStep};
pub use hooks::{Hook, HookState, UnsureReload};
pub use keepalived::{InstanceState, Tracked, TrackedKind, VrrpState};
pub use manifest::{Entry, Manifest, ServiceRecord};
pub use observation::{Observation, UnsupportedHost};
pub use observe::ObserveRequest;
pub use peer_key::{NoRandomness, PeerKey, random_bytes};
pub use peers::{ListensAt, Neighbour, PeerAnswer, PeerDoor, PeerPort};
pub use preflight::{ClockOffset, Listener, Preflight, Space};
pub use probe::{Adverts, Networkd, PROBES, Probe, Probed, Probing};
pub use protocol::{Cause, Ending, FailureCode, Phase, Reason, UnitAction};
pub use reach::{Announced, Answered, Door, Reach, ReachQuestion, ReachedVip, Viewpoint, VipDoors};
pub use script::{Tree, TreeFile, agent_script, sha256_hex};
pub use serving::{Serving, ServingFile};
pub use switch::{Part, Switch};
pub use unit_state::{LiveFile, Program, Service};
pub use watch::{ClockAnswer, JournalLine, KernelChange, KernelEvent, Watched, Watching};
pub use wire::Wire;
