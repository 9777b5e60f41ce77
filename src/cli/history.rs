//! `hactl history`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::{HostArgs, LimitArgs};
use crate::ops::{self, Access, Selection};

/// List the cluster's generations.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

pub(super) fn run(args: &HistoryArgs, app: &App) -> Result<Exit, CliError> {
    let selection = args.hosts.source.limited(&args.limit);
    list(&selection, &args.hosts.access(app), app)
}

/// Also used by `rollback --list`.
pub(super) fn list(selection: &Selection, access: &Access, app: &App) -> Result<Exit, CliError> {
    let report = app.look(ops::history(selection, access))?;
    app.ui.show("history", Exit::Done.code(), &report);
    Ok(Exit::Done)
}
