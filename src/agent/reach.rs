//! How the VIPs look from one host, through the network: the calls `announce` and `reach`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::reply::Record;
use crate::model::{NodeName, clipped, generation_path};

/// The most VIPs, interfaces and listeners that are read of an answer.
const MAX_ITEMS: usize = 10_000;
/// The most characters of a name that stands in a table.
const MAX_WORD: usize = 64;

/// A VIP, and what listens on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VipDoors {
    /// The address.
    pub vip: IpAddr,
    /// TCP ports; those of plain HTTP are asked a question.
    pub doors: Vec<Door>,
}

/// A TCP port of a VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door {
    /// The port.
    pub port: u16,
    /// It speaks HTTP without TLS.
    pub is_http: bool,
}

/// What is asked of every node at the same time.
#[derive(Debug, Clone, Default)]
pub struct ReachQuestion {
    /// The VIPs.
    pub vips: Vec<VipDoors>,
    /// The configuration that the owner's nginx says it serves, by VIP. HTTP ports are asked for it, where it
    /// is known.
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

/// From where the VIPs are looked at.
#[derive(Debug, Clone, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub enum Viewpoint {
    /// A node of the cluster.
    Node(NodeName),
    /// The machine that hactl runs on.
    Client,
}

impl Viewpoint {
    /// The node, if it is one.
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

/// How the VIPs look from one place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reach {
    /// Who looked.
    pub from: Viewpoint,
    /// The hardware addresses of a node's interfaces.
    pub hardware: Vec<String>,
    /// Each VIP.
    pub vips: BTreeMap<IpAddr, ReachedVip>,
}

/// One VIP, from one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReachedVip {
    /// The interface of this node that has it: then this is the owner, or on `lo` a former one.
    pub interface: Option<String>,
    /// The hardware address that this node sends to. None for an owner, and where the way leads through a
    /// router.
    pub learned: Option<String>,
    /// What its TCP ports answered.
    pub answers: BTreeMap<u16, Answered>,
}

impl ReachedVip {
    /// True when this node owns it.
    pub fn is_owned(&self) -> bool {
        self.interface
            .as_ref()
            .is_some_and(|interface| interface != "lo")
    }

    /// True when this node would ask itself.
    pub fn is_local(&self) -> bool {
        self.interface.is_some()
    }
}

/// What a TCP port of a VIP answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answered {
    /// It refused the connection, or said nothing.
    Closed,
    /// The same on the owner itself, where something listens on it.
    Shut,
    /// It took the connection.
    Open,
    /// It took the connection and answered in HTTP.
    Http {
        /// The status code.
        status: u16,
        /// The answer says that the configuration asked for is the one that is served.
        is_asked_for: bool,
    },
}

impl Answered {
    /// From a status and the first word of the body; `asked` is the id in the path.
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

/// Reads what `node` answered to `question`.
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
        // An address that nobody asked about has no place here.
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

/// A VIP that a node has announced to its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Announced {
    /// The address.
    pub vip: IpAddr,
    /// The interface that it is on.
    pub interface: String,
    /// The program that sent the packets; none where the host has none that can.
    pub by: Option<String>,
}

/// Reads the answer to `announce`.
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
