//! When something that would be a fault is to be expected, counted from the fault of a drill.

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
    /// and this many milliseconds more,
    pub plus_ms: u32,
    /// and this many advert intervals.
    pub plus_adverts: u32,
}

/// How long a node answers for the VIP after it has left its interface: from its loopback, where nobody is
/// told of it, until the neighbours know the next owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// So many milliseconds,
    pub ms: u32,
    /// and this many advert intervals.
    pub adverts: u32,
}

impl Linger {
    /// What `hand_over.sh` waits.
    pub const HANDED_OVER: Self = Self {
        ms: 300,
        adverts: 0,
    };
}
