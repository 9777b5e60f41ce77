//! `hactl lock`: who works on the nodes.

use clap::{Args, Subcommand};

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::ops::{self, LockBreakRequest, LockReport};

/// Show who works on the nodes, or take a lock away from a holder that is gone.
#[derive(Debug, Args)]
pub struct LockArgs {
    #[command(subcommand)]
    verb: LockVerb,
}

/// What to do with locks.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum LockVerb {
    /// Show every node's lock: its holder, until when, and the change under way
    Show,
    /// Take the locks away; what lives on the hosts is not touched
    Break(LockBreakArgs),
}

/// Take the locks away. A holder that lives notices, gives up and undoes what it has done so far.
#[derive(Debug, Args)]
struct LockBreakArgs {
    /// Also while a change is under way: its host's timer still undoes it
    #[arg(
        help = "Also while a change is under way; the host's timer still undoes it unless it is confirmed",
        long
    )]
    force: bool,
}

pub(super) fn run(args: &LockArgs, app: &App) -> Result<Exit, CliError> {
    match &args.verb {
        LockVerb::Show => {
            let report = app.look(ops::lock_show(&app.context))?;
            app.ui.show_locks(&report);
            Ok(if report.unreachable.is_empty() {
                Exit::Done
            } else {
                Exit::Unchanged
            })
        }
        LockVerb::Break(args) => break_locks(args, app),
    }
}

fn break_locks(args: &LockBreakArgs, app: &App) -> Result<Exit, CliError> {
    app.require_consent()?;
    let agree = |report: &LockReport| {
        app.ui.show_locks_to_break(report);
        let is_stopped = || app.is_stopped();
        !is_stopped() && (app.globals.yes() || app.ui.agree_to_break(report, &is_stopped))
    };
    let request = LockBreakRequest {
        force: args.force,
        agree: &agree,
    };
    let report = app.change(ops::lock_break(&app.context, request), || ())?;
    let has_lock = report.nodes.iter().any(|node| node.lock.is_some());
    let is_done = report.errors.is_empty()
        && report.unreachable.is_empty()
        && (!has_lock || !report.broken.is_empty());
    let exit = if is_done { Exit::Done } else { Exit::Unchanged };
    app.ui.show_broken_locks(&report, exit.code());
    Ok(exit)
}
