//! `hactl init`.

use camino::Utf8PathBuf;
use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use super::options::{ConsentArgs, InventoryArgs};
use crate::inventory::{StarterNode, StarterOptions};
use crate::ops::{self, InitRequest};

/// Write a first inventory, from options or by asking.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// File to write [default: the one that -i names]
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,

    /// Name of the cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,

    /// A load balancer; repeatable, the preferred master first
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = parse_node)]
    node: Vec<(String, String)>,

    /// The load balancers' network interface
    #[arg(long, value_name = "NAME", default_value = "eth0")]
    interface: String,

    /// The virtual IP
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    vip: Option<String>,

    /// A server behind the proxy; repeatable
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',')]
    backend: Vec<String>,

    /// User that logs in to the load balancers
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Replace an existing file
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    inventory: InventoryArgs,

    #[command(flatten)]
    consent: ConsentArgs,
}

fn parse_node(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, address)| !name.is_empty() && !address.is_empty())
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .ok_or_else(|| "it must be NAME=ADDRESS, such as lb1=10.0.0.11".to_owned())
}

impl InitArgs {
    fn says_nothing(&self) -> bool {
        self.cluster.is_none()
            && self.node.is_empty()
            && self.vip.is_none()
            && self.backend.is_empty()
            && self.user.is_none()
    }

    fn starter(&self) -> StarterOptions {
        let node = |(name, address): &(String, String)| StarterNode {
            name: name.clone(),
            address: address.clone(),
            interface: self.interface.clone(),
        };
        StarterOptions {
            cluster: self.cluster.clone(),
            nodes: self.node.iter().map(node).collect(),
            vip: self.vip.clone(),
            servers: self.backend.clone(),
            virtual_router_id: None,
            user: self.user.clone(),
        }
    }
}

pub(super) fn run(args: &InitArgs, app: &App) -> Result<Exit, CliError> {
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| args.inventory.inventory.clone());
    if path.exists() && !args.force {
        return Err(CliError::Usage {
            message: format!("{path} already exists"),
            help: "name another file with --output, or replace it with --force".to_owned(),
        });
    }
    let is_asked = args.says_nothing() && app.ui.can_ask() && !args.consent.yes;
    let starter = if is_asked {
        app.ui
            .ask_for_inventory()
            .map_err(|_| CliError::Interrupted)?
    } else {
        args.starter()
    };
    let report = ops::init(&InitRequest {
        starter,
        path,
        overwrite: args.force,
    })?;
    app.ui.show("init", Exit::Done.code(), &report);
    Ok(Exit::Done)
}
