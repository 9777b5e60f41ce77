//! `hactl plan`.

use camino::Utf8PathBuf;
use clap::Args;

use super::app::App;
use super::change::TakeOverArgs;
use super::error::CliError;
use super::exit::Exit;
use super::options::{HostArgs, LimitArgs};
use crate::ops::{self, Selection};
use crate::view::{PlanDetail, Planned};

/// Show what apply would change on every node.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Save the plan, for `hactl apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,

    /// Show what changes on every node, without the diffs of the files
    #[arg(long)]
    no_diff: bool,

    /// Continue without this node, which the inventory no longer has and whose keepalived you have stopped
    /// for good; repeatable
    #[arg(long, value_name = "NODE")]
    forget: Vec<String>,

    /// Exit with 2 when there is something to change
    #[arg(long)]
    detailed_exitcode: bool,

    #[command(flatten)]
    take_over: TakeOverArgs,

    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

pub(super) fn run(args: &PlanArgs, app: &App) -> Result<Exit, CliError> {
    let selection = args.hosts.source.limited(&args.limit);
    let selection = Selection {
        forget: args.forget.clone(),
        ..args.take_over.added_to(selection)
    };
    let report = app.look(ops::plan(&selection, &args.hosts.access(app)))?;
    if let Some(path) = &args.out {
        ops::write_plan_file(path, &report)?;
    }
    let detail = if args.no_diff {
        PlanDetail::Nodes
    } else {
        PlanDetail::Diffs
    };
    let exit = if report.plan.is_refused() {
        Exit::Unchanged
    } else if args.detailed_exitcode && report.changes() {
        Exit::ChangesPending
    } else {
        Exit::Done
    };
    let shown = Planned {
        report: &report,
        detail,
        saved: args.out.as_deref(),
    };
    app.ui.show("plan", exit.code(), &shown);
    Ok(exit)
}
