//! `hactl lab`: subcommands to create, inspect, use and remove a lab.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use clap::{Args, Subcommand};

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::lab_demo::{self, LabDemoArgs};
use super::lab_up::{self, LabUpArgs};
use crate::ops;
use crate::view::{LabDown, Labs};

/// Run a local cluster of real machines.
#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    verb: LabVerb,
}

/// What to do with a lab.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum LabVerb {
    /// Create a lab on this machine: nodes, backends and a controller
    Up(LabUpArgs),
    /// Remove a lab
    Down(LabDownArgs),
    /// Show the labs and their state
    Status(LabStatusArgs),
    /// Run a program in a lab, on its controller or on a node
    Exec(LabExecArgs),
    /// Run a guided demo in a lab
    Demo(LabDemoArgs),
}

impl LabArgs {
    /// The name in documents.
    pub(super) fn name(&self) -> &'static str {
        match &self.verb {
            LabVerb::Up(_) => "lab up",
            LabVerb::Down(_) => "lab down",
            LabVerb::Status(_) => "lab status",
            LabVerb::Exec(_) => "lab exec",
            LabVerb::Demo(_) => "lab demo",
        }
    }
}

#[derive(Debug, Args)]
struct LabDownArgs {
    /// The lab
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,

    /// All labs of this machine
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

#[derive(Debug, Args)]
struct LabStatusArgs {
    /// Only this lab
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Args)]
struct LabExecArgs {
    /// The lab
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,

    /// Run it inside this node, as root
    #[arg(long, value_name = "NODE")]
    node: Option<String>,

    /// The program and its arguments [default: a shell]
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(super) fn run(args: LabArgs, app: &App) -> Result<Exit, CliError> {
    match args.verb {
        LabVerb::Up(args) => lab_up::run(args, app),
        LabVerb::Down(args) => {
            let name = (!args.all).then_some(args.name.as_str());
            let removed = ops::lab_down(name)?;
            let shown = LabDown {
                name,
                removed: &removed,
            };
            app.ui.show("lab down", Exit::Done.code(), &shown);
            Ok(Exit::Done)
        }
        LabVerb::Status(args) => {
            let labs = ops::lab_status(args.name.as_deref())?;
            app.ui.show("lab status", Exit::Done.code(), &Labs(&labs));
            Ok(Exit::Done)
        }
        LabVerb::Exec(args) => exec(&args),
        LabVerb::Demo(args) => lab_demo::run(&args, app),
    }
}

/// Replaces this process with the program, which then owns exit code, terminal and signals.
fn exec(args: &LabExecArgs) -> Result<Exit, CliError> {
    let mut command = ops::lab_command(&args.name, args.node.as_deref(), &args.program)?;
    let cause = command.exec();
    Err(CliError::Machine {
        message: "cannot run a program in the lab".to_owned(),
        cause,
    })
}
