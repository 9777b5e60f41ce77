//! All that hactl asks of a keepalived.conf.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::block::Statement;
use super::global::Global;
use super::instance::Instance;
use super::line::program;
use super::reader::{MAIN, Read, read};
use crate::conf::Files;

/// What keepalived makes of its files. It holds secrets, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Conf {
    /// `global_defs`.
    pub global: Global,
    /// Every `vrrp_script`.
    pub scripts: Vec<Script>,
    /// Every `vrrp_instance`.
    pub instances: Vec<Instance>,
    /// IPVS: `10.0.0.50:80`, `fwmark 5`, `group web`.
    pub virtual_servers: Vec<String>,
    /// The first words of what stands in each file that is read.
    pub keywords: BTreeMap<String, BTreeSet<String>>,
    /// The programs that scripts and notifications run, as paths or names.
    pub programs: BTreeSet<String>,
    /// All of it was read. False where it includes a file that was not there, or has lines that a sequence makes.
    pub is_whole: bool,
}

/// A `vrrp_script`, with keepalived's own defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "keepalived.conf(5) has each under its name")]
pub struct Script {
    pub name: String,
    pub interval: Duration,
    /// How long it may take; as long as its interval where nothing is said.
    pub timeout: Duration,
    pub weight: i16,
    pub fall: u32,
    pub rise: u32,
}

impl Conf {
    /// What a keepalived reads on the host that is called so; lines for any host where nobody knows its name.
    pub fn read(files: &Files<'_>, hostname: Option<&str>) -> Self {
        Self::of(&read(files, hostname))
    }

    /// What one file says alone, as if it were the main one.
    pub fn of_text(text: &str, hostname: Option<&str>) -> Self {
        Self::read(&Files::single(MAIN, text), hostname)
    }

    fn of(read: &Read) -> Self {
        let mut conf = Self {
            is_whole: true,
            ..Self::default()
        };
        conf.keywords = read
            .files
            .iter()
            .cloned()
            .map(|path| (path, BTreeSet::new()))
            .collect();
        let named = |keyword: &'static str| {
            let all = read.statements.iter();
            all.filter(move |one| one.keyword() == keyword)
        };
        for block in named("global_defs") {
            conf.global.take(block);
        }
        conf.scripts = named("vrrp_script").map(Script::read).collect();
        let file_of = |one: &Statement| read.files.get(one.file).map_or("", String::as_str);
        let instance = |one| Instance::read(one, file_of(one), &conf.global);
        conf.instances = named("vrrp_instance").map(instance).collect();
        conf.virtual_servers = named("virtual_server").filter_map(virtual_server).collect();
        for statement in read.statements.iter().flat_map(Statement::all) {
            conf.is_whole &= !statement.is_gap;
            if is_run(statement.keyword()) {
                conf.programs
                    .extend(program(&statement.text).map(str::to_owned));
            }
            if let Some(keywords) = conf.keywords.get_mut(file_of(statement)) {
                keywords.extend(statement.words.first().cloned());
            }
        }
        conf
    }

    /// The addresses that its instances bring.
    pub fn vips(&self) -> BTreeSet<IpAddr> {
        self.instances.iter().flat_map(Instance::vips).collect()
    }

    /// The sources and peers of its unicast instances.
    pub fn unicast_ends(&self) -> (BTreeSet<IpAddr>, BTreeSet<IpAddr>) {
        let unicast = self.instances.iter();
        let unicast: Vec<_> = unicast
            .filter(|own| !own.unicast_peers.is_empty())
            .collect();
        let sources = unicast.iter().filter_map(|own| own.source).collect();
        let peers = unicast.iter().flat_map(|own| &own.unicast_peers);
        (sources, peers.copied().collect())
    }
}

impl Script {
    fn read(statement: &Statement) -> Self {
        let settings = &statement.block;
        let find = |keyword: &str| settings.iter().rfind(|one| one.keyword() == keyword);
        let time = |keyword: &str| find(keyword).and_then(Statement::time);
        let count = |keyword: &str| find(keyword).and_then(Statement::parsed).unwrap_or(1);
        let interval = time("interval").unwrap_or(Duration::from_secs(1));
        Self {
            name: statement.value().unwrap_or_default().to_owned(),
            interval,
            timeout: time("timeout").unwrap_or(interval),
            weight: find("weight").and_then(Statement::parsed).unwrap_or(0),
            fall: count("fall"),
            rise: count("rise"),
        }
    }
}

/// A FIFO is made by keepalived itself.
fn is_run(keyword: &str) -> bool {
    matches!(keyword, "script" | "notify")
        || (keyword.starts_with("notify_") && keyword != "notify_fifo")
}

fn virtual_server(statement: &Statement) -> Option<String> {
    match statement.words.as_slice() {
        [_, kind, what, ..] if matches!(kind.as_str(), "fwmark" | "group") => {
            Some(format!("{kind} {what}"))
        }
        [_, address, port, ..] => Some(match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{address}:{port}"),
        }),
        _ => None,
    }
}
