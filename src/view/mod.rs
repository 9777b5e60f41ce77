//! The only place that prints.
//!
//! Every text comes from a function that turns data into a `String` with colours, so tests need no host. [`Ui`]
//! writes it, and strips the colours where they are unwanted. Data goes to standard output. Progress, status,
//! logs and errors go to standard error.

mod ask;
mod ask_secret;
mod cause;
mod change;
#[cfg(test)]
mod change_tests;
mod change_text;
mod check;
mod demo;
mod diff;
mod drift;
mod drill;
mod effect;
mod error_report;
mod explain;
mod failure;
mod findings;
mod history;
mod hunks;
mod init;
mod lab;
mod lab_progress;
mod lock;
mod losses;
mod node_plan;
mod paint;
mod plan;
#[cfg(test)]
mod plan_tests;
mod prediction;
mod preflight;
mod problems;
mod progress;
mod progress_bars;
mod progress_lines;
mod recovery;
mod render;
#[cfg(test)]
mod report_tests;
#[cfg(test)]
mod samples;
mod settle;
#[cfg(test)]
mod settle_tests;
mod show;
mod status;
mod text;
mod ui;

pub use change::ChangeView;
pub use demo::DemoView;
pub use drill::{Drills, html as drill_page, junit as drill_junit, tables as drill_tables};
pub use error_report::ErrorReport;
pub use lab::{LabDown, LabUp, Labs};
pub use lab_progress::LabProgress;
pub use lock::{BrokenLocks, Locks};
pub use plan::{PlanDetail, Planned};
pub use render::Rendered;
pub use settle::SettleView;
pub use show::Show;
pub use ui::{ColorChoice, Format, LogWriter, Ui, UiOptions};
