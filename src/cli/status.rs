//! `hactl status`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::ops;

/// Show what every node is and does now.
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// Ends with 1 when the cluster is not healthy, so that a script can ask.
pub(super) fn run(_: &StatusArgs, app: &App) -> Result<Exit, CliError> {
    let report = app.look(ops::status(&app.context))?;
    app.ui.show_status(&report);
    Ok(if report.is_healthy() {
        Exit::Done
    } else {
        Exit::Unchanged
    })
}
