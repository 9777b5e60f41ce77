//! `hactl lab demo`.

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use crate::lab::LabEvent;
use crate::ops::{self, DEMO, DemoStep, Events, Stamped};
use crate::view::Format;

#[derive(Debug, Args)]
pub(super) struct LabDemoArgs {
    /// Name of the lab
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,
}

pub(super) fn run(args: &LabDemoArgs, app: &App) -> Result<Exit, CliError> {
    if app.ui.format() != Format::Human {
        return Err(CliError::Usage {
            message: "cannot run the demo in this format: it prints text only".to_owned(),
            help: "run it without `--format`".to_owned(),
        });
    }
    let mut view = app.ui.demo();
    let progress = app.ui.lab_progress("lab demo");
    let tell = |event: &Stamped<LabEvent>| progress.event(event);
    let lab = ops::demo_lab(&args.name, &Events::new(&tell))?;
    view.lab(&lab);
    // Each command is a separate process that gets Ctrl-C itself. After that, no further command is started.
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
