//! All drills in one table, the source of help, documentation and the tests of healing.

use std::time::Duration;

use super::window::{Linger, Mark, Window};
use crate::model::NodeName;

/// A drill's name.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    schemars::JsonSchema,
    serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Drill {
    /// nginx's master is killed.
    NginxKill,
    /// nginx is stopped, as an administrator would stop it.
    NginxStop,
    /// nginx runs and does not answer.
    NginxHang,
    /// keepalived is stopped, as an administrator would stop it.
    KeepalivedStop,
    /// All of keepalived's processes are killed.
    KeepalivedKill,
    /// The link is taken down.
    LinkDown,
    /// The host is restarted without notice.
    PowerOff,
    /// All VRRP is dropped in both directions: the other nodes believe that the owner is down.
    VrrpBlocked,
    /// A share of VRRP packets is lost.
    PacketLoss,
    /// One server behind the proxy is unreachable.
    BackendDown,
    /// All servers behind the proxy are unreachable.
    AllBackendsDown,
    /// One owner after another fails until one node is left, then all come back.
    Cascade,
    /// nginx crashes repeatedly.
    Flap,
    /// nginx runs out of connections.
    Overload,
}

/// Where a drill's fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the VIP's owner.
    Owner,
    /// On every node at the same time.
    EveryNode,
    /// The fault of another drill, on the owner, then on the next owner, until `leave` nodes are left without it. All
    /// are held until the last one was injected, and end in the same order.
    EachOwnerInTurn {
        /// The drill that provides the fault.
        fault: Drill,
        /// Number of nodes to spare.
        leave: usize,
    },
}

/// What ends a drill's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The host, after this time, or earlier on request. Drills hold it longer if the cluster's own timers need that to
    /// detect it.
    ByOrder(Duration),
    /// The service manager or the machine. If it has not ended after this time, the host ends it.
    ByItself(Duration),
}

impl Ends {
    /// The time to pass to the host.
    pub fn hold(self) -> Duration {
        match self {
            Self::ByOrder(time) | Self::ByItself(time) => time,
        }
    }
}

/// What must happen to the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Another node must take it.
    Must,
    /// It must stay where it is.
    MustNot,
}

/// Which servers behind the proxy a drill affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    None,
    One,
    All,
}

/// The definition of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrillSpec {
    pub drill: Drill,
    /// Its name on the command line, and the host program's name for its fault.
    pub name: &'static str,
    /// Its action, as announced beforehand. `{node}` is the node.
    does: &'static str,
    /// What undoes it.
    pub heals: &'static str,
    /// Where the fault is injected.
    pub scope: Scope,
    /// How the fault ends.
    pub ends: Ends,
    /// What must happen to the VIP.
    pub takeover: Takeover,
    /// When two nodes may have the VIP because that is the point of the drill.
    pub two_owners: Option<Window>,
    /// How long a former owner may still answer.
    pub lingers: Linger,
    /// Which servers behind the proxy are affected.
    pub servers: Servers,
    /// Its point is that no node resigns: FAULT does not justify a move of the VIP, which always has an owner.
    pub nobody_resigns: bool,
}

/// Longer than a takeover with an advertisement interval of 1 s.
const HELD: Ends = Ends::ByOrder(Duration::from_secs(8));
/// systemd restarts a crashed daemon after 1 s.
const CRASH: Ends = Ends::ByItself(Duration::from_secs(15));
const SYSTEMD: &str = "systemd starts it again (Restart=)";
const STARTED: &str = "the host starts it again at the end of the drill";

/// The defaults of most drills.
const USUAL: DrillSpec = DrillSpec {
    drill: Drill::NginxKill,
    name: "",
    does: "",
    heals: STARTED,
    scope: Scope::Owner,
    ends: HELD,
    takeover: Takeover::Must,
    two_owners: None,
    lingers: Linger::HANDED_OVER,
    servers: Servers::None,
    nobody_resigns: false,
};

/// All drills.
pub const DRILLS: &[DrillSpec] = &[
    DrillSpec {
        drill: Drill::NginxKill,
        name: "nginx-kill",
        does: "kills nginx with SIGKILL on {node}",
        heals: SYSTEMD,
        ends: CRASH,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::NginxStop,
        name: "nginx-stop",
        does: "stops nginx on {node}",
        ..USUAL
    },
    DrillSpec {
        drill: Drill::NginxHang,
        name: "nginx-hang",
        does: "halts nginx on {node} with SIGSTOP: it keeps running but does not answer",
        heals: "the host lets it go on (SIGCONT) at the end of the drill",
        ..USUAL
    },
    DrillSpec {
        drill: Drill::KeepalivedStop,
        name: "keepalived-stop",
        does: "stops keepalived on {node}",
        ..USUAL
    },
    DrillSpec {
        drill: Drill::KeepalivedKill,
        name: "keepalived-kill",
        does: "kills all of keepalived on {node} with SIGKILL; its address stays behind",
        heals: "systemd takes the address away and starts it again (Restart=)",
        // release_vips.sh: the longest takeover, less the time that passed on the interface, and hand_over.sh.
        lingers: Linger {
            ms: 1000,
            adverts: 4,
        },
        ends: CRASH,
        // No request may be lost, and the stale address must be removed within that time.
        two_owners: Some(Window {
            from: Mark::Fault,
            to: Mark::Fault,
            plus_ms: 2000,
            plus_adverts: 0,
        }),
        ..USUAL
    },
    DrillSpec {
        drill: Drill::LinkDown,
        name: "link-down",
        does: "takes the link of {node} down",
        heals: "the host brings it up with its addresses and routes at the end of the drill",
        ..USUAL
    },
    DrillSpec {
        drill: Drill::PowerOff,
        name: "power-off",
        does: "restarts {node} at once, without stopping anything first",
        heals: "the machine boots",
        ends: Ends::ByItself(Duration::from_mins(5)),
        ..USUAL
    },
    DrillSpec {
        drill: Drill::VrrpBlocked,
        name: "vrrp-blocked",
        does: "drops all VRRP packets to and from {node}: two nodes own the VIP",
        heals: "the host lets them pass at the end of the drill",
        // The first advertisements that get through again decide.
        two_owners: Some(Window {
            from: Mark::Fault,
            to: Mark::Healed,
            plus_ms: 0,
            plus_adverts: 3,
        }),
        ..USUAL
    },
    DrillSpec {
        drill: Drill::PacketLoss,
        name: "packet-loss",
        does: "drops one in ten VRRP packets to and from {node}",
        heals: "the host lets them pass at the end of the drill",
        ends: Ends::ByOrder(Duration::from_secs(20)),
        takeover: Takeover::MustNot,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::BackendDown,
        name: "backend-down",
        does: "drops what {node} sends to one of the backends",
        heals: "the host lets it pass at the end of the drill",
        scope: Scope::EveryNode,
        takeover: Takeover::MustNot,
        servers: Servers::One,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::AllBackendsDown,
        name: "all-backends-down",
        does: "drops what {node} sends to any of the backends",
        heals: "the host lets it pass at the end of the drill",
        scope: Scope::EveryNode,
        takeover: Takeover::MustNot,
        servers: Servers::All,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::Cascade,
        name: "cascade",
        does: "stops nginx on {node}, then on whoever takes over, until one node is left",
        scope: Scope::EachOwnerInTurn {
            fault: Drill::NginxStop,
            leave: 1,
        },
        ends: Ends::ByOrder(Duration::from_secs(20)),
        ..USUAL
    },
    DrillSpec {
        drill: Drill::Flap,
        name: "flap",
        does: "kills nginx on {node} five times, each time 0.7 s after it came back",
        heals: SYSTEMD,
        ends: CRASH,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::Overload,
        name: "overload",
        does: "uses up all connections of nginx on {node} with requests that never end",
        heals: "the host closes them at the end of the drill",
        // nginx takes a moment to fill up, and must have failed some checks by the end.
        ends: Ends::ByOrder(Duration::from_secs(15)),
        takeover: Takeover::MustNot,
        nobody_resigns: true,
        ..USUAL
    },
];

impl Drill {
    /// Share of packets that `packet-loss` drops by default, in percent.
    pub const PACKET_LOSS: u8 = 10;

    /// Its row of the table.
    pub fn spec(self) -> &'static DrillSpec {
        // A test below ensures that every variant has a row.
        DRILLS
            .iter()
            .find(|spec| spec.drill == self)
            .unwrap_or(&DRILLS[0])
    }

    pub fn named(name: &str) -> Option<Self> {
        DRILLS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.drill)
    }
}

impl DrillSpec {
    /// Its action, without naming the node.
    pub fn does(&self) -> String {
        self.does_to(match self.scope {
            Scope::EveryNode => "every node",
            Scope::Owner | Scope::EachOwnerInTurn { .. } => "the VIP's owner",
        })
    }

    /// Its action on `node`.
    pub fn does_on(&self, node: &NodeName) -> String {
        self.does_to(node.as_str())
    }

    fn does_to(&self, whom: &str) -> String {
        self.does.replace("{node}", whom)
    }

    /// The host program's name for its fault.
    pub fn fault(&self) -> &'static str {
        match self.scope {
            Scope::Owner | Scope::EveryNode => self.name,
            Scope::EachOwnerInTurn { fault, .. } => fault.spec().name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_answer_for_as_long_as_its_script_lingers() {
        let script = include_str!("../../templates/hand_over.sh.tera");
        let seconds = f64::from(Linger::HANDED_OVER.ms) / 1000.0;
        let lingers = format!("\nlinger() {{ sleep {seconds}; }}\n");
        assert!(script.contains(&lingers), "{script}");
    }

    #[test]
    fn an_inventory_can_name_every_drill() {
        let names: Vec<&str> = DRILLS.iter().map(|spec| spec.name).collect();
        assert_eq!(names, crate::model::DrillName::ALL);
    }

    #[test]
    fn every_drill_has_one_row_with_its_serialised_name() {
        for spec in DRILLS {
            assert_eq!(Drill::named(spec.name), Some(spec.drill));
            assert_eq!(spec.drill.spec().name, spec.name);
            let serialised = serde_json::to_string(&spec.drill).unwrap();
            assert_eq!(serialised, format!("\"{}\"", spec.name));
        }
        // A variant without a row would get another variant's.
        assert_eq!(DRILLS.len(), Drill::Overload as usize + 1);
    }

    #[test]
    fn what_a_drill_does_names_the_node_once() {
        let node = NodeName::new("lb7").unwrap();
        for spec in DRILLS {
            assert_eq!(
                spec.does_on(&node).matches("lb7").count(),
                1,
                "{}",
                spec.name
            );
            assert!(!spec.does().contains('{'), "{}", spec.does());
        }
    }

    #[test]
    fn a_drill_made_of_another_ones_fault_uses_one_that_is_held_on_one_node() {
        for spec in DRILLS {
            if let Scope::EachOwnerInTurn { fault, .. } = spec.scope {
                let other = fault.spec();
                assert_eq!(other.scope, Scope::Owner);
                assert!(matches!(other.ends, Ends::ByOrder(_)));
                assert_eq!(spec.fault(), other.name);
            }
        }
    }
}
