//! `hactl preflight`.

use std::time::Duration;

use clap::Args;

use super::app::App;
use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::options::{HostArgs, LimitArgs};
use crate::check::Severity;
use crate::ops;

/// Test whether the hosts are fit for the cluster, before anything is changed.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// How long the nodes send test adverts to each other, 1s to 10m
    #[arg(long, value_name = "TIME", default_value = "5s")]
    #[arg(value_parser = parse_measure)]
    measure: Duration,

    /// Fail on warnings too
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

fn parse_measure(text: &str) -> Result<Duration, String> {
    let measure = parse_duration(text)?;
    let range = Duration::from_secs(1)..=Duration::from_mins(10);
    if range.contains(&measure) {
        return Ok(measure);
    }
    Err("it must be from 1s to 10m".to_owned())
}

/// Exits with 1 if the hosts are not fit, for use in scripts.
pub(super) fn run(args: &PreflightArgs, app: &App) -> Result<Exit, CliError> {
    let selection = args.hosts.source.limited(&args.limit);
    let access = args.hosts.access(app);
    app.ui.preflight_begins(args.measure);
    let report = app.look(ops::preflight(&selection, &access, args.measure))?;
    let tolerated = if args.strict {
        Severity::Note
    } else {
        Severity::Warning
    };
    let exit = if report.is_fit(tolerated) {
        Exit::Done
    } else {
        Exit::Unchanged
    };
    app.ui.show("preflight", exit.code(), &report);
    Ok(exit)
}
