//! Injecting faults on a host. The host itself ends them.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::reply::Record;
use crate::model::InterfaceName;

/// The most events read of one fault.
const MAX_EVENTS: usize = 1000;

/// A fault to inject on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRequest {
    /// The drill's id, which refusals quote and `heal` takes. Letters, digits, `.`, `_`, `-`.
    pub id: String,
    /// The fault, such as `nginx-kill`.
    pub name: String,
    /// How long the fault lasts. If it heals on its own, the time after which it is ended at the
    /// latest. At most ten minutes.
    pub hold: Duration,
    /// Its targets.
    pub hits: FaultHits,
}

/// The targets of a fault. Each fault uses only the fields that it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultHits {
    /// The link to set down.
    pub interface: Option<InterfaceName>,
    /// The cluster's VIPs. keepalived restores these addresses itself, so the undo must not.
    pub vips: Vec<IpAddr>,
    /// Servers to make unreachable, as host and port.
    pub targets: Vec<(String, u16)>,
    /// The share of VRRP packets to drop, in percent.
    pub percent: Option<u8>,
    /// nginx's status port on loopback.
    pub status_port: Option<u16>,
    /// nginx's `worker_connections`.
    pub worker_connections: Option<u32>,
}

impl FaultHits {
    /// The text that the host's program reads on standard input.
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

/// A fault armed on a host: it is scheduled, active, or could not be undone yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ArmedFault {
    /// The drill's id.
    pub id: String,
    pub name: String,
    /// When it was armed, in UTC.
    pub since: String,
    /// Seconds until the host ends it on its own. 0 if the host has tried, and failed so far.
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

/// A step in the life of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultStep {
    /// The injection starts. Recorded once per hit of a fault that hits repeatedly.
    Begun,
    /// The injection is complete.
    Made,
    /// The undo starts. Not recorded for a fault that healed on its own.
    Ending,
    /// The host is back in its original state.
    Healed,
    /// It could not be injected, or has not been undone yet.
    Failed,
}

/// A host's record of one step of a fault.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FaultEvent {
    /// Seconds since the epoch, by the host's own clock.
    pub at: f64,
    pub step: FaultStep,
    pub name: String,
    /// The reason of a failure, otherwise empty.
    pub detail: String,
}

/// The faults on one host.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct FaultState {
    /// The fault armed there now, from whichever drill.
    pub armed: Option<ArmedFault>,
    /// The host's record of the requested fault. Lost at a reboot.
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

    /// When `step` was first recorded, in seconds since the epoch by the host's clock.
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
