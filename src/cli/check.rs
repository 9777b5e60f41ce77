//! `hactl check`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::SourceArgs;
use crate::check::{Finding, Severity};
use crate::ops;

/// Validate the inventory and simulate every VRRP election, offline.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(args: &CheckArgs, app: &App) -> Result<Exit, CliError> {
    let report = ops::check(&args.source.selection())?;
    let fails_at = if args.strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    let is_fatal = |finding: &Finding| finding.severity() >= fails_at;
    let exit = if report.findings.iter().any(is_fatal) {
        Exit::BadInventory
    } else {
        Exit::Done
    };
    app.ui.show("check", exit.code(), &report);
    Ok(exit)
}
