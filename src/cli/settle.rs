//! `hactl confirm` and `hactl cancel`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::HostArgs;
use crate::apply::{Event, PendingAction};
use crate::ops::{self, Events, SettleRequest, Stamped};

/// Confirm the pending change.
#[derive(Debug, Args)]
#[command(after_help = "\
Confirms a change that was made by `hactl apply --confirm manual`, on this machine or another. \
Every node of the change must be reachable.")]
pub struct ConfirmArgs {
    #[command(flatten)]
    pub(super) hosts: HostArgs,
}

/// Roll back the pending change now.
#[derive(Debug, Args)]
#[command(after_help = "\
Also rolls back an interrupted change whose hactl has ended. For a confirmed change use \
`hactl rollback`.")]
pub struct CancelArgs {
    #[command(flatten)]
    pub(super) hosts: HostArgs,
}

/// Confirms or cancels the pending change.
pub(super) fn run(verb: PendingAction, hosts: &HostArgs, app: &App) -> Result<Exit, CliError> {
    let view = app.ui.follow_settling(verb);
    let tell = |event: &Stamped<Event>| view.event(event);
    let events = Events::new(&tell);
    let request = SettleRequest {
        verb,
        events: &events,
    };
    let report = app.change(
        ops::settle(&hosts.source.selection(), &hosts.access(app), request),
        || {
            view.stopping();
        },
    )?;
    let exit = Exit::of_settled(&report);
    view.end(&report, exit.code());
    Ok(exit)
}
