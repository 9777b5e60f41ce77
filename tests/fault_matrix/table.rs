//! The generated table in docs/reliability.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::bench::Verb;
use crate::fault::Fault;
use crate::judge::Rest;
use crate::run::Outcome;
use crate::steps::Step;

const BEGIN: &str = "<!-- the fault matrix: written by its last run -->\n";
const END: &str = "<!-- the end of the fault matrix -->\n";

/// Results by fault and step.
pub(crate) type Results = BTreeMap<(Fault, String), (Verb, Result<Outcome, String>)>;

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md")
}

/// The generated part of the page.
pub(crate) fn written() -> String {
    let text = fs::read_to_string(page()).unwrap();
    let part = text
        .split(BEGIN)
        .nth(1)
        .and_then(|rest| rest.split(END).next());
    part.unwrap_or_default().to_owned()
}

pub(crate) fn write(part: &str) {
    let text = fs::read_to_string(page()).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    fs::write(page(), format!("{head}{BEGIN}{part}{END}{tail}")).unwrap();
}

/// A step's line in the legend.
pub(crate) fn legend(number: usize, step: &Step) -> String {
    format!("{number}. {}\n", step.name())
}

/// The counts, the legend and the table.
pub(crate) fn render(steps: &[Step], results: &Results, took: Duration) -> String {
    let mut text = String::new();
    let all: Vec<&Outcome> = results
        .values()
        .filter_map(|(_, it)| it.as_ref().ok())
        .collect();
    let count = |test: &dyn Fn(&Outcome) -> bool| all.iter().filter(|it| test(it)).count();
    let _ = writeln!(
        text,
        "{} combinations in {} minutes: {} ended old, {} new, {} open, {} not as promised.\nA combination took {:.1} s in the median and {:.0} s at most.\n",
        results.len(),
        took.as_secs().div_ceil(60),
        count(&|it| !it.is_new && it.rest != Rest::Open),
        count(&|it| it.is_new),
        count(&|it| it.rest == Rest::Open),
        results.len() - all.len(),
        median(&all),
        all.iter()
            .map(|it| it.took.as_secs_f64())
            .fold(0.0, f64::max),
    );
    for (number, step) in (1..).zip(steps) {
        text.push_str(&legend(number, step));
    }
    let _ = write!(text, "\n| fault |");
    for number in 1..=steps.len() {
        let _ = write!(text, " {number} |");
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(steps.len()));
    for fault in Fault::ALL {
        let _ = write!(text, "| {} |", fault.name());
        for step in steps {
            let _ = write!(text, " {} |", cell(results.get(&(fault, step.name()))));
        }
        text.push('\n');
    }
    text
}

fn cell(found: Option<&(Verb, Result<Outcome, String>)>) -> String {
    let Some((verb, result)) = found else {
        return String::new();
    };
    let text = match result {
        Err(_) => "**fails**".to_owned(),
        Ok(it) => {
            let code = it.code.map_or("–".to_owned(), |code| code.to_string());
            let side = if it.is_new { "new" } else { "old" };
            let (end, mark) = match it.rest {
                Rest::Nothing => (side, ""),
                Rest::Lock => (side, "\\*"),
                Rest::Open => ("open", "\\*"),
            };
            format!("{end} {code}{mark}")
        }
    };
    match verb {
        Verb::Apply => text,
        Verb::Rollback => format!("*{text}*"),
    }
}

fn median(all: &[&Outcome]) -> f64 {
    let mut seconds: Vec<f64> = all.iter().map(|it| it.took.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or_default()
}
