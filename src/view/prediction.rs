//! The predicted cost of faults, as a table.

use std::time::Duration;

use super::paint;
use super::text::{columns, comma, indent, wrap};
use crate::check::{Cost, Fault, Gap, Prediction};
use crate::ops::Expected;

/// One table per group of VIPs, with the current values alongside if the change alters them.
pub(super) fn expected_text(expected: &Expected) -> String {
    let mut text = String::new();
    for after in &expected.predictions {
        let mut live = expected.before.iter().flatten();
        let before = live.find(|before| before.addresses == after.addresses);
        text.push_str(&table(after, before));
    }
    if !text.is_empty() {
        let note = format!(
            "Computed from VRRP's timers and the check settings (keepalived {}). Machines, \
             network and ARP caches add to it: docs/failover.md has measurements.",
            expected.keepalived
        );
        text.push_str(&paint::faint(wrap(&note, 0, "")));
        text.push('\n');
    }
    text
}

fn table(after: &Prediction, before: Option<&Prediction>) -> String {
    let title = format!("Predicted time without {}", comma(&after.addresses));
    let mut owners = after.preferred.clone();
    owners.dedup();
    let first = comma(&owners);
    let mut head = vec!["when on its owner".to_owned()];
    if before.is_some() {
        head.extend([format!("{first}, now"), format!("{first}, then")]);
    } else {
        head.push(first);
    }
    head.push("any owner, at worst".to_owned());
    let mut rows = vec![head.into_iter().map(paint::faint).collect()];
    for (index, cost) in after.faults.iter().enumerate() {
        let mut row = vec![fault_words(cost.fault).to_owned()];
        if let Some(before) = before {
            row.push(
                before
                    .faults
                    .get(index)
                    .map_or(String::new(), |cost| cost_words(cost.preferred)),
            );
        }
        row.push(cost_words(cost.preferred));
        row.push(match cost.worst {
            Cost::Gap(gap) => time_words(gap.latest),
            Cost::ForEver => cost_words(cost.worst),
        });
        rows.push(row);
    }
    format!(
        "{}\n{}",
        paint::strong(wrap(&title, 0, "  ")),
        indent(&columns(&rows), "  ")
    )
}

fn fault_words(fault: Fault) -> &'static str {
    match fault {
        Fault::NginxKilled => "nginx is killed",
        Fault::NginxStopped => "nginx is stopped by systemd",
        Fault::NginxHung => "nginx hangs",
        Fault::KeepalivedStopped => "keepalived is stopped",
        Fault::NodeLost => "the node or its link is lost",
    }
}

fn cost_words(cost: Cost) -> String {
    match cost {
        Cost::Gap(Gap { earliest, latest }) => {
            let (first, last) = (time_words(earliest), time_words(latest));
            if first == last {
                return last;
            }
            // A unit that both share is printed once.
            match (first.rsplit_once(' '), last.rsplit_once(' ')) {
                (Some((number, unit)), Some((_, last_unit))) if unit == last_unit => {
                    format!("{number} to {last}")
                }
                _ => format!("{first} to {last}"),
            }
        }
        Cost::ForEver => "until someone acts".to_owned(),
    }
}

/// `none`, `<1 ms`, `151 ms`, `3.1 s`: rounded up, so that the prediction still holds.
pub(super) fn time_words(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0 => "none".to_owned(),
        1..1_000 => "<1 ms".to_owned(),
        1_000..1_000_000 => format!("{} ms", micros.div_ceil(1_000)),
        _ => {
            let tenths = micros.div_ceil(100_000);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::check::predictions;
    use crate::inventory;
    use crate::model::Version;
    use crate::view::samples::plain;

    const DEBIAN_12: Version = Version::new(2, 2, 7);

    fn of(yaml: &str, keepalived: Version) -> Vec<Prediction> {
        let inventory = inventory::load("hactl.yml", yaml).unwrap();
        predictions(&inventory.cluster, keepalived)
    }

    const NODES: &str = "cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
  - { name: lb3, address: 10.0.0.13, interface: eth0 }
vips: [{ address: 10.0.0.100/24 }]
upstreams: { backend: { servers: [192.168.1.10:8080] } }
sites: [{ listen: [80], proxy: backend }]
";

    #[test]
    fn the_defaults() {
        let expected = Expected {
            keepalived: DEBIAN_12,
            predictions: of(NODES, DEBIAN_12),
            before: None,
        };
        assert_snapshot!(plain(&expected_text(&expected)));
    }

    #[test]
    fn a_change_of_them() {
        let standard = format!("{NODES}vrrp: {{ failover: standard }}\n");
        let expected = Expected {
            keepalived: DEBIAN_12,
            predictions: of(NODES, DEBIAN_12),
            before: Some(of(&standard, DEBIAN_12)),
        };
        assert_snapshot!(plain(&expected_text(&expected)));
    }

    #[test]
    fn what_never_fails_over() {
        let stuck =
            format!("{NODES}vrrp: {{ on_nginx_failure: {{ weight: -20 }}, preempt: false }}\n");
        let expected = Expected {
            keepalived: DEBIAN_12,
            predictions: of(&stuck, DEBIAN_12),
            before: None,
        };
        assert_snapshot!(plain(&expected_text(&expected)));
    }
}
