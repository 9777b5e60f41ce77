//! `hactl failover-test`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::duration::parse_duration;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::drill::{Comparison, DRILLS, Drill, DrillReport, DrillRun, Verdict};
use crate::model::NodeName;
use crate::ops::{
    self, CutShort, DrillIntent, Earlier, FailoverOutcome, FailoverRequest, OpsError, Recovery,
};
use crate::view::{Complaint, drill_junit, drill_page};

/// Make real faults on the VIP's owner, and measure what users see.
#[derive(Debug, Args)]
pub struct FailoverTestArgs {
    /// Which fault; may be given several times
    #[arg(long, value_name = "DRILL", default_value = "nginx-kill")]
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.iter().map(|spec| spec.name)))]
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

    /// Hold each fault for so long, where it does not heal by itself
    #[arg(long, value_name = "TIME", value_parser = parse_hold)]
    hold: Option<Duration>,

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

    /// Write the results as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,

    /// Write the results as one HTML page, too
    #[arg(long, value_name = "FILE")]
    html: Option<Utf8PathBuf>,

    /// Set the results beside the last ones that were kept, or those in a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "last")]
    #[arg(value_parser = parse_earlier)]
    compare: Option<Earlier>,

    /// Do nothing; show the last results that were kept, or those in a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "last")]
    #[arg(value_parser = parse_earlier)]
    #[arg(conflicts_with_all = ["drill", "all", "node", "repeat", "budget"])]
    show: Option<Earlier>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    // What is shorter than the time between two requests is not seen.
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
    if let Some(which) = &args.show {
        return show(args, which, app);
    }
    app.require_consent()?;
    // What can't be read or written shall not be found out only after an outage.
    let earlier = match &args.compare {
        Some(which) => ops::earlier_drills(&app.context, which)?,
        None => None,
    };
    for path in args.junit.iter().chain(&args.html) {
        ops::try_to_write_drills(path)?;
    }
    let agree = |intents: &[DrillIntent], recovery: &Recovery| {
        app.ui.announce_drills(intents, recovery);
        app.globals.yes() || app.ui.ask_drills(intents, &|| app.is_stopped())
    };
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
        tell: &|progress| app.ui.drill_progress(progress),
    };
    let told = || app.ui.tell_drill_stops();
    let outcome = app.change(ops::failover_test(&app.context, request), told)?;
    let exit = outcome.as_ref().map_or(Exit::Unchanged, exit_of);
    let report = outcome.as_ref().map(|outcome| &outcome.report);
    let written = tell(args, report, earlier.as_ref(), exit, app);
    if let Some(cut_short) = outcome
        .as_ref()
        .and_then(|outcome| outcome.cut_short.as_ref())
    {
        app.ui.tell_cut_short(cut_short);
    }
    if let Some(report) = report.filter(|report| !report.runs.is_empty()) {
        // The drills were made and shown; that they are not kept changes nothing about how they ended.
        match ops::keep_drills(report) {
            Ok(path) => app.ui.tell_kept(&path),
            Err(error) => app.ui.complain(&Complaint::of_ops(&error)),
        }
    }
    Ok(exit.max(written))
}

/// Shows what was kept.
fn show(args: &FailoverTestArgs, which: &Earlier, app: &App) -> Result<Exit, CliError> {
    let report = ops::earlier_drills(&app.context, which)?;
    let report = report.ok_or(OpsError::NothingKept)?;
    let earlier = match &args.compare {
        Some(Earlier::Last) => {
            let before = Earlier::Before(report.started.clone());
            ops::earlier_drills(&app.context, &before)?
        }
        Some(other) => ops::earlier_drills(&app.context, other)?,
        None => None,
    };
    Ok(tell(args, Some(&report), earlier.as_ref(), Exit::Done, app))
}

/// Shows results in every form that is wanted; says whether all could be written.
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
    app.ui.show_drills(report, comparison.as_ref(), exit.code());
    let Some(report) = report else {
        return Exit::Done;
    };
    if args.compare.is_some() && earlier.is_none() {
        app.ui
            .status("There are no earlier results to compare with.\n");
    }
    let forms = [
        args.junit.as_ref().map(|path| (path, drill_junit(report))),
        args.html
            .as_ref()
            .map(|path| (path, Ok(drill_page(report, comparison.as_ref())))),
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
            app.ui.complain(&Complaint::of_ops(&error));
            exit = Exit::Unchanged;
        }
    }
    exit
}

fn drills(args: &FailoverTestArgs) -> Vec<Drill> {
    if args.all {
        return DRILLS.iter().map(|spec| spec.drill).collect();
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
        Some(CutShort::Stopped { .. }) => Exit::Unchanged,
        None if runs.iter().any(is_lost) => Exit::Mixed,
        None if outcome.report.verdict() != Verdict::Passed => Exit::OverBudget,
        None => Exit::Done,
    }
}
