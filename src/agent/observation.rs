//! What a host was seen to be: facts, files, services, and what the running processes use.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::backend::BackendState;
use super::change::{Journal, LockInfo, Outcome};
use super::fault::ArmedFault;
use super::hooks::{Hook, UnsureReload};
use super::keepalived::{Tracked, VrrpState};
use super::manifest::Manifest;
use super::peers::{Neighbour, PeerPort};
use super::probe::Probed;
use super::serving::Serving;
use super::unit_state::{LiveFile, Program, Service};
use crate::conf::keepalived::Conf;
use crate::model::{
    Distribution, HostPath, NodeFacts, NodeName, OsRelease, OwnAddress, PackageManager, UnitId,
    UserName, Version,
};

/// Everything that was seen of one host, at one moment.
#[derive(Clone)]
pub struct Observation {
    /// Whose it is.
    pub node: NodeName,
    /// `uname -n`.
    pub hostname: String,
    /// `uname -r`.
    pub kernel: String,
    /// Seconds since the epoch by the host's clock.
    pub clock: f64,
    /// Seconds since it was started.
    pub uptime: u64,
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// Its distribution and release.
    pub os: OsRelease,
    /// The units' programs there.
    pub installed: BTreeMap<UnitId, Program>,
    /// That nginx knows `stream { … }`: it is built in, or its module is there.
    pub nginx_streams: bool,
    /// Programs that hactl needs and the host lacks.
    pub lacking: Vec<String>,
    /// The live generation's manifest.
    pub recorded: Option<Manifest>,
    /// The highest number that a generation on the host has, live or not.
    pub highest_generation: u64,
    /// Generation 0's manifest: the host before hactl, as far as it was touched since.
    pub original: Option<Manifest>,
    /// A change under way.
    pub journal: Option<Journal>,
    /// The lock, if it is taken.
    pub lock: Option<LockInfo>,
    /// How the last change ended.
    pub outcome: Option<Outcome>,
    /// A drill's fault that is armed there.
    pub drill: Option<ArmedFault>,
    /// The units' services, by systemd's names.
    pub services: BTreeMap<String, Service>,
    /// Interfaces and the addresses on them.
    pub addresses: Vec<(String, IpNet)>,
    /// Its interfaces, with their state.
    pub interfaces: BTreeMap<String, String>,
    /// Its interfaces' hardware addresses.
    pub hardware: Vec<String>,
    /// Those of the addresses asked about that the host knows a neighbour for.
    pub neighbours: BTreeMap<IpAddr, Neighbour>,
    /// The paths that were asked about.
    pub files: BTreeMap<HostPath, LiveFile>,
    /// The kernel settings that were asked about; `None` where the kernel has no such key.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// The servers that were asked about.
    pub backends: Vec<BackendState>,
    /// The names that were asked about, each with the addresses that the host resolves it to.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// The configurations that the running units have loaded, by their own word.
    pub loaded: BTreeMap<UnitId, String>,
    /// What speaks for and against a reload of a keepalived that would not test the file first.
    pub unsure_reload: Option<UnsureReload>,
    /// Its VRRP instances.
    pub vrrp: Vec<VrrpState>,
    /// What it serves, where that was asked.
    pub serving: Option<Serving>,
    /// What they watch.
    pub tracked: Vec<Tracked>,
    /// Tracked files that keepalived would not see a change of.
    pub unwatched: Vec<String>,
    /// How the scripts failed that keepalived runs, by their names there; the newest last.
    pub script_failures: Vec<(String, String)>,
    /// The scripts that the live keepalived.conf names.
    pub hooks: Vec<Hook>,
    /// The check's last word is that nginx is overloaded.
    pub is_overloaded: bool,
    /// The programs that were asked for since a configuration to come names them.
    pub programs: Vec<Hook>,
    /// The peers' listeners that were asked for.
    pub peers: Vec<PeerPort>,
    /// What the probes found that were asked for.
    pub probed: Probed,
}

/// keepalived's configuration, where every distribution has it.
const KEEPALIVED_CONF: &str = "/etc/keepalived/keepalived.conf";

/// hactl has no idea how to manage this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedHost {
    /// Neither Debian's family nor Red Hat's.
    #[error("{node}: unsupported distribution '{os_id}'")]
    Distribution {
        /// The node.
        node: NodeName,
        /// `ID` of os-release(5).
        os_id: String,
    },
    /// A program is neither installed nor installable.
    #[error(
        "{node}: {program} is not installed, and its package manager knows no package of that name"
    )]
    NoProgram {
        /// The node.
        node: NodeName,
        /// The program.
        program: &'static str,
        /// Whose package manager it is.
        packages: PackageManager,
    },
    /// Something that the host's program needs is missing.
    #[error("{node}: hactl needs {} there", programs.join(", "))]
    Lacking {
        /// The node.
        node: NodeName,
        /// What is missing.
        programs: Vec<String>,
    },
}

impl Observation {
    /// Nothing known of `node` yet.
    pub fn of(node: NodeName) -> Self {
        Self {
            node,
            hostname: String::new(),
            kernel: String::new(),
            clock: 0.0,
            uptime: 0,
            boot_id: String::new(),
            os: OsRelease::default(),
            installed: BTreeMap::new(),
            nginx_streams: false,
            lacking: Vec::new(),
            recorded: None,
            highest_generation: 0,
            original: None,
            journal: None,
            lock: None,
            outcome: None,
            drill: None,
            services: BTreeMap::new(),
            addresses: Vec::new(),
            interfaces: BTreeMap::new(),
            hardware: Vec::new(),
            neighbours: BTreeMap::new(),
            files: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            backends: Vec::new(),
            names: BTreeMap::new(),
            loaded: BTreeMap::new(),
            unsure_reload: None,
            vrrp: Vec::new(),
            serving: None,
            tracked: Vec::new(),
            unwatched: Vec::new(),
            script_failures: Vec::new(),
            hooks: Vec::new(),
            is_overloaded: false,
            programs: Vec::new(),
            peers: Vec::new(),
            probed: Probed::default(),
        }
    }

    /// The facts that rendering needs.
    pub fn facts(&self) -> Result<NodeFacts, UnsupportedHost> {
        let node = || self.node.clone();
        if !self.lacking.is_empty() {
            return Err(UnsupportedHost::Lacking {
                node: node(),
                programs: self.lacking.clone(),
            });
        }
        let Some(distribution) = Distribution::of(&self.os) else {
            return Err(UnsupportedHost::Distribution {
                node: node(),
                os_id: self.os.id.clone(),
            });
        };
        let (os_id, os_version) = (&self.os.id, &self.os.version_id);
        let packaged = distribution.packaged(os_id, os_version);
        let version = |program: Program, packaged: Option<Version>, name| {
            let missing = UnsupportedHost::NoProgram {
                node: node(),
                program: name,
                packages: distribution.packages,
            };
            program.version().or(packaged).ok_or(missing)
        };
        let debian = NodeFacts::debian_12();
        Ok(NodeFacts {
            os_id: os_id.clone(),
            os_version: os_version.clone(),
            family: distribution.family,
            keepalived: version(
                self.program(UnitId::KEEPALIVED),
                packaged.map(|it| it.0),
                "keepalived",
            )?,
            nginx: version(
                self.program(UnitId::NGINX),
                packaged.map(|it| it.1),
                "nginx",
            )?,
            nginx_user: UserName::new(distribution.nginx_user).unwrap_or(debian.nginx_user),
            // The packages of both families name the same one, for a host without nginx.
            nginx_pid_file: HostPath::new(&self.service(UnitId::NGINX).pid_file)
                .unwrap_or(debian.nginx_pid_file),
            addresses: Some(self.own_addresses()),
        })
    }

    /// The addresses that are the host's own: not those on its loopback, nor those that its
    /// keepalived.conf, whoever wrote it, has keepalived put on an interface.
    fn own_addresses(&self) -> Vec<OwnAddress> {
        let conf = HostPath::new(KEEPALIVED_CONF).ok();
        let conf = conf.and_then(|path| self.files.get(&path)?.content());
        let text = String::from_utf8_lossy(conf.unwrap_or_default());
        let virtual_ones = Conf::of_text(&text, Some(&self.hostname)).vips();
        let is_own = |(interface, net): &&(String, IpNet)| {
            interface != "lo" && !virtual_ones.contains(&net.addr())
        };
        let own = self.addresses.iter().filter(is_own);
        own.map(|(interface, net)| OwnAddress {
            interface: interface.clone(),
            net: *net,
        })
        .collect()
    }

    /// True when `address` is on one of the host's interfaces: what it only answers for on its loopback,
    /// while it hands an address over, it does not have.
    pub fn holds(&self, address: IpAddr) -> bool {
        let is_it =
            |(interface, net): &(String, ipnet::IpNet)| interface != "lo" && net.addr() == address;
        self.addresses.iter().any(is_it)
    }

    /// How many seconds ago `since` was, by the host's own clock.
    pub fn seconds_since(&self, since: u64) -> u64 {
        let since = std::time::Duration::from_secs(since);
        let now = std::time::Duration::try_from_secs_f64(self.clock).unwrap_or_default();
        now.saturating_sub(since).as_secs()
    }

    /// systemd's view of `unit`.
    pub fn service(&self, unit: UnitId) -> Service {
        self.services
            .get(&unit.service())
            .cloned()
            .unwrap_or_default()
    }

    /// The program of `unit` there.
    pub fn program(&self, unit: UnitId) -> Program {
        let missing = Program::Missing { candidate: None };
        self.installed.get(&unit).copied().unwrap_or(missing)
    }

    /// The configuration that the running `unit` has loaded, by its own word.
    pub fn loaded(&self, unit: UnitId) -> Option<&str> {
        self.loaded.get(&unit).map(String::as_str)
    }

    /// The names that it cannot resolve.
    pub fn unresolved(&self) -> Vec<String> {
        let names = self.names.iter().filter(|(_, found)| found.is_empty());
        names.map(|(name, _)| name.clone()).collect()
    }

    /// The live generation's number; `None` where hactl has never applied anything.
    pub fn generation(&self) -> Option<u64> {
        self.recorded.as_ref().and_then(Manifest::generation)
    }
}
