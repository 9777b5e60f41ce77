//! What a host says of changes: the one under way, the lock, and how the last one ended.

use super::manifest::Manifest;
use super::protocol::{Cause, Ending, Phase};
use super::reply::Record;
use crate::model::clipped;

/// When something ends, by a host's own clock since boot: nobody's clock has to be right for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Deadline {
    /// Seconds from when it was seen.
    pub seconds_left: u64,
    /// The time of day then, where hactl runs: `19:42:10`, with its date if that is another day.
    pub local: String,
}

impl Deadline {
    /// So many seconds from now.
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
    /// `19:42:10 (in 9m 40s)`, `2026-03-02 09:30:00 (in 23h 59m)`
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

/// A change that is under way on the host, or was interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Journal {
    /// Its id.
    pub tx: String,
    /// How far it got.
    pub phase: Phase,
    /// The generation that it makes.
    pub generation: Option<u64>,
    /// This node's place in the order of the change's nodes. The one in place 0 decides for all.
    pub position: Option<usize>,
    /// How many nodes it concerns.
    pub nodes: Option<usize>,
    /// True when the operator has to confirm it.
    pub is_manual: bool,
    /// When the host undoes it.
    pub deadline: Option<Deadline>,
    /// `user@machine` of who made it.
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

    /// The lock that a host would have for a change that waits for the operator.
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
    /// How.
    pub result: Ending,
    /// What ended it.
    pub cause: Cause,
    /// Why, in words.
    pub why: String,
    /// When, UTC, by the host's clock.
    pub at: String,
    /// True when an apply has told it to its user.
    pub is_noted: bool,
}

impl Outcome {
    /// `None` where this hactl does not know the words.
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

/// Who works on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct LockInfo {
    /// The change it is for.
    pub tx: String,
    /// `user@machine`.
    pub holder: String,
    /// The process there; empty for a change that waits for its confirmation, which none holds.
    pub pid: String,
    /// Tells that process from any other one, for who runs where it ran.
    pub origin: String,
    /// When it was taken, UTC.
    pub since: String,
    /// When it frees itself.
    pub deadline: Option<Deadline>,
    /// True when its time is over, the host was restarted since, or its holder is known to be dead.
    pub stale: bool,
}

impl LockInfo {
    /// The lock file's text, read on a host that was booted `uptime` seconds ago.
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

    /// Who has it, doing what, until when; the end of a sentence that begins with a node's name.
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
