//! The entry point: from the process's arguments to its exit code.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::app::App;
use super::args::{Cli, Verb};
use super::before_verb::move_behind;
use super::error::CliError;
use super::exit::Exit;
use super::options::shared;
use super::{
    apply, check, explain, failover_test, generate, history, init, lab, lock, plan, preflight,
    render, rollback, settle, status,
};
use crate::apply::PendingAction;
use crate::view::{ErrorReport, Ui, UiOptions};

/// Parses the arguments, runs the command, and reports its outcome.
pub fn main() -> ExitCode {
    let arguments = move_behind(&Cli::command(), &shared(), std::env::args_os());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let ui = Ui::new(&cli.output.ui());
    let name = cli.verb.name();
    let exit = match App::start(cli.output.verbosity(), cli.output.log_file(), ui.clone()) {
        Ok(app) => run(cli.verb, &app),
        Err(error) => Err(error),
    };
    let exit = exit.unwrap_or_else(|error| {
        let exit = error.exit();
        ui.fail(name, &error.complaint(), exit.code());
        exit
    });
    match ui.finish() {
        Ok(()) => exit.into(),
        // The output is lost, which must not look like success.
        Err(cause) => {
            let complaint =
                ErrorReport::new("cannot write to standard output").detail(cause.to_string());
            ui.complain(&complaint);
            exit.max(Exit::Unchanged).into()
        }
    }
}

fn run(verb: Verb, app: &App) -> Result<Exit, CliError> {
    match verb {
        Verb::Init(args) => init::run(&args, app),
        Verb::Check(args) => check::run(&args, app),
        Verb::Render(args) => render::run(&args, app),
        Verb::Preflight(args) => preflight::run(&args, app),
        Verb::Plan(args) => plan::run(&args, app),
        Verb::Apply(args) => apply::run(&args, app),
        Verb::Confirm(args) => settle::run(PendingAction::Confirm, &args.hosts, app),
        Verb::Cancel(args) => settle::run(PendingAction::Cancel, &args.hosts, app),
        Verb::Rollback(args) => rollback::run(&args, app),
        Verb::Lock(args) => lock::run(&args, app),
        Verb::History(args) => history::run(&args, app),
        Verb::Status(args) => status::run(&args, app),
        Verb::FailoverTest(args) => failover_test::run(&args, app),
        Verb::Lab(args) => lab::run(args, app),
        Verb::Explain(args) => explain::run(&args, app),
        Verb::Schema(args) => Ok(generate::schema(&args, app)),
        Verb::Completions(args) => Ok(generate::completions(&args, Cli::command(), app)),
        Verb::Man(_) => generate::man(Cli::command(), app),
    }
}

/// Shows clap's message, in colour if the view would use it. `--help` and `--version` are not errors.
fn usage(error: &clap::Error) -> Exit {
    let ui = Ui::new(&UiOptions::before_parsing(std::env::args().skip(1)));
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            ui.data(&text);
            Exit::Done
        }
        _ => {
            ui.raw_error(&text);
            Exit::Usage
        }
    }
}
