//! Faults on a host, which the host itself ends.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::reply::Record;
use crate::model::InterfaceName;

/// The most events of a fault that are read.
const MAX_EVENTS: usize = 1000;

/// A fault to make on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRequest {
    /// The drill's id: what refusals name, and what `heal` ends. Letters, digits, `.`, `_`, `-`.
    pub id: String,
    /// The fault, such as `nginx-kill`.
    pub name: String,
    /// How long it lasts; for one that heals on its own, when it is helped. At most ten minutes.
    pub hold: Duration,
    /// What it is to hit.
    pub hits: FaultHits,
}

/// What a fault is to hit. Faults take from it what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultHits {
    /// The link that goes down.
    pub interface: Option<InterfaceName>,
    /// The cluster's VIPs: what keepalived will see to, and the undo must not.
    pub vips: Vec<IpAddr>,
    /// Servers that become unreachable: host and port.
    pub targets: Vec<(String, u16)>,
    /// The share of VRRP's packets that is lost, in percent.
    pub percent: Option<u8>,
    /// nginx's own port on loopback.
    pub status_port: Option<u16>,
    /// How many connections one of nginx's workers takes.
    pub worker_connections: Option<u32>,
}

impl FaultHits {
    /// The stream that the host's program reads.
    pub(super) fn stream(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(interface) = &self.interface {
            let _ = writeln!(text, "interface\t{interface}");
        }
        for vip in &self.vips {
            let _ = writeln!(text, "vip\t{vip}");
        }
        for (host, port) in &self.targets {
            let _ = writeln!(text, "target\t{}\t{port}", host.trim_matches(['[', ']']));
        }
        if let Some(percent) = self.percent {
            let _ = writeln!(text, "percent\t{percent}");
        }
        if let Some(port) = self.status_port {
            let _ = writeln!(text, "port\t{port}");
        }
        if let Some(connections) = self.worker_connections {
            let _ = writeln!(text, "connections\t{connections}");
        }
        text.push_str("end\n");
        text
    }
}

/// A fault that a host has armed: it is about to be made, lasts, or could not be undone yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ArmedFault {
    /// The drill's id.
    pub id: String,
    /// The fault.
    pub name: String,
    /// Since when, UTC.
    pub since: String,
    /// The host ends it on its own within this many seconds. With 0 it has tried, and failed so far.
    pub seconds_left: u64,
}

impl ArmedFault {
    pub(super) fn from_record(record: &Record) -> Self {
        let field = |index: usize| record.field(index).to_owned();
        Self {
            id: field(0),
            name: field(1),
            since: field(2),
            seconds_left: field(3).parse().unwrap_or_default(),
        }
    }
}

/// A step of a fault's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultStep {
    /// It is about to hit. A fault that hits several times begins as often.
    Begun,
    /// It has been made: what was ordered has been done.
    Made,
    /// Its undo begins. One that healed on its own has no such step.
    Ending,
    /// The host is as it was.
    Healed,
    /// It could not be made, or not be undone yet.
    Failed,
}

/// What a host recorded of a fault.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FaultEvent {
    /// Seconds since the epoch, by the host's own clock.
    pub at: f64,
    /// What happened.
    pub step: FaultStep,
    /// The fault.
    pub name: String,
    /// Why it failed; empty otherwise.
    pub detail: String,
}

/// What is known of a fault on one host.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct FaultState {
    /// What is armed there now, whosever it is.
    pub armed: Option<ArmedFault>,
    /// What the host recorded of the fault that was asked for; nothing after a restart.
    pub events: Vec<FaultEvent>,
}

impl FaultState {
    pub(super) fn from_records(records: &[Record]) -> Self {
        let armed = records.iter().find(|record| record.tag == "drill");
        let events = records.iter().filter(|record| record.tag == "drill-event");
        Self {
            armed: armed.map(ArmedFault::from_record),
            events: events.take(MAX_EVENTS).filter_map(event).collect(),
        }
    }

    /// When `step` was first recorded: seconds since the epoch, by the host's clock.
    pub fn at(&self, step: FaultStep) -> Option<f64> {
        let event = self.events.iter().find(|event| event.step == step);
        event.map(|event| event.at)
    }
}

fn event(record: &Record) -> Option<FaultEvent> {
    let step = match record.field(1) {
        "begun" => FaultStep::Begun,
        "made" => FaultStep::Made,
        "ending" => FaultStep::Ending,
        "healed" => FaultStep::Healed,
        "failed" => FaultStep::Failed,
        _ => return None,
    };
    Some(FaultEvent {
        at: record
            .field(0)
            .parse()
            .ok()
            .filter(|at: &f64| at.is_finite())?,
        step,
        name: record.field(2).to_owned(),
        detail: record.field(3).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::reply::parse;

    #[test]
    fn what_a_host_records_is_read_and_nonsense_left_out() {
        let answer = b"hactl-agent\t1\ndrill\td1\tnginx-stop\t2026-01-01T00:00:00Z\t7\n\
            drill-event\t1700000000.125\tbegun\tnginx-stop\t-\n\
            drill-event\tNaN\tmade\tnginx-stop\t-\n\
            drill-event\t1700000001.5\texploded\tnginx-stop\t-\n\
            drill-event\t1700000002.5\tfailed\tnginx-stop\tcannot\nend\n";
        let state = FaultState::from_records(&parse(answer).unwrap());
        assert_eq!(state.armed.as_ref().unwrap().seconds_left, 7);
        let steps: Vec<_> = state.events.iter().map(|event| event.step).collect();
        assert_eq!(steps, [FaultStep::Begun, FaultStep::Failed]);
        assert_eq!(state.at(FaultStep::Begun), Some(1_700_000_000.125));
        assert_eq!(state.at(FaultStep::Healed), None);
        assert_eq!(state.events[1].detail, "cannot");
    }

    #[test]
    fn what_is_hit_is_one_record_a_line() {
        let hits = FaultHits {
            interface: Some(InterfaceName::new("eth0").unwrap()),
            vips: vec!["10.0.0.100".parse().unwrap(), "fd00::100".parse().unwrap()],
            targets: vec![("[fd00::1]".to_owned(), 8080)],
            percent: Some(10),
            status_port: Some(8081),
            worker_connections: Some(512),
        };
        assert_eq!(
            hits.stream(),
            "interface\teth0\nvip\t10.0.0.100\nvip\tfd00::100\ntarget\tfd00::1\t8080\npercent\t10\nport\t8081\nconnections\t512\nend\n"
        );
    }
}
