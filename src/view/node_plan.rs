//! What a plan does on each node. Nodes with the same changes share a block.

use std::net::IpAddr;

use super::cause::{action_mark, cause_words, is_by_hand};
use super::drift::drift_words;
use super::effect::{has_election, service_words};
use super::paint;
use super::text::{and, comma, indent, without_log_prefix, wrap};
use crate::agent::TestVerdict;
use crate::check::Rule;
use crate::plan::{Change, Course, FileChange, NodePlan, Plan, SysctlChange};
use crate::units;

/// The column in which the text of a row starts.
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
    let block = |(body, nodes): &(String, Vec<&NodePlan>)| {
        format!("{}{body}{}\n", header(nodes, plan), vip_row(nodes, plan))
    };
    blocks.iter().map(block).collect()
}

fn header(nodes: &[&NodePlan], plan: &Plan) -> String {
    let mut names: Vec<_> = nodes.iter().map(|node| &node.node).collect();
    names.sort();
    let generation = if nodes.iter().any(|node| !node.is_empty()) {
        generation_words(nodes, plan)
    } else {
        "nothing changes".to_owned()
    };
    format!(
        "{}  {}\n",
        paint::strong(comma(&names)),
        paint::faint(generation)
    )
}

fn generation_words(nodes: &[&NodePlan], plan: &Plan) -> String {
    let next = plan.generation;
    let live = nodes.first().and_then(|node| node.generation);
    let is_shared = nodes.iter().all(|node| node.generation == live);
    match live {
        Some(live) if is_shared => format!("generation {live} -> {next}"),
        None if is_shared => format!("generation {next}, its first"),
        _ => format!("generation {next}"),
    }
}

/// Everything but the names and the VIPs. Empty when nothing changes and nothing is wrong.
fn body(node: &NodePlan, plan: &Plan) -> String {
    let mut text = String::new();
    let mut rows = |label: &str, lines: Vec<String>| {
        for (index, line) in lines.iter().enumerate() {
            text.push_str(&row(if index == 0 { label } else { "" }, line));
        }
    };
    rows(
        "running",
        node.drift
            .iter()
            .map(|drift| paint::warn(drift_words(drift)))
            .collect(),
    );
    let packages = node.packages();
    if !packages.is_empty() {
        rows(
            "packages",
            vec![format!(
                "{} {} and dependencies",
                paint::good("+"),
                and(&packages)
            )],
        );
    }
    if node.changes.contains(&Change::RemovePackages) {
        rows(
            "packages",
            vec![format!("{} those that hactl installed", paint::bad("-"))],
        );
    }
    rows("files", file_lines(node, plan));
    rows("kernel", node.sysctls().map(sysctl_words).collect());
    if node.changes.contains(&Change::Members) {
        rows("record", vec!["the nodes of the cluster".to_owned()]);
    }
    if !node.is_empty() {
        rows("services", vec![service_words(&[node])]);
    }
    text.push_str(&tests_text(node));
    text
}

fn sysctl_words(sysctl: &SysctlChange) -> String {
    // Some keys are unset by default, others appear with a kernel module.
    let value = |value: Option<&str>| {
        value
            .filter(|value| *value != "-")
            .unwrap_or("unset")
            .to_owned()
    };
    let (now, wanted) = (value(sysctl.kernel.as_deref()), value(Some(&sysctl.wanted)));
    format!("{} {now} -> {wanted}", sysctl.key)
}

/// The files, grouped by cause.
fn file_lines(node: &NodePlan, plan: &Plan) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&FileChange>)> = Vec::new();
    for file in node.files() {
        let words = format!("{}:", cause_words(file, plan.goal));
        let words = if is_by_hand(file) {
            paint::warn(words)
        } else {
            words
        };
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, files)) => files.push(file),
            None => groups.push((words, vec![file])),
        }
    }
    let mut lines = Vec::new();
    for (words, mut files) in groups {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        lines.push(words);
        let line = |file: &&FileChange| format!("  {} {}", action_mark(file.action), file.path);
        lines.extend(files.iter().map(line));
    }
    lines
}

fn row(label: &str, words: &str) -> String {
    let hanging = " ".repeat(LABEL);
    let words = wrap(words, LABEL, &hanging);
    format!("  {label:<width$}{words}\n", width = LABEL - 2)
}

/// The VIPs that the nodes hold, and what happens to them.
fn vip_row(nodes: &[&NodePlan], plan: &Plan) -> String {
    let words: Vec<String> = nodes
        .iter()
        .flat_map(|node| held_words(node, plan))
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        row("vip", &comma(&words))
    }
}

fn held_words(node: &NodePlan, plan: &Plan) -> Vec<String> {
    let mut groups: Vec<((&str, String), Vec<IpAddr>)> = Vec::new();
    for vip in &node.holds {
        let words = match plan.course(*vip) {
            Course::Ends => ("gives up", " for good".to_owned()),
            _ if has_election(plan) => ("holds", " until the election".to_owned()),
            _ if node.moves_vip() => ("gives up", " first".to_owned()),
            Course::Moves { to } => ("holds", format!(" until {to}, preferred then, takes over")),
            Course::Stays => ("keeps", String::new()),
            Course::Returns | Course::Leaves | Course::Unknown => ("holds", String::new()),
        };
        match groups.iter_mut().find(|(own, _)| *own == words) {
            Some((_, vips)) => vips.push(*vip),
            None => groups.push((words, vec![*vip])),
        }
    }
    let of_group = |((verb, rest), vips): &((&str, String), Vec<IpAddr>)| {
        let words = format!("{} {verb} {}{rest}", node.node, comma(vips));
        if rest.is_empty() {
            words
        } else {
            paint::warn(words)
        }
    };
    groups.iter().map(of_group).collect()
}

/// One line for the tests that passed, and the daemon's output for each that failed.
fn tests_text(node: &NodePlan) -> String {
    let passed: Vec<&str> = node
        .tests
        .iter()
        .filter(|test| test.verdict() == TestVerdict::Accepted)
        .filter_map(|test| Some(units::of(test.unit)?.test_command))
        .collect();
    let mut text = String::new();
    if !passed.is_empty() {
        let verb = if passed.len() == 1 { "passes" } else { "pass" };
        let words = paint::good(format!("{} {verb}", and(&passed)));
        text.push_str(&row("tests", &words));
    }
    for test in node.failed_tests() {
        let rule = Rule::of_test(test.unit).map_or("", |rule| rule.id);
        let words = format!(
            "{} refuses the new files ({rule}, exit code {}):",
            units::of(test.unit).map_or("", |unit| unit.test_command),
            test.code
        );
        let label = if text.is_empty() { "tests" } else { "" };
        text.push_str(&row(label, &paint::bad(words)));
        let words: Vec<&str> = test
            .output
            .trim_end()
            .lines()
            .map(without_log_prefix)
            .collect();
        text.push_str(&indent(&words.join("\n"), &" ".repeat(LABEL + 2)));
    }
    text
}
