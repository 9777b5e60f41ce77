//! Observes the connected nodes.

use std::collections::BTreeSet;

use super::able::named_programs;
use super::cluster::peer_ports;
use super::connect::Connections;
use super::error::OpsError;
use super::fitness::require_fit;
use super::holder::is_dead;
use super::host_problem::HostProblem;
use super::selection::Loaded;
use super::snapshot::{ClusterSnapshot, Other};
use super::transport::Access;
use super::wanted::render_node;
use crate::agent::{Agent, AgentError, Observation, ObserveRequest, Probing};
use crate::apply::{Fleet, each};
use crate::check;
use crate::health;
use crate::model::{Cluster, HostPath, Node, NodeFacts};

/// Observes everything that a plan compares. All nodes to be changed must answer: changing only some of them takes
/// `--limit`.
pub(super) async fn snapshot<'c>(
    access: &Access,
    loaded: &Loaded,
    connections: &'c Connections<'_>,
    errors: Vec<AgentError>,
) -> Result<ClusterSnapshot<'c>, OpsError> {
    let (mut found, errors) = look(access, loaded, connections, errors).await?;
    if !errors.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    found.missing = require_fit(loaded, found.fleet, &found.seen, &found.others).await?;
    Ok(found)
}

/// The same for the nodes that answer, with errors for the rest. No node is observed twice: one that goes away
/// meanwhile counts as unreachable.
pub(super) async fn snapshot_reachable<'c>(
    access: &Access,
    loaded: &Loaded,
    connections: &'c Connections<'_>,
    errors: Vec<AgentError>,
) -> Result<(ClusterSnapshot<'c>, Vec<AgentError>), OpsError> {
    let (found, errors, problems) =
        snapshot_beside_strangers(access, loaded, connections, errors).await?;
    if problems.is_empty() {
        return Ok((found, errors));
    }
    Err(OpsError::Unfit { problems })
}

/// The same for a read-only command. A VIP that a foreign host has is returned as a problem, and does not hide the
/// rest.
pub(super) async fn snapshot_beside_strangers<'c>(
    access: &Access,
    loaded: &Loaded,
    connections: &'c Connections<'_>,
    errors: Vec<AgentError>,
) -> Result<(ClusterSnapshot<'c>, Vec<AgentError>, Vec<HostProblem>), OpsError> {
    let (mut found, errors) = look(access, loaded, connections, errors).await?;
    if found.seen.is_empty() {
        return Err(OpsError::Hosts { errors });
    }
    let problems = match require_fit(loaded, found.fleet, &found.seen, &found.others).await {
        Ok(missing) => {
            found.missing = missing;
            Vec::new()
        }
        Err(OpsError::Unfit { problems }) if problems.iter().all(HostProblem::is_a_strangers) => {
            problems
        }
        Err(error) => return Err(error),
    };
    Ok((found, errors, problems))
}

/// Observes the connected nodes, including those outside the change: they may own a VIP, and must agree with the rest.
/// Returns the errors of nodes to be changed, including `errors`.
pub(super) async fn look<'c>(
    access: &Access,
    loaded: &Loaded,
    connections: &'c Connections<'_>,
    mut errors: Vec<AgentError>,
) -> Result<(ClusterSnapshot<'c>, Vec<AgentError>), OpsError> {
    let fleet = &*connections.fleet;
    let (mut seen, failed) = observe(access, loaded, fleet).await?;
    errors.extend(failed);
    let others = others(loaded, &mut seen, &mut errors);
    let found = ClusterSnapshot {
        connector: connections.connector,
        client: connections.client,
        fleet,
        seen,
        others,
        missing: Vec::new(),
    };
    Ok((found, errors))
}

/// Moves the nodes outside the change out of `seen` and `errors`.
fn others(
    loaded: &Loaded,
    seen: &mut Vec<Observation>,
    errors: &mut Vec<AgentError>,
) -> Vec<Other> {
    let mut other = |node: &Node| {
        if let Some(index) = seen.iter().position(|seen| seen.node == node.name) {
            return Other::Seen(Box::new(seen.remove(index)));
        }
        let index = errors.iter().position(|error| *error.node() == node.name);
        let why = index.map_or_else(
            || "it does not answer".to_owned(),
            |index| errors.remove(index).to_string(),
        );
        Other::Unseen {
            node: node.name.clone(),
            why,
        }
    };
    loaded.others().into_iter().map(&mut other).collect()
}

async fn observe(
    access: &Access,
    loaded: &Loaded,
    fleet: &Fleet,
) -> Result<(Vec<Observation>, Vec<AgentError>), OpsError> {
    let guess = NodeFacts::debian_12();
    let mut questions = Vec::new();
    let peers = peer_ports(&loaded.cluster);
    for node in &loaded.cluster.nodes {
        let rendered = render_node(loaded, node, &guess)?;
        let paths = rendered
            .files
            .iter()
            .map(|file| file.path.clone())
            .collect();
        let peers = peers.iter().filter(|door| door.address != node.address);
        let question = ObserveRequest {
            peers: peers.copied().collect(),
            programs: named_programs(&loaded.cluster, &rendered),
            ..question(&loaded.cluster, paths)
        };
        questions.push((node, question));
    }
    let answers = each(questions.iter(), access.parallel, |(node, question)| {
        ask(fleet.get(&node.name), question)
    })
    .await;
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    for answer in answers.into_iter().flatten() {
        match answer {
            Ok(host) => seen.push(host),
            Err(error) => errors.push(error),
        }
    }
    mark_dead(&mut seen);
    probe_masters(access, fleet, &mut seen).await;
    Ok((seen, errors))
}

/// If several nodes are MASTER at once, observes why. That takes seconds, which only a cluster in trouble is worth. A
/// node that no longer answers is skipped, and its earlier observation stands.
async fn probe_masters(access: &Access, fleet: &Fleet, seen: &mut [Observation]) {
    let masters = health::masters_together(seen);
    let question = ObserveRequest {
        probing: vec![Probing::SeveralMasters],
        ..ObserveRequest::default()
    };
    let answers = each(masters, access.parallel.max(seen.len()), |node| {
        let agent = fleet.get(&node);
        let question = &question;
        async move {
            let answer = agent?.observe(question).await.ok()?;
            Some((node, answer.probed.adverts))
        }
    })
    .await;
    for (node, adverts) in answers.into_iter().flatten() {
        if let Some(host) = seen.iter_mut().find(|host| host.node == node) {
            host.probed.adverts = adverts;
        }
    }
}

/// Marks a lock as stale if its holder ran on this machine and has exited.
pub(super) fn mark_dead(seen: &mut [Observation]) {
    for lock in seen.iter_mut().filter_map(|host| host.lock.as_mut()) {
        lock.stale |= is_dead(lock);
    }
}

async fn ask(
    agent: Option<&Agent>,
    question: &ObserveRequest,
) -> Option<Result<Observation, AgentError>> {
    let agent = agent?;
    let seen = match agent.observe(question).await {
        Ok(seen) => seen,
        Err(error) => return Some(Err(error)),
    };
    // Earlier changes may have covered more than the inventory does now.
    let further = further_question(&seen, question);
    match further {
        Some(question) => Some(agent.observe(&question).await),
        None => Some(Ok(seen)),
    }
}

fn question(cluster: &Cluster, paths: Vec<HostPath>) -> ObserveRequest {
    let backends: BTreeSet<(String, u16)> = cluster
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.servers)
        .map(|server| (server.address.host().to_owned(), server.address.port()))
        .collect();
    ObserveRequest {
        paths,
        sysctls: cluster
            .sysctls
            .iter()
            .map(|sysctl| sysctl.key.to_string())
            .collect(),
        neighbours: Vec::new(),
        hooks: cluster.notify_hook.iter().cloned().collect(),
        programs: Vec::new(),
        peers: Vec::new(),
        backends: backends.into_iter().collect(),
        names: check::names_to_resolve(cluster).into_iter().collect(),
        status_port: cluster.nginx.status_port,
        installed: true,
        serving: true,
        probing: vec![Probing::Always],
    }
}

/// The question extended by everything in the host's own records. `None` if they add nothing.
fn further_question(seen: &Observation, asked: &ObserveRequest) -> Option<ObserveRequest> {
    let records = || seen.recorded.iter().chain(&seen.original);
    let mut paths: BTreeSet<HostPath> = asked.paths.iter().cloned().collect();
    let mut sysctls: BTreeSet<String> = asked.sysctls.iter().cloned().collect();
    let before = (paths.len(), sysctls.len());
    paths.extend(
        records()
            .flat_map(|record| &record.entries)
            .map(|entry| entry.path().clone()),
    );
    sysctls.extend(
        records()
            .flat_map(|record| &record.sysctls)
            .map(|(key, _)| key.clone()),
    );
    if (paths.len(), sysctls.len()) == before {
        return None;
    }
    Some(ObserveRequest {
        paths: paths.into_iter().collect(),
        sysctls: sysctls.into_iter().collect(),
        ..asked.clone()
    })
}
