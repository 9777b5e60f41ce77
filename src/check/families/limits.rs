//! nginx's limit on open files (NG005).

use crate::agent::Observation;
use crate::check::evidence::{HostEvidence, PlanEvidence};
use crate::check::places;
use crate::check::rule::{Finding, Findings};
use crate::conf::nginx::Conf;
use crate::model::{FileRole, UnitId};
use crate::plan::NodePlan;

rules! { RULES:
NG005 {
    Warning, [Host(running), Plan(to_come)],
    title: "nginx's limit on open files is too low for its connections",
    reason: "A worker needs a file descriptor for each of its worker_connections, which include listening sockets and upstream connections, and up to one more for the file that a connection reads or buffers on disk. Beyond the limit it refuses connections (\"Too many open files\"): systemd's own limit of 1024 let 2,200 of 5,000 clients in (measured).",
    fix: "set `worker_rlimit_nofile` in nginx.conf, or `LimitNOFILE=` of nginx.service, to twice worker_connections, then restart nginx",
}
}

/// nginx's default for `worker_connections`.
const CONNECTIONS: u64 = 512;

/// True if an nginx that hactl has set up runs there. Before the first apply, its limit is not the cluster's.
fn runs_ours(seen: &Observation) -> bool {
    seen.recorded.is_some() && seen.service(UnitId::NGINX).is_active()
}

/// The limit of the running nginx.
fn running(evidence: &HostEvidence<'_>, findings: &mut Findings) {
    let HostEvidence { node, seen, .. } = *evidence;
    let (true, Some(limit), Some(conf)) =
        (runs_ours(seen), seen.probed.file_limit, live_conf(seen))
    else {
        return;
    };
    let connections = conf.worker_connections.unwrap_or(CONNECTIONS);
    if limit < needed(connections) {
        let message = format!(
            "{}: a worker of the running nginx may open {limit} files, and has {connections} worker_connections",
            node.name
        );
        findings.push(Finding::new(&NG005, node.path.clone(), message).on(&node.name));
    }
}

/// The limit that the new files set, unless an nginx of the cluster runs, whose limit is known.
fn to_come(evidence: &PlanEvidence<'_>, findings: &mut Findings) {
    for node in evidence.plan.changing() {
        let host = evidence.seen.iter().find(|host| host.node == node.node);
        let runs = host.is_some_and(runs_ours);
        let (false, Some(conf)) = (runs, file(node, FileRole::NginxConf)) else {
            continue;
        };
        let conf = Conf::of_text(&conf);
        let unit = file(node, FileRole::NginxUnit).unwrap_or_default();
        let of_unit = unit
            .lines()
            .find_map(|line| line.strip_prefix("LimitNOFILE="));
        let of_unit = of_unit.and_then(|limit| limit.trim().parse().ok());
        let connections = conf.worker_connections.unwrap_or(CONNECTIONS);
        let limit: Option<u64> = conf.worker_rlimit_nofile.or(of_unit);
        if let Some(limit) = limit.filter(|limit| *limit < needed(connections)) {
            let message = format!(
                "{}: as configured, a worker of nginx may open {limit} files and have {connections} worker_connections",
                node.node
            );
            let path = places::node(evidence.cluster, &node.node);
            findings.push(Finding::new(&NG005, path, message).on(&node.node));
        }
    }
}

fn needed(connections: u64) -> u64 {
    connections.saturating_mul(2)
}

/// The live configuration, whoever wrote it.
fn live_conf(seen: &Observation) -> Option<Conf> {
    Some(Conf::read(&seen.serving.as_ref()?.conf_files()))
}

fn file(node: &NodePlan, role: FileRole) -> Option<String> {
    let mut files = node.tree.files.iter();
    let file = files.find(|file| file.role == role)?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}
