//! Text for what keeps nodes from serving or taking over, before and after a change.

use super::paint;
use super::text::labelled;
use crate::check::Rule;
use crate::health::Problem;

/// A problem, with the id of its rule and the fix.
pub(super) fn problem_words(problem: &Problem) -> String {
    match Rule::of_problem(problem) {
        Some(rule) => format!("{problem} ({}: {})", rule.id, rule.fix),
        None => problem.to_string(),
    }
}

/// Current problems. Daemons that are down count as drift, and are shown there.
pub(super) fn problems_text(problems: &[Problem]) -> String {
    let label = paint::warn_label("problem:");
    let is_drift = |problem: &&Problem| matches!(problem, Problem::DaemonDown { .. });
    let shown = problems.iter().filter(|problem| !is_drift(problem));
    shown
        .map(|problem| labelled(&label, &problem_words(problem), "         "))
        .collect()
}

/// Problems that existed before the change and persist.
pub(super) fn remaining_text(problems: &[Problem]) -> String {
    let label = paint::warn("Still wrong, as before:");
    problems
        .iter()
        .map(|problem| labelled(&label, &problem_words(problem), "  "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{InstanceState, PeerAnswer};
    use crate::health::{FaultCause, UnusableScript};
    use crate::model::NodeName;
    use crate::model::UnitId;

    #[test]
    fn problems_before_and_after_a_change() {
        let node = || NodeName::new("lb2").unwrap();
        let problems = [
            Problem::NoOwner {
                vip: "10.0.0.100".parse().unwrap(),
            },
            Problem::DaemonDown {
                node: node(),
                daemon: UnitId::NGINX,
            },
            Problem::NotElectable {
                node: node(),
                instance: "VI_1".to_owned(),
                state: InstanceState::Fault,
                seconds: Some(250),
                causes: vec![FaultCause::AddressMissing {
                    address: "10.0.0.12".parse().unwrap(),
                }],
            },
            Problem::Unreachable {
                node: node(),
                address: "10.0.0.12".parse().unwrap(),
                port: 80,
                answer: PeerAnswer::Silent,
            },
            Problem::ScriptUnusable {
                node: node(),
                path: "/etc/keepalived/notify.sh".to_owned(),
                script: UnusableScript::Missing,
            },
        ];
        let text = problems_text(&problems) + &remaining_text(&problems[2..3]);
        insta::assert_snapshot!(crate::view::samples::plain(&text));
    }
}
