//! `hactl rollback`.

use clap::Args;

use super::app::App;
use super::change::{ChangeArgs, carry_out};
use super::error::CliError;
use super::exit::Exit;
use crate::ops::{self, RollbackRequest};

/// Roll back to an earlier generation.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Generation to roll back to; 0 is the hosts as they were before hactl [default: the one before the live one]
    #[arg(long, value_name = "N")]
    to: Option<u64>,

    /// Only list the generations
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(args: &RollbackArgs, app: &App) -> Result<Exit, CliError> {
    let (selection, access) = (args.change.selection(), args.change.access(app));
    if args.list {
        return super::history::list(&selection, &access, app);
    }
    args.change.require_consent(app)?;
    let request = RollbackRequest { to: args.to };
    carry_out(&args.change, None, app, "rollback", async |how| {
        ops::rollback(&selection, &access, request, how).await
    })
}
