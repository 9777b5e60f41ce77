//! From the process's arguments to its exit code.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{Cli, Verb};
use super::error::CliError;
use super::exit::Exit;
use super::globals::GlobalArgs;
use super::stop::Stop;
use super::{
    apply, check, failover_test, generate, history, init, lab, lock, logging, plan, render,
    rollback, settle, status,
};
use crate::apply::SettleVerb;
use crate::ops::Context;
use crate::view::{Complaint, Ui, UiOptions};

/// What every verb works with.
pub(super) struct App {
    pub(super) ui: Ui,
    pub(super) globals: GlobalArgs,
    pub(super) context: Context,
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
        Ok(Self {
            context: globals.context(Arc::new(AtomicBool::new(false)), &ui),
            ui,
            globals,
            runtime,
        })
    }

    /// From now on Ctrl-C and its kin no longer end the process at once. What never listens dies of
    /// them, as everybody expects of a program that only reads files.
    pub(super) fn listen(&self) -> Result<Stop, CliError> {
        let _inside = self.runtime.enter();
        Stop::listen(Arc::clone(&self.context.stop))
    }

    /// Refuses to go on where a question would find nobody to answer it.
    pub(super) fn require_consent(&self) -> Result<(), CliError> {
        if self.globals.yes() || self.ui.can_ask() {
            return Ok(());
        }
        Err(CliError::Usage {
            message: "this is no terminal, so nobody can be asked whether to go on".to_owned(),
            help:
                "add --yes to go on without being asked, or look first (hactl plan, hactl status)"
                    .to_owned(),
        })
    }

    /// True when the user has asked to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.context.stop.load(Ordering::Relaxed)
    }

    /// Runs an operation that only looks; Ctrl-C ends it.
    pub(super) fn look<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CliError> {
        let stop = self.listen()?;
        self.runtime.block_on(stop.look(work))?.map_err(Into::into)
    }

    /// Runs an operation that changes hosts; Ctrl-C asks it to stop, a second one leaves it.
    pub(super) fn change<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        told: impl Fn(),
    ) -> Result<T, CliError> {
        let stop = self.listen()?;
        self.runtime
            .block_on(stop.change(work, told))?
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
        Verb::Init(args) => init::run(&args, app),
        Verb::Check(args) => check::run(&args, app),
        Verb::Render(args) => render::run(&args, app),
        Verb::Plan(args) => plan::run(&args, app),
        Verb::Apply(args) => apply::run(&args, app),
        Verb::Confirm(_) => settle::run(SettleVerb::Confirm, app),
        Verb::Cancel(_) => settle::run(SettleVerb::Cancel, app),
        Verb::Rollback(args) => rollback::run(&args, app),
        Verb::Lock(args) => lock::run(&args, app),
        Verb::History(args) => history::run(&args, app),
        Verb::Status(args) => status::run(&args, app),
        Verb::FailoverTest(args) => failover_test::run(&args, app),
        Verb::Lab(args) => lab::run(args, app),
        Verb::Schema(_) => Ok(generate::schema(app)),
        Verb::Completions(args) => Ok(generate::completions(&args, app)),
        Verb::Man(_) => generate::man(app),
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
            Self::Init(_) => "init",
            Self::Check(_) => "check",
            Self::Render(_) => "render",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Confirm(_) => "confirm",
            Self::Cancel(_) => "cancel",
            Self::Rollback(_) => "rollback",
            Self::Lock(_) => "lock",
            Self::History(_) => "history",
            Self::Status(_) => "status",
            Self::FailoverTest(_) => "failover-test",
            Self::Lab(_) => "lab",
            Self::Schema(_) => "schema",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}
