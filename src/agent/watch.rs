//! Watching a host during a drill: starting it, and reading the recorded events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::answer::Answer;
use super::call::Agent;
use super::error::AgentError;
use super::observation::Observation;
use super::reply::Record;
use crate::model::{clipped, harmless};
use crate::remote::Exchange;

/// The state of a host as watching starts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watching {
    /// The MAC addresses of its interfaces.
    pub hardware: BTreeSet<String>,
    /// The MAC addresses in its neighbour table for the VIPs.
    pub neighbours: BTreeMap<IpAddr, String>,
    /// Its clock when watching started, in seconds since the epoch.
    pub since: f64,
}

/// The recorded events of a host. Times are seconds since the epoch by its own clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watched {
    /// Kernel events. Those from before a reboot are lost.
    pub kernel: Vec<KernelEvent>,
    /// Journal messages from nginx and keepalived, and from systemd about them.
    pub journal: Vec<JournalLine>,
}

/// A kernel event.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelEvent {
    pub at: f64,
    pub change: KernelChange,
}

/// The change in a kernel event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelChange {
    /// An address was added to an interface.
    AddressAdded(IpAddr),
    /// An address was removed from its interface.
    AddressRemoved(IpAddr),
    /// An interface gained or lost its carrier.
    Link {
        interface: String,
        /// Whether it has a carrier and is up.
        up: bool,
    },
    /// A neighbour's MAC address was learned.
    Neighbour {
        address: IpAddr,
        /// Its MAC address.
        hardware: String,
    },
}

/// One reading of a host's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockAnswer {
    /// When the reading was requested.
    pub asked: Instant,
    /// When the answer arrived.
    pub answered: Instant,
    /// The host's clock, in seconds since the epoch.
    pub host: f64,
}

/// A message in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalLine {
    pub at: f64,
    /// The unit that it is about, without `.service`.
    pub unit: String,
    /// systemd's `MESSAGE_ID`, empty for messages of the daemons.
    pub message_id: String,
    pub text: String,
}

/// The most MAC addresses read from one host.
const MOST_ADDRESSES: usize = 1000;
/// The most events read of one drill.
const MOST_EVENTS: usize = 20_000;
/// The most characters of a log message.
const MOST_CHARACTERS: usize = 400;
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers each line with the clock. bash 5 and later reads it without starting a process.
const CLOCK: &str = r#"LC_ALL=C exec bash --norc -c 'while read -r _; do echo "${EPOCHREALTIME:-$(date +%s.%N)}"; done'"#;

impl Agent {
    /// Starts watching the host for at most `duration`. First sends each of `vips` a packet from
    /// there: only a host with a neighbour entry notices that the owner changed.
    pub async fn watch(
        &self,
        id: &str,
        duration: Duration,
        vips: &[IpAddr],
    ) -> Result<Watching, AgentError> {
        let mut stream = String::new();
        for vip in vips {
            // Writing to a String cannot fail.
            let _ = writeln!(stream, "vip {vip}");
        }
        stream.push_str("end\n");
        let seconds = duration.as_secs().max(1).to_string();
        let argv = ["watch", id, &seconds];
        let answer = self.call(&argv, stream.as_bytes(), PATIENCE).await?;
        let hardware = answer.of("hardware").take(MOST_ADDRESSES);
        let neighbours = answer.of("neighbour").filter_map(|record| {
            let address = record
                .field(0)
                .parse()
                .ok()
                .filter(|it| vips.contains(it))?;
            Some((address, record.field(1).to_owned()))
        });
        Ok(Watching {
            hardware: hardware.map(|record| record.field(1).to_owned()).collect(),
            neighbours: neighbours.collect(),
            since: clock_of(&answer),
        })
    }

    /// Stops watching. `since` is the start of the journal's excerpt, in whole seconds by the
    /// host's clock.
    pub async fn watched(&self, id: &str, since: u64) -> Result<Watched, AgentError> {
        let argv = ["watched", id, &since.to_string()];
        let answer = self.call(&argv, b"", PATIENCE).await?;
        Ok(read(&answer))
    }

    /// The addresses and daemons there: cheaper than an observation.
    pub async fn glance(&self) -> Result<Observation, AgentError> {
        let answer = self.call(&["glance"], b"", Duration::from_secs(3)).await?;
        Ok(answer.observation(self.node()))
    }

    /// The same, and what nginx serves.
    pub async fn glance_at_serving(&self) -> Result<Observation, AgentError> {
        let argv = ["glance", "serving"];
        let answer = self.call(&argv, b"", Duration::from_mins(1)).await?;
        Ok(answer.observation(self.node()))
    }

    /// Reads the host's clock `count` times over one session, so that each reading costs little but
    /// the round trip.
    pub async fn clock(&self, count: usize) -> Result<Vec<ClockAnswer>, AgentError> {
        // The clock needs no root.
        let argv = ["/bin/sh", "-c", CLOCK];
        let timeout = Duration::from_secs(10);
        let exchanges = self.host.converse(&argv, "clock", timeout, count).await?;
        let answer = |exchange: Exchange| {
            let host = exchange.line.trim().parse().ok();
            Some(ClockAnswer {
                asked: exchange.asked,
                answered: exchange.answered,
                host: host.filter(|host: &f64| host.is_finite())?,
            })
        };
        Ok(exchanges.into_iter().filter_map(answer).collect())
    }
}

/// The clock in an answer, or 0 if it is missing or not a number.
fn clock_of(answer: &Answer) -> f64 {
    let clock = answer.of("clock").next();
    clock
        .and_then(|record| record.field(0).parse().ok())
        .filter(|at: &f64| at.is_finite())
        .unwrap_or_default()
}

fn read(answer: &Answer) -> Watched {
    let text = |tag: &str| {
        let record = answer.of(tag).next();
        record.map(Record::body_text).unwrap_or_default()
    };
    let (kernel, journal) = (text("kernel"), text("journal"));
    Watched {
        kernel: kernel
            .lines()
            .filter_map(kernel_event)
            .take(MOST_EVENTS)
            .collect(),
        journal: journal
            .lines()
            .filter_map(journal_line)
            .take(MOST_EVENTS)
            .collect(),
    }
}

/// Parses a line of `ip -ts -o monitor`: `[2026-01-02T03:04:05.678901] Deleted 2: eth0    inet …`.
fn kernel_event(line: &str) -> Option<KernelEvent> {
    let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
    let time: DateTime = time.parse().ok()?;
    let at = seconds(
        time.to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_microsecond(),
    );
    let (deleted, rest) = match rest.trim_start().strip_prefix("Deleted ") {
        Some(rest) => (true, rest),
        None => (false, rest.trim_start()),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let change = kernel_change(&words, deleted)?;
    Some(KernelEvent { at, change })
}

#[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e6
}

fn kernel_change(words: &[&str], deleted: bool) -> Option<KernelChange> {
    let after = |word: &str| {
        let place = words.iter().position(|own| *own == word)?;
        words.get(place + 1).copied()
    };
    // `10.0.0.100 dev eth0 lladdr 02:… REACHABLE`
    if let Ok(address) = words.first()?.parse() {
        let hardware = after("lladdr").filter(|_| !deleted)?.to_owned();
        return Some(KernelChange::Neighbour { address, hardware });
    }
    // During a handover, a host keeps a VIP on its loopback interface without owning it.
    if words
        .get(1)
        .is_some_and(|interface| interface.trim_end_matches(':') == "lo")
    {
        return None;
    }
    // `2: eth0    inet 10.0.0.100/24 scope …`
    if let Some(net) = after("inet").or_else(|| after("inet6")) {
        let address = net.split('/').next()?.parse().ok()?;
        return Some(if deleted {
            KernelChange::AddressRemoved(address)
        } else {
            KernelChange::AddressAdded(address)
        });
    }
    // `2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu …`
    let interface = words.get(1)?.trim_end_matches(':').split('@').next()?;
    let flags = words.get(2)?.strip_prefix('<')?.strip_suffix('>')?;
    let up = !deleted && flags.split(',').any(|flag| flag == "LOWER_UP");
    Some(KernelChange::Link {
        interface: interface.to_owned(),
        up,
    })
}

/// Parses a line of `journalctl -o json`.
fn journal_line(line: &str) -> Option<JournalLine> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let get = |key: &str| entry.get(key).and_then(Value::as_str);
    let at = get("_SOURCE_REALTIME_TIMESTAMP").or_else(|| get("__REALTIME_TIMESTAMP"))?;
    // systemd's own messages about a unit name it in UNIT, those of its processes in _SYSTEMD_UNIT.
    let unit = get("UNIT")
        .or_else(|| get("_SYSTEMD_UNIT"))
        .unwrap_or_default();
    Some(JournalLine {
        at: seconds(at.parse().ok()?),
        unit: harmless(unit.trim_end_matches(".service")),
        message_id: harmless(get("MESSAGE_ID").unwrap_or_default()),
        text: clipped(&harmless(get("MESSAGE")?), MOST_CHARACTERS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(line: &str) -> Option<KernelChange> {
        kernel_event(&format!("[2026-11-22T18:57:31.637734] {line}")).map(|event| event.change)
    }

    #[test]
    fn events_as_iproute2_prints_them() {
        let vip = "10.0.0.100".parse().unwrap();
        let line = "2: eth0    inet 10.0.0.100/24 scope global secondary eth0\\       valid_lft forever preferred_lft forever";
        assert_eq!(change(line), Some(KernelChange::AddressAdded(vip)));
        assert_eq!(
            change(&format!("Deleted {line}")),
            Some(KernelChange::AddressRemoved(vip))
        );
        let lo = "1: lo    inet 10.0.0.100/32 scope global lo\\       valid_lft forever";
        assert_eq!(change(lo), None);
        assert_eq!(
            change("10.0.0.100 dev eth0 lladdr 02:00:0a:00:00:0c STALE "),
            Some(KernelChange::Neighbour {
                address: vip,
                hardware: "02:00:0a:00:00:0c".to_owned()
            })
        );
        assert_eq!(change("10.0.0.100 dev eth0  FAILED"), None);
        assert_eq!(
            change("Deleted 10.0.0.100 dev eth0 lladdr 02:00 STALE"),
            None
        );
        let link = |up| {
            Some(KernelChange::Link {
                interface: "eth0".to_owned(),
                up,
            })
        };
        assert_eq!(
            change(
                "2: eth0@if3: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN group default \\    link/ether 02:00"
            ),
            link(false)
        );
        assert_eq!(
            change("2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500"),
            link(true)
        );
        assert_eq!(change("nonsense"), None);
        assert_eq!(kernel_event("[yesterday] 10.0.0.1 dev eth0"), None);
    }

    #[test]
    fn times_are_read_to_the_microsecond() {
        let event =
            kernel_event("[2026-11-22T18:57:31.637734] 10.0.0.1 dev eth0 lladdr 02:00 STALE");
        let at = event.unwrap().at;
        assert!((at - 1_795_373_851.637_734).abs() < 1e-6, "{at}");
    }

    #[test]
    fn lines_as_journald_prints_them() {
        let line = r#"{"_SYSTEMD_UNIT":"init.scope","UNIT":"nginx.service","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf","_SOURCE_REALTIME_TIMESTAMP":"1795373844291667","__REALTIME_TIMESTAMP":"1795373844291674","MESSAGE":"Started nginx.service."}"#;
        let read = journal_line(line).unwrap();
        assert!((read.at - 1_795_373_844.291_667).abs() < 1e-6);
        assert_eq!(
            (read.unit.as_str(), read.text.as_str()),
            ("nginx", "Started nginx.service.")
        );
        // journald prints non-UTF-8 messages as an array of bytes.
        assert_eq!(
            journal_line(&line.replace("\"Started nginx.service.\"", "[1,2]")),
            None
        );
        assert_eq!(journal_line("{"), None);
    }
}
