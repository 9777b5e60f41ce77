//! `hactl apply`.

use camino::Utf8PathBuf;
use clap::Args;

use super::app::App;
use super::change::{ChangeArgs, carry_out};
use super::error::CliError;
use super::exit::Exit;
use crate::ops;

/// Apply the inventory to all nodes, or to none.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan saved by `hactl plan --out`, carried out as it stands or refused
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
    let (selection, access) = (args.change.selection(), args.change.access(app));
    carry_out(&args.change, plan_file, app, "apply", async |request| {
        ops::apply(&selection, &access, request).await
    })
}
