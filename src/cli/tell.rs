//! What apply and rollback share: showing the plan, asking, following, telling the end.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::apply::{Confirmation, Event};
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

    /// Who confirms a change that all nodes have and that works: hactl, at once, or a person
    #[arg(
        help = "Who confirms a change once it works on all nodes: hactl itself, or you, with `hactl confirm`",
        long,
        value_name = "WHO",
        value_enum,
        default_value = "auto"
    )]
    confirm: Who,

    /// After this long, hosts undo by themselves what was not confirmed
    #[arg(
        help = "After this long, hosts undo by themselves what was not confirmed, 5s to 24h [default: 2m; 10m with --confirm manual]",
        long,
        value_name = "TIME",
        value_parser = parse_confirm_timeout
    )]
    confirm_timeout: Option<Duration>,
}

/// Long enough for hactl to prove what it did, and no longer than a host should keep what nobody wants.
fn parse_confirm_timeout(text: &str) -> Result<Duration, String> {
    let limits = Duration::from_secs(5)..=Duration::from_hours(24);
    match parse_duration(text) {
        Ok(time) if limits.contains(&time) => Ok(time),
        Ok(_) => Err("it must be from 5s to 24h".to_owned()),
        Err(error) => Err(error),
    }
}

/// Who confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    /// hactl, at once
    Auto,
    /// A person, with `hactl confirm`; meanwhile the hosts' timers run
    Manual,
}

impl ChangeArgs {
    fn confirm(&self) -> Confirmation {
        match self.confirm {
            Who::Auto => Confirmation::Auto,
            Who::Manual => Confirmation::Manual,
        }
    }

    /// A person takes longer than hactl.
    fn confirm_timeout(&self) -> Duration {
        let usual = match self.confirm {
            Who::Auto => Duration::from_mins(2),
            Who::Manual => Duration::from_mins(10),
        };
        self.confirm_timeout.unwrap_or(usual)
    }

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
        confirm: args.confirm(),
        confirm_timeout: args.confirm_timeout(),
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
