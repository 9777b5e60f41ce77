//! Inspects the hosts of an in-memory cluster before anything is changed there.

use super::*;
use crate::check::{Finding, Severity};
use crate::remote::fake::Firewall;

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

/// Rules that an error reports, or nothing for a result.
fn refused_for<T>(result: &Result<T, OpsError>) -> Vec<&'static str> {
    match result {
        Err(OpsError::UnfitHosts { findings, .. }) => ids(findings),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn preflight_writes_nothing_and_finds_all_that_apply_would_refuse() {
    let world = World::new();
    let report = preflight(&world.selection, &world.access).await.unwrap();
    assert!(report.is_fit(Severity::Warning), "{report:?}");
    assert_eq!(report.adverts.ways.len(), 6);
    world.host(2, |host| host.firewall = Firewall::DropsVrrp);
    world.host(3, |host| host.tells.push_str("space\t/var/lib\t1024\t-\n"));
    world.forget_calls();
    let report = preflight(&world.selection, &world.access).await.unwrap();
    let errors = report.findings.iter();
    let errors = errors.filter(|finding| finding.severity() == Severity::Error);
    let errors: Vec<Finding> = errors.cloned().collect();
    assert_eq!(ids(&errors), ["FW001", "SY010"]);
    assert!(!report.is_fit(Severity::Warning));
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
}

#[tokio::test]
async fn hosts_that_hactl_has_never_set_up_are_inspected_by_plan_and_apply() {
    let world = World::new();
    world.host(2, |host| host.firewall = Firewall::DropsVrrp);
    let planned = plan(&world.selection, &world.access).await;
    assert_eq!(refused_for(&planned), ["FW001"]);
    let applied = world.apply(Consent::Given).await;
    assert_eq!(refused_for(&applied), ["FW001"]);
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());

    world.host(2, |host| host.firewall = Firewall::Open);
    world.apply(Consent::Given).await.unwrap();
    world.forget_calls();
    // A running cluster shows by itself whether its adverts arrive.
    world.host(2, |host| host.firewall = Firewall::DropsVrrp);
    plan(&world.selection, &world.access).await.unwrap();
    assert!(!world.forget_calls().contains(&"adverts".to_owned()));
}

#[tokio::test]
async fn one_silent_test_is_repeated_before_it_counts() {
    let world = World::new();
    world.host(2, |host| host.firewall = Firewall::DropsVrrp);
    preflight(&world.selection, &world.access).await.unwrap();
    assert_eq!(world.host(1, |host| host.calls_of("adverts")), 2);
}

#[tokio::test]
async fn a_node_that_is_gone_is_named_and_the_others_are_inspected() {
    let world = World::new();
    world.host(3, |host| host.is_gone = true);
    let report = preflight(&world.selection, &world.access).await.unwrap();
    assert_eq!(report.unreachable.len(), 1);
    assert_eq!(report.nodes.len(), 2);
    assert!(!report.is_fit(Severity::Warning));
}
