//! What apply and rollback share: showing the plan, asking, following, telling the end.

use std::time::Duration;

use clap::Args;

use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::apply::Event;
use crate::ops::{ApplyReport, ApplyRequest, Notice, OpsError, PlanFile};
use crate::plan::Plan;

/// How a change is carried out.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// Show the plan with all its diffs
    #[arg(long)]
    diff: bool,

    /// Stop after the daemons have tested the files; change nothing
    #[arg(long)]
    check_only: bool,

    /// After this long, hosts undo by themselves what was not confirmed
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    confirm_timeout: Duration,
}

impl ChangeArgs {
    /// Whether there is somebody to agree to the change: found out before any host is asked.
    pub(super) fn require_consent(&self, app: &App) -> Result<(), CliError> {
        if self.check_only {
            return Ok(());
        }
        app.require_consent()
    }
}

/// Runs `work`, which is apply or rollback, and shows it from the plan to the end.
pub(super) fn carry_out(
    args: &ChangeArgs,
    plan_file: Option<PlanFile>,
    app: &App,
    verb: &'static str,
    work: impl AsyncFnOnce(ApplyRequest<'_>) -> Result<ApplyReport, OpsError>,
) -> Result<Exit, CliError> {
    let view = app.ui.follow_change(verb, args.diff);
    let agree = |plan: &Plan, notices: &[Notice]| {
        view.show_plan(plan, notices);
        let needs_asking = !app.globals.yes() && !args.check_only;
        let is_stopped = || app.is_stopped();
        let agreed = !is_stopped() && (!needs_asking || view.ask(plan, &is_stopped));
        if agreed {
            view.begin(plan);
        }
        agreed
    };
    let tell = |event: Event| view.event(&event);
    let request = ApplyRequest {
        check_only: args.check_only,
        confirm_timeout: args.confirm_timeout,
        plan_file,
        agree: &agree,
        tell: &tell,
    };
    let report = app.change(work(request), || view.stopping())?;
    let exit = report
        .outcome
        .as_ref()
        .map_or(Exit::Unchanged, Exit::of_outcome);
    view.end(&report, exit.code());
    Ok(exit)
}
