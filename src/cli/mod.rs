//! Command-line arguments to options of the operations, and exit codes.
//!
//! One file per verb: its arguments, and a function that calls the operation and hands what came of
//! it to the view. This module decides nothing about clusters and words nothing but its own usage.

mod app;
mod apply;
mod args;
mod before_verb;
mod change;
mod check;
mod duration;
mod error;
mod exit;
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
