//! The whole command line.

use clap::{Parser, Subcommand};

use super::exit::exit_codes_help;
use super::globals::GlobalArgs;
use super::{
    apply, check, failover_test, generate, history, init, lab, lock, plan, render, rollback,
    settle, status,
};

/// Provision and run high-availability Keepalived + Nginx clusters
#[derive(Debug, Parser)]
#[command(name = "hactl", version, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = exit_codes_help())]
pub struct Cli {
    /// Options that every verb takes.
    #[command(flatten)]
    pub(super) globals: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub enum Verb {
    /// Write a first inventory, from options or by asking
    Init(init::InitArgs),
    /// Check the inventory: every rule that needs no host, and the election
    Check(check::CheckArgs),
    /// Write every node's files into a folder; needs no host
    Render(render::RenderArgs),
    /// Show what apply would change, on every node and in what runs there
    Plan(plan::PlanArgs),
    /// Make the nodes what the inventory says, all of them or none
    Apply(apply::ApplyArgs),
    /// Keep the change that waits to be confirmed (apply --confirm manual)
    Confirm(settle::ConfirmArgs),
    /// Undo the change that waits to be confirmed, now
    Cancel(settle::CancelArgs),
    /// Bring back a generation that was live before
    Rollback(rollback::RollbackArgs),
    /// List the cluster's generations
    History(history::HistoryArgs),
    /// Show what every node is and does now
    Status(status::StatusArgs),
    /// Show who works on the nodes, or free the lock of a holder that is gone
    Lock(lock::LockArgs),
    /// Make a real fault on the VIP's owner, and measure what users see
    FailoverTest(failover_test::FailoverTestArgs),
    /// A local cluster of real machines, to try things on
    Lab(lab::LabArgs),
    /// Print the inventory's JSON Schema, for editors
    Schema(generate::SchemaArgs),
    /// Print completions for a shell
    Completions(generate::CompletionsArgs),
    /// Print the manual page
    Man(generate::ManArgs),
}
