//! `hactl history`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::ops;

/// List the cluster's generations.
#[derive(Debug, Args)]
pub struct HistoryArgs {}

pub(super) fn run(_: &HistoryArgs, app: &App) -> Result<Exit, CliError> {
    list(app)
}

/// What `rollback --list` shows, too.
pub(super) fn list(app: &App) -> Result<Exit, CliError> {
    let report = app.look(ops::history(&app.context))?;
    app.ui.show_history(&report);
    Ok(Exit::Done)
}
