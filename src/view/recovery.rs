//! Text for the recovery of an interrupted change, which precedes a new one.

use super::paint;
use super::text::{and, labelled};
use crate::apply::{Event, RecoveryDirection};
use crate::model::NodeName;
use crate::ops::{InterruptedChange, Recovery};

/// What will be recovered first, and why.
pub(super) fn recovery_text(recovery: &Recovery) -> String {
    let label = paint::warn_label("first:");
    let line = |words: String| labelled(&label, &words, "       ");
    let changes = recovery
        .changes
        .iter()
        .map(|change| line(change_words(change)));
    let locks = recovery.stale_locks.iter().map(|lock| {
        line(format!(
            "the lock of {} on {}, taken at {}, will be released: its process no longer runs",
            lock.holder, lock.node, lock.since
        ))
    });
    changes.chain(locks).collect()
}

fn change_words(change: &InterruptedChange) -> String {
    let InterruptedChange {
        tx,
        by,
        generation,
        direction,
        nodes,
    } = change;
    let what = match generation {
        Some(number) => format!("{by}'s change to generation {number} ({tx})"),
        None => format!("{by}'s change {tx}"),
    };
    let nodes = and(nodes);
    match direction {
        RecoveryDirection::RollBack => format!(
            "{what} was interrupted and not confirmed on any node. It will be rolled back on {nodes}."
        ),
        RecoveryDirection::Complete => format!(
            "{what} was interrupted after it was confirmed on a node. It will be completed on {nodes}."
        ),
    }
}

/// The clause for the prompt: `roll back the interrupted change`.
pub(super) fn recovery_agreement(recovery: &Recovery) -> Option<String> {
    let has = |direction| {
        let mut changes = recovery.changes.iter();
        changes.any(|change| change.direction == direction)
    };
    let mut parts = Vec::new();
    if has(RecoveryDirection::RollBack) {
        parts.push("roll back the interrupted change");
    }
    if has(RecoveryDirection::Complete) {
        parts.push("complete the interrupted change");
    }
    if !recovery.stale_locks.is_empty() {
        parts.push("release the stale locks");
    }
    (!parts.is_empty()).then(|| and(&parts))
}

/// Progress of the recovery. `None` for other events.
pub(super) fn recovery_event_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::RecoveryStarted {
            direction, nodes, ..
        } => {
            let doing = match direction {
                RecoveryDirection::RollBack => "rolling back",
                RecoveryDirection::Complete => "completing",
            };
            format!("{doing} the interrupted change on {}\n", and(nodes))
        }
        Event::RecoveryFinished { direction, .. } => match direction {
            Some(RecoveryDirection::RollBack) => "rolled back the interrupted change\n".to_owned(),
            Some(RecoveryDirection::Complete) => "completed the interrupted change\n".to_owned(),
            None => "the interrupted change could not be ended on all nodes\n".to_owned(),
        },
        Event::LockReleased { node, holder } => released_text(node, holder),
        _ => return None,
    })
}

pub(super) fn released_text(node: &NodeName, holder: &str) -> String {
    format!("{node}: released the stale lock of {holder}\n")
}
