//! How the VIPs look from one host, through the network: the calls `announce` and `reach`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::reply::Record;
use crate::model::{NodeName, clipped, generation_path};

/// The most VIPs, interfaces and listeners read from an answer.
const MAX_ITEMS: usize = 10_000;
/// The most characters of a name in a table.
const MAX_WORD: usize = 64;

/// A VIP and its listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VipDoors {
    pub vip: IpAddr,
    /// TCP ports. Plain HTTP ports get a request, the others only a connection.
    pub doors: Vec<Door>,
}

/// A TCP port of a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door {
    pub port: u16,
    /// Whether it speaks HTTP without TLS.
    pub is_http: bool,
}

/// The question to all nodes at the same time.
#[derive(Debug, Clone, Default)]
pub struct ReachQuestion {
    pub vips: Vec<VipDoors>,
    /// By VIP, the id of the configuration that the owner's nginx reports. If known, HTTP ports are
    /// asked for it.
    pub serves: BTreeMap<IpAddr, String>,
}

impl ReachQuestion {
    pub(super) fn stream(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for VipDoors { vip, doors } in &self.vips {
            let _ = writeln!(text, "vip\t{vip}");
            for door in doors {
                let path = match self.serves.get(vip) {
                    Some(id) if door.is_http => generation_path(id),
                    _ => "-".to_owned(),
                };
                let _ = writeln!(text, "listener\t{vip}\t{}\t{path}", door.port);
            }
        }
        text.push_str("end\n");
        text
    }
}

/// The place from which the VIPs are probed.
#[derive(Debug, Clone, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub enum Viewpoint {
    /// A node of the cluster.
    Node(NodeName),
    /// The machine that hactl runs on.
    Client,
}

impl Viewpoint {
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Node(node) => Some(node),
            Self::Client => None,
        }
    }
}

impl fmt::Display for Viewpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Client => f.write_str("this machine"),
        }
    }
}

impl serde::Serialize for Viewpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The VIPs as seen from one place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reach {
    pub from: Viewpoint,
    /// The MAC addresses of a node's interfaces.
    pub hardware: Vec<String>,
    pub vips: BTreeMap<IpAddr, ReachedVip>,
}

/// One VIP, as seen from one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReachedVip {
    /// The interface of this node that has the VIP. `lo` on a former owner, any other on the
    /// current one.
    pub interface: Option<String>,
    /// The MAC address in this node's neighbour table. `None` for the owner, and if the VIP is
    /// behind a router.
    pub learned: Option<String>,
    /// The state of its TCP ports.
    pub answers: BTreeMap<u16, Answered>,
}

impl ReachedVip {
    /// Whether this node owns the VIP.
    pub fn is_owned(&self) -> bool {
        self.interface
            .as_ref()
            .is_some_and(|interface| interface != "lo")
    }

    /// Whether this node would connect to itself.
    pub fn is_local(&self) -> bool {
        self.interface.is_some()
    }
}

/// The state of a TCP port on a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answered {
    /// The connection was refused or timed out.
    Closed,
    /// The same on the owner itself, where something does listen on the port.
    Shut,
    /// The connection was accepted.
    Open,
    /// The connection was accepted, and the answer was HTTP.
    Http {
        status: u16,
        /// Whether the response confirms that the requested configuration is being served.
        is_asked_for: bool,
    },
}

impl Answered {
    /// Classifies a status and the first word of the body. `asked` is the id in the request's path.
    pub fn http(status: &str, word: &str, asked: Option<&str>) -> Self {
        match status.parse() {
            Ok(status) => Self::Http {
                status,
                is_asked_for: status == 200 && asked.is_some_and(|asked| asked == word),
            },
            Err(_) => Self::Open,
        }
    }
}

/// Parses the answer of `node` to `question`.
pub(super) fn reach<'r>(
    node: &NodeName,
    question: &ReachQuestion,
    records: impl Iterator<Item = &'r Record>,
) -> Reach {
    let mut seen = Reach {
        from: Viewpoint::Node(node.clone()),
        hardware: Vec::new(),
        vips: question
            .vips
            .iter()
            .map(|doors| (doors.vip, ReachedVip::default()))
            .collect(),
    };
    for record in records.take(MAX_ITEMS) {
        let word = |index| clipped(record.field(index), MAX_WORD);
        if record.tag == "hardware" {
            seen.hardware.push(word(1));
            continue;
        }
        let Ok(address) = record.field(0).parse::<IpAddr>() else {
            continue;
        };
        let asked = question.serves.get(&address).map(String::as_str);
        // Ignore addresses that were not requested.
        let Some(vip) = seen.vips.get_mut(&address) else {
            continue;
        };
        match record.tag.as_str() {
            "has" => vip.interface = Some(word(1)),
            "learned" => vip.learned = Some(word(1)),
            "answer" => {
                let Ok(port) = record.field(1).parse() else {
                    continue;
                };
                let answered = match record.field(2) {
                    "open" => Answered::http(record.field(3), record.field(4), asked),
                    "shut" => Answered::Shut,
                    _ => Answered::Closed,
                };
                vip.answers.insert(port, answered);
            }
            _ => {}
        }
    }
    seen
}

/// A VIP that a node announced to its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Announced {
    pub vip: IpAddr,
    pub interface: String,
    /// The program that sent the packets, or `None` if the host has none that can.
    pub by: Option<String>,
}

/// Parses the answer to `announce`.
pub(super) fn announced<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<Announced> {
    let one = |record: &Record| {
        let by = clipped(record.field(2), MAX_WORD);
        Some(Announced {
            vip: record.field(0).parse().ok()?,
            interface: clipped(record.field(1), MAX_WORD),
            by: (!by.is_empty()).then_some(by),
        })
    };
    records.take(MAX_ITEMS).filter_map(one).collect()
}
