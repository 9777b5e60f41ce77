//! Faults, probes and measurements.
//!
//! A drill injects a real fault on the VIP's owner and watches from outside, through the VIP, what its users see. It
//! does not know how a host is reached or what is printed.

mod archive;
mod clock;
mod compare;
mod download;
mod expect;
mod held;
mod history;
#[cfg(test)]
mod history_tests;
mod http;
mod kind;
mod load;
mod measure;
mod phases;
mod probe;
mod record;
#[cfg(test)]
pub(crate) mod samples;
mod spans;
mod stats;
mod window;

pub use archive::{Archive, ArchiveError};
pub use clock::{Clock, ClockReading, HostClock};
pub use compare::{Comparison, DrillTrend, Trend};
pub use download::Download;
pub use expect::Expect;
pub use history::{NodeSpans, violations};
pub use http::Target;
pub use kind::{DRILLS, Drill, DrillSpec, Ends, Scope, Servers, Takeover};
pub use load::{Load, LoadLog, LoadSpec};
pub use measure::{downloads, requests};
pub use phases::{next_owner, phases, time_to_return};
pub use probe::Probe;
pub use record::{
    Adverts, Beside, ClockOffset, Downloads, DrillEventKind, DrillReport, DrillRun, Event, Held,
    LostStretch, Millis, Phases, Predicted, Requests, Violation,
};
pub use spans::Span;
pub use stats::{
    BesideStats, Bucket, DrillStats, MEASUREMENT_OVERHEAD_MS, PredictionResult, Spread, Verdict,
};
pub use window::{Mark, Window};
