//! The command line.

use clap::{Parser, Subcommand};
use strum::IntoStaticStr;

use super::exit::exit_codes_help;
use super::options::OutputArgs;
use super::{
    apply, check, explain, failover_test, generate, history, init, lab, lock, plan, preflight,
    render, rollback, settle, status,
};

/// Provision and run high-availability Keepalived + Nginx clusters
#[derive(Debug, Parser)]
#[command(name = "hactl", version, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = exit_codes_help())]
pub struct Cli {
    /// Options that every verb takes.
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub enum Verb {
    /// Write a first inventory, from options or by asking
    Init(init::InitArgs),
    /// Validate the inventory and simulate every VRRP election, offline
    Check(check::CheckArgs),
    /// Write every node's files to a folder, offline
    Render(render::RenderArgs),
    /// Test whether the hosts are fit for the cluster, before anything is changed
    Preflight(preflight::PreflightArgs),
    /// Show what apply would change on every node
    Plan(plan::PlanArgs),
    /// Apply the inventory to all nodes, or to none
    Apply(apply::ApplyArgs),
    /// Confirm the pending change (apply --confirm manual)
    Confirm(settle::ConfirmArgs),
    /// Roll back the pending change now
    Cancel(settle::CancelArgs),
    /// Roll back to an earlier generation
    Rollback(rollback::RollbackArgs),
    /// List the cluster's generations
    History(history::HistoryArgs),
    /// Show the current state of every node
    Status(status::StatusArgs),
    /// Show or break the cluster lock
    Lock(lock::LockArgs),
    /// Inject faults on the node that owns the VIP and measure what clients see
    FailoverTest(failover_test::FailoverTestArgs),
    /// Run a local cluster of real machines
    Lab(lab::LabArgs),
    /// Explain a rule, an exit code or a key of the inventory
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of the inventory, or of what a verb prints
    Schema(generate::SchemaArgs),
    /// Print completions for a shell
    Completions(generate::CompletionsArgs),
    /// Print the manual page
    Man(generate::ManArgs),
}

impl Verb {
    /// The name in documents. Subcommands of `lab` include their own name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Lab(args) => args.name(),
            verb => verb.into(),
        }
    }
}
