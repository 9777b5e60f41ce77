//! `hactl failover-test`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::app::App;
use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::options::{ConsentArgs, HostArgs, parse_node};
use crate::drill::{Comparison, DRILLS, Drill, DrillReport, DrillRun, Verdict};
use crate::model::NodeName;
use crate::ops::{
    self, DrillPlan, DrillProgress, Earlier, Events, FailoverOutcome, FailoverRequest,
    Interruption, OpsError, Recovery, Stamped,
};
use crate::view::{Drills, ErrorReport, drill_junit, drill_page};

/// Inject faults on the node that owns the VIP and measure what clients see.
#[derive(Debug, Args)]
pub struct FailoverTestArgs {
    /// Drill to run; repeatable
    #[arg(long, value_name = "DRILL", default_value = "nginx-kill")]
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.iter().map(|spec| spec.name)))]
    drill: Vec<String>,

    /// Run all drills, one after the other
    #[arg(long, conflicts_with = "drill")]
    all: bool,

    /// Inject the fault on this node instead of the VIP's owner
    #[arg(long, value_name = "NODE", value_parser = parse_node)]
    node: Option<NodeName>,

    /// Number of times to run each drill
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,

    /// How long to hold faults that do not end on their own
    #[arg(long, value_name = "TIME", value_parser = parse_hold)]
    hold: Option<Duration>,

    /// Interval between new connections through the VIP
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_interval)]
    interval: Duration,

    /// Number of connections to keep open, with a request on each every 50 ms
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1000))]
    held: u32,

    /// Download this large file slowly during the drill and report whether it breaks
    #[arg(long, value_name = "PATH", value_parser = parse_path)]
    download: Option<String>,

    /// Exit with 7 when clients are cut off for longer than this
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    budget: Option<Duration>,

    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,

    /// Also write the results as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<Utf8PathBuf>,

    /// Compare with the last saved results, or with those in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "last")]
    #[arg(value_parser = parse_earlier)]
    compare: Option<Earlier>,

    /// Run no drill; show the last saved results, or those in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "last")]
    #[arg(value_parser = parse_earlier)]
    #[arg(conflicts_with_all = ["drill", "all", "node", "repeat", "budget"])]
    show: Option<Earlier>,

    #[command(flatten)]
    consent: ConsentArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    // An interval below the time between two requests cannot be measured.
    if (Duration::from_millis(1)..=Duration::from_secs(1)).contains(&interval) {
        Ok(interval)
    } else {
        Err("it must be between 1ms and 1s".to_owned())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a parser may fail")]
fn parse_earlier(text: &str) -> Result<Earlier, String> {
    Ok(match text {
        "last" => Earlier::Last,
        file => Earlier::File(Utf8PathBuf::from(file)),
    })
}

fn parse_hold(text: &str) -> Result<Duration, String> {
    let hold = parse_duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&hold) {
        return Ok(hold);
    }
    Err("it must be from 1s to 10m".to_owned())
}

fn parse_path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path {
        Ok(text.to_owned())
    } else {
        Err(
            "it must be a path without spaces that begins with a slash, such as /files/image.iso"
                .to_owned(),
        )
    }
}

pub(super) fn run(args: &FailoverTestArgs, app: &App) -> Result<Exit, CliError> {
    if let Some(which) = &args.show {
        return show(args, which, app);
    }
    args.consent.require(app)?;
    let selection = args.hosts.source.selection();
    // Find out before the outage, not after it, what cannot be read or written.
    let earlier = match &args.compare {
        Some(which) => ops::earlier_drills(&selection, which)?,
        None => None,
    };
    for path in args.junit.iter().chain(&args.html) {
        ops::try_to_write_drills(path)?;
    }
    let agree = |intents: &[DrillPlan], recovery: &Recovery| {
        app.ui.announce_drills(intents, recovery);
        args.consent.yes || app.ui.ask_drills(intents, &|| app.is_stopped())
    };
    let tell_event = |event: &Stamped<DrillProgress>| app.ui.drill_progress("failover-test", event);
    let events = Events::new(&tell_event);
    let request = FailoverRequest {
        drills: drills(args),
        skip_impossible: args.all,
        hold: args.hold,
        node: args.node.clone(),
        repeat: args.repeat,
        probe_interval: args.interval,
        held_connections: args.held,
        download: args.download.clone(),
        budget: args.budget,
        agree: &agree,
        events: &events,
    };
    let told = || app.ui.tell_drill_stops();
    let outcome = app.change(
        ops::failover_test(&selection, &args.hosts.access(app), request),
        told,
    )?;
    let exit = outcome.as_ref().map_or(Exit::Unchanged, exit_of);
    let report = outcome.as_ref().map(|outcome| &outcome.report);
    let exit = tell(args, report, earlier.as_ref(), exit, app);
    if let Some(cut_short) = outcome
        .as_ref()
        .and_then(|outcome| outcome.cut_short.as_ref())
    {
        app.ui.tell_cut_short(cut_short);
    }
    if let Some(report) = report.filter(|report| !report.runs.is_empty()) {
        // The drills have run and were shown: failing to save them does not change the outcome.
        match ops::keep_drills(report) {
            Ok(path) => app.ui.tell_kept(&path),
            Err(error) => app.ui.complain(&ErrorReport::of_ops(&error)),
        }
    }
    Ok(exit)
}

/// Shows saved results.
fn show(args: &FailoverTestArgs, which: &Earlier, app: &App) -> Result<Exit, CliError> {
    let selection = args.hosts.source.selection();
    let report = ops::earlier_drills(&selection, which)?;
    let report = report.ok_or(OpsError::NothingKept)?;
    let earlier = match &args.compare {
        Some(Earlier::Last) => {
            let before = Earlier::Before(report.started.clone());
            ops::earlier_drills(&selection, &before)?
        }
        Some(other) => ops::earlier_drills(&selection, other)?,
        None => None,
    };
    Ok(tell(args, Some(&report), earlier.as_ref(), Exit::Done, app))
}

/// Shows results in every requested format. Returns `exit` or worse.
fn tell(
    args: &FailoverTestArgs,
    report: Option<&DrillReport>,
    earlier: Option<&DrillReport>,
    exit: Exit,
    app: &App,
) -> Exit {
    let comparison = report
        .zip(earlier)
        .map(|(now, then)| Comparison::of(then, now));
    let written = report.map_or(Exit::Done, |report| {
        write(args, report, comparison.as_ref(), app)
    });
    let exit = exit.max(written);
    let shown = Drills {
        report,
        comparison: comparison.as_ref(),
    };
    app.ui.show("failover-test", exit.code(), &shown);
    if report.is_some() && args.compare.is_some() && earlier.is_none() {
        app.ui.status("No earlier results to compare with.\n");
    }
    exit
}

/// Writes results in every requested format. Fails if one of them could not be written.
fn write(
    args: &FailoverTestArgs,
    report: &DrillReport,
    comparison: Option<&Comparison>,
    app: &App,
) -> Exit {
    let forms = [
        args.junit.as_ref().map(|path| (path, drill_junit(report))),
        args.html
            .as_ref()
            .map(|path| (path, Ok(drill_page(report, comparison)))),
    ];
    let mut exit = Exit::Done;
    for (path, text) in forms.into_iter().flatten() {
        let written = text
            .map_err(|source| OpsError::Write {
                path: path.clone(),
                source,
            })
            .and_then(|text| ops::write_drills(path, &text));
        if let Err(error) = written {
            app.ui.complain(&ErrorReport::of_ops(&error));
            exit = Exit::Unchanged;
        }
    }
    exit
}

fn drills(args: &FailoverTestArgs) -> Vec<Drill> {
    if args.all {
        return DRILLS.iter().map(|spec| spec.drill).collect();
    }
    // clap accepts no other names.
    args.drill
        .iter()
        .filter_map(|name| Drill::named(name))
        .collect()
}

fn exit_of(outcome: &FailoverOutcome) -> Exit {
    let runs = &outcome.report.runs;
    let is_lost = |run: &DrillRun| !run.new.recovered || run.after.is_none();
    match outcome.cut_short {
        Some(Interruption::NotRecovered { .. }) => Exit::Mixed,
        Some(Interruption::Stopped { .. }) => Exit::Unchanged,
        None if runs.iter().any(is_lost) => Exit::Mixed,
        None if outcome.report.verdict() != Verdict::Passed => Exit::OverBudget,
        None => Exit::Done,
    }
}
