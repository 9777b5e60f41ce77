//! What happens to a file, and why.

use super::paint;
use crate::plan::{Cause, FileAction, Goal};

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
        Goal::Apply => "the inventory changed".to_owned(),
        Goal::Rollback { to: 0 } => "as before hactl".to_owned(),
        Goal::Rollback { to } => format!("as in generation {to}"),
    };
    match cause {
        Cause::New => "new".to_owned(),
        Cause::Inventory => wanted,
        Cause::Hand => "changed by hand on the host".to_owned(),
        Cause::InventoryAndHand => format!("{wanted}, and it was changed by hand on the host"),
    }
}
