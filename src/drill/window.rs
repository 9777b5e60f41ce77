//! Periods of a drill in which something is expected that would otherwise be a violation.

/// A boundary of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The beginning of a fault.
    Fault,
    /// The end of a fault, or of the watch if the fault does not end.
    Healed,
}

/// A period, once for each fault of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Beginning of the period.
    pub from: Mark,
    /// End of the period, to which the following are added.
    pub to: Mark,
    /// Milliseconds to add.
    pub plus_ms: u32,
    /// Advertisement intervals to add.
    pub plus_adverts: u32,
}

/// How long a node still answers for a VIP that was removed from its interface: from the loopback interface, where it
/// is not announced, until the neighbours have learned the next owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// Milliseconds.
    pub ms: u32,
    /// Advertisement intervals, in addition.
    pub adverts: u32,
}

impl Linger {
    /// The delay of `hand_over.sh`.
    pub const HANDED_OVER: Self = Self {
        ms: 300,
        adverts: 0,
    };
}
