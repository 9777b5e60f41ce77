//! `hactl lab demo`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::ops::{self, DEMO, DemoStep};

#[derive(Debug, Args)]
pub(super) struct LabDemoArgs {
    /// What to call its lab
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,
}

pub(super) fn run(args: &LabDemoArgs, app: &App) -> Result<Exit, CliError> {
    if app.ui.is_json() {
        return Err(CliError::Usage {
            message: "a demo is for people".to_owned(),
            help: "leave --format json away".to_owned(),
        });
    }
    let mut view = app.ui.demo();
    let lab = {
        let mut progress = app.ui.lab_progress();
        ops::demo_lab(&args.name, &mut |event| progress.event(&event))?
    };
    view.lab(&lab);
    // Each command is a process of its own, and Ctrl-C is for it; then no further one is begun.
    let _stop = app.listen()?;
    for step in DEMO {
        match step {
            DemoStep::Run { why, args } => {
                let args = &ops::demo_args(&lab, args);
                view.command(why, args);
                let status = ops::demo_run(&lab, args, app.ui.colours_out())?;
                if !status.success() {
                    view.stopped(&lab, args, status);
                    return Ok(Exit::Unchanged);
                }
            }
            DemoStep::Edit { why, from, to } => {
                view.edit(why, &lab, from, to);
                ops::demo_edit(&lab, from, to)?;
            }
        }
        if app.is_stopped() {
            view.interrupted(&lab);
            return Ok(Exit::Unchanged);
        }
    }
    view.end(&lab);
    Ok(Exit::Done)
}
