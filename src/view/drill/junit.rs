//! Drills as JUnit XML for CI systems, one test case per run.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};

use crate::drill::{DrillReport, DrillRun, Verdict};

use super::words;

type Out = Writer<Vec<u8>>;

pub fn junit(report: &DrillReport) -> std::io::Result<String> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let totals = Totals::of(report);
    let suites =
        totals.on(BytesStart::new("testsuites").with_attributes([("name", "hactl failover-test")]));
    inside(&mut out, suites, |out| suite(out, report, &totals))?;
    let mut text = out.into_inner();
    text.push(b'\n');
    String::from_utf8(text).map_err(std::io::Error::other)
}

struct Totals {
    tests: usize,
    failures: usize,
    seconds: f64,
}

impl Totals {
    fn of(report: &DrillReport) -> Self {
        let failed = |run: &&DrillRun| run.verdict() != Verdict::Passed;
        Self {
            tests: report.runs.len(),
            failures: report.runs.iter().filter(failed).count(),
            seconds: report.runs.iter().map(seconds).sum(),
        }
    }

    fn on<'a>(&self, mut element: BytesStart<'a>) -> BytesStart<'a> {
        attribute(&mut element, "tests", &self.tests.to_string());
        attribute(&mut element, "failures", &self.failures.to_string());
        attribute(&mut element, "errors", "0");
        attribute(&mut element, "time", &format!("{:.3}", self.seconds));
        element
    }
}

/// Duration of the observed run.
fn seconds(run: &DrillRun) -> f64 {
    (run.end_ms - run.begin_ms).max(0.0) / 1000.0
}

fn suite(out: &mut Out, report: &DrillReport, totals: &Totals) -> std::io::Result<()> {
    let mut suite = BytesStart::new("testsuite");
    attribute(
        &mut suite,
        "name",
        &format!("failover-test {}", report.cluster),
    );
    let mut suite = totals.on(suite);
    attribute(&mut suite, "skipped", "0");
    // The JUnit schema allows no time zone, so RFC 3339's `Z` is dropped. The time is UTC.
    let timestamp = report.started.split(['.', 'Z', '+']).next();
    attribute(&mut suite, "timestamp", timestamp.unwrap_or_default());
    inside(out, suite, |out| {
        properties(
            out,
            &[
                ("hactl", report.hactl.clone()),
                ("cluster", report.cluster.clone()),
                ("profile", report.profile.clone()),
                ("advert_ms", report.advert_ms.to_string()),
                ("down_timer_adverts", report.down_timer_adverts.to_string()),
                ("probe_interval_ms", report.probe_interval_ms.to_string()),
            ],
        )?;
        report
            .runs
            .iter()
            .try_for_each(|run| case(out, report, run))
    })
}

fn case(out: &mut Out, report: &DrillReport, run: &DrillRun) -> std::io::Result<()> {
    let mut case = BytesStart::new("testcase");
    let name = run.drill.spec().name;
    attribute(
        &mut case,
        "classname",
        &format!("{}.{name}", report.cluster),
    );
    attribute(
        &mut case,
        "name",
        &format!("{name} on {}, run {}", run.node, run.repeat),
    );
    attribute(&mut case, "time", &format!("{:.3}", seconds(run)));
    inside(out, case, |out| {
        if run.verdict() != Verdict::Passed {
            failure(out, run)?;
        }
        // The JUnit schema allows properties only on a suite, so a case's figures go to `system-out`.
        inside(out, BytesStart::new("system-out"), |out| {
            out.write_event(Event::Text(BytesText::new(&legal(&figures(run)))))
        })
    })
}

fn failure(out: &mut Out, run: &DrillRun) -> std::io::Result<()> {
    let complaints = words::complaints(run);
    let mut failure = BytesStart::new("failure");
    let first = complaints.first().map_or("", String::as_str);
    attribute(&mut failure, "message", first);
    let kind = match run.verdict() {
        Verdict::Passed | Verdict::OverBudget => "over-budget",
        Verdict::Violated => "violation",
        Verdict::NotRecovered => "not-recovered",
    };
    attribute(&mut failure, "type", kind);
    inside(out, failure, |out| {
        let text = legal(&complaints.join("\n"));
        out.write_event(Event::Text(BytesText::new(&text)))
    })
}

/// One `name=value` line per figure.
fn figures(run: &DrillRun) -> String {
    let three = |value: f64| format!("{value:.3}");
    let figures = [
        ("vip", Some(run.vip.to_string())),
        ("outage_ms", Some(three(run.outage_ms()))),
        ("lost", Some(run.new.lost.to_string())),
        ("requests", Some(run.new.count.to_string())),
        ("held_broken", Some(run.held.broken.to_string())),
        ("back_ms", run.back_ms.map(three)),
        ("budget_ms", run.budget_ms.map(three)),
    ];
    let said = figures
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    said.collect::<Vec<_>>().join("\n")
}

fn properties(out: &mut Out, properties: &[(&str, String)]) -> std::io::Result<()> {
    inside(out, BytesStart::new("properties"), |out| {
        properties.iter().try_for_each(|(name, value)| {
            let mut property = BytesStart::new("property");
            attribute(&mut property, "name", name);
            attribute(&mut property, "value", value);
            out.write_event(Event::Empty(property))
        })
    })
}

fn inside(
    out: &mut Out,
    start: BytesStart<'_>,
    content: impl FnOnce(&mut Out) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let end = start.to_end().into_owned();
    out.write_event(Event::Start(start))?;
    content(out)?;
    out.write_event(Event::End(end))
}

fn attribute(element: &mut BytesStart<'_>, name: &str, value: &str) {
    element.push_attribute((name, legal(value).as_str()));
}

/// Replaces characters that XML 1.0 forbids even when escaped.
fn legal(text: &str) -> String {
    let is_legal = |c: char| {
        matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    let replace = |c| if is_legal(c) { c } else { '\u{fffd}' };
    text.chars().map(replace).collect()
}
