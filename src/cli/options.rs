//! Options that several verbs share. Each verb flattens those that apply to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{ArgAction, Args, Command};

use super::app::App;
use super::duration::parse_duration;
use super::error::CliError;
use crate::model::NodeName;
use crate::ops::{Access, Selection, Transport, secret_file};
use crate::remote::{SshOptions, SudoPassword};
use crate::view::{ColorChoice, Format, UiOptions};

/// Options that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output options")]
pub(super) struct OutputArgs {
    /// What to write to standard output
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value = "human"
    )]
    format: Format,

    /// When to use colour; auto: on terminals, unless `NO_COLOR` is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto"
    )]
    color: ColorChoice,

    /// Print nothing but errors to standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Log to standard error; -vv and -vvv log more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// Log everything to this file, as JSON lines
    #[arg(long, global = true, value_name = "FILE")]
    log_file: Option<Utf8PathBuf>,
}

impl OutputArgs {
    pub(super) fn ui(&self) -> UiOptions {
        UiOptions {
            format: self.format,
            color: self.color,
            quiet: self.quiet,
            logs: self.verbose > 0,
        }
    }

    /// Log level for standard error.
    pub(super) fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// The file to log everything to.
    pub(super) fn log_file(&self) -> Option<&Utf8PathBuf> {
        self.log_file.as_ref()
    }
}

/// The inventory's file.
#[derive(Debug, Clone, Args)]
pub(super) struct InventoryArgs {
    /// Inventory file
    #[arg(short, long, value_name = "FILE", env = "HACTL_INVENTORY")]
    #[arg(default_value = "hactl.yml", hide_env_values = true)]
    pub(super) inventory: Utf8PathBuf,
}

/// What the nodes' files are made from.
#[derive(Debug, Clone, Args)]
pub(super) struct SourceArgs {
    #[command(flatten)]
    inventory: InventoryArgs,

    /// Folder of templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR", env = "HACTL_TEMPLATES")]
    #[arg(hide_env_values = true)]
    templates: Option<Utf8PathBuf>,
}

impl SourceArgs {
    /// Selects all nodes of the inventory.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            inventory: self.inventory.inventory.clone(),
            templates: self.templates.clone(),
            limit: Vec::new(),
            forget: Vec::new(),
            take_over: None,
        }
    }

    /// Selects the nodes that `limit` names.
    pub(super) fn limited(&self, limit: &LimitArgs) -> Selection {
        Selection {
            limit: limit.limit.clone(),
            ..self.selection()
        }
    }
}

/// The nodes to work on.
#[derive(Debug, Clone, Args)]
pub(super) struct LimitArgs {
    /// Work on these nodes only (comma-separated)
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    #[arg(value_parser = parse_node)]
    pub(super) limit: Vec<NodeName>,
}

/// How the nodes are reached.
#[derive(Debug, Clone, Args)]
pub(super) struct HostArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,

    /// Maximum number of nodes to work on in parallel while nothing live changes
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(help_heading = "Connection options")]
    parallel: u16,

    /// ssh configuration to use instead of your own
    #[arg(long, value_name = "FILE", env = "HACTL_SSH_CONFIG")]
    #[arg(hide_env_values = true, help_heading = "Connection options")]
    ssh_config: Option<Utf8PathBuf>,

    /// File with the nodes' sudo password, readable only by you; without it you are asked
    #[arg(long, value_name = "FILE", help_heading = "Connection options")]
    sudo_password_file: Option<Utf8PathBuf>,

    /// SSH connection timeout
    #[arg(long, value_name = "TIME", default_value = "10s")]
    #[arg(value_parser = parse_duration, help_heading = "Connection options")]
    connect_timeout: Duration,
}

impl HostArgs {
    pub(super) fn access(&self, app: &App) -> Access {
        Access {
            transport: Transport::Ssh(SshOptions {
                config_file: self.ssh_config.clone(),
                connect_timeout: self.connect_timeout,
                sudo_password: self.sudo_password(app),
                withheld: Vec::new(),
            }),
            parallel: usize::from(self.parallel),
            stop: Arc::clone(&app.stop),
        }
    }

    /// Read from the file, or typed by the user if there is one: asked for once, and only if a node needs it.
    fn sudo_password(&self, app: &App) -> Option<SudoPassword> {
        if let Some(path) = self.sudo_password_file.clone() {
            return Some(SudoPassword::certain(move || {
                secret_file(&path).map_err(|reason| format!("{path}: {reason}"))
            }));
        }
        let (ui, stop) = (app.ui.clone(), Arc::clone(&app.stop));
        ui.can_ask().then(|| {
            SudoPassword::on_demand(move || {
                let typed = ui.ask_secret("sudo's password on the nodes: ", &|| {
                    stop.load(Ordering::Relaxed)
                });
                typed.ok_or_else(|| "none was typed".to_owned())
            })
        })
    }
}

/// Whether questions are asked.
#[derive(Debug, Clone, Args)]
pub(super) struct ConsentArgs {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub(super) yes: bool,
}

impl ConsentArgs {
    /// Refuses to go on if there would be nobody to answer a question.
    pub(super) fn require(&self, app: &App) -> Result<(), CliError> {
        if self.yes || app.ui.can_ask() {
            return Ok(());
        }
        Err(CliError::Usage {
            message: "cannot ask for confirmation: standard input is not a terminal".to_owned(),
            help:
                "add --yes to go on without being asked, or look first (hactl plan, hactl status)"
                    .to_owned(),
        })
    }
}

pub(super) fn parse_node(text: &str) -> Result<NodeName, String> {
    NodeName::new(text).map_err(|error| error.to_string())
}

/// The options of several verbs that may also precede the verb.
pub(super) fn shared() -> Command {
    let command = Command::new("shared");
    ConsentArgs::augment_args(LimitArgs::augment_args(HostArgs::augment_args(command)))
}
