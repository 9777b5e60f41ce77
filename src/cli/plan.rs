//! `hactl plan`.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use super::tell::TakeOverArgs;
use crate::ops;
use crate::view::PlanDetail;

/// Show what apply would change, on every node and in what runs there.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Save the plan, for `hactl apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,

    /// Show what changes on every node, without the diffs of the files
    #[arg(long)]
    no_diff: bool,

    /// Go on without a node that the inventory no longer has: you have stopped its keepalived, and it
    /// stays off (may be given several times)
    #[arg(long, value_name = "NODE")]
    forget: Vec<String>,

    /// Exit with 2 when there is something to change
    #[arg(long)]
    detailed_exitcode: bool,

    #[command(flatten)]
    take_over: TakeOverArgs,
}

pub(super) fn run(args: &PlanArgs, app: &App) -> Result<Exit, CliError> {
    let context = args.take_over.context(app).forgetting(&args.forget);
    let report = app.look(ops::plan(&context))?;
    if let Some(path) = &args.out {
        ops::write_plan_file(path, &report)?;
    }
    let detail = if args.no_diff {
        PlanDetail::Nodes
    } else {
        PlanDetail::Diffs
    };
    app.ui.show_plan(&report, detail, args.out.as_deref());
    Ok(if report.plan.is_refused() {
        Exit::Unchanged
    } else if args.detailed_exitcode && report.changes() {
        Exit::ChangesPending
    } else {
        Exit::Done
    })
}
