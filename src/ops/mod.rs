//! One file per command. Operations read files, fetch secrets, connect to hosts, and return data.
//!
//! Showing that data and choosing the exit code happen elsewhere.

mod able;
mod apply;
mod change;
mod check;
mod clocks;
mod cluster;
mod commit;
mod connect;
mod demo;
mod error;
mod events;
mod expected;
mod explain;
mod failover_test;
mod fingerprint;
mod fitness;
mod foresee;
mod forgotten;
mod history;
mod holder;
mod host_problem;
mod in_flight;
mod init;
mod inspect;
mod judged;
mod lab;
mod lab_demo;
mod lock;
mod look;
mod member;
mod membership;
mod moved;
mod neighbours;
mod notice;
mod plan;
mod plan_file;
mod planning;
mod preflight;
mod recover;
mod recovery;
mod render;
mod rollback;
mod saved_plan;
mod secrets;
mod selection;
mod settle;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod transport;
mod unreachable;
mod wanted;
mod without_them;

pub use apply::apply;
pub use change::{ApplyReport, ApplyRequest, Consent, Proposal};
pub use check::{CheckReport, check};
pub use demo::{DEMO, DemoStep, demo_spec, edited};
pub use error::{OpsError, SettleRefusal};
pub use events::{Advances, Events, Stamped};
pub use expected::Expected;
pub use explain::{Meaning, explain};
pub use failover_test::{
    DrillPlan, DrillProgress, Earlier, FailoverOutcome, FailoverRequest, Interruption,
    earlier_drills, failover_test, keep_drills, try_to_write_drills, write_drills,
};
pub use fingerprint::Basis;
pub use history::{HistoryEntry, HistoryReport, NodeHistory, history};
pub use host_problem::HostProblem;
pub use init::{InitReport, InitRequest, init};
pub use lab::{DEFAULT_LAB, lab_command, lab_down, lab_status, lab_up};
pub use lab_demo::{DemoError, demo_args, demo_edit, demo_lab, demo_run};
pub use lock::{LockBreakRequest, LockReport, NodeLock, lock_break, lock_show};
pub use member::{Member, Missing, StillThere};
pub use moved::{Difference, Moved};
pub use notice::Notice;
pub use plan::{PlanReport, plan};
pub use plan_file::{PlanFile, PlanFileError};
pub use preflight::{AdvertReport, AdvertWay, Arrived, HostFitness, PreflightReport, preflight};
pub use recovery::{InterruptedChange, Recovery, StaleLock};
pub use render::{RenderReport, render};
pub use rollback::{RollbackRequest, rollback};
pub use saved_plan::{read_plan_file, write_plan_file};
pub use secrets::secret_file;
pub use selection::{Loaded, Selection, load};
pub use settle::{ChangeSeen, SettleEnd, SettleReport, SettleRequest, settle};
pub use status::{NodeStatus, Refusal, StatusReport, UnitStatus, Unreachable, status};
pub use transport::{Access, Transport};
pub use without_them::WithoutThem;
