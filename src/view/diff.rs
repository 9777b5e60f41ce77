//! Diffs of a plan. A change that several nodes share is shown once, and a new file that resembles another
//! node's is shown as a diff against that one.

use std::fmt::Write as _;

use similar::TextDiff;

use super::cause::{action_mark, cause_words, is_by_hand};
use super::hunks::{Hunks, without_stamp};
use super::paint;
use super::text::{comma, indent, width, wrap};
use crate::plan::{FileAction, FileChange, Goal, NodePlan, Plan};

const INDENT: &str = "    ";

/// A change of one file, and the nodes that share it.
struct Shared<'a> {
    change: &'a FileChange,
    hunks: Hunks,
    nodes: Vec<&'a NodePlan>,
}

impl Shared<'_> {
    fn is_like(&self, change: &FileChange, hunks: &Hunks) -> bool {
        let same = |change: &FileChange| {
            (
                change.path.clone(),
                change.action,
                change.cause,
                change.permissions.clone(),
            )
        };
        same(self.change) == same(change) && self.hunks.key == hunks.key
    }
}

/// Every distinct change, ordered by path. Files in which only hactl's stamp changes come last.
pub(super) fn diffs_text(plan: &Plan) -> String {
    let mut shared = shared(plan);
    shared.sort_by(|a, b| a.change.path.cmp(&b.change.path));
    let (shown, stamps): (Vec<_>, Vec<_>) = shared.iter().partition(|shared| has_something(shared));
    let mut text = String::new();
    for (index, this) in shown.iter().enumerate() {
        let model = shown[..index].iter().find(|other| {
            other.change.path == this.change.path
                && other.change.action == FileAction::Create
                && this.change.action == FileAction::Create
        });
        text.push_str(&header(this, plan.goal, model.copied()));
        text.push_str(&match model {
            Some(model) => differences(model, this),
            None => whole(this),
        });
        text.push('\n');
    }
    for this in stamps {
        text.push_str(&header(this, plan.goal, None));
        text.push_str(&indent(
            &paint::faint("only hactl's stamp changes: the identity of the whole configuration"),
            INDENT,
        ));
        text.push('\n');
    }
    text
}

fn shared(plan: &Plan) -> Vec<Shared<'_>> {
    let mut shared: Vec<Shared<'_>> = Vec::new();
    for node in &plan.nodes {
        for change in node.files() {
            let hunks = Hunks::of(&change.diff, node);
            match shared
                .iter_mut()
                .find(|known| known.is_like(change, &hunks))
            {
                Some(known) => known.nodes.push(node),
                None => shared.push(Shared {
                    change,
                    hunks,
                    nodes: vec![node],
                }),
            }
        }
    }
    shared
}

fn has_something(shared: &Shared<'_>) -> bool {
    !shared.hunks.stamped || !shared.hunks.list.is_empty() || shared.change.permissions.is_some()
}

fn names(shared: &Shared<'_>) -> String {
    let mut names: Vec<_> = shared.nodes.iter().map(|node| &node.node).collect();
    names.sort();
    comma(&names)
}

fn header(shared: &Shared<'_>, goal: Goal, model: Option<&Shared<'_>>) -> String {
    let change = shared.change;
    let mut words = format!("{}: {}", names(shared), cause_words(change, goal));
    if let Some(model) = model {
        let _ = write!(words, ", as on {} except for this:", names(model));
    } else if change.diff.is_empty() && change.permissions.is_none() {
        words.push_str(", with no diff to show (empty or secret)");
    }
    let path = format!(
        "{} {}",
        action_mark(change.action),
        paint::strong(&change.path)
    );
    let words = if is_by_hand(change) {
        paint::warn(words)
    } else {
        paint::faint(words)
    };
    format!("{path}  {}\n", wrap(&words, width(&path) + 2, "  "))
}

fn whole(shared: &Shared<'_>) -> String {
    let mut text = String::new();
    if let Some((before, after)) = &shared.change.permissions {
        let what = if before.starts_with("a link") {
            "was"
        } else {
            "mode and owner"
        };
        let _ = writeln!(text, "{INDENT}{what} {before} -> {after}");
    }
    let is_new = matches!(
        shared.change.action,
        FileAction::Create | FileAction::Delete
    );
    for hunk in &shared.hunks.list {
        // Line numbers mean nothing when the whole file is new or removed.
        if !is_new {
            push(&mut text, &paint::accent(&hunk.header));
        }
        for line in &hunk.lines {
            let line = match shared.nodes.first() {
                Some(node) => without_stamp(line, node),
                None => line.clone(),
            };
            push(&mut text, &coloured(&line));
        }
    }
    text
}

/// A new file as a diff against the same file on other nodes.
fn differences(model: &Shared<'_>, this: &Shared<'_>) -> String {
    let content = |shared: &Shared<'_>| {
        let created = shared.hunks.created();
        match shared.nodes.first() {
            Some(node) => without_stamp(&created, node),
            None => created,
        }
    };
    let (before, after) = (content(model), content(this));
    let diff = TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(1)
        .to_string();
    let mut text = String::new();
    for line in diff.lines() {
        push(&mut text, &coloured(line));
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(format!("{INDENT}{line}").trim_end());
    text.push('\n');
}

fn coloured(line: &str) -> String {
    if line.starts_with("@@") {
        paint::accent(line)
    } else if line.starts_with('+') {
        paint::good(line)
    } else if line.starts_with('-') {
        paint::bad(line)
    } else {
        line.to_owned()
    }
}
