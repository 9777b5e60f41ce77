//! Drills as one self-contained HTML page.

use crate::drill::{Comparison, DrillReport, DrillRun, DrillStats, Trend, Verdict};
use crate::view::text::{comma, count};

use super::glance::glance;
use super::markup::{Element, el};
use super::timeline::{View, timeline};
use super::words;

/// How many failed runs of a drill are drawn, besides its worst run.
const MOST_DRAWN: usize = 4;

pub fn html(report: &DrillReport, comparison: Option<&Comparison>) -> String {
    let all = DrillStats::of(report);
    let title = format!("Failover drills of {}", report.cluster);
    let body = el("body")
        .child(
            el("header")
                .child(el("h1").text(&title))
                .child(facts(report)),
        )
        .child(el("main").children(main(report, &all, comparison)));
    let head = el("head")
        .child(el("meta").attr("charset", "utf-8"))
        .child(
            el("meta")
                .attr("name", "viewport")
                .attr("content", "width=device-width, initial-scale=1"),
        )
        .child(
            // Even if markup slipped through the escaping, it could neither run nor fetch anything.
            el("meta")
                .attr("http-equiv", "Content-Security-Policy")
                .attr("content", "default-src 'none'; style-src 'unsafe-inline'"),
        )
        .child(el("title").text(&title))
        .child(el("style").own(include_str!("page.css")));
    let page = el("html").attr("lang", "en").child(head).child(body);
    format!("<!doctype html>\n{}", page.html())
}

fn main(report: &DrillReport, all: &[DrillStats], comparison: Option<&Comparison>) -> Vec<Element> {
    if all.is_empty() {
        return vec![el("p").class("verdict bad").text("Nothing was done.")];
    }
    let mut parts = vec![verdict(all)];
    parts.extend(everything_wrong(report));
    parts.push(summary(all));
    parts.push(scrolling("How long users were cut off", glance(all)));
    parts.push(legend(&[
        "dot: the median run",
        "line: best to worst",
        "box: predicted",
        "upright mark: budget",
    ]));
    parts.extend(comparison.map(compared));
    parts.extend(all.iter().map(|stats| drill(report, stats)));
    parts.push(clocks(report));
    parts
}

fn facts(report: &DrillReport) -> Element {
    let text = format!(
        "{}. {}: {}. Profile {}: adverts every {}, {} must be missing. hactl {}.",
        report.started,
        count(report.nodes.len(), "node"),
        comma(&report.nodes),
        report.profile,
        words::exactly(report.advert_ms),
        report.down_timer_adverts,
        report.hactl
    );
    el("p").class("soft").text(text)
}

fn verdict(all: &[DrillStats]) -> Element {
    let failed = all
        .iter()
        .filter(|one| one.verdict != Verdict::Passed)
        .count();
    let runs: usize = all.iter().map(|one| one.runs).sum();
    let of = format!("{} in {}", count(all.len(), "drill"), count(runs, "run"));
    let line = el("p");
    match failed {
        0 => line.class("verdict good").text(format!("✓ Passed: {of}")),
        failed => line
            .class("verdict bad")
            .text(format!("✗ Failed: {failed} of {of}")),
    }
}

fn everything_wrong(report: &DrillReport) -> Option<Element> {
    let wrong = report.runs.iter().flat_map(|run| {
        let whose = format!("{}, run {}: ", run.drill.spec().name, run.repeat);
        let complaints = words::complaints(run).into_iter();
        complaints.map(move |complaint| el("li").child(el("strong").text(&whose)).text(complaint))
    });
    let items: Vec<Element> = wrong.collect();
    (!items.is_empty()).then(|| {
        el("section")
            .class("wrong")
            .child(el("h2").text("What went wrong"))
            .child(el("ul").children(items))
    })
}

fn heading(names: &[&'static str]) -> Element {
    let cells = names
        .iter()
        .map(|name| el("th").attr("scope", "col").text(name));
    el("thead").child(el("tr").children(cells))
}

fn cell(label: &'static str, value: impl std::fmt::Display) -> Element {
    el("td").attr("data-label", label).text(value)
}

fn verdict_cell(stats: &DrillStats) -> Element {
    let (sign, class) = match stats.verdict {
        Verdict::Passed => ("✓", "is-good"),
        _ => ("✗", "is-bad"),
    };
    let text = words::verdict(stats.verdict, stats.budget_ms);
    el("td")
        .class(class)
        .attr("data-label", "result")
        .text(format!("{sign} {text}"))
}

fn summary(all: &[DrillStats]) -> Element {
    let rows = all.iter().map(|stats| {
        let name = stats.drill.spec().name;
        el("tr")
            .child(
                el("th")
                    .attr("scope", "row")
                    .child(el("a").attr("href", format!("#{name}")).text(name)),
            )
            .child(cell("runs", stats.runs))
            .child(cell("median", words::outage(stats.outage_ms.median)))
            .child(cell("worst", words::outage(stats.outage_ms.worst)))
            .child(cell("lost at worst", words::number(stats.lost.worst)))
            .child(cell("back after", back(stats)))
            .child(cell(
                "budget",
                stats.budget_ms.map_or_else(String::new, words::exactly),
            ))
            .child(verdict_cell(stats))
    });
    el("table")
        .class("cards")
        .child(
            el("caption")
                .text("How long users were cut off, and how many of their requests were lost"),
        )
        .child(heading(&[
            "drill",
            "runs",
            "median",
            "worst",
            "lost at worst",
            "back after",
            "budget",
            "result",
        ]))
        .child(el("tbody").children(rows))
}

fn back(stats: &DrillStats) -> String {
    stats
        .back_ms
        .map_or_else(String::new, |back| words::milliseconds(back.median))
}

fn compared(comparison: &Comparison) -> Element {
    let differs = comparison.differs.iter();
    let section = el("section")
        .child(el("h2").text(format!("Since {}", comparison.since)))
        .children(differs.map(|text| el("p").text(format!("Different setup: {text}"))));
    let rows = comparison.drills.iter().map(|one| {
        let (sign, class) = match one.trend {
            Trend::Shorter => ("▼", "is-good"),
            Trend::Longer => ("▲", "is-bad"),
            Trend::Same | Trend::TooFew => ("=", "soft"),
        };
        el("tr")
            .child(el("th").attr("scope", "row").text(one.drill.spec().name))
            .child(cell("median then", words::outage(one.then_ms.median)))
            .child(cell("median now", words::outage(one.now_ms.median)))
            .child(cell("worst then", words::outage(one.then_ms.worst)))
            .child(cell("worst now", words::outage(one.now_ms.worst)))
            .child(cell(
                "runs",
                format!("{} and {}", one.runs_then, one.runs_now),
            ))
            .child(
                el("td")
                    .class(class)
                    .attr("data-label", "trend")
                    .text(format!("{sign} {}", words::trend(one.trend))),
            )
    });
    section.child(
        el("table")
            .class("cards")
            .child(heading(&[
                "drill",
                "median then",
                "median now",
                "worst then",
                "worst now",
                "runs",
                "trend",
            ]))
            .child(el("tbody").children(rows)),
    )
}

fn drill(report: &DrillReport, stats: &DrillStats) -> Element {
    let name = stats.drill.spec().name;
    let runs: Vec<&DrillRun> = report
        .runs
        .iter()
        .filter(|run| run.drill == stats.drill)
        .collect();
    el("section")
        .attr("id", name)
        .child(el("h2").text(name))
        .child(figures(stats))
        .children(histogram(stats))
        .child(legend(&[
            "blue bar: has the VIP",
            "hatched: requests are lost",
            "dotted frame: nginx does not answer",
            "dashed frame: cannot be reached",
            "arrow: the VIP moves",
        ]))
        .children(
            drawn(&runs)
                .into_iter()
                .flat_map(|run| drawing(report, run, runs.len())),
        )
}

/// The worst run and the first failed runs, in order.
fn drawn<'a>(runs: &[&'a DrillRun]) -> Vec<&'a DrillRun> {
    let key = |run: &DrillRun| (run.verdict(), run.outage_ms());
    let worst = runs.iter().max_by(|one, other| {
        let (one, other) = (key(one), key(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    let wrong = runs.iter().filter(|run| run.verdict() != Verdict::Passed);
    let mut drawn: Vec<&DrillRun> = wrong.take(MOST_DRAWN).copied().collect();
    drawn.extend(worst.filter(|worst| !drawn.iter().any(|run| run.repeat == worst.repeat)));
    drawn.sort_by_key(|run| run.repeat);
    drawn
}

fn figures(stats: &DrillStats) -> Element {
    let mut list = el("dl");
    let mut say = |name: &'static str, value: String| {
        let before = std::mem::replace(&mut list, el("dl"));
        list = before
            .child(el("dt").text(name))
            .child(el("dd").text(value));
    };
    let spread = stats.outage_ms;
    say(
        "Cut off",
        format!(
            "median {}, best {}, worst {}",
            words::outage(spread.median),
            words::outage(spread.best),
            words::outage(spread.worst)
        ),
    );
    say("No request lost in", words::share(stats.clean, stats.runs));
    say(
        "Requests lost",
        format!(
            "median {}, worst {}, of {} in all",
            words::number(stats.lost.median),
            words::number(stats.lost.worst),
            stats.requests
        ),
    );
    if let Some(beside) = &stats.beside {
        let outage = beside.outage_ms;
        say(
            "On another path",
            format!(
                "{}: median {}, worst {}",
                beside.path,
                words::outage(outage.median),
                words::outage(outage.worst)
            ),
        );
    }
    if stats.held > 0 {
        say("Held open", words::held(stats));
    }
    if stats.downloads > 0 {
        say(
            "Downloads broken",
            format!("{} of {}", stats.downloads_broken, stats.downloads),
        );
    }
    if let Some(phases) = stats.phases {
        say(
            "Phases, medians",
            format!(
                "detection {}, election {}, announcement {}",
                words::milliseconds(phases.detection_ms),
                words::milliseconds(phases.election_ms),
                words::milliseconds(phases.announcement_ms)
            ),
        );
    }
    if let Some(back) = stats.back_ms {
        say(
            "VIP in its final place",
            format!(
                "median {}, worst {} after the fault's end",
                words::milliseconds(back.median),
                words::milliseconds(back.worst)
            ),
        );
    }
    if let Some(text) = words::predicted(stats) {
        say("Predicted", text);
    }
    if let Some(budget) = stats.budget_ms {
        say("Budget", words::exactly(budget));
    }
    list
}

fn histogram(stats: &DrillStats) -> Option<Element> {
    let most = stats.histogram.iter().map(|one| one.runs).max()?;
    let rows = stats.histogram.iter().map(|one| {
        let bar = el("span")
            .class("bar")
            .attr("style", format!("width:{}%", one.runs * 100 / most.max(1)));
        let row = el("tr")
            .child(
                el("th")
                    .attr("scope", "row")
                    .text(words::bucket(one.from_ms, one.to_ms)),
            )
            .child(el("td").text(one.runs));
        // Bars have a minimum width, so an empty bucket gets none.
        let cell = el("td").attr("aria-hidden", "true");
        row.child(if one.runs > 0 { cell.child(bar) } else { cell })
    });
    Some(
        el("table")
            .class("bars")
            .child(el("caption").text("Runs by how long users were cut off"))
            .child(el("tbody").children(rows)),
    )
}

fn drawing(report: &DrillReport, run: &DrillRun, of: usize) -> Vec<Element> {
    let name = run.drill.spec().name;
    let id = |view: &str| format!("{name}-{}-{view}", run.repeat);
    let which = match (of, run.verdict()) {
        (1, _) => words::way(run),
        (_, Verdict::Passed) => {
            format!("The worst run, {} of {of}: {}", run.repeat, words::way(run))
        }
        _ => format!("Run {} of {of}: {}", run.repeat, words::way(run)),
    };
    let mut parts = vec![el("h3").text(which)];
    let complaints = words::complaints(run);
    if !complaints.is_empty() {
        let items = complaints.into_iter().map(|text| el("li").text(text));
        parts.push(el("div").class("wrong").child(el("ul").children(items)));
    }
    let whole = scrolling(
        &format!("{name}, run {}, all of it", run.repeat),
        timeline(report, run, View::whole(run), &id("whole")),
    );
    match View::close(run) {
        Some(view) => {
            parts.push(el("p").class("soft").text("Around the fault:"));
            parts.push(scrolling(
                &format!("{name}, run {}, around the fault", run.repeat),
                timeline(report, run, view, &id("close")),
            ));
            parts.push(el("p").class("soft").text("All of it:"));
            parts.push(whole);
        }
        None => parts.push(whole),
    }
    parts.push(events(run));
    parts
}

/// All events of the run as a table, including those that the drawing leaves out.
fn events(run: &DrillRun) -> Element {
    let rows = run.timeline.iter().map(|event| {
        let node = event.node.as_ref().map_or("outside", |node| node.as_str());
        el("tr")
            .child(el("td").text(words::milliseconds(event.at_ms)))
            .child(el("td").text(node))
            .child(el("td").text(words::event(&event.what)))
    });
    el("details")
        .child(el("summary").text(format!("All {}", count(run.timeline.len(), "event"))))
        .child(
            el("table")
                .child(heading(&["since the fault", "where", "what"]))
                .child(el("tbody").children(rows)),
        )
}

/// How accurate the times are.
fn clocks(report: &DrillReport) -> Element {
    let rows = report.nodes.iter().filter_map(|node| {
        let own = || {
            let offsets = report.runs.iter().flat_map(|run| &run.offsets);
            offsets.filter(move |offset| offset.node == *node)
        };
        let farthest = own()
            .map(|own| own.offset_ms)
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        let error = own().map(|own| own.error_ms).fold(0.0, f64::max);
        Some(
            el("tr")
                .child(el("th").attr("scope", "row").text(node))
                .child(el("td").text(words::milliseconds(farthest)))
                .child(el("td").text(words::milliseconds(error))),
        )
    });
    let text = format!(
        "A new connection through the VIP every {}; an outage is from the first lost request to the \
         beginning of the next one that was answered. Host times are converted to the operator's \
         clock; what clock errors could explain does not count as a violation.",
        words::exactly(report.probe_interval_ms)
    );
    el("section")
        .child(el("h2").text("How it was measured"))
        .child(el("p").text(text))
        .child(
            el("table")
                .child(
                    el("caption").text("Host clocks against the operator's, the worst of all runs"),
                )
                .child(heading(&["node", "off by", "known to within"]))
                .child(el("tbody").children(rows)),
        )
}

fn legend(items: &[&'static str]) -> Element {
    el("ul")
        .class("legend")
        .children(items.iter().map(|item| el("li").text(item)))
}

/// Makes a drawing scroll sideways on narrow screens, with the keyboard too.
fn scrolling(label: &str, drawing: Element) -> Element {
    el("div")
        .class("scroll")
        .attr("tabindex", 0)
        .attr("role", "region")
        .attr("aria-label", label)
        .child(drawing)
}
