//! `hactl apply`.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use super::tell::{ChangeArgs, carry_out};
use crate::ops;

/// Make the nodes what the inventory says, all of them or none.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `hactl plan --out` saved: exactly this is done, or nothing
    #[arg(value_name = "PLAN")]
    plan: Option<Utf8PathBuf>,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(args: &ApplyArgs, app: &App) -> Result<Exit, CliError> {
    args.change.require_consent(app)?;
    let plan_file = match &args.plan {
        Some(path) => Some(ops::read_plan_file(path)?),
        None => None,
    };
    carry_out(&args.change, plan_file, app, "apply", async |request| {
        ops::apply(&args.change.context(app), request).await
    })
}
