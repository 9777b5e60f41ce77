//! Every checked rule trips and passes, and what is said can be used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::*;
use crate::check::registry;
use crate::check::testing::{Case, cases, cluster, sample, weight};
use crate::check::{Coverage, Severity, When};

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn every_checked_rule_has_a_case() {
    let checked = registry::rules().into_iter();
    let checked: BTreeSet<_> = checked
        .filter(|rule| rule.coverage == Coverage::Checked)
        .map(|rule| rule.id)
        .collect();
    let cases: BTreeSet<_> = cases().map(|case| case.rule.id).collect();
    assert_eq!(checked, cases);
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
    for rule in registry::rules() {
        assert_eq!(titles.insert(rule.id, rule.title), None, "{}", rule.id);
        assert!(!rule.when.is_empty(), "{}", rule.id);
        // The page adds the full stops where they belong.
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
        let needs_more = !rule.when.contains(&When::Inventory);
        let is_impossible = matches!(rule.coverage, Coverage::CannotHappen(_));
        assert!(!(needs_more && is_impossible), "{}", rule.id);
    }
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
        let json = serde_json::to_string(&findings).expect("findings serialise");
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
