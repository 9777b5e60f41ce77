//! `hactl failover-test`.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::drill::{Drill, DrillRun};
use crate::model::NodeName;
use crate::ops::{self, CutShort, DrillIntent, FailoverOutcome, FailoverRequest};

/// The drills that hactl can watch so far.
const WATCHED: [Drill; 1] = [Drill::NginxKill];

/// Make real faults on the VIP's owner, and measure what users see.
#[derive(Debug, Args)]
pub struct FailoverTestArgs {
    /// Which fault; may be given several times
    #[arg(long, value_name = "DRILL", default_value = "nginx-kill")]
    #[arg(value_parser = PossibleValuesParser::new(WATCHED.map(|drill| drill.spec().name)))]
    drill: Vec<String>,

    /// All faults, one after the other
    #[arg(long, conflicts_with = "drill")]
    all: bool,

    /// The node to which it is done, in place of the VIP's owner
    #[arg(long, value_name = "NODE", value_parser = parse_node)]
    node: Option<NodeName>,

    /// Do each so many times
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,

    /// One new connection through the VIP every so often
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_interval)]
    interval: Duration,

    /// Keep so many connections open, with a request on each every 50 ms
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1000))]
    held: u32,

    /// Download this large file meanwhile, slowly, and see whether it breaks
    #[arg(long, value_name = "PATH", value_parser = parse_path)]
    download: Option<String>,

    /// Exit with 7 when users are cut off for longer than this
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    budget: Option<Duration>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(1) {
        return Err("it must be 1ms at least".to_owned());
    }
    Ok(interval)
}

fn parse_node(text: &str) -> Result<NodeName, String> {
    NodeName::new(text).map_err(|error| error.to_string())
}

fn parse_path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path {
        Ok(text.to_owned())
    } else {
        Err("a path begins with a slash and has no blanks, such as /files/image.iso".to_owned())
    }
}

pub(super) fn run(args: &FailoverTestArgs, app: &App) -> Result<Exit, CliError> {
    app.require_consent()?;
    let agree = |intents: &[DrillIntent]| {
        app.ui.announce_drills(intents);
        app.globals.yes() || app.ui.ask_drills(intents, &|| app.is_stopped())
    };
    let request = FailoverRequest {
        drills: drills(args),
        node: args.node.clone(),
        repeat: args.repeat,
        probe_interval: args.interval,
        held_connections: args.held,
        download: args.download.clone(),
        budget: args.budget,
        agree: &agree,
        tell: &|progress| app.ui.drill_progress(progress),
    };
    let told = || app.ui.tell_drill_stops();
    let outcome = app.change(ops::failover_test(&app.context, request), told)?;
    let exit = outcome.as_ref().map_or(Exit::Unchanged, exit_of);
    app.ui.show_drills(outcome.as_ref(), exit.code());
    Ok(exit)
}

fn drills(args: &FailoverTestArgs) -> Vec<Drill> {
    if args.all {
        return WATCHED.to_vec();
    }
    // clap has let no other name through.
    args.drill
        .iter()
        .filter_map(|name| Drill::named(name))
        .collect()
}

fn exit_of(outcome: &FailoverOutcome) -> Exit {
    let runs = &outcome.report.runs;
    let is_lost = |run: &DrillRun| !run.new.recovered || run.after.is_none();
    match outcome.cut_short {
        Some(CutShort::NotRecovered { .. }) => Exit::Mixed,
        Some(CutShort::Stopped) => Exit::Unchanged,
        None if runs.iter().any(is_lost) => Exit::Mixed,
        None if runs.iter().any(is_over_budget) => Exit::OverBudget,
        None => Exit::Done,
    }
}

fn is_over_budget(run: &DrillRun) -> bool {
    let outage = run.new.outage_ms().unwrap_or_default();
    run.budget_ms.is_some_and(|budget| outage > budget)
}
