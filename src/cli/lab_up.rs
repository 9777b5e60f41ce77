//! `hactl lab up`.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;

use super::app::App;
use super::error::CliError;
use super::exit::Exit;
use crate::lab::{Image, LabEvent, LabSpec, Login, Release, UnknownRelease};
use crate::ops::{self, Events, Stamped};
use crate::view::LabUp;

#[derive(Debug, Args)]
pub(super) struct LabUpArgs {
    /// Name of the lab
    #[arg(long, value_name = "NAME", default_value = ops::DEFAULT_LAB)]
    name: String,

    /// Number of nodes, 1 to 9: lb1, lb2, …
    #[arg(long, value_name = "N", default_value_t = 3)]
    nodes: u8,

    /// Number of servers behind the proxy, 0 to 50
    #[arg(long, value_name = "N", default_value_t = 3)]
    backends: u8,

    /// Release that the nodes run: debian-11, debian-12, debian-13, debian-sid or rhel-like; with a node's name for that
    /// node alone; repeatable [default: debian-12]
    #[arg(long, value_name = "[NODE=]IMAGE")]
    image: Vec<WhichImage>,

    /// Install nginx and keepalived on the nodes beforehand
    #[arg(long)]
    installed: bool,

    /// Log in as a user with sudo instead of root
    #[arg(long)]
    sudo: bool,

    /// The Debian mirror to build the image from [default: this machine's own]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// An image for all nodes, or for one.
#[derive(Debug, Clone)]
struct WhichImage {
    node: Option<String>,
    release: Release,
}

impl FromStr for WhichImage {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let (node, release) = match text.split_once('=') {
            Some((node, release)) => (Some(node.to_owned()), release),
            None => (None, text),
        };
        Ok(Self {
            node,
            release: release.parse()?,
        })
    }
}

impl LabUpArgs {
    fn spec(self) -> LabSpec {
        let (mut release, mut other_releases) = (Release::default(), BTreeMap::new());
        for which in self.image {
            match which.node {
                Some(node) => {
                    other_releases.insert(node, which.release);
                }
                None => release = which.release,
            }
        }
        LabSpec {
            release,
            other_releases,
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
    let progress = app.ui.lab_progress("lab up");
    let tell = |event: &Stamped<LabEvent>| progress.event(event);
    let status = ops::lab_up(&spec, &Events::new(&tell))?;
    app.ui.show("lab up", Exit::Done.code(), &LabUp(&status));
    Ok(Exit::Done)
}
