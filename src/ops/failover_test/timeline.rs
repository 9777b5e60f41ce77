//! Merges what hosts recorded into one timeline on one clock.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::agent::{JournalLine, KernelChange, Watched};
use crate::drill::{DrillEventKind, Event, HostClock, Millis, Requests};
use crate::model::{InstanceName, InterfaceName, NodeName};

/// The recordings of one host.
pub(super) struct HostTimeline<'a> {
    pub(super) node: &'a NodeName,
    /// The interface that carries VRRP.
    pub(super) interface: &'a InterfaceName,
    pub(super) clock: HostClock,
    pub(super) watched: &'a Watched,
    /// The MAC address that it had cached for the VIP when the watch began.
    pub(super) knew: Option<&'a str>,
    /// When it was rebooted, by its own clock. `None` if it was not.
    pub(super) rebooted: Option<f64>,
}

/// What the timelines of all hosts are about.
pub(super) struct Subject<'a> {
    pub(super) vip: IpAddr,
    pub(super) instance: &'a InstanceName,
    /// The owner of each MAC address.
    pub(super) hardware: &'a BTreeMap<String, NodeName>,
    /// When the fault began, in seconds on the operator's clock.
    pub(super) fault: f64,
}

/// systemd's message ids for units (`journalctl --catalog` explains them).
mod message {
    pub(super) const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
    pub(super) const STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";
    pub(super) const PROCESS_EXITED: &str = "98e322203f7a4ed290d09fe03c09fe15";
}

/// Limit of log lines per host.
const MOST_LINES: usize = 200;

/// All events of `subject` on `host`, from `begin_ms` on.
pub(super) fn events(
    host: &HostTimeline<'_>,
    subject: &Subject<'_>,
    begin_ms: Millis,
) -> Vec<Event> {
    let since_fault = |at: f64| (host.clock.to_operator(at) - subject.fault) * 1000.0;
    let mut found: Vec<(Millis, DrillEventKind)> = Vec::new();
    if let Some(booted) = host.rebooted {
        found.push((since_fault(booted), DrillEventKind::Joined));
    }
    found.extend(kernel_events(host, subject, since_fault));
    found.extend(journal_events(host, subject, since_fault));
    if host.rebooted.is_some() {
        // The kernel's record is lost with the reboot: fall back to keepalived's log.
        let owned = found.iter().filter_map(|(at, what)| match what {
            DrillEventKind::State { state } if state == "MASTER" => {
                Some((*at, DrillEventKind::Owns))
            }
            _ => None,
        });
        found.extend(owned.collect::<Vec<_>>());
    }
    found.retain(|(at, _)| *at >= begin_ms);
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let event = |(at_ms, what)| Event {
        at_ms,
        node: Some(host.node.clone()),
        what,
    };
    found.into_iter().map(event).collect()
}

fn kernel_events(
    host: &HostTimeline<'_>,
    subject: &Subject<'_>,
    since_fault: impl Fn(f64) -> Millis,
) -> Vec<(Millis, DrillEventKind)> {
    let mut found = Vec::new();
    let mut link_is_up = true;
    let mut known = host.knew;
    for event in &host.watched.kernel {
        let at = since_fault(event.at);
        match &event.change {
            KernelChange::AddressAdded(address) if *address == subject.vip => {
                found.push((at, DrillEventKind::Owns));
            }
            KernelChange::AddressRemoved(address) if *address == subject.vip => {
                found.push((at, DrillEventKind::Released));
            }
            KernelChange::Link { interface, up }
                if interface == host.interface.as_str() && *up != link_is_up =>
            {
                link_is_up = *up;
                found.push((
                    at,
                    if *up {
                        DrillEventKind::Joined
                    } else {
                        DrillEventKind::Cut
                    },
                ));
            }
            KernelChange::Neighbour { address, hardware } if *address == subject.vip => {
                let before = known.replace(hardware);
                found.extend(announcement(before, hardware, subject).map(|what| (at, what)));
            }
            _ => {}
        }
    }
    found
}

/// An entry that is new was resolved by the host's own query, and an unchanged one says nothing: neither is an
/// announcement.
fn announcement(
    before: Option<&str>,
    hardware: &str,
    subject: &Subject<'_>,
) -> Option<DrillEventKind> {
    before.filter(|before| *before != hardware)?;
    let owner = subject.hardware.get(hardware).cloned();
    Some(DrillEventKind::Announced { owner })
}

fn journal_events(
    host: &HostTimeline<'_>,
    subject: &Subject<'_>,
    since_fault: impl Fn(f64) -> Millis,
) -> Vec<(Millis, DrillEventKind)> {
    let mut found = Vec::new();
    let mut lines = 0;
    let mut last_line = "";
    for line in &host.watched.journal {
        let at = since_fault(line.at);
        if let Some(what) = daemon_event(line, subject.instance) {
            found.push((at, what));
        }
        // keepalived repeats itself with every advertisement.
        if lines < MOST_LINES && line.text != last_line && explains(line) {
            lines += 1;
            found.push((
                at,
                DrillEventKind::Log {
                    unit: line.unit.clone(),
                    line: line.text.clone(),
                },
            ));
        }
        last_line = &line.text;
    }
    found
}

/// The state of a daemon that a line reports, if any.
fn daemon_event(line: &JournalLine, instance: &InstanceName) -> Option<DrillEventKind> {
    match (line.unit.as_str(), line.message_id.as_str()) {
        ("nginx", message::STARTED) => Some(DrillEventKind::Serves),
        ("nginx", message::STOPPED | message::PROCESS_EXITED) => Some(DrillEventKind::Silent),
        ("keepalived", message::STOPPED | message::PROCESS_EXITED) => Some(DrillEventKind::State {
            state: "STOP".to_owned(),
        }),
        ("keepalived", _) => {
            let rest = line.text.strip_prefix(&format!("({instance}) Entering "))?;
            let state = rest.split(' ').next()?.to_owned();
            Some(DrillEventKind::State { state })
        }
        _ => None,
    }
}

/// Whether a line explains anything. keepalived's startup messages do not.
fn explains(line: &JournalLine) -> bool {
    let is_notify = line.text.contains(" is MASTER: ")
        || line.text.contains(" is BACKUP: ")
        || line.text.contains(" is in FAULT: ");
    let of_instances = line.text.starts_with('(') || line.text.contains("cript");
    !is_notify && (line.unit == "nginx" || !line.message_id.is_empty() || of_instances)
}

/// When requests started to fail, and when they succeeded again.
pub(super) fn gaps(requests: &Requests) -> Vec<Event> {
    let event = |at_ms, what| Event {
        at_ms,
        node: None,
        what,
    };
    let mut found = Vec::new();
    for (index, gap) in requests.gaps.iter().enumerate() {
        found.push(event(gap.at_ms, DrillEventKind::Lost));
        // A gap that is still open at the end has no answer.
        if requests.recovered || index + 1 < requests.gaps.len() {
            found.push(event(gap.at_ms + gap.length_ms, DrillEventKind::Answered));
        }
    }
    found
}
