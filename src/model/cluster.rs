//! The whole cluster: the inventory with every default filled in.

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
use super::vrrp::{Peering, VrrpInstance, VrrpSettings};

/// How root is gained after login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// The login user is root.
    Root,
    /// With sudo, and a password if sudo asks for one.
    Sudo,
}

/// How to connect to one node. `None` leaves the setting to `ssh_config(5)`.
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
    pub login: Login,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub name: NodeName,
    /// Its own address on the segment that carries VRRP.
    pub address: IpAddr,
    /// The interface that carries VRRP.
    pub interface: InterfaceName,
    /// keepalived's `router_id`.
    pub router_id: RouterId,
    pub ssh: SshSettings,
    /// Its place in the inventory.
    pub path: InventoryPath,
}

/// Who owns a daemon's main configuration file on the hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// hactl owns the file and replaces it whole.
    #[default]
    Owned,
    /// Others own the file. hactl only adds an include of a file of its own.
    Shared,
}

/// Which main configuration files hactl owns, per daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Hosts {
    /// nginx.conf.
    pub nginx: Hold,
    /// keepalived.conf.
    pub keepalived: Hold,
}

impl Hosts {
    /// Whether hactl shares the configuration of `unit` with others.
    pub fn shares(self, unit: UnitId) -> bool {
        let hold = match unit {
            UnitId::NGINX => self.nginx,
            UnitId::KEEPALIVED => self.keepalived,
            _ => Hold::Owned,
        };
        hold == Hold::Shared
    }
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sysctl {
    pub key: SysctlKey,
    pub value: SysctlValue,
    /// Whether hactl chose the setting, rather than the inventory.
    pub default: bool,
}

/// The state changes that keepalived reports through notify.sh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Notify {
    /// `notify_master`.
    pub master: bool,
    /// `notify_backup`.
    pub backup: bool,
    /// `notify_fault`.
    pub fault: bool,
}

/// Verbatim configuration, an escape hatch: only the daemons' own tests check it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawSnippets {
    /// Appended to keepalived.conf's `global_defs`.
    pub keepalived_global: Option<String>,
    /// Appended to each `vrrp_instance`.
    pub keepalived_instance: Option<String>,
    /// Appended to keepalived.conf.
    pub keepalived: Option<String>,
}

/// A validated inventory.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: ClusterName,
    /// The load balancers, in inventory order, at least one.
    pub nodes: Vec<Node>,
    /// Which configuration files on them hactl owns.
    pub hosts: Hosts,
    /// The VRRP instances, in inventory order, at least one.
    pub instances: Vec<VrrpInstance>,
    /// Settings that all instances share.
    pub vrrp: VrrpSettings,
    /// How keepalived checks nginx.
    pub health: Health,
    pub upstreams: Vec<Upstream>,
    /// nginx's server blocks.
    pub sites: Vec<Site>,
    /// TCP and UDP proxies.
    pub streams: Vec<Stream>,
    pub nginx: NginxSettings,
    pub sysctls: Vec<Sysctl>,
    /// The state changes that run notify.sh.
    pub notify: Notify,
    /// A program that notify.sh runs after logging, with type, name and state as arguments.
    pub notify_hook: Option<HostPath>,
    /// The longest acceptable outage per drill, where a budget is set.
    pub drill_budgets: BTreeMap<DrillName, Duration>,
    /// Verbatim configuration.
    pub raw: RawSnippets,
}

impl Cluster {
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == *name)
    }

    /// How the adverts of an IPv4 or IPv6 virtual router are sent. Unicast is not possible with `vrrp_strict`, nor where
    /// the nodes' own addresses are of the other family.
    pub fn peering_in(&self, ipv4: bool) -> Peering {
        let is_other = |node: &Node| node.address.is_ipv4() != ipv4;
        if self.vrrp.strict || self.nodes.iter().any(is_other) {
            return Peering::Multicast;
        }
        self.vrrp.peering
    }

    /// How the adverts between the nodes' own addresses are sent. `None` if all virtual routers are of the other family.
    pub fn peering(&self) -> Option<Peering> {
        let ipv4 = self.nodes.first()?.address.is_ipv4();
        let is_own = |instance: &VrrpInstance| instance.advertises_ipv4(ipv4) == ipv4;
        self.instances
            .iter()
            .any(is_own)
            .then(|| self.peering_in(ipv4))
    }

    /// Every secret that rendering needs, without duplicates.
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
