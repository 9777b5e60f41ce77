//! From the process's arguments to its exit code.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{Cli, Verb};
use super::error::CliError;
use super::exit::Exit;
use super::globals::GlobalArgs;
use super::stop::Stop;
use super::{apply, check, history, lab, logging, plan, render, rollback, status};
use crate::ops::Context;
use crate::view::{Complaint, Ui, UiOptions};

/// What every verb works with.
pub(super) struct App {
    pub(super) ui: Ui,
    pub(super) globals: GlobalArgs,
    pub(super) context: Context,
    pub(super) stop: Stop,
    runtime: tokio::runtime::Runtime,
}

impl App {
    fn start(globals: GlobalArgs, ui: Ui) -> Result<Self, CliError> {
        logging::start(
            globals.verbosity(),
            globals.log_file().map(camino::Utf8PathBuf::as_path),
            ui.log_writer(),
        )?;
        let runtime = tokio::runtime::Runtime::new().map_err(|cause| CliError::Machine {
            message: "cannot start".to_owned(),
            cause,
        })?;
        let flag = Arc::new(AtomicBool::new(false));
        let stop = {
            let _inside = runtime.enter();
            Stop::listen(Arc::clone(&flag))?
        };
        Ok(Self {
            context: globals.context(flag),
            ui,
            globals,
            stop,
            runtime,
        })
    }

    /// Runs an operation that only looks; Ctrl-C ends it.
    pub(super) fn look<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CliError> {
        self.runtime
            .block_on(self.stop.look(work))?
            .map_err(Into::into)
    }

    /// Runs an operation that changes hosts; Ctrl-C asks it to stop, a second one leaves it.
    pub(super) fn change<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        told: impl Fn(),
    ) -> Result<T, CliError> {
        self.runtime
            .block_on(self.stop.change(work, told))?
            .map_err(Into::into)
    }
}

/// Parses, runs, and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let ui = Ui::new(&cli.globals.ui());
    let name = cli.verb.name();
    let exit = match App::start(cli.globals, ui.clone()) {
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
        // What was to be shown is lost: that must not look like success.
        Err(cause) => {
            let complaint =
                Complaint::new("cannot write to standard output").detail(cause.to_string());
            ui.complain(&complaint);
            exit.max(Exit::Unchanged).into()
        }
    }
}

fn run(verb: Verb, app: &App) -> Result<Exit, CliError> {
    match verb {
        Verb::Check(args) => check::run(&args, app),
        Verb::Render(args) => render::run(&args, app),
        Verb::Plan(args) => plan::run(&args, app),
        Verb::Apply(args) => apply::run(&args, app),
        Verb::Rollback(args) => rollback::run(&args, app),
        Verb::History(args) => history::run(&args, app),
        Verb::Status(args) => status::run(&args, app),
        Verb::Lab(args) => lab::run(args, app),
    }
}

/// clap's message, in colour where the view would use it; `--help` and `--version` are no errors.
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

impl Verb {
    /// The verb as it is typed, for JSON documents.
    fn name(&self) -> &'static str {
        match self {
            Self::Check(_) => "check",
            Self::Render(_) => "render",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Rollback(_) => "rollback",
            Self::History(_) => "history",
            Self::Status(_) => "status",
            Self::Lab(_) => "lab",
        }
    }
}
