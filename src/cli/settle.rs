//! `hactl confirm` and `hactl cancel`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::apply::{Event, SettleVerb};
use crate::ops::{self, SettleRequest};

/// Keep the change that waits to be confirmed.
#[derive(Debug, Args)]
#[command(after_help = "\
The change was made by `hactl apply --confirm manual`, here or on another machine. The hosts tell
which it is; a node that cannot be reached keeps it from being confirmed.")]
pub struct ConfirmArgs {}

/// Undo the change that waits to be confirmed, now.
#[derive(Debug, Args)]
#[command(after_help = "\
Also undoes a change that was interrupted, as soon as nobody works on it any more. One that somebody
has confirmed stays: `hactl rollback` takes it back.")]
pub struct CancelArgs {}

/// Ends the change under way.
pub(super) fn run(verb: SettleVerb, app: &App) -> Result<Exit, CliError> {
    if !app.context.limit.is_empty() {
        return Err(CliError::Usage {
            message: "a change ends on all its nodes, not on some".to_owned(),
            help: "leave --limit out".to_owned(),
        });
    }
    let view = app.ui.follow_settling(verb);
    let tell = |event: Event| view.event(&event);
    let request = SettleRequest { verb, tell: &tell };
    let report = app.change(ops::settle(&app.context, request), || view.stopping())?;
    let exit = Exit::of_settled(&report);
    view.end(&report, exit.code());
    Ok(exit)
}
