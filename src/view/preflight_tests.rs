use insta::assert_snapshot;

use super::preflight_text;
use crate::agent::Program;
use crate::check::{Finding, rules};
use crate::model::{ClusterName, InventoryPath, NodeName, Peering, UnitId, Version};
use crate::ops::{
    AdvertReport, AdvertWay, Arrived, HostFitness, PreflightReport, Refusal, Unreachable,
};
use crate::view::samples::{name, plain};

fn host(node: &str, installed: bool) -> HostFitness {
    let program = |version| {
        if installed {
            Program::Installed { version }
        } else {
            Program::Missing {
                candidate: Some(version),
            }
        }
    };
    HostFitness {
        node: name(node),
        system: "debian 12".to_owned(),
        programs: [
            (UnitId::NGINX, program(Version::new(1, 22, 1))),
            (UnitId::KEEPALIVED, program(Version::new(2, 2, 7))),
        ]
        .into(),
        generation: installed.then_some(3),
        free_kib: Some(12 << 20),
        clock_ahead: Some(0.002),
        clock_is_synchronised: Some(true),
    }
}

fn way(from: &NodeName, to: &NodeName, received: u64) -> AdvertWay {
    AdvertWay {
        from: from.clone(),
        to: to.clone(),
        sent: 250,
        arrived: (received > 0).then_some(Arrived {
            received,
            of: 250,
            silence_ms: 24,
        }),
    }
}

fn report(received: impl Fn(&NodeName, &NodeName) -> u64) -> PreflightReport {
    let hosts = [host("lb1", true), host("lb2", false), host("lb3", false)];
    let nodes: Vec<NodeName> = hosts.iter().map(|host| host.node.clone()).collect();
    let mut ways = Vec::new();
    for from in &nodes {
        for to in nodes.iter().filter(|to| *to != from) {
            ways.push(way(from, to, received(from, to)));
        }
    }
    PreflightReport {
        cluster: ClusterName::new("web").unwrap(),
        nodes: hosts.into(),
        adverts: AdvertReport {
            by: Peering::Unicast,
            interval_ms: 20,
            duration_ms: 5000,
            ways,
        },
        findings: Vec::new(),
        refusals: Vec::new(),
        unreachable: Vec::new(),
    }
}

#[test]
fn hosts_that_are_fit() {
    assert_snapshot!(plain(&preflight_text(&report(|_, _| 250))));
}

#[test]
fn what_several_nodes_share_is_told_once() {
    let rule = |id: &str| rules().into_iter().find(|rule| rule.id == id).unwrap();
    let finding = |id, node: &str, words: &str| {
        let message = format!("{node}: {words}");
        Finding::new(rule(id), InventoryPath::root(), message).on(&name(node))
    };
    let lb2 = name("lb2");
    let mut report = report(|from, to| match () {
        () if *to == lb2 => 0,
        () if *from == lb2 => 247,
        () => 250,
    });
    report.nodes[2].clock_ahead = Some(-1.5);
    report.nodes[2].free_kib = Some(40 * 1024);
    report.findings = vec![
        finding(
            "FW001",
            "lb2",
            "no unicast advert arrives from lb1 (250 sent), lb3 (250 sent)",
        ),
        finding(
            "SY011",
            "lb1",
            "the clock is not synchronised (`timedatectl`)",
        ),
        finding(
            "SY011",
            "lb3",
            "the clock is not synchronised (`timedatectl`)",
        ),
        finding("SY010", "lb3", "/var/lib has 40 MiB left"),
    ];
    report.refusals = vec![Refusal {
        message: "lb3: the host has no interface eth1; it has eth0".to_owned(),
        help: Some("correct `interface` of that node in the inventory".to_owned()),
    }];
    report.unreachable = vec![Unreachable {
        node: name("lb4"),
        why: "lb4: cannot connect to 10.0.0.14: Connection timed out".to_owned(),
        help: "check that the host is up".to_owned(),
    }];
    assert_snapshot!(plain(&preflight_text(&report)));
}
