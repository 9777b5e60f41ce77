//! `hactl check`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::check::{Finding, Severity};
use crate::ops;

/// Check the inventory: every rule that needs no host, and the election.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Warnings fail the check, too
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &CheckArgs, app: &App) -> Result<Exit, CliError> {
    let report = ops::check(&app.context)?;
    app.ui.show_check(&report);
    let fails_at = if args.strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    let is_fatal = |finding: &Finding| finding.severity() >= fails_at;
    Ok(if report.findings.iter().any(is_fatal) {
        Exit::BadInventory
    } else {
        Exit::Done
    })
}
