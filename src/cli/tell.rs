//! What apply and rollback share: showing the plan, asking, following, telling the end.

use std::sync::atomic::Ordering;
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
pub struct ChangeArgs {
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

/// Nobody is there to be asked: that is found out before any host is.
pub(super) fn require_consent(args: &ChangeArgs, app: &App) -> Result<(), CliError> {
    if app.globals.yes() || args.check_only || app.ui.can_ask() {
        return Ok(());
    }
    Err(CliError::Usage {
        message: "this is no terminal, so nobody can be asked whether to go on".to_owned(),
        help: "add --yes to go on without being asked, or look first: hactl plan".to_owned(),
    })
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
        let is_stopped = || app.stop.flag().load(Ordering::Relaxed);
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
