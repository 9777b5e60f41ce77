//! What happens to a file, and why.

use super::paint;
use crate::plan::{Cause, FileAction, FileChange, Goal};

/// `+`, `~` or `-`.
pub(super) fn action_mark(action: FileAction) -> String {
    match action {
        FileAction::Create => paint::good("+"),
        FileAction::Modify | FileAction::Permissions => paint::warn("~"),
        FileAction::Delete => paint::bad("-"),
    }
}

/// True when the file was edited on the host, outside hactl.
pub(super) fn is_by_hand(change: &FileChange) -> bool {
    matches!(change.cause, Cause::Hand | Cause::InventoryAndHand)
}

/// Why a file has to change.
pub(super) fn cause_words(change: &FileChange, goal: Goal) -> String {
    let wanted = match goal {
        Goal::Apply => "the inventory changed".to_owned(),
        Goal::Rollback { to: 0 } => "as before hactl".to_owned(),
        Goal::Rollback { to } => format!("as in generation {to}"),
    };
    match (change.cause, change.action) {
        (Cause::New, FileAction::Create) => "new".to_owned(),
        (Cause::New, _) => "was there before hactl".to_owned(),
        (Cause::Inventory, _) => wanted,
        (Cause::Hand, _) => "changed by hand on the host".to_owned(),
        (Cause::InventoryAndHand, _) => format!("{wanted}, and it was changed by hand on the host"),
    }
}
