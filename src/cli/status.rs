//! `hactl status`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::{HostArgs, LimitArgs};
use crate::ops;

/// Show the current state of every node.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    hosts: HostArgs,
}

/// Exits with 1 if the cluster is not healthy, for use in scripts.
pub(super) fn run(args: &StatusArgs, app: &App) -> Result<Exit, CliError> {
    let selection = args.hosts.source.limited(&args.limit);
    let report = app.look(ops::status(&selection, &args.hosts.access(app)))?;
    let exit = if report.is_healthy() {
        Exit::Done
    } else {
        Exit::Unchanged
    };
    app.ui.show("status", exit.code(), &report);
    Ok(exit)
}
