//! What happens on a node; nodes on which the same happens share a block.

use super::diff::{action_mark, cause_words};
use super::drift::drift_words;
use super::paint;
use super::text::{WIDTH, columns, comma, indent, wrap};
use crate::plan::{Goal, NodePlan, Plan, UnitAction};

/// Where a row's words begin.
const LABEL: usize = 12;

/// The blocks of all nodes that change or drift.
pub(super) fn nodes_text(plan: &Plan) -> String {
    let mut blocks: Vec<(String, Vec<&NodePlan>)> = Vec::new();
    for node in &plan.nodes {
        let body = body(node, plan);
        if body.is_empty() {
            continue;
        }
        match blocks.iter_mut().find(|(known, _)| *known == body) {
            Some((_, nodes)) => nodes.push(node),
            None => blocks.push((body, vec![node])),
        }
    }
    blocks
        .iter()
        .map(|(body, nodes)| format!("{}{body}\n", header(nodes, plan)))
        .collect()
}

fn header(nodes: &[&NodePlan], plan: &Plan) -> String {
    let names: Vec<_> = nodes.iter().map(|node| &node.node).collect();
    let mut facts = Vec::new();
    if nodes.iter().any(|node| !node.is_empty()) {
        facts.push(generation_words(nodes, plan));
    }
    for node in nodes.iter().filter(|node| !node.holds.is_empty()) {
        let who = if nodes.len() == 1 {
            String::new()
        } else {
            format!("{} ", node.node)
        };
        facts.push(format!("{who}holds {}", comma(&node.holds)));
    }
    format!(
        "{}  {}\n",
        paint::strong(comma(&names)),
        paint::faint(facts.join(", "))
    )
}

fn generation_words(nodes: &[&NodePlan], plan: &Plan) -> String {
    let next = match plan.goal {
        Goal::Rollback { to: 0 } => 0,
        _ => plan.next_generation,
    };
    let live = nodes.first().and_then(|node| node.generation);
    let is_shared = nodes.iter().all(|node| node.generation == live);
    match live {
        Some(live) if is_shared => format!("generation {live} -> {next}"),
        _ => format!("generation {next}"),
    }
}

/// Everything but the names; empty when nothing happens and nothing is wrong.
fn body(node: &NodePlan, plan: &Plan) -> String {
    let mut text = String::new();
    let mut row = |label: &str, words: &str| {
        text.push_str(&labelled_row(label, words));
    };
    for (index, drift) in node.drift.iter().enumerate() {
        let label = if index == 0 { "running" } else { "" };
        row(label, &paint::warn(drift_words(drift)));
    }
    if !node.install.is_empty() {
        row("packages", &format!("install {}", comma(&node.install)));
    }
    if node.remove_packages {
        row("packages", "remove those that hactl installed");
    }
    let files: Vec<Vec<String>> = node
        .files
        .iter()
        .map(|file| {
            let path = format!("{} {}", action_mark(file.action), file.path);
            vec![path, paint::faint(cause_words(file.cause, plan.goal))]
        })
        .collect();
    for (index, line) in columns(&files).lines().enumerate() {
        row(if index == 0 { "files" } else { "" }, line);
    }
    for (index, sysctl) in node.sysctls.iter().enumerate() {
        let label = if index == 0 { "kernel" } else { "" };
        let now = sysctl.kernel.as_deref().unwrap_or("no such key");
        row(label, &format!("{} {now} -> {}", sysctl.key, sysctl.wanted));
    }
    if !node.is_empty() {
        row("service", &service_words(node));
    }
    text.push_str(&tests_text(node));
    text
}

fn labelled_row(label: &str, words: &str) -> String {
    let hanging = " ".repeat(LABEL);
    let words = wrap(words, WIDTH - LABEL, &hanging);
    format!("  {label:<width$}{words}\n", width = LABEL - 2)
}

fn action_words(program: &str, action: UnitAction, reason: Option<&str>) -> Option<String> {
    let words = match action {
        UnitAction::None => return None,
        UnitAction::Reload => format!("{program} reloads"),
        UnitAction::Restart => paint::warn(format!("{program} restarts")),
        UnitAction::Start => format!("{program} starts"),
        UnitAction::Stop => paint::warn(format!("{program} stops")),
    };
    Some(match reason {
        Some(reason) => format!("{words} ({reason})"),
        None => words,
    })
}

/// What users of the service notice.
fn service_words(node: &NodePlan) -> String {
    let reason = node.restart_reason.as_deref();
    let nginx = action_words("nginx", node.nginx, reason);
    let keepalived = action_words("keepalived", node.keepalived, None);
    let mut words: Vec<String> = nginx.into_iter().chain(keepalived).collect();
    if words.is_empty() {
        words.push("nothing restarts or reloads".to_owned());
    }
    if node.moves_vip() {
        words.push(paint::warn(format!("{} moves away", comma(&node.holds))));
    } else if !node.holds.is_empty() {
        words.push(format!("{} stays", comma(&node.holds)));
    }
    words.join(", ")
}

/// One line when all passed, a daemon's own words when it refuses.
fn tests_text(node: &NodePlan) -> String {
    let passed: Vec<String> = node
        .tests
        .iter()
        .filter(|test| node.failed_tests().all(|failed| failed != *test))
        .map(|test| format!("{} -t passed", test.program))
        .collect();
    let mut text = String::new();
    if !passed.is_empty() {
        text.push_str(&labelled_row("tests", &paint::good(passed.join(", "))));
    }
    for test in node.failed_tests() {
        let words = format!("{} -t refuses the files (exit code {})", test.program, test.code);
        text.push_str(&labelled_row("tests", &paint::bad(words)));
        text.push_str(&indent(&test.output, &" ".repeat(LABEL)));
    }
    text
}
