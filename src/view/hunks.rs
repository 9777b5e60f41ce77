//! Parses unified diffs and separates real changes from those of hactl's stamp.
//!
//! Two of the rendered files carry the identity of their daemon's configuration, hactl's stamp. It changes with
//! every edit, and differs on every node. Left in, it would bury the one line that matters, and equal changes
//! on several nodes could not be shown as one.

use super::text::lines;
use crate::plan::NodePlan;

/// Length of a stamp in lowercase hexadecimal digits.
const STAMP: usize = 12;
/// A hunk with more lines that contain the stamp is left as it is.
const MAX_STAMPED: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// The `@@` line.
    pub(super) header: String,
    /// The lines, each with its leading space, `+` or `-`.
    pub(super) lines: Vec<String>,
}

/// A diff without changes of the stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunks {
    /// The hunks with real changes.
    pub(super) list: Vec<Hunk>,
    /// True if the stamp changes as well.
    pub(super) stamped: bool,
    /// The changed lines with a placeholder for the stamp, to compare the diffs of two nodes.
    pub(super) key: Vec<String>,
}

impl Hunks {
    /// Parses `diff`, which is of a file on `node`.
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

    /// The content of a file that is created.
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

/// The stamps in the new files of `node`.
fn stamps(node: &NodePlan) -> Vec<String> {
    let Some(ids) = &node.ids else {
        return Vec::new();
    };
    ids.iter().map(|(_, id)| id.to_string()).collect()
}

/// Turns each pair of lines that differ only in the stamp into one line of context.
fn without_stamps(lines: &[String], stamps: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = lines.to_vec();
    for stamp in stamps {
        // hactl's files contain it once. A host's copy may contain it any number of times.
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

/// The indices of a removed and an added line that differ only in the stamp.
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

/// Replaces the stamps of `node` with a placeholder.
pub(super) fn without_stamp(text: &str, node: &NodePlan) -> String {
    let mut text = text.to_owned();
    for stamp in stamps(node) {
        text = text.replace(&stamp, "<stamp>");
    }
    text
}
