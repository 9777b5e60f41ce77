//! What to expect during a drill that would be a violation in other drills.

use super::kind::{Drill, Takeover};
use super::window::{Linger, Window};

/// What to expect during a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// When two nodes may both answer for the VIP. `None` for never.
    pub two_owners: Option<Window>,
    /// How long a former owner may still answer.
    pub lingers: Linger,
    /// Whether its fault justifies a move of the VIP. If not, only its consequences can, such as a node in FAULT.
    pub moves_vip: bool,
    /// Whether no node may resign: FAULT does not justify a takeover, and the VIP always has an owner.
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
    /// What to expect during this drill.
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
