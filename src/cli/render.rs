//! `hactl render`.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::ops;

/// Write every node's files into a folder; needs no host.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The folder; files go to DIR/NODE/PATH
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,
}

pub(super) fn run(args: &RenderArgs, app: &App) -> Result<Exit, CliError> {
    let report = ops::render(&app.context, &args.folder)?;
    app.ui.show_render(&args.folder, &report);
    Ok(Exit::Done)
}
