//! The drills there are: one table, from which help, documentation and the tests of healing come.

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
    /// nginx is stopped, as an admin stops it.
    NginxStop,
    /// nginx runs and does not answer.
    NginxHang,
    /// keepalived is stopped, as an admin stops it.
    KeepalivedStop,
    /// All of keepalived's processes are killed.
    KeepalivedKill,
    /// The link is taken down.
    LinkDown,
    /// The host is restarted without notice.
    PowerOff,
    /// No VRRP gets in or out: the others take the owner for dead.
    VrrpBlocked,
    /// A share of VRRP's packets is lost.
    PacketLoss,
    /// One server behind the proxy can't be reached.
    BackendDown,
    /// No server behind the proxy can be reached.
    AllBackendsDown,
    /// One owner after the other fails, until one node is left; then all come back.
    Cascade,
    /// nginx crashes again and again.
    Flap,
    /// nginx has no connection left.
    Overload,
}

/// Where a drill's fault is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the VIP's owner.
    Owner,
    /// On every node at the same time.
    EveryNode,
    /// Another drill's fault on the owner, then on who owns the VIP after that, until `leave` nodes are
    /// left without it; each is held until the last one was made, and they end in the same order.
    EachOwnerInTurn {
        /// The drill whose fault it is.
        fault: Drill,
        /// So many nodes are spared.
        leave: usize,
    },
}

/// Who ends a drill's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The host itself, after this long, or sooner when it is told to. An orchestrator holds it for
    /// longer where the cluster's own timers need that to notice.
    ByOrder(Duration),
    /// Nobody has to: the service manager or the machine does it. If not after this long, the host helps.
    ByItself(Duration),
}

impl Ends {
    /// The time that the host is given.
    pub fn hold(self) -> Duration {
        match self {
            Self::ByOrder(time) | Self::ByItself(time) => time,
        }
    }
}

/// What becomes of the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Another node must take it.
    Must,
    /// It must stay where it is.
    MustNot,
}

/// Which servers behind the proxy a drill concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// None.
    None,
    /// One.
    One,
    /// All.
    All,
}

/// What a drill does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrillSpec {
    /// Which one.
    pub drill: Drill,
    /// Its name on the command line, and the host program's name for its fault.
    pub name: &'static str,
    /// What it does, said before it is done; `{node}` is the node.
    does: &'static str,
    /// Who undoes it.
    pub heals: &'static str,
    /// Where.
    pub scope: Scope,
    /// How it ends.
    pub ends: Ends,
    /// What becomes of the VIP.
    pub takeover: Takeover,
    /// When two nodes may have the VIP, which is then the point of it and no violation.
    pub two_owners: Option<Window>,
    /// How long who had it may still answer.
    pub lingers: Linger,
    /// Which servers it concerns.
    pub servers: Servers,
    /// Its point is that no node resigns: FAULT is no reason for the VIP to move, and the VIP has an owner at
    /// any time.
    pub nobody_resigns: bool,
}

/// Longer than a takeover with adverts of a second.
const HELD: Ends = Ends::ByOrder(Duration::from_secs(8));
/// systemd starts a crashed daemon again after a second.
const CRASH: Ends = Ends::ByItself(Duration::from_secs(15));
const SYSTEMD: &str = "systemd starts it again (Restart=)";
const STARTED: &str = "the host starts it again when the drill's time is over";

/// What most drills have in common.
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
        does: "halts nginx on {node} with SIGSTOP: it runs and does not answer",
        heals: "the host lets it go on (SIGCONT) when the drill's time is over",
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
        // release_vips.sh: the longest takeover, less what passed on the interface, and hand_over.sh.
        lingers: Linger {
            ms: 1000,
            adverts: 4,
        },
        ends: CRASH,
        // No lost request, and the stale address removed within that time.
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
        heals: "the host brings it up with its addresses and routes when the drill's time is over",
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
        heals: "the host lets them pass when the drill's time is over",
        // The first adverts that get through again decide.
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
        heals: "the host lets them pass when the drill's time is over",
        ends: Ends::ByOrder(Duration::from_secs(20)),
        takeover: Takeover::MustNot,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::BackendDown,
        name: "backend-down",
        does: "drops what {node} sends to one of the backends",
        heals: "the host lets it pass when the drill's time is over",
        scope: Scope::EveryNode,
        takeover: Takeover::MustNot,
        servers: Servers::One,
        ..USUAL
    },
    DrillSpec {
        drill: Drill::AllBackendsDown,
        name: "all-backends-down",
        does: "drops what {node} sends to any of the backends",
        heals: "the host lets it pass when the drill's time is over",
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
        heals: "the host closes them when the drill's time is over",
        // nginx is full only after a moment, and must have failed some checks by the end.
        ends: Ends::ByOrder(Duration::from_secs(15)),
        takeover: Takeover::MustNot,
        nobody_resigns: true,
        ..USUAL
    },
];

impl Drill {
    /// The share of packets that `packet-loss` drops unless it is told otherwise, in percent.
    pub const PACKET_LOSS: u8 = 10;

    /// Its row in the table.
    pub fn spec(self) -> &'static DrillSpec {
        // The table has a row for every variant, which the test below holds it to.
        DRILLS
            .iter()
            .find(|spec| spec.drill == self)
            .unwrap_or(&DRILLS[0])
    }

    /// The drill called `name`.
    pub fn named(name: &str) -> Option<Self> {
        DRILLS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.drill)
    }
}

impl DrillSpec {
    /// What it does, without saying to which node.
    pub fn does(&self) -> String {
        self.does_to(match self.scope {
            Scope::EveryNode => "every node",
            Scope::Owner | Scope::EachOwnerInTurn { .. } => "the VIP's owner",
        })
    }

    /// What it does to `node`.
    pub fn does_on(&self, node: &NodeName) -> String {
        self.does_to(node.as_str())
    }

    fn does_to(&self, whom: &str) -> String {
        self.does.replace("{node}", whom)
    }

    /// The host program's name for the fault that it makes.
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
        // A variant without a row would be found as another's.
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
