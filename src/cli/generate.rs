//! `hactl schema`, `hactl completions` and `hactl man`: generated from hactl itself.

use clap::builder::PossibleValuesParser;
use clap::{Args, Command};
use clap_complete::Shell;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use crate::inventory;
use crate::report;

/// Print the JSON Schema of the inventory, or of what a verb prints.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Document to describe: the inventory, a verb's `--format json`, the failure of any verb, or a line
    /// of `--format ndjson`
    #[arg(long, value_name = "DOCUMENT", default_value = INVENTORY)]
    #[arg(value_parser = PossibleValuesParser::new([INVENTORY].into_iter().chain(report::schemas())))]
    of: String,
}

const INVENTORY: &str = "inventory";

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

pub(super) fn schema(args: &SchemaArgs, app: &App) -> Exit {
    // clap accepts no other names.
    let of_inventory = || format!("{:#}\n", inventory::schema());
    app.ui
        .data(&report::schema_text(&args.of).unwrap_or_else(of_inventory));
    Exit::Done
}

pub(super) fn completions(args: &CompletionsArgs, mut command: Command, app: &App) -> Exit {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut command, "hactl", &mut bytes);
    app.ui.data(&String::from_utf8_lossy(&bytes));
    Exit::Done
}

pub(super) fn man(command: Command, app: &App) -> Result<Exit, CliError> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut bytes)
        .map_err(|cause| CliError::Machine {
            message: "cannot make the manual page".to_owned(),
            cause,
        })?;
    app.ui.data(&String::from_utf8_lossy(&bytes));
    Ok(Exit::Done)
}
