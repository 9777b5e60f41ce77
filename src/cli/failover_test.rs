//! `hactl failover-test`.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::drill::{DRILLS, Drill};
use crate::model::NodeName;
use crate::ops::{self, FailoverRequest};

/// Make a real fault on the VIP's owner, and measure what users see.
#[derive(Debug, Args)]
pub struct FailoverTestArgs {
    /// Which fault
    #[arg(long, value_name = "DRILL", default_value = "nginx-kill")]
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.iter().map(|spec| spec.name)))]
    drill: String,

    /// One request through the VIP every so often
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_interval)]
    interval: Duration,

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

pub(super) fn run(args: &FailoverTestArgs, app: &App) -> Result<Exit, CliError> {
    let Some(drill) = Drill::named(&args.drill) else {
        // clap has let no other name through.
        return Ok(Exit::Usage);
    };
    app.require_consent()?;
    let agree = |drill: Drill, node: &NodeName| {
        app.ui.announce_drill(drill, node);
        app.globals.yes() || app.ui.ask_drill(drill, node, &|| app.is_stopped())
    };
    let request = FailoverRequest {
        drill,
        probe_interval: args.interval,
        agree: &agree,
    };
    // Who stops looking leaves the fault to be healed by the host: nothing here has to be undone.
    let report = app.look(ops::failover_test(&app.context, request))?;
    let exit = match &report {
        None => Exit::Unchanged,
        Some(report) if !report.measurement.recovered => Exit::Mixed,
        Some(report) if is_over(report.measurement.outage(), args.budget) => Exit::OverBudget,
        Some(_) => Exit::Done,
    };
    app.ui.show_drill(report.as_ref(), args.budget, exit.code());
    Ok(exit)
}

fn is_over(outage: Option<Duration>, budget: Option<Duration>) -> bool {
    matches!((outage, budget), (Some(outage), Some(budget)) if outage > budget)
}
