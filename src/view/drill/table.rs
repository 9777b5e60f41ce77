//! Drills as text for a terminal.

use crate::drill::{Comparison, DrillReport, DrillRun, DrillStats, Trend, Verdict};

use super::words;
use crate::view::paint;
use crate::view::text::{columns, count, indent, wrap};

/// Maximum length of a histogram bar.
const BAR: usize = 30;

pub(crate) fn report_text(report: &DrillReport, comparison: Option<&Comparison>) -> String {
    let all = DrillStats::of(report);
    if all.is_empty() {
        return "Nothing was done.\n".to_owned();
    }
    let mut text = String::new();
    if let [run] = report.runs.as_slice() {
        text.push_str(&wrap(&format!("{}.", words::way(run)), 0, ""));
        text.push('\n');
    }
    text.push_str(&summary(&all));
    for stats in &all {
        text.push('\n');
        let mut runs = report.runs.iter().filter(|run| run.drill == stats.drill);
        text.push_str(&drill(stats, runs.next().filter(|_| stats.runs == 1)));
        text.push_str(&complaints(report, stats));
    }
    text.push('\n');
    text.push_str(&wrap(&measure(report), 0, ""));
    text.push('\n');
    if let Some(comparison) = comparison {
        text.push('\n');
        text.push_str(&comparison_text(comparison));
    }
    text
}

fn summary(all: &[DrillStats]) -> String {
    let heading = ["drill", "runs", "median", "worst", "lost", "back", ""];
    let mut rows = vec![heading.map(paint::faint).to_vec()];
    rows.extend(all.iter().map(|stats| {
        vec![
            stats.drill.spec().name.to_owned(),
            stats.runs.to_string(),
            words::outage(stats.outage_ms.median),
            words::outage(stats.outage_ms.worst),
            words::number(stats.lost.worst),
            stats
                .back_ms
                .map_or_else(String::new, |back| words::milliseconds(back.median)),
            verdict(stats),
        ]
    }));
    columns(&rows)
}

fn verdict(stats: &DrillStats) -> String {
    let text = words::verdict(stats.verdict, stats.budget_ms);
    match stats.verdict {
        Verdict::Passed => paint::good(text),
        _ => paint::bad(text),
    }
}

/// Details that the drill's row in the summary leaves out. A single run gets more of them.
fn drill(stats: &DrillStats, only: Option<&DrillRun>) -> String {
    let mut lines = vec![paint::strong(stats.drill.spec().name)];
    let mut say = |what: &str, text: String| {
        let label = format!("  {what:<12}");
        lines.push(format!("{label}{}", wrap(&text, 14, "              ")));
    };
    let runs = stats.runs;
    say(
        "cut off",
        match only {
            _ if stats.outage_ms.worst <= 0.0 => "never".to_owned(),
            Some(only) => words::cut_off(only),
            None => format!(
                "median {}, best {}, worst {}",
                words::outage(stats.outage_ms.median),
                words::outage(stats.outage_ms.best),
                words::outage(stats.outage_ms.worst)
            ),
        },
    );
    say("requests", requests(stats));
    if let Some(text) = broken(stats) {
        say("held open", text);
    }
    if let Some(phases) = stats.phases {
        let of = if runs > 1 { " (medians)" } else { "" };
        say(
            "phases",
            format!(
                "detection {}, election {}, announcement {}{of}",
                words::milliseconds(phases.detection_ms),
                words::milliseconds(phases.election_ms),
                words::milliseconds(phases.announcement_ms)
            ),
        );
    }
    if let Some(beside) = &stats.beside {
        let outage = beside.outage_ms;
        say(
            "beside",
            format!(
                "{}: cut off median {}, worst {}",
                beside.path,
                words::outage(outage.median),
                words::outage(outage.worst)
            ),
        );
    }
    if let Some(text) = words::predicted(stats) {
        say("predicted", text);
    }
    if let Some(budget) = stats.budget_ms {
        say("budget", words::exactly(budget));
    }
    format!("{}\n{}", lines.join("\n"), histogram(stats))
}

fn requests(stats: &DrillStats) -> String {
    let all = count(stats.requests, "request");
    if stats.clean == stats.runs {
        return format!("none of {all} lost");
    }
    if stats.runs == 1 {
        return format!("{} of {all} lost", words::number(stats.lost.worst));
    }
    format!(
        "{} lost in the median run, {} in the worst; none lost in {}",
        words::number(stats.lost.median),
        words::number(stats.lost.worst),
        words::share(stats.clean, stats.runs)
    )
}

fn broken(stats: &DrillStats) -> Option<String> {
    let mut parts = Vec::new();
    if stats.held > 0 {
        parts.push(words::held(stats));
    }
    if stats.downloads > 0 {
        parts.push(format!(
            "{} of {} cut off",
            stats.downloads_broken,
            count(stats.downloads, "download")
        ));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn histogram(stats: &DrillStats) -> String {
    let most = stats
        .histogram
        .iter()
        .map(|one| one.runs)
        .max()
        .unwrap_or(0);
    let rows = stats.histogram.iter().map(|one| {
        // One # per run, scaled down if that exceeds `BAR`. No bucket disappears.
        let length = if most <= BAR {
            one.runs
        } else {
            (one.runs * BAR).div_ceil(most)
        };
        let label = words::bucket(one.from_ms, one.to_ms);
        let line = format!("  {label:<14}{:>4} {}", one.runs, "#".repeat(length));
        format!("{}\n", line.trim_end())
    });
    rows.collect()
}

/// What is wrong with each run.
fn complaints(report: &DrillReport, stats: &DrillStats) -> String {
    let runs = report.runs.iter().filter(|run| run.drill == stats.drill);
    let several = stats.runs > 1;
    let lines = runs.flat_map(|run: &DrillRun| {
        let whose = if several {
            format!("run {}: ", run.repeat)
        } else {
            String::new()
        };
        words::complaints(run).into_iter().map(move |complaint| {
            let text = wrap(&format!("{whose}{complaint}"), 4, "    ");
            format!("  {} {text}\n", paint::bad("!"))
        })
    });
    lines.collect()
}

/// How it was measured, and how accurately.
fn measure(report: &DrillReport) -> String {
    let offsets = report.runs.iter().flat_map(|run| &run.offsets);
    let error = offsets.map(|offset| offset.error_ms).fold(0.0, f64::max);
    paint::faint(format!(
        "A new connection every {}; hosts' clocks compared to within {}. Profile {}: adverts every {}, {} must be missing.",
        words::exactly(report.probe_interval_ms),
        words::milliseconds(error),
        report.profile,
        words::exactly(report.advert_ms),
        report.down_timer_adverts
    ))
}

pub(crate) fn comparison_text(comparison: &Comparison) -> String {
    let heading = format!("Since {}", comparison.since);
    let mut text = format!("{}\n", paint::strong(heading));
    for difference in &comparison.differs {
        let line = wrap(&format!("different setup: {difference}"), 2, "    ");
        text.push_str(&indent(&paint::warn(line), "  "));
    }
    if comparison.drills.is_empty() {
        text.push_str("The two results have no drill in common.\n");
        return text;
    }
    let heading = [
        "drill",
        "median then",
        "now",
        "worst then",
        "now",
        "runs",
        "",
    ];
    let mut rows = vec![heading.map(paint::faint).to_vec()];
    rows.extend(comparison.drills.iter().map(|one| {
        let trend = words::trend(one.trend);
        vec![
            one.drill.spec().name.to_owned(),
            words::outage(one.then_ms.median),
            words::outage(one.now_ms.median),
            words::outage(one.then_ms.worst),
            words::outage(one.now_ms.worst),
            format!("{}, {}", one.runs_then, one.runs_now),
            match one.trend {
                Trend::Shorter => paint::good(trend),
                Trend::Longer => paint::bad(trend),
                Trend::Same => trend.to_owned(),
                Trend::TooFew => paint::faint(trend),
            },
        ]
    }));
    text.push_str(&columns(&rows));
    let note = format!(
        "A drill counts as longer or shorter if 95 of 100 resamplings of both sets of runs agree, and the \
         medians are more than two requests apart; each set needs {} runs.",
        DrillStats::ENOUGH
    );
    text + &paint::faint(wrap(&note, 0, "")) + "\n"
}
