//! Unified diffs taken apart: what really changes, apart from what differs on every node anyway.
//!
//! Two of the rendered files carry the identity of their daemon's configuration, hactl's stamp. It
//! changes with every change of anything, and differs on every node. Shown as it is, it would hide the
//! one line that matters, and keep equal changes on several nodes from being shown once.

use super::text::lines;
use crate::plan::NodePlan;

/// How long a stamp is: lowercase hexadecimal.
const STAMP: usize = 12;
/// The most lines of a hunk that are looked through for a stamp's pair.
const MAX_STAMPED: usize = 16;

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
    pub(super) list: Vec<Hunk>,
    /// The stamp changes, too.
    pub(super) stamped: bool,
    /// The changed lines, with a placeholder for the stamp: what two nodes' diffs are compared by.
    pub(super) key: Vec<String>,
}

impl Hunks {
    /// Takes `diff`, of a file of `node`'s, apart.
    pub(super) fn of(diff: &str, node: &NodePlan) -> Self {
        let stamps = stamps(node);
        let mut stamped = false;
        let mut hunks = Vec::new();
        for hunk in split(diff) {
            let lines = without_stamps(&hunk.lines, &stamps);
            stamped |= lines.len() != hunk.lines.len();
            if lines.iter().any(|line| is_change(line)) {
                hunks.push(Hunk { lines, ..hunk });
            }
        }
        let own = |line: &String| without_stamp(line, node);
        let key = hunks
            .iter()
            .flat_map(|hunk| &hunk.lines)
            .filter(|line| is_change(line))
            .map(own)
            .collect();
        Self {
            list: hunks,
            stamped,
            key,
        }
    }

    /// The content of a file that comes into being.
    pub(super) fn created(&self) -> String {
        let all = self.list.iter().flat_map(|hunk| &hunk.lines);
        lines(all.filter_map(|line| line.strip_prefix('+')))
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

/// The identities that the files to come on `node` carry.
fn stamps(node: &NodePlan) -> Vec<String> {
    let Some(ids) = &node.ids else {
        return Vec::new();
    };
    ids.iter().map(|(_, id)| id.to_string()).collect()
}

/// Every pair of lines that differ in their stamp only becomes one line of context.
fn without_stamps(lines: &[String], stamps: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = lines.to_vec();
    for stamp in stamps {
        // hactl's files carry it once. A host's copy may carry it as often as it likes.
        if kept.iter().filter(|line| line.contains(stamp)).count() > MAX_STAMPED {
            continue;
        }
        while let Some((old, new)) = stamp_pair(&kept, stamp) {
            kept[new].replace_range(..1, " ");
            kept.remove(old);
        }
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

/// `text` with a placeholder where it carries a stamp: of no use to a reader, whoever's it is.
pub(super) fn without_stamp(text: &str, node: &NodePlan) -> String {
    let mut text = text.to_owned();
    for stamp in stamps(node) {
        text = text.replace(&stamp, "<stamp>");
    }
    text
}
