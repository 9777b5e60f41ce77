//! `hactl lab up`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::run::App;
use crate::lab::{Image, LabSpec, Login};
use crate::ops;

#[derive(Debug, Args)]
pub(super) struct LabUpArgs {
    /// What to call it
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,

    /// How many nodes, 1 to 9: lb1, lb2, …
    #[arg(long, value_name = "N", default_value_t = 3)]
    nodes: u8,

    /// How many servers behind the proxy, 0 to 50
    #[arg(long, value_name = "N", default_value_t = 3)]
    backends: u8,

    /// Nodes that have nginx and keepalived already
    #[arg(long)]
    installed: bool,

    /// Log in as a user with sudo, not as root
    #[arg(long)]
    sudo: bool,

    /// The Debian mirror to build the image from [default: this machine's own]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

impl LabUpArgs {
    fn spec(self) -> LabSpec {
        LabSpec {
            name: self.name,
            nodes: self.nodes,
            backends: self.backends,
            image: if self.installed {
                Image::Installed
            } else {
                Image::Bare
            },
            login: if self.sudo { Login::Sudo } else { Login::Root },
            owner: None,
            mirror: self.mirror,
        }
    }
}

pub(super) fn run(args: LabUpArgs, app: &App) -> Result<Exit, CliError> {
    let spec = args.spec();
    let status = {
        let mut progress = app.ui.lab_progress();
        ops::lab_up(&spec, &mut |event| progress.event(&event))?
    };
    app.ui.show_lab_up(&status);
    Ok(Exit::Done)
}
