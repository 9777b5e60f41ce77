//! `hactl schema`, `hactl completions` and `hactl man`: what is generated from hactl itself.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::inventory;

/// Print the inventory's JSON Schema, for editors.
#[derive(Debug, Args)]
pub struct SchemaArgs {}

/// Print completions for a shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page.
#[derive(Debug, Args)]
pub struct ManArgs {}

pub(super) fn schema(app: &App) -> Exit {
    app.ui.data(&format!("{:#}\n", inventory::schema()));
    Exit::Done
}

pub(super) fn completions(args: &CompletionsArgs, app: &App) -> Exit {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hactl", &mut bytes);
    app.ui.data(&String::from_utf8_lossy(&bytes));
    Exit::Done
}

pub(super) fn man(app: &App) -> Result<Exit, CliError> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut bytes)
        .map_err(|cause| CliError::Machine {
            message: "cannot make the manual page".to_owned(),
            cause,
        })?;
    app.ui.data(&String::from_utf8_lossy(&bytes));
    Ok(Exit::Done)
}
