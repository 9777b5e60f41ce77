//! Changes on a host: the one in flight, the lock, and the outcome of the last one.

use super::manifest::Manifest;
use super::protocol::{Cause, Ending, Phase};
use super::reply::Record;
use crate::model::clipped;

/// When something expires. Measured by the host's clock since boot, so no wall clock has to be
/// right.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Deadline {
    /// Seconds left at the time of the observation.
    pub seconds_left: u64,
    /// The expiry in local time where hactl runs: `19:42:10`, with a date unless it is today.
    pub local: String,
}

impl Deadline {
    /// `seconds_left` from now.
    pub fn after(seconds_left: u64) -> Self {
        let now = jiff::Zoned::now();
        let span = jiff::Span::new().try_seconds(i64::try_from(seconds_left).unwrap_or(i64::MAX));
        let then = span.and_then(|span| now.checked_add(span));
        let local = then.map_or_else(
            |_| "the end of time".to_owned(),
            |then| {
                let is_today = then.date() == now.date();
                let format = if is_today {
                    "%H:%M:%S"
                } else {
                    "%Y-%m-%d %H:%M:%S"
                };
                then.strftime(format).to_string()
            },
        );
        Self {
            seconds_left,
            local,
        }
    }
}

impl std::fmt::Display for Deadline {
    /// For example `19:42:10 (in 9m 40s)` or `2026-03-02 09:30:00 (in 23h 59m)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (minutes, seconds) = (self.seconds_left / 60, self.seconds_left % 60);
        let left = match (minutes, seconds) {
            (0, seconds) => format!("{seconds}s"),
            (60.., _) => format!("{}h {}m", minutes / 60, minutes % 60),
            (minutes, 0) => format!("{minutes}m"),
            (minutes, seconds) => format!("{minutes}m {seconds}s"),
        };
        write!(f, "{} (in {left})", self.local)
    }
}

/// A change on the host that is in flight or was interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Journal {
    /// Its id.
    pub tx: String,
    /// The phase that it reached.
    pub phase: Phase,
    /// The generation that it creates.
    pub generation: Option<u64>,
    /// This node's position in the order of the change's nodes. The node at position 0 decides for
    /// all.
    pub position: Option<usize>,
    /// The number of nodes in the change.
    pub nodes: Option<usize>,
    /// Whether the operator has to confirm it.
    pub is_manual: bool,
    /// When the host rolls it back.
    pub deadline: Option<Deadline>,
    /// Who applied it, as `user@machine`.
    pub by: String,
}

impl Journal {
    pub(super) fn read(record: &Record) -> Self {
        let left: Option<u64> = record.field(6).parse().ok();
        Self {
            tx: record.field(0).to_owned(),
            phase: record.field(1).parse().unwrap_or_default(),
            generation: record.field(2).parse().ok(),
            position: record.field(3).parse().ok(),
            nodes: record.field(4).parse().ok(),
            is_manual: record.field(5) == "manual",
            deadline: left.map(Deadline::after),
            by: record.field(7).to_owned(),
        }
    }

    /// The equivalent lock for a change that is pending confirmation.
    pub fn as_lock(&self) -> LockInfo {
        LockInfo {
            tx: self.tx.clone(),
            holder: self.by.clone(),
            deadline: self.deadline.clone(),
            ..LockInfo::default()
        }
    }
}

/// How the last change on the host ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Outcome {
    /// Its id.
    pub tx: String,
    /// The result.
    pub result: Ending,
    /// The cause of the result.
    pub cause: Cause,
    /// The cause, as text.
    pub why: String,
    /// The end's time in UTC, by the host's clock.
    pub at: String,
    /// Whether the operator has been told.
    pub is_noted: bool,
}

impl Outcome {
    /// `None` if this hactl does not know the result or cause.
    pub(super) fn read(record: &Record) -> Option<Self> {
        let result = record.field(1).parse().ok()?;
        let why = record.field(2).to_owned();
        let cause = match record.field(5) {
            "" | "-" => Cause::of_words(result, &why),
            word => word.parse().ok()?,
        };
        Some(Self {
            tx: record.field(0).to_owned(),
            result,
            cause,
            why,
            at: record.field(3).to_owned(),
            is_noted: record.field(4) == "yes",
        })
    }
}

/// The holder of a host's lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct LockInfo {
    /// The change that it was taken for.
    pub tx: String,
    /// The holder, as `user@machine`.
    pub holder: String,
    /// The holder's process. Empty for a change pending confirmation, which no process holds.
    pub pid: String,
    /// Identifies the process beyond its pid, so that a hactl on the same machine can tell whether
    /// it still runs.
    pub origin: String,
    /// When it was taken, in UTC.
    pub since: String,
    /// When it expires.
    pub deadline: Option<Deadline>,
    /// Whether it has expired, the host has rebooted since, or its holder is known to be dead.
    pub stale: bool,
}

impl LockInfo {
    /// Parses the lock file of a host with this uptime in seconds and this boot id.
    pub(super) fn read(text: &str, uptime: u64, boot_id: &str) -> Self {
        let kept = Manifest::parse(text);
        let get = |key: &str| clipped(kept.facts.word(key).unwrap_or_default(), 200);
        let left = get("until")
            .parse::<u64>()
            .map_or(0, |until| until.saturating_sub(uptime));
        let pid = get("pid");
        Self {
            tx: get("tx"),
            holder: get("holder"),
            pid: if pid == "-" { String::new() } else { pid },
            origin: get("origin"),
            since: get("since"),
            deadline: Some(Deadline::after(left)),
            stale: left == 0 || get("boot") != boot_id,
        }
    }

    /// The holder, the activity and the deadline, as the end of a sentence that begins with a
    /// node's name.
    pub fn words(&self) -> String {
        let holder = &self.holder;
        let until = match &self.deadline {
            Some(deadline) => format!(", until {deadline} at the latest"),
            None => String::new(),
        };
        if self.pid.is_empty() {
            return format!("a change by {holder} is pending confirmation{until}");
        }
        format!(
            "{holder} (pid {}) is changing this cluster since {}{until}",
            self.pid, self.since
        )
    }
}
