//! Options that every verb takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{ArgAction, Args};

use super::duration::parse_duration;
use crate::model::NodeName;
use crate::ops::{Context, secret_file};
use crate::remote::{SshOptions, SudoPassword};
use crate::view::{ColorChoice, Format, Ui, UiOptions};

/// Options that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    /// The inventory
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "HACTL_INVENTORY"
    )]
    #[arg(default_value = "hactl.yml", hide_env_values = true)]
    inventory: Utf8PathBuf,

    /// Work on these nodes only (comma-separated)
    #[arg(long, global = true, value_name = "NODES", value_delimiter = ',')]
    #[arg(value_parser = parse_node)]
    limit: Vec<NodeName>,

    /// Nodes worked on at a time, where nothing live changes
    #[arg(long, global = true, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    parallel: u16,

    /// An ssh configuration to use in place of your own
    #[arg(long, global = true, value_name = "FILE", env = "HACTL_SSH_CONFIG")]
    #[arg(hide_env_values = true)]
    ssh_config: Option<Utf8PathBuf>,

    /// sudo's password on the nodes, in a file that only you can read; without it you are asked
    #[arg(long, global = true, value_name = "FILE")]
    sudo_password_file: Option<Utf8PathBuf>,

    /// How long a connection may take to come about
    #[arg(long, global = true, value_name = "TIME", default_value = "10s")]
    #[arg(value_parser = parse_duration)]
    connect_timeout: Duration,

    /// Templates that replace the built-in ones of the same name
    #[arg(long, global = true, value_name = "DIR", env = "HACTL_TEMPLATES")]
    #[arg(hide_env_values = true)]
    templates: Option<Utf8PathBuf>,

    /// What standard output gets: text, or one JSON document
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value = "human"
    )]
    format: Format,

    /// When there are colours
    #[arg(
        help = "When there are colours; auto: on terminals, unless NO_COLOR is set",
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto"
    )]
    color: ColorChoice,

    /// Nothing on standard error but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Log to standard error; twice and thrice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Log everything to this file, as JSON lines
    #[arg(long, global = true, value_name = "FILE")]
    log_file: Option<Utf8PathBuf>,

    /// Don't ask
    #[arg(short, long, global = true)]
    yes: bool,
}

fn parse_node(text: &str) -> Result<NodeName, String> {
    NodeName::new(text).map_err(|error| error.to_string())
}

impl GlobalArgs {
    /// For the view.
    pub(super) fn ui(&self) -> UiOptions {
        UiOptions {
            format: self.format,
            color: self.color,
            quiet: self.quiet,
            logs: self.verbose > 0,
        }
    }

    /// For the operations.
    pub(super) fn context(&self, stop: Arc<AtomicBool>, ui: &Ui) -> Context {
        Context {
            inventory: self.inventory.clone(),
            limit: self.limit.clone(),
            take_over: None,
            forget: Vec::new(),
            parallel: usize::from(self.parallel),
            ssh: SshOptions {
                config_file: self.ssh_config.clone(),
                connect_timeout: self.connect_timeout,
                sudo_password: self.sudo_password(&stop, ui),
                withheld: Vec::new(),
            },
            templates: self.templates.clone(),
            stop,
        }
    }

    /// From the file, or from the user where there is one: asked once, and only if a node needs it.
    fn sudo_password(&self, stop: &Arc<AtomicBool>, ui: &Ui) -> Option<SudoPassword> {
        if let Some(path) = self.sudo_password_file.clone() {
            return Some(SudoPassword::certain(move || {
                secret_file(&path).map_err(|reason| format!("{path}: {reason}"))
            }));
        }
        let (ui, stop) = (ui.clone(), Arc::clone(stop));
        ui.can_ask().then(|| {
            SudoPassword::on_demand(move || {
                let typed = ui.ask_secret("sudo's password on the nodes: ", &|| {
                    stop.load(Ordering::Relaxed)
                });
                typed.ok_or_else(|| "none was typed".to_owned())
            })
        })
    }

    /// How much is logged to standard error.
    pub(super) fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// Where everything is logged to.
    pub(super) fn log_file(&self) -> Option<&Utf8PathBuf> {
        self.log_file.as_ref()
    }

    /// True when nothing shall be asked.
    pub(super) fn yes(&self) -> bool {
        self.yes
    }
}
