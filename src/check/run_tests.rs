//! Every rule with a check has a case that violates it and one that does not, and the texts are usable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::*;
use crate::check::testing::{Case, cases, cluster, sample, weight};
use crate::check::{Check, Severity};

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

/// False if a daemon runs the check, or if it needs none.
fn is_function(check: &Check) -> bool {
    !matches!(
        check,
        Check::DaemonTest(_) | Check::Drift(_) | Check::ByConstruction(_)
    )
}

#[test]
fn every_checked_rule_has_a_case() {
    let checked = rules().into_iter();
    let checked: BTreeSet<_> = checked
        .filter(|rule| rule.checks().any(is_function))
        .map(|rule| rule.id)
        .collect();
    let cases: BTreeSet<_> = cases().map(|case| case.rule.id).collect();
    assert_eq!(checked, cases);
}

#[test]
fn every_probe_is_a_rules() {
    for probe in &crate::agent::PROBES {
        for id in probe.rules {
            let rule = rules().into_iter().find(|rule| rule.id == *id);
            let rule = rule.unwrap_or_else(|| panic!("{}: {id}", probe.name));
            let sees_hosts = |check: &Check| {
                matches!(
                    check,
                    Check::Host(_) | Check::Cluster(_) | Check::Running(_) | Check::Fitness(_)
                )
            };
            assert!(rule.checks().any(sees_hosts), "{}: {id}", probe.name);
        }
        assert!(!probe.rules.is_empty(), "{}", probe.name);
    }
}

#[test]
fn every_case_trips_on_one_side_only() {
    for Case {
        rule,
        trips,
        passes,
    } in cases()
    {
        let tripped = trips();
        assert!(
            ids(&tripped).contains(&rule.id),
            "{}: {:?}",
            rule.id,
            ids(&tripped)
        );
        let passed = passes();
        assert!(!ids(&passed).contains(&rule.id), "{}: {passed:?}", rule.id);
    }
}

#[test]
fn a_good_cluster_has_nothing_but_the_note_on_fault() {
    assert_eq!(ids(&run(&sample())), ["KA016"]);
}

#[test]
fn rule_ids_are_unique_and_texts_complete() {
    let mut titles = BTreeMap::new();
    for rule in rules() {
        assert_eq!(titles.insert(rule.id, rule.title), None, "{}", rule.id);
        // The page adds the full stops itself.
        for text in [rule.title, rule.fix] {
            assert!(
                !text.is_empty() && !text.ends_with('.'),
                "{}: {text}",
                rule.id
            );
        }
        assert!(
            rule.reason.ends_with(['.', ')']),
            "{}: {}",
            rule.id,
            rule.reason
        );
        // A rule is either checked or cannot be violated.
        let by_construction = |check: &Check| matches!(check, Check::ByConstruction(_));
        let is_alone = rule.checks().count() == 1;
        assert!(
            is_alone || !rule.checks().any(by_construction),
            "{}",
            rule.id
        );
    }
}

#[test]
fn a_vip_without_an_owner_is_explained_by_what_keeps_nodes_from_the_election() {
    use crate::health::{FaultCause, Problem};
    let cluster = sample();
    let address = "10.0.0.11".parse().expect("an address");
    let problems = [
        Problem::NoOwner {
            vip: "10.0.0.100".parse().expect("an address"),
        },
        Problem::NotElectable {
            node: cluster.nodes[0].name.clone(),
            instance: "VI_1".to_owned(),
            state: crate::agent::InstanceState::Fault,
            seconds: None,
            causes: vec![FaultCause::AddressMissing { address }],
        },
    ];
    let found = of_running(&ClusterEvidence {
        cluster: &cluster,
        seen: &[],
        problems: &problems,
        strangers: &[],
    });
    assert_eq!(ids(&found), ["DR001"]);
    assert!(!found[0].fix.contains("112"), "{}", found[0].fix);
}

#[test]
fn a_vip_that_somebody_else_has_is_a_finding() {
    let cluster = sample();
    let stranger = crate::check::Stranger {
        node: cluster.nodes[0].name.clone(),
        vip: "10.0.0.100".parse().expect("an address"),
        hardware: "02:00:00:00:00:01".to_owned(),
    };
    let found = of_hosts(&ClusterEvidence {
        cluster: &cluster,
        seen: &[],
        problems: &[],
        strangers: &[stranger],
    });
    assert_eq!(ids(&found), ["KA025"]);
    assert_eq!(found[0].path.to_string(), "vips[0].address");
}

#[test]
fn the_worst_comes_first() {
    let mut cluster = cluster(&[100, 90, 80]);
    cluster.vrrp.on_nginx_failure = weight(-20);
    cluster.upstreams[0].servers.truncate(1);
    let findings = run(&cluster);
    assert_eq!(ids(&findings), ["KA011", "KA012", "NG006"]);
    assert!(
        findings
            .iter()
            .map(Finding::severity)
            .is_sorted_by(|one, other| one >= other)
    );
    assert_eq!(findings[0].severity(), Severity::Error);
}

#[test]
fn passwords_are_judged_and_never_shown() {
    use crate::model::{Authentication, SecretRef, Secrets};
    for (secret, expected) in [
        ("nginx_ha_2025", vec!["KA030", "KA032"]),
        ("$(openssl rand -base64 12)", vec!["KA031", "KA030"]),
        ("1111", vec!["KA032"]),
        ("k3v9Qz1x", vec![]),
    ] {
        let mut cluster = sample();
        let reference = SecretRef::Env("VRRP_PASSWORD".to_owned());
        let mut secrets = Secrets::default();
        secrets.insert(reference.clone(), secret.to_owned().into());
        cluster.vrrp.authentication = Some(Authentication {
            password: reference,
        });
        let findings = password(&cluster, &secrets);
        assert_eq!(ids(&findings), expected);
        // The rule's own texts do not depend on the password.
        let own = findings
            .iter()
            .map(|one| (&one.path, &one.message, &one.fix));
        let json = serde_json::to_string(&own.collect::<Vec<_>>()).expect("texts serialise");
        assert!(
            !json.contains(secret) && !json.contains(&secret[..4]),
            "{json}"
        );
    }
}

#[test]
fn the_guides_findings_read_well() {
    let mut cluster = cluster(&[100, 90, 80]);
    cluster.vrrp.on_nginx_failure = weight(-20);
    insta::assert_json_snapshot!(run(&cluster));
}

#[test]
fn all_messages_read_well() {
    let mut text = String::new();
    for case in cases() {
        for finding in (case.trips)() {
            if finding.rule.id == case.rule.id {
                let Finding {
                    rule,
                    path,
                    message,
                    fix,
                    ..
                } = &finding;
                writeln!(
                    text,
                    "{} {} at {path}\n  {message}\n  -> {fix}",
                    finding.severity(),
                    rule.id
                )
                .expect("a string takes it");
            }
        }
    }
    insta::assert_snapshot!(text);
}
