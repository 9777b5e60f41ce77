//! What is to be expected of a drill: what would be a fault of the cluster's in any other.

use super::kind::{Drill, Takeover};
use super::window::{Linger, Window};

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
