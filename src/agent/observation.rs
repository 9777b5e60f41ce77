//! The observed state of a host: facts, files, services, and the configuration that running
//! processes use.

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

/// Everything observed on one host at one moment.
#[derive(Clone)]
pub struct Observation {
    pub node: NodeName,
    /// `uname -n`.
    pub hostname: String,
    /// `uname -r`.
    pub kernel: String,
    /// The host's clock, in seconds since the epoch.
    pub clock: f64,
    /// Seconds since the host booted.
    pub uptime: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Its distribution and release.
    pub os: OsRelease,
    /// The units' programs.
    pub installed: BTreeMap<UnitId, Program>,
    /// Whether nginx supports `stream { … }`, built in or as an installed module.
    pub nginx_streams: bool,
    /// Programs that hactl needs but the host lacks.
    pub lacking: Vec<String>,
    /// The live generation's manifest.
    pub recorded: Option<Manifest>,
    /// The highest generation number on the host, live or not.
    pub highest_generation: u64,
    /// Generation 0's manifest: the original state of everything on the host that hactl has
    /// touched.
    pub original: Option<Manifest>,
    /// The change in flight.
    pub journal: Option<Journal>,
    /// The lock, if held.
    pub lock: Option<LockInfo>,
    /// The outcome of the last change.
    pub outcome: Option<Outcome>,
    /// A drill's fault that is armed on the host.
    pub drill: Option<ArmedFault>,
    /// The units' services, by systemd unit name.
    pub services: BTreeMap<String, Service>,
    /// Addresses with their interfaces.
    pub addresses: Vec<(String, IpNet)>,
    /// Interfaces with their operational state.
    pub interfaces: BTreeMap<String, String>,
    /// The interfaces' MAC addresses.
    pub hardware: Vec<String>,
    /// The requested addresses that have an entry in the host's neighbour table.
    pub neighbours: BTreeMap<IpAddr, Neighbour>,
    /// The requested paths.
    pub files: BTreeMap<HostPath, LiveFile>,
    /// The requested sysctls. `None` where the kernel has no such key.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// The requested upstream servers.
    pub backends: Vec<BackendState>,
    /// The requested names, each with the addresses that it resolves to on the host.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// The ids of the configurations that the running units report as loaded.
    pub loaded: BTreeMap<UnitId, String>,
    /// What is known about the risk of reloading a keepalived that does not check the file first.
    pub unsure_reload: Option<UnsureReload>,
    /// keepalived's VRRP instances.
    pub vrrp: Vec<VrrpState>,
    /// The sockets and files that it serves with, if requested.
    pub serving: Option<Serving>,
    /// The things that the instances track.
    pub tracked: Vec<Tracked>,
    /// Tracked files that keepalived would not see change.
    pub unwatched: Vec<String>,
    /// Script failures: name of the script and reason, newest last.
    pub script_failures: Vec<(String, String)>,
    /// The scripts named in the live keepalived.conf.
    pub hooks: Vec<Hook>,
    /// Whether the check script last reported nginx as overloaded.
    pub is_overloaded: bool,
    /// The requested programs, which a planned configuration names.
    pub programs: Vec<Hook>,
    /// The requested ports of peers.
    pub peers: Vec<PeerPort>,
    /// The results of the requested probes.
    pub probed: Probed,
}

/// The path of keepalived's configuration, the same on every distribution.
const KEEPALIVED_CONF: &str = "/etc/keepalived/keepalived.conf";

/// Why hactl cannot manage a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedHost {
    /// Neither Debian's nor Red Hat's family.
    #[error("{node}: unsupported distribution '{os_id}'")]
    Distribution {
        node: NodeName,
        /// `ID` of os-release(5).
        os_id: String,
    },
    /// A program is neither installed nor available as a package.
    #[error(
        "{node}: {program} is not installed, and the host's package manager has no such package"
    )]
    NoProgram {
        node: NodeName,
        program: &'static str,
        /// The host's package manager.
        packages: PackageManager,
    },
    /// A prerequisite of the host's program is missing.
    #[error("{node}: the host lacks {}, which hactl needs", programs.join(", "))]
    Lacking {
        node: NodeName,
        programs: Vec<String>,
    },
}

impl Observation {
    /// An observation of `node` with nothing in it.
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
            // For a host without nginx: the packages of both families use this path.
            nginx_pid_file: HostPath::new(&self.service(UnitId::NGINX).pid_file)
                .unwrap_or(debian.nginx_pid_file),
            addresses: Some(self.own_addresses()),
        })
    }

    /// The host's own addresses, without the loopback interface's and without those that the live
    /// keepalived.conf, hactl's or not, makes virtual.
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

    /// Whether `address` is on one of the host's interfaces. During a handover a host also keeps
    /// the address on its loopback interface, which does not count.
    pub fn holds(&self, address: IpAddr) -> bool {
        let is_it =
            |(interface, net): &(String, ipnet::IpNet)| interface != "lo" && net.addr() == address;
        self.addresses.iter().any(is_it)
    }

    /// Seconds since the epoch time `since`, by the host's own clock.
    pub fn seconds_since(&self, since: u64) -> u64 {
        let since = std::time::Duration::from_secs(since);
        let now = std::time::Duration::try_from_secs_f64(self.clock).unwrap_or_default();
        now.saturating_sub(since).as_secs()
    }

    pub fn service(&self, unit: UnitId) -> Service {
        self.services
            .get(&unit.service())
            .cloned()
            .unwrap_or_default()
    }

    pub fn program(&self, unit: UnitId) -> Program {
        let missing = Program::Missing { candidate: None };
        self.installed.get(&unit).copied().unwrap_or(missing)
    }

    /// The id of the configuration that the running `unit` reports as loaded.
    pub fn loaded(&self, unit: UnitId) -> Option<&str> {
        self.loaded.get(&unit).map(String::as_str)
    }

    /// The names that the host cannot resolve.
    pub fn unresolved(&self) -> Vec<String> {
        let names = self.names.iter().filter(|(_, found)| found.is_empty());
        names.map(|(name, _)| name.clone()).collect()
    }

    /// The live generation's number, or `None` if hactl has never applied anything.
    pub fn generation(&self) -> Option<u64> {
        self.recorded.as_ref().and_then(Manifest::generation)
    }
}
