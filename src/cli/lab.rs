//! `hactl lab`: one subcommand each for its life, and one to use it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::exit::Exit;
use super::lab_demo::{self, LabDemoArgs};
use super::lab_up::{self, LabUpArgs};
use super::run::App;
use crate::ops;

/// A local cluster of real machines, to try things on.
#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    verb: LabVerb,
}

/// What to do with a lab.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum LabVerb {
    /// Make a lab: nodes, backends and a controller, on this machine
    Up(LabUpArgs),
    /// Remove a lab, and everything of it
    Down(LabDownArgs),
    /// Show what labs there are and how they are
    Status(LabStatusArgs),
    /// Run a program in a lab: from the controller's place, or on a node
    Exec(LabExecArgs),
    /// The commands of a first day, one after the other, on a lab
    Demo(LabDemoArgs),
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

    /// The program and its arguments; a shell when there is none
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(super) fn run(args: LabArgs, app: &App) -> Result<Exit, CliError> {
    match args.verb {
        LabVerb::Up(args) => lab_up::run(args, app),
        LabVerb::Down(args) => {
            let name = (!args.all).then_some(args.name.as_str());
            let removed = ops::lab_down(name)?;
            app.ui.show_lab_down(name, &removed);
            Ok(Exit::Done)
        }
        LabVerb::Status(args) => {
            let labs = ops::lab_status(args.name.as_deref())?;
            app.ui.show_lab_status(&labs);
            Ok(Exit::Done)
        }
        LabVerb::Exec(args) => exec(&args),
        LabVerb::Demo(args) => lab_demo::run(&args, app),
    }
}

/// Becomes the program, so that its exit code, its terminal and its signals are its own.
fn exec(args: &LabExecArgs) -> Result<Exit, CliError> {
    let mut command = ops::lab_command(&args.name, args.node.as_deref(), &args.program)?;
    let cause = command.exec();
    Err(CliError::Machine {
        message: "cannot run a program in the lab".to_owned(),
        cause,
    })
}
