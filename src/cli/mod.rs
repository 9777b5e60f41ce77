//! Maps command-line arguments to options of the operations, and outcomes to exit codes.
//!
//! One file per verb: its arguments, and a function that calls the operation and passes the result to the view. This
//! module makes no decisions about clusters, and its only texts are about its own usage.

mod app;
mod apply;
mod args;
mod before_verb;
mod change;
mod check;
mod duration;
mod error;
mod exit;
mod explain;
mod failover_test;
mod generate;
mod history;
mod init;
mod lab;
mod lab_demo;
mod lab_up;
mod lock;
mod logging;
mod options;
mod page;
mod plan;
mod preflight;
mod render;
mod rollback;
mod run;
mod settle;
mod status;
mod stop;

pub use args::{Cli, Verb};
pub use exit::{Exit, exit_codes_page};
pub use page::{Repeated, cli_page, helps};
pub use run::main;
