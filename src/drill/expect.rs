//! What is to be expected of a drill: what would be a fault of the cluster's in any other.

use super::kind::{Drill, Takeover};

/// The end of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// When a fault is made.
    Fault,
    /// When it ends; when the watching ends, where it does not.
    Healed,
}

/// A stretch of time, once for each fault of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From then.
    pub from: Mark,
    /// Until then,
    pub to: Mark,
    /// and so many milliseconds more,
    pub plus_ms: u32,
    /// and so many advert intervals.
    pub plus_adverts: u32,
}

/// How long a node answers for the VIP after it has left its interface: from its loopback, where nobody is
/// told of it, until the neighbours know the next owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// So many milliseconds,
    pub ms: u32,
    /// and so many advert intervals.
    pub adverts: u32,
}

impl Linger {
    /// What `hand_over.sh` waits.
    pub const HANDED_OVER: Self = Self {
        ms: 300,
        adverts: 0,
    };
}

/// What is to be expected while a drill lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// When two nodes may both answer for the VIP; `None` for never.
    pub two_owners: Option<Window>,
    /// How long who had it may still answer.
    pub lingers: Linger,
    /// Its fault is a reason for the VIP to move. Where it is none, only what it leads to can be one: a
    /// node that goes to FAULT, say.
    pub moves_vip: bool,
    /// No node may resign: FAULT is no reason for a takeover, and there is an owner at any time.
    pub nobody_resigns: bool,
}

#[cfg(test)]
impl Expect {
    /// One owner, and a fault that moves the VIP.
    pub(super) const ORDINARY: Self = Self {
        two_owners: None,
        lingers: Linger { ms: 0, adverts: 0 },
        moves_vip: true,
        nobody_resigns: false,
    };
}

impl Drill {
    /// What is to be expected of it.
    pub fn expectation(self) -> Expect {
        let spec = self.spec();
        Expect {
            two_owners: spec.two_owners,
            lingers: spec.lingers,
            moves_vip: spec.takeover == Takeover::Must,
            nobody_resigns: spec.nobody_resigns,
        }
    }
}
