//! What apply and rollback share: show the plan, ask, report progress, and report the outcome.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::app::App;
use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::options::{ConsentArgs, HostArgs, LimitArgs};
use crate::apply::{Confirmation, Event};
use crate::model::ClusterName;
use crate::ops::{
    Access, ApplyReport, ApplyRequest, Consent, Events, OpsError, PlanFile, Proposal, Selection,
    Stamped,
};
use crate::plan::{Loss, StopServing};
use crate::view::{ChangeView, PlanDetail};

/// How a change is carried out.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// Show the plan with the diffs of all files
    #[arg(long)]
    diff: bool,

    /// Continue without this node, which the inventory no longer has and whose keepalived you have stopped
    /// for good; repeatable
    #[arg(long, value_name = "NODE")]
    forget: Vec<String>,

    /// Only let the daemons test the new files; write nothing on any host
    #[arg(long)]
    check_only: bool,

    /// Who confirms a change that works on all nodes
    #[arg(long, value_name = "WHO", value_enum, default_value = "auto")]
    confirm: Who,

    /// Time after which hosts roll back an unconfirmed change, 5s to 24h [default: 2m; 10m with --confirm manual]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_confirm_timeout
    )]
    confirm_timeout: Option<Duration>,

    /// Accept that this stops being served: a name as the plan prints it, or `all`; repeatable
    #[arg(long, value_name = "WHAT")]
    stop_serving: Vec<String>,

    #[command(flatten)]
    take_over: TakeOverArgs,

    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    consent: ConsentArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

/// Whose the nodes may have been.
#[derive(Debug, Args)]
pub(super) struct TakeOverArgs {
    /// Take over nodes that belong to this other cluster, as after a rename
    #[arg(
        long,
        value_name = "CLUSTER",
        value_parser = parse_cluster
    )]
    take_over: Option<ClusterName>,
}

fn parse_cluster(text: &str) -> Result<ClusterName, String> {
    ClusterName::new(text).map_err(|error| error.to_string())
}

impl TakeOverArgs {
    pub(super) fn added_to(&self, selection: Selection) -> Selection {
        Selection {
            take_over: self.take_over.clone(),
            ..selection
        }
    }
}

/// Long enough for hactl to prove the change, and no longer than a host should keep an unconfirmed one.
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
    /// hactl, immediately
    Auto,
    /// You, with `hactl confirm`, before the hosts' timers roll it back
    Manual,
}

impl ChangeArgs {
    pub(super) fn selection(&self) -> Selection {
        let selection = self.hosts.source.limited(&self.limit);
        Selection {
            forget: self.forget.clone(),
            ..self.take_over.added_to(selection)
        }
    }

    pub(super) fn access(&self, app: &App) -> Access {
        self.hosts.access(app)
    }

    fn confirm(&self) -> Confirmation {
        match self.confirm {
            Who::Auto => Confirmation::Auto,
            Who::Manual => Confirmation::Manual,
        }
    }

    /// An operator takes longer than hactl.
    fn confirm_timeout(&self) -> Duration {
        let usual = match self.confirm {
            Who::Auto => Duration::from_mins(2),
            Who::Manual => Duration::from_mins(10),
        };
        self.confirm_timeout.unwrap_or(usual)
    }

    /// Fails early, before any host is contacted, if nobody could approve the change.
    pub(super) fn require_consent(&self, app: &App) -> Result<(), CliError> {
        if self.check_only {
            return Ok(());
        }
        self.consent.require(app)
    }
}

/// The user's answer to the plan that was shown. What stops being served is asked about separately.
fn consent(
    args: &ChangeArgs,
    view: &ChangeView,
    proposal: &Proposal,
    is_stopped: &dyn Fn() -> bool,
) -> Consent {
    if is_stopped() {
        return Consent::Declined;
    }
    if args.check_only {
        return Consent::Given;
    }
    let allowed = StopServing::of(args.stop_serving.iter().cloned());
    let unnamed: Vec<Loss> = allowed
        .unnamed(&proposal.plan.losses)
        .into_iter()
        .cloned()
        .collect();
    if args.consent.yes {
        return if unnamed.is_empty() {
            Consent::Given
        } else {
            Consent::Unnamed(unnamed)
        };
    }
    let agreed = view.ask(proposal, is_stopped)
        && (unnamed.is_empty() || view.ask_to_stop_serving(&unnamed, is_stopped));
    if agreed {
        Consent::Given
    } else {
        Consent::Declined
    }
}

/// Runs `work`, which is apply or rollback, and shows it from the plan to the outcome.
pub(super) fn carry_out(
    args: &ChangeArgs,
    plan_file: Option<PlanFile>,
    app: &App,
    verb: &'static str,
    work: impl AsyncFnOnce(ApplyRequest<'_>) -> Result<ApplyReport, OpsError>,
) -> Result<Exit, CliError> {
    let detail = match &plan_file {
        _ if args.diff => PlanDetail::Diffs,
        // Whoever saved the plan has seen the rest.
        Some(_) => PlanDetail::Summary,
        None => PlanDetail::Nodes,
    };
    let view = app.ui.follow_change(verb, detail);
    let agree = |proposal: &Proposal| {
        view.show_proposal(proposal);
        let is_stopped = || app.is_stopped();
        let consent = consent(args, &view, proposal, &is_stopped);
        if consent == Consent::Given {
            view.begin(proposal);
        }
        consent
    };
    let tell = |event: &Stamped<Event>| view.event(event);
    let events = Events::new(&tell);
    let request = ApplyRequest {
        check_only: args.check_only,
        confirm: args.confirm(),
        confirm_timeout: args.confirm_timeout(),
        plan_file,
        agree: &agree,
        events: &events,
    };
    let report = app.change(work(request), || view.stopping())?;
    let exit = report
        .outcome
        .as_ref()
        .map_or(Exit::Unchanged, Exit::of_outcome);
    view.end(&report, exit.code());
    Ok(exit)
}
