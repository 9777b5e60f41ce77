//! Every output format of drills.

use super::junit::junit;
use super::page::html;
use super::table::report_text;
use crate::drill::{Comparison, DrillEventKind, DrillReport, Violation, samples};
use crate::view::samples::{coloured, plain};

/// Runs of two drills that fail: over budget, two owners, and not recovered.
fn trouble() -> DrillReport {
    let mut report = samples::report();
    report.runs[1].budget_ms = Some(20.0);
    report.runs[2].violations = vec![
        Violation::TwoOwners {
            at_ms: 17.0,
            length_ms: 4.2,
            nodes: vec![samples::name("lb1"), samples::name("lb2")],
        },
        Violation::Unexplained {
            at_ms: 1402.6,
            to: samples::name("lb1"),
        },
    ];
    report.runs[4].new.recovered = false;
    report.runs[4].after = None;
    report
}

fn one() -> DrillReport {
    let mut report = samples::report();
    report.runs.truncate(1);
    // A second outage when the VIP fails back.
    let gaps = &mut report.runs[0].new.gaps;
    gaps.push(crate::drill::LostStretch {
        at_ms: 1402.0,
        length_ms: 5.0,
        lost: 1,
    });
    report
}

fn slower() -> DrillReport {
    let mut report = samples::report();
    for run in &mut report.runs {
        for gap in &mut run.new.gaps {
            gap.length_ms += 60.0;
        }
    }
    report.profile = "standard".to_owned();
    report
}

#[test]
fn one_run_as_a_table() {
    insta::assert_snapshot!(plain(&report_text(&one(), None)));
}

#[test]
fn several_runs_as_a_table() {
    insta::assert_snapshot!(plain(&report_text(&samples::report(), None)));
}

#[test]
fn trouble_as_a_table() {
    insta::assert_snapshot!(plain(&report_text(&trouble(), None)));
}

#[test]
fn trouble_in_colours() {
    insta::assert_snapshot!(coloured(&report_text(&trouble(), None)));
}

#[test]
fn beside_an_earlier_one() {
    let comparison = Comparison::of(&samples::report(), &slower());
    insta::assert_snapshot!(plain(&report_text(&slower(), Some(&comparison))));
}

#[test]
fn nothing_at_all() {
    let mut report = samples::report();
    report.runs.clear();
    assert_eq!(report_text(&report, None), "Nothing was done.\n");
    assert!(html(&report, None).contains("Nothing was done."));
    assert!(junit(&report).unwrap().contains("tests=\"0\""));
}

#[test]
fn as_junit() {
    insta::assert_snapshot!(junit(&trouble()).unwrap());
}

#[test]
fn as_a_page() {
    let comparison = Comparison::of(&samples::report(), &trouble());
    let page = html(&trouble(), Some(&comparison));
    insta::assert_snapshot!(page.replace(include_str!("page.css"), "…"));
}

#[test]
fn as_tables_of_a_page() {
    let sets = [
        ("fast".to_owned(), vec![samples::report()]),
        ("standard".to_owned(), vec![trouble()]),
        ("guide".to_owned(), Vec::new()),
    ];
    insta::assert_snapshot!(super::markdown::tables(&sets));
    assert_eq!(super::markdown::tables(&[]), "No runs are committed yet.\n");
}

/// What a malicious host or inventory might contain.
const HOSTILE: &str = "]]></style><script>alert(1)</script><!-- ' \" & \u{1b}[31m \u{0} \u{ffff}";

fn hostile() -> DrillReport {
    let mut report = trouble();
    report.cluster = HOSTILE.to_owned();
    report.profile = HOSTILE.to_owned();
    report.started = HOSTILE.to_owned();
    report.hactl = HOSTILE.to_owned();
    let run = &mut report.runs[0];
    run.violations.push(Violation::Unclear {
        why: HOSTILE.to_owned(),
    });
    for what in [
        DrillEventKind::Fault {
            name: HOSTILE.to_owned(),
        },
        DrillEventKind::State {
            state: HOSTILE.to_owned(),
        },
        DrillEventKind::Log {
            unit: HOSTILE.to_owned(),
            line: HOSTILE.to_owned(),
        },
    ] {
        let mut event = run.timeline[3].clone();
        event.what = what;
        run.timeline.insert(4, event);
    }
    report
}

#[test]
fn hostile_text_stays_text_in_a_page() {
    let page = html(&hostile(), None);
    assert!(!page.contains("<script"), "a script got in");
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains("<!--"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let is_odd = |c: char| c.is_control() && c != '\n';
    assert_eq!(page.find(is_odd), None);
}

#[test]
fn hostile_text_stays_text_in_xml() {
    let xml = junit(&hostile()).unwrap();
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut cases = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(element) => {
                assert!(element.attributes().all(|one| one.is_ok()));
                let known = [
                    "testsuites",
                    "testsuite",
                    "testcase",
                    "properties",
                    "failure",
                    "system-out",
                ];
                let name = element.name();
                let name: &str = name.as_ref();
                assert!(known.contains(&name), "{name}");
                cases += usize::from(name == "testcase");
            }
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(cases, 6);
    let is_illegal = |c: char| (c.is_control() && c != '\n') || c == '\u{ffff}';
    assert_eq!(xml.find(is_illegal), None);
}

/// The record that end-to-end tests read. `UPDATE=1` rewrites it.
#[test]
fn the_sample_record_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drills/trouble.json");
    let expected = format!("{:#}\n", serde_json::to_value(trouble()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let actual = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        actual == expected,
        "tests/drills/trouble.json is stale: UPDATE=1 writes it"
    );
}
