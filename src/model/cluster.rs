//! The whole cluster: what the inventory means, with every default filled in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::drill::DrillName;
use super::names::{
    ClusterName, HostPath, InterfaceName, NodeName, RouterId, SysctlKey, SysctlValue, UserName,
};
use super::nginx::{Health, NginxSettings, Site, Stream, Upstream};
use super::path::InventoryPath;
use super::secret::SecretRef;
use super::unit::UnitId;
use super::vrrp::{VrrpInstance, VrrpSettings};

/// How root is reached after login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// The login user is root.
    Root,
    /// sudo, with a password where it asks for one.
    Sudo,
}

/// How one node is reached. What is `None` is left to `ssh_config(5)`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SshSettings {
    /// `HostName`: an address, a name or an alias of the operator's ssh configuration.
    pub host: String,
    /// `User`.
    pub user: Option<UserName>,
    /// `Port`.
    pub port: Option<u16>,
    /// `ProxyJump`: `user@host:port`, several separated by commas.
    pub jump: Option<String>,
    /// `IdentityFile`.
    pub identity_file: Option<Utf8PathBuf>,
    /// How root is reached.
    pub login: Login,
}

/// One load balancer.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its own address on the wire that carries VRRP.
    pub address: IpAddr,
    /// The interface that carries VRRP.
    pub interface: InterfaceName,
    /// keepalived's `router_id`.
    pub router_id: RouterId,
    /// How it is reached.
    pub ssh: SshSettings,
    /// Where it stands in the inventory.
    pub path: InventoryPath,
}

/// Whose a daemon's main file is on the hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// hactl's: it is replaced whole.
    #[default]
    Owned,
    /// Somebody else's: it stays, and includes a file of hactl's.
    Shared,
}

/// What of the hosts is hactl's, daemon by daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Hosts {
    /// nginx.conf.
    pub nginx: Hold,
    /// keepalived.conf.
    pub keepalived: Hold,
}

impl Hosts {
    /// True when hactl lives beside others in the configuration of `unit`.
    pub fn shares(self, unit: UnitId) -> bool {
        let hold = match unit {
            UnitId::NGINX => self.nginx,
            UnitId::KEEPALIVED => self.keepalived,
            _ => Hold::Owned,
        };
        hold == Hold::Shared
    }
}

/// One kernel setting.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sysctl {
    /// Its key.
    pub key: SysctlKey,
    /// Its value.
    pub value: SysctlValue,
    /// hactl's own choice rather than the inventory's.
    pub default: bool,
}

/// Which state changes keepalived reports through notify.sh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Notify {
    /// `notify_master`.
    pub master: bool,
    /// `notify_backup`.
    pub backup: bool,
    /// `notify_fault`.
    pub fault: bool,
}

/// Verbatim configuration. Escape hatches: nobody checks them but the daemons' own tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawSnippets {
    /// For keepalived.conf's `global_defs`.
    pub keepalived_global: Option<String>,
    /// For each `vrrp_instance`.
    pub keepalived_instance: Option<String>,
    /// For keepalived.conf's end.
    pub keepalived: Option<String>,
}

/// What an inventory means.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// The load balancers, in the inventory's order, at least one.
    pub nodes: Vec<Node>,
    /// What of them is hactl's.
    pub hosts: Hosts,
    /// The virtual routers, in the inventory's order, at least one.
    pub instances: Vec<VrrpInstance>,
    /// What all of them share.
    pub vrrp: VrrpSettings,
    /// How nginx is checked.
    pub health: Health,
    /// Groups of servers behind the proxy.
    pub upstreams: Vec<Upstream>,
    /// Virtual servers.
    pub sites: Vec<Site>,
    /// TCP and UDP proxies.
    pub streams: Vec<Stream>,
    /// nginx's global settings.
    pub nginx: NginxSettings,
    /// Kernel settings.
    pub sysctls: Vec<Sysctl>,
    /// notify.sh's occasions.
    pub notify: Notify,
    /// An own program that notify.sh runs after it has logged: it gets the type, name and state.
    pub notify_hook: Option<HostPath>,
    /// The longest outage of each drill that is accepted, where one is set.
    pub drill_budgets: BTreeMap<DrillName, Duration>,
    /// Escape hatches.
    pub raw: RawSnippets,
}

impl Cluster {
    /// The node called `name`.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == *name)
    }

    /// Every secret that rendering needs, once each.
    pub fn secret_refs(&self) -> Vec<&SecretRef> {
        let password = self.vrrp.authentication.as_ref().map(|auth| &auth.password);
        let tls = self.sites.iter().filter_map(|site| match &site.tls {
            Some(super::nginx::Tls::Pushed { certificate, key }) => Some([certificate, key]),
            _ => None,
        });
        let mut refs: Vec<_> = password.into_iter().chain(tls.flatten()).collect();
        refs.sort();
        refs.dedup();
        refs
    }
}
