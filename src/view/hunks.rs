//! Unified diffs taken apart: what really changes, apart from what differs on every node anyway.
//!
//! Every rendered file names its node, and two of them carry the configuration's identity, hactl's
//! stamp, which changes with every change of anything. Shown on every node of every plan these would
//! hide the one line that matters, and keep equal changes on several nodes from being shown once.

use crate::plan::NodePlan;

/// How long a stamp is: lowercase hexadecimal.
const STAMP: usize = 12;

/// One hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// Its `@@` line.
    pub(super) header: String,
    /// Its lines with their marks.
    pub(super) lines: Vec<String>,
}

/// A diff without what differs everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunks {
    /// What is left.
    pub(super) hunks: Vec<Hunk>,
    /// The stamp changes, too.
    pub(super) stamped: bool,
    /// The changed lines, with placeholders for the node's name and stamp: what two nodes' diffs are
    /// compared by.
    pub(super) key: Vec<String>,
}

/// The identity that the file with this `role` carries.
pub(super) fn stamp(node: &NodePlan, role: &str) -> Option<String> {
    let program = if role == "keepalived_conf" {
        "keepalived"
    } else {
        "nginx"
    };
    node.ids.as_ref().map(|ids| ids.of(program).to_string())
}

impl Hunks {
    /// Takes `diff`, of the file of `node`'s that has this `role`, apart.
    pub(super) fn of(diff: &str, node: &NodePlan, role: &str) -> Self {
        let stamp = stamp(node, role);
        let mut stamped = false;
        let mut hunks = Vec::new();
        for hunk in split(diff) {
            let lines = match &stamp {
                Some(stamp) => without_stamps(&hunk.lines, stamp),
                None => hunk.lines.clone(),
            };
            stamped |= lines.len() != hunk.lines.len();
            if lines.iter().any(|line| is_change(line)) {
                hunks.push(Hunk { lines, ..hunk });
            }
        }
        let own = |line: &String| placeholders(line, node.node.as_str(), stamp.as_deref());
        let key = hunks
            .iter()
            .flat_map(|hunk| &hunk.lines)
            .filter(|line| is_change(line))
            .map(own)
            .collect();
        Self {
            hunks,
            stamped,
            key,
        }
    }

    /// The content of a file that comes into being.
    pub(super) fn created(&self) -> String {
        let lines = self.hunks.iter().flat_map(|hunk| &hunk.lines);
        lines
            .filter_map(|line| line.strip_prefix('+'))
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

fn split(diff: &str) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    for line in diff.lines() {
        if line.starts_with("@@") {
            hunks.push(Hunk {
                header: line.to_owned(),
                lines: Vec::new(),
            });
        } else if let Some(hunk) = hunks.last_mut() {
            hunk.lines.push(line.to_owned());
        }
    }
    hunks
}

fn is_change(line: &str) -> bool {
    line.starts_with(['+', '-'])
}

/// Every pair of lines that differ in their stamp only becomes one line of context.
fn without_stamps(lines: &[String], stamp: &str) -> Vec<String> {
    let mut kept: Vec<String> = lines.to_vec();
    while let Some((old, new)) = stamp_pair(&kept, stamp) {
        kept[new].replace_range(..1, " ");
        kept.remove(old);
    }
    kept
}

/// A removed and an added line that differ in their stamp only.
fn stamp_pair(lines: &[String], stamp: &str) -> Option<(usize, usize)> {
    for (new, line) in lines.iter().enumerate() {
        let Some(added) = line.strip_prefix('+').filter(|line| line.contains(stamp)) else {
            continue;
        };
        let old = lines.iter().position(|line| {
            line.strip_prefix('-')
                .is_some_and(|line| is_stamped_as(line, added, stamp))
        });
        if let Some(old) = old {
            return Some((old, new));
        }
    }
    None
}

fn is_stamped_as(removed: &str, added: &str, stamp: &str) -> bool {
    let Some((before, after)) = added.split_once(stamp) else {
        return false;
    };
    removed
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|old| old.len() == STAMP && old.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `line` with placeholders where it names its node and its stamp.
pub(super) fn placeholders(line: &str, node: &str, stamp: Option<&str>) -> String {
    let line = line.replace(&format!(", node {node}."), ", node <node>.");
    match stamp {
        Some(stamp) => line.replace(stamp, "<stamp>"),
        None => line,
    }
}
