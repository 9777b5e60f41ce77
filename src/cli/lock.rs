//! `hactl lock`: shows or breaks the cluster lock.

use clap::{Args, Subcommand};

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::{ConsentArgs, HostArgs, LimitArgs};
use crate::ops::{self, LockBreakRequest, LockReport};
use crate::view::{BrokenLocks, Locks};

/// Show or break the cluster lock.
#[derive(Debug, Args)]
pub struct LockArgs {
    #[command(subcommand)]
    verb: LockVerb,
}

/// What to do with locks.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum LockVerb {
    /// Show every node's lock: holder, deadline and change in progress
    Show(LockShowArgs),
    /// Break the locks; live configuration is not touched
    Break(LockBreakArgs),
}

/// Show every node's lock.
#[derive(Debug, Args)]
struct LockShowArgs {
    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

/// Break the locks. A holder that is alive notices, stops and rolls its change back.
#[derive(Debug, Args)]
struct LockBreakArgs {
    /// Break the locks even while a change is in progress; unless it is confirmed, the hosts' timers roll it back
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    consent: ConsentArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

pub(super) fn run(args: &LockArgs, app: &App) -> Result<Exit, CliError> {
    match &args.verb {
        LockVerb::Show(args) => {
            let selection = args.hosts.source.limited(&args.limit);
            let access = args.hosts.access(app);
            let report = app.look(ops::lock_show(&selection, &access))?;
            let exit = if report.unreachable.is_empty() {
                Exit::Done
            } else {
                Exit::Unchanged
            };
            app.ui.show("lock", exit.code(), &Locks(&report));
            Ok(exit)
        }
        LockVerb::Break(args) => break_locks(args, app),
    }
}

fn break_locks(args: &LockBreakArgs, app: &App) -> Result<Exit, CliError> {
    args.consent.require(app)?;
    let agree = |report: &LockReport| {
        app.ui.show_locks_to_break(report);
        let is_stopped = || app.is_stopped();
        !is_stopped() && (args.consent.yes || app.ui.agree_to_break(report, &is_stopped))
    };
    let request = LockBreakRequest {
        force: args.force,
        agree: &agree,
    };
    let selection = args.hosts.source.limited(&args.limit);
    let access = args.hosts.access(app);
    let report = app.change(ops::lock_break(&selection, &access, request), || ())?;
    let has_lock = report.nodes.iter().any(|node| node.lock.is_some());
    let is_done = report.errors.is_empty()
        && report.unreachable.is_empty()
        && (!has_lock || !report.broken.is_empty());
    let exit = if is_done { Exit::Done } else { Exit::Unchanged };
    app.ui.show("lock", exit.code(), &BrokenLocks(&report));
    Ok(exit)
}
