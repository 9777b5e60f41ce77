//! `hactl render`.

use camino::Utf8PathBuf;
use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::{LimitArgs, SourceArgs};
use crate::ops;
use crate::view::Rendered;

/// Write every node's files to a folder, offline.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The folder; files go to DIR/NODE/PATH
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,

    #[command(flatten)]
    limit: LimitArgs,

    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(args: &RenderArgs, app: &App) -> Result<Exit, CliError> {
    let report = ops::render(&args.source.limited(&args.limit), &args.folder)?;
    let shown = Rendered {
        folder: &args.folder,
        report: &report,
    };
    app.ui.show("render", Exit::Done.code(), &shown);
    Ok(Exit::Done)
}
