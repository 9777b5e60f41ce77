//! `hactl rollback`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use super::tell::{ChangeArgs, carry_out};
use crate::ops::{self, RollbackRequest};

/// Bring back a generation that was live before.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The generation; 0 is the hosts as they were before hactl [default: the one before the live one]
    #[arg(long, value_name = "N")]
    to: Option<u64>,

    /// Only list the generations there are
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(args: &RollbackArgs, app: &App) -> Result<Exit, CliError> {
    if args.list {
        return super::history::list(app);
    }
    args.change.require_consent(app)?;
    let request = RollbackRequest { to: args.to };
    carry_out(&args.change, None, app, "rollback", async |how| {
        ops::rollback(&args.change.context(app), request, how).await
    })
}
