//! Probes: observations that only some rules need. A question names the probes it wants, and no
//! other runs.

use std::collections::BTreeMap;

use super::preflight::{self, Preflight};
use super::reply::Record;
use crate::model::clipped;

/// The most interfaces and instances read.
const MAX_ITEMS: usize = 1000;
/// The most characters of a path or word.
const MAX_TEXT: usize = 200;

/// When a probe runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    /// With every observation, since it starts no process.
    Always,
    /// Only if several nodes are MASTER of one instance, since it takes seconds.
    SeveralMasters,
    /// Only of hosts that preflight looks at, since it starts processes.
    Preflight,
}

/// A probe.
pub struct Probe {
    /// Its name in a question. The function in the host's program is `probe_` plus this name.
    pub name: &'static str,
    pub probing: Probing,
    /// The rules that need it.
    pub rules: &'static [&'static str],
    /// The tags of its answer's records, and the functions that parse them.
    records: &'static [(&'static str, Read)],
}

/// Parses a record.
enum Read {
    Into(fn(&Record, &mut Probed)),
    Preflight(fn(&Record, &mut Preflight)),
}

pub static PROBES: [Probe; 9] = [
    Probe {
        name: "networkd",
        probing: Probing::Always,
        rules: &["KA054"],
        records: &[("networkd", Read::Into(networkd))],
    },
    Probe {
        name: "file_limit",
        probing: Probing::Always,
        rules: &["NG005"],
        records: &[("file_limit", Read::Into(file_limit))],
    },
    Probe {
        name: "adverts",
        probing: Probing::SeveralMasters,
        rules: &["FW001"],
        records: &[("adverts", Read::Into(adverts))],
    },
    Probe {
        name: "space",
        probing: Probing::Preflight,
        rules: &["SY010", "SY016"],
        records: &[("space", Read::Preflight(preflight::space))],
    },
    Probe {
        name: "clock_sync",
        probing: Probing::Preflight,
        rules: &["SY011"],
        records: &[("clock_sync", Read::Preflight(preflight::clock_sync))],
    },
    Probe {
        name: "listeners",
        probing: Probing::Preflight,
        rules: &["NG020"],
        records: &[("listeners", Read::Preflight(preflight::listeners))],
    },
    Probe {
        name: "active_units",
        probing: Probing::Preflight,
        rules: &["FW001", "FW002", "SY013", "SY015"],
        records: &[("active_units", Read::Preflight(preflight::active_units))],
    },
    Probe {
        name: "ufw",
        probing: Probing::Preflight,
        rules: &["FW001", "FW002"],
        records: &[("ufw", Read::Preflight(preflight::ufw))],
    },
    Probe {
        name: "selinux",
        probing: Probing::Preflight,
        rules: &["SE001"],
        records: &[
            ("selinux", Read::Preflight(preflight::selinux)),
            ("sebool", Read::Preflight(preflight::selinux_boolean)),
        ],
    },
];

/// The results of probes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probed {
    /// The interfaces that systemd-networkd manages.
    pub networkd: BTreeMap<String, Networkd>,
    /// The open-file limit of a worker of the running nginx.
    pub file_limit: Option<u64>,
    /// Advert counts of each VRRP instance.
    pub adverts: BTreeMap<String, Adverts>,
    /// What only preflight asks. `None` if it was not asked.
    pub preflight: Option<Preflight>,
}

/// An interface that systemd-networkd manages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networkd {
    /// The `.network` file that configures it.
    pub file: String,
    /// `KeepConfiguration=`, if it is set.
    pub keep: Option<String>,
}

/// The change of an instance's counters within two seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adverts {
    /// Adverts received.
    pub received: u64,
    /// Adverts sent.
    pub sent: u64,
    /// Packets received and rejected.
    pub rejected: u64,
}

impl Probed {
    pub(super) fn take(&mut self, record: &Record) {
        let reads = PROBES.iter().flat_map(|probe| probe.records);
        for (_, read) in reads.filter(|(tag, _)| *tag == record.tag) {
            match read {
                Read::Into(read) => read(record, self),
                Read::Preflight(read) => read(record, self.preflight.get_or_insert_default()),
            }
        }
    }
}

fn networkd(record: &Record, probed: &mut Probed) {
    let text = |index| clipped(record.field(index), MAX_TEXT);
    if probed.networkd.len() < MAX_ITEMS {
        let networkd = Networkd {
            file: text(1),
            keep: Some(text(2)).filter(|keep| !keep.is_empty()),
        };
        probed.networkd.insert(text(0), networkd);
    }
}

fn file_limit(record: &Record, probed: &mut Probed) {
    probed.file_limit = match record.field(0) {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    };
}

/// The first record holds the counters before the interval, the second those after it.
fn adverts(record: &Record, probed: &mut Probed) {
    let counters = counters(&record.body_text());
    if record.field(0) == "before" {
        probed.adverts = counters;
        return;
    }
    let before = std::mem::take(&mut probed.adverts);
    let since = |(instance, now): (String, Adverts)| {
        let then = before.get(&instance)?;
        // A keepalived that restarted meanwhile has reset its counters, so there is no difference
        // to report.
        let within = Adverts {
            received: now.received.checked_sub(then.received)?,
            sent: now.sent.checked_sub(then.sent)?,
            rejected: now.rejected.checked_sub(then.rejected)?,
        };
        Some((instance, within))
    };
    probed.adverts = counters.into_iter().filter_map(since).collect();
}

/// Parses keepalived.stats: sections of counters below each instance's name.
fn counters(text: &str) -> BTreeMap<String, Adverts> {
    let mut all = BTreeMap::new();
    let (mut instance, mut section) = (String::new(), String::new());
    for line in text.lines().take(100 * MAX_ITEMS) {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if key == "VRRP Instance" {
            instance = clipped(value, MAX_TEXT);
            continue;
        }
        if value.is_empty() {
            key.clone_into(&mut section);
            continue;
        }
        if all.len() >= MAX_ITEMS {
            break;
        }
        let counters: &mut Adverts = all.entry(instance.clone()).or_default();
        let count = value.parse().unwrap_or(0);
        match (section.as_str(), key) {
            ("Advertisements", "Received") => counters.received = count,
            ("Advertisements", "Sent") => counters.sent = count,
            ("Packet Errors" | "Authentication Errors", _) => {
                counters.rejected = counters.rejected.saturating_add(count);
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The format of keepalived 2.2.7.
    fn stats(received: u64, sent: u64) -> String {
        format!(
            "VRRP Instance: VI_1\n  Advertisements:\n    Received: {received}\n    Sent: {sent}\n  Became master: 1\n  \
             Released master: 0\n  Packet Errors:\n    Length: 0\n    TTL: 0\n    Invalid Type: 0\n    \
             Advertisement Interval: 0\n    Address List: 3\n  Authentication Errors:\n    Invalid Type: 0\n    \
             Type Mismatch: 0\n    Failure: 0\n  Priority Zero:\n    Received: 7\n    Sent: 8\n"
        )
    }

    fn record(tag: &str, fields: &[&str], body: Option<String>) -> Record {
        Record {
            tag: tag.to_owned(),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            body: body.map(String::into_bytes),
        }
    }

    #[test]
    fn counters_are_those_of_the_time_between() {
        let mut probed = Probed::default();
        probed.take(&record("adverts", &["before"], Some(stats(5, 10))));
        probed.take(&record("adverts", &["after"], Some(stats(5, 110))));
        let within = Adverts {
            received: 0,
            sent: 100,
            rejected: 0,
        };
        assert_eq!(probed.adverts["VI_1"], within);
        // After a restart there is no difference.
        probed.take(&record("adverts", &["before"], Some(stats(5, 10))));
        probed.take(&record("adverts", &["after"], Some(stats(0, 20))));
        assert!(probed.adverts.is_empty());
    }

    #[test]
    fn what_networkd_manages_and_the_limit_are_read() {
        let mut probed = Probed::default();
        probed.take(&record("networkd", &["eth0", "/etc/x.network", "-"], None));
        probed.take(&record(
            "networkd",
            &["eth1", "/etc/y.network", "yes"],
            None,
        ));
        probed.take(&record("file_limit", &["1024"], None));
        assert_eq!(probed.networkd["eth0"].keep, None);
        assert_eq!(probed.networkd["eth1"].keep.as_deref(), Some("yes"));
        assert_eq!(probed.file_limit, Some(1024));
        probed.take(&record("file_limit", &["unlimited"], None));
        assert_eq!(probed.file_limit, Some(u64::MAX));
    }

    #[test]
    fn the_program_has_these_probes_and_no_other() {
        let script = super::super::script::agent_script();
        let words = script
            .lines()
            .filter_map(|line| line.strip_prefix("probe_"));
        let mut functions: Vec<&str> = words.filter_map(|line| line.strip_suffix("() {")).collect();
        functions.sort_unstable();
        let mut names: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
        names.sort_unstable();
        assert_eq!(functions, names);
        let (_, asked) = script.split_once("        probe)").unwrap();
        let (asked, _) = asked.split_once("esac").unwrap();
        let taken: Vec<&str> = asked.split([' ', '|', ')', '\n']).collect();
        for name in names {
            assert!(taken.contains(&name), "{name}: {asked}");
        }
    }
}
