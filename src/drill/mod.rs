//! Faults, probes and measurements.
//!
//! A drill makes a real fault on the VIP's owner and watches from outside, through the VIP, what its
//! users see. It knows nothing of how a host is reached or what is printed.

mod kind;
mod measure;
mod probe;
mod record;

pub use kind::{DRILLS, Drill, DrillSpec};
pub use measure::{Gap, Measurement, measure};
pub use probe::{Probe, Prober, Target};
pub use record::{
    ClockOffset, Downloads, DrillReport, DrillRun, Event, Held, LostStretch, Millis, Phases,
    Predicted, Requests, Violation, What,
};
