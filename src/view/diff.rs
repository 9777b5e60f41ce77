//! Diffs, and the same diff on several nodes only once.

use super::paint;
use super::text::comma;
use crate::model::NodeName;
use crate::plan::{Cause, FileAction, FileChange, Goal, Plan};

/// One change of one file, and the nodes that it happens on.
struct Shared<'a> {
    change: &'a FileChange,
    nodes: Vec<&'a NodeName>,
}

/// Every distinct change of a plan, in the order of the paths.
pub(super) fn diffs_text(plan: &Plan) -> String {
    let mut shared: Vec<Shared<'_>> = Vec::new();
    for node in &plan.nodes {
        for change in &node.files {
            match shared.iter_mut().find(|known| known.change == change) {
                Some(known) => known.nodes.push(&node.node),
                None => shared.push(Shared {
                    change,
                    nodes: vec![&node.node],
                }),
            }
        }
    }
    shared.sort_by(|a, b| a.change.path.cmp(&b.change.path));
    shared.iter().map(|shared| one(shared, plan.goal)).collect()
}

fn one(shared: &Shared<'_>, goal: Goal) -> String {
    let change = shared.change;
    let mut text = format!(
        "{} {} {}\n",
        action_mark(change.action),
        paint::strong(&change.path),
        paint::faint(format!(
            "on {}: {}",
            comma(&shared.nodes),
            cause_words(change.cause, goal)
        ))
    );
    if let Some((before, after)) = &change.permissions {
        text.push_str(&format!("    mode and owner: {before} -> {after}\n"));
    }
    for line in change.diff.lines() {
        text.push_str(format!("    {}", line_text(line)).trim_end());
        text.push('\n');
    }
    text.push('\n');
    text
}

fn line_text(line: &str) -> String {
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

/// `+`, `~` or `-`.
pub(super) fn action_mark(action: FileAction) -> String {
    match action {
        FileAction::Create => paint::good("+"),
        FileAction::Modify | FileAction::Permissions => paint::warn("~"),
        FileAction::Delete => paint::bad("-"),
    }
}

/// Why a file has to change.
pub(super) fn cause_words(cause: Cause, goal: Goal) -> String {
    let wanted = match goal {
        Goal::Apply => "inventory changed".to_owned(),
        Goal::Rollback { to: 0 } => "as before hactl".to_owned(),
        Goal::Rollback { to } => format!("as in generation {to}"),
    };
    match cause {
        Cause::New => "new".to_owned(),
        Cause::Inventory => wanted,
        Cause::Hand => "changed by hand on the host".to_owned(),
        Cause::InventoryAndHand => format!("{wanted}, and changed by hand"),
    }
}
