//! One file per verb; wires the stages together.
//!
//! Here files are read, secrets fetched and hosts connected. What comes out is data; who shows it and
//! which exit code it gets is decided elsewhere.

mod able;
mod apply;
mod change;
mod check;
mod commit;
mod context;
mod demo;
mod error;
mod expected;
mod failover_test;
mod fingerprint;
mod fitness;
mod forgotten;
mod history;
mod holder;
mod init;
mod lab;
mod lab_demo;
mod lock;
mod membership;
mod moved;
mod neighbours;
mod notice;
mod plan;
mod plan_file;
mod recovery;
mod render;
mod rollback;
mod secrets;
mod settle;
mod status;
mod survey;
mod under_way;
mod unreachable;

pub use apply::apply;
pub use change::{ApplyReport, ApplyRequest, Consent, Proposal};
pub use check::{CheckReport, check};
pub use context::{Context, Loaded, load};
pub use demo::{DEMO, DemoStep, demo_spec, edited};
pub use error::{OpsError, SettleRefusal};
pub use expected::Expected;
pub use failover_test::{
    CutShort, DrillIntent, DrillProgress, Earlier, FailoverOutcome, FailoverRequest,
    earlier_drills, failover_test, keep_drills, try_to_write_drills, write_drills,
};
pub use fingerprint::Basis;
pub use fitness::HostProblem;
pub use forgotten::StillThere;
pub use history::{HistoryEntry, HistoryReport, NodeHistory, history};
pub use init::{InitReport, InitRequest, init};
pub use lab::{DEFAULT_LAB, lab_command, lab_down, lab_status, lab_up};
pub use lab_demo::{DemoError, demo_args, demo_edit, demo_lab, demo_run};
pub use lock::{LockBreakRequest, LockReport, NodeLock, lock_break, lock_show};
pub use membership::{Member, Missing};
pub use moved::{Difference, Moved};
pub use notice::Notice;
pub use plan::{PlanReport, plan};
pub use plan_file::{PlanFile, PlanFileError, read_plan_file, write_plan_file};
pub use recovery::{InterruptedChange, Recovery, StaleLock};
pub use render::{RenderReport, render};
pub use rollback::{RollbackRequest, rollback};
pub use secrets::secret_file;
pub use settle::{ChangeSeen, SettleEnd, SettleReport, SettleRequest, settle};
pub use status::{NodeStatus, Refusal, StatusReport, Unreachable, status};
pub use unreachable::WithoutThem;
