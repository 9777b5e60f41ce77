//! Every possible single failure.

use super::*;

/// For any single failure, the result is what the hosts themselves show in the end.
#[tokio::test]
async fn the_result_is_what_the_hosts_show() {
    use Fault::{FailedAfter, Gone, LostAfter, LostBefore, Refused};
    let mut runs = Vec::new();
    for verb in [
        "lock",
        "prepare",
        "stage",
        "validate-staged",
        "activate",
        "observe",
        "announce",
        "reach",
        "confirm",
        "revert",
        "unlock",
        "connect",
    ] {
        for fault in [Refused, FailedAfter, LostBefore, LostAfter, Gone] {
            for (host, nth) in (0..3).flat_map(|host| [(host, 0), (host, 1)]) {
                // The first connections are made by the caller.
                if (verb, nth) != ("connect", 0) {
                    runs.push(with_one_fault(host, verb, nth, fault, &[]));
                    runs.push(with_one_fault(host, verb, nth, fault, &["nginx"]));
                }
            }
        }
    }
    let mut seen = BTreeMap::new();
    for kind in futures::future::join_all(runs).await {
        *seen.entry(kind).or_insert(0) += 1;
    }
    assert!(seen.len() == 4, "all kinds are among them: {seen:?}");
}

async fn with_one_fault(
    host: usize,
    verb: &'static str,
    nth: usize,
    fault: Fault,
    install: &[&str],
) -> &'static str {
    let cluster = cluster();
    faults(&cluster, &[(host, verb, nth, fault)]);
    let mut plan = plan();
    for node in &mut plan.nodes {
        node.changes.splice(0..0, installs(install));
    }
    let run = run(&cluster, &plan).await;
    let is_gone = cluster.state().hosts[&name(host)].is_gone;
    match (run.kind(), truth(&cluster)) {
        ("applied", "new") | ("unchanged" | "rolled back", "old") | ("mixed", "mixed") => {}
        // The state of a host that is gone is unknown, and that is reported.
        ("mixed", _) if is_gone => {}
        // So is that of a rollback whose answer was lost, and of a failed observation.
        ("mixed", "old") if matches!(verb, "revert" | "observe" | "connect") => {}
        (kind, truth) => panic!(
            "{verb} #{nth} on lb{}: {fault:?}, {install:?}: {kind}, but the hosts are {truth}",
            host + 1
        ),
    }
    if verb != "unlock" {
        nobody_is_locked(&cluster);
    }
    run.kind()
}
