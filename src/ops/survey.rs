//! Connecting to the nodes and looking at them: what plan, apply, rollback and status begin with.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::context::{Context, Loaded, refuse_errors};
use super::error::{HostProblem, OpsError};
use super::holder::is_dead;
use super::secrets::secret_variables;
use crate::agent::{Agent, AgentError, NoConnection, Observation, Question};
use crate::apply::{Fleet, each};
use crate::check::{self, Finding, Unreached};
use crate::model::{Cluster, Failover, HostPath, Node, NodeFacts};
use crate::plan::{Desired, Redactor};
use crate::remote::{SshConnector, SshOptions};
use crate::render;

/// Open connections, and what was seen over them.
pub(super) struct Survey {
    pub(super) connector: SshConnector,
    pub(super) fleet: Fleet,
    /// In the inventory's order.
    pub(super) seen: Vec<Observation>,
}

/// Every VIP of a cluster.
pub(super) fn vips(cluster: &Cluster) -> Vec<IpAddr> {
    cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses)
        .map(ipnet::IpNet::addr)
        .collect()
}

/// How long an election may take, all timers of the cluster at their worst, and some air.
pub(super) fn owner_patience(cluster: &Cluster) -> Duration {
    let health = cluster.health.interval * (cluster.health.rise + cluster.health.fall);
    let election = cluster.vrrp.silence() + cluster.vrrp.advert_interval.duration();
    election + health + Duration::from_secs(10)
}

pub(super) fn redactor() -> Redactor {
    // The hasher's keys are the operating system's randomness, fresh in every process.
    use std::hash::{BuildHasher, RandomState};
    let mut key = [0_u8; 32];
    for chunk in key.chunks_mut(8) {
        chunk.copy_from_slice(&RandomState::new().hash_one(0_u8).to_le_bytes());
    }
    Redactor::new(key)
}

/// What connects to a cluster's nodes. The programs that it starts get no secret of the cluster's.
pub(super) fn connector(context: &Context, cluster: &Cluster) -> SshConnector {
    SshConnector::new(SshOptions {
        withheld: secret_variables(cluster),
        ..context.ssh.clone()
    })
}

/// Connects to all nodes, which must all answer.
pub(super) async fn connect(
    context: &Context,
    loaded: &Loaded,
) -> Result<(SshConnector, Fleet), OpsError> {
    let connector = connector(context, &loaded.cluster);
    let (fleet, errors) = Fleet::connect(&connector, &loaded.nodes(), context.parallel).await;
    if errors.is_empty() {
        return Ok((connector, fleet));
    }
    fleet.close().await;
    Err(OpsError::Hosts { errors })
}

/// Connects and observes everything that a plan compares. All nodes must answer: a change to some nodes only
/// is asked for with `--limit`.
pub(super) async fn survey(context: &Context, loaded: &Loaded) -> Result<Survey, OpsError> {
    let (found, errors) = look(context, loaded).await?;
    if errors.is_empty() {
        return refuse_unfit(loaded, found).await;
    }
    found.fleet.close().await;
    Err(OpsError::Hosts { errors })
}

/// The same with those that answer, and why the others do not. None of them is asked a second time: one
/// that goes away meanwhile is one more that does not answer.
pub(super) async fn survey_reachable(
    context: &Context,
    loaded: &Loaded,
) -> Result<(Survey, Vec<AgentError>), OpsError> {
    let (found, errors) = look(context, loaded).await?;
    if found.seen.is_empty() {
        found.fleet.close().await;
        return Err(OpsError::Hosts { errors });
    }
    Ok((refuse_unfit(loaded, found).await?, errors))
}

/// Connects to all nodes and observes those that can be connected to.
async fn look(context: &Context, loaded: &Loaded) -> Result<(Survey, Vec<AgentError>), OpsError> {
    let connector = connector(context, &loaded.cluster);
    let (fleet, mut errors) = Fleet::connect(&connector, &loaded.nodes(), context.parallel).await;
    match observe(context, loaded, &fleet).await {
        Ok((seen, failed)) => {
            errors.extend(failed);
            let found = Survey {
                connector,
                fleet,
                seen,
            };
            Ok((found, errors))
        }
        Err(error) => {
            fleet.close().await;
            Err(error)
        }
    }
}

async fn refuse_unfit(loaded: &Loaded, found: Survey) -> Result<Survey, OpsError> {
    let Survey {
        connector,
        fleet,
        seen,
    } = found;
    match unfit(loaded, &fleet, seen).await {
        Ok(seen) => Ok(Survey {
            connector,
            fleet,
            seen,
        }),
        Err(error) => {
            fleet.close().await;
            Err(error)
        }
    }
}

/// Refuses hosts on which the cluster cannot work, whatever is applied: an interface that is not
/// there, a VIP that somebody else on the wire has (rule KA025).
async fn unfit(
    loaded: &Loaded,
    fleet: &Fleet,
    seen: Vec<Observation>,
) -> Result<Vec<Observation>, OpsError> {
    let mut problems = Vec::new();
    for seen in &seen {
        let Some(node) = loaded.cluster.node(&seen.node) else {
            continue;
        };
        let own = loaded
            .cluster
            .instances
            .iter()
            .filter_map(|instance| instance.interface.as_ref());
        for interface in own.chain([&node.interface]).collect::<BTreeSet<_>>() {
            if !seen.interfaces.contains_key(interface.as_str()) {
                problems.push(HostProblem::NoInterface {
                    node: node.name.clone(),
                    interface: interface.clone(),
                    has: seen
                        .interfaces
                        .keys()
                        .filter(|name| *name != "lo")
                        .cloned()
                        .collect(),
                });
            }
        }
    }
    problems.extend(same_machines(&seen));
    let owned = |vip: &IpAddr| seen.iter().any(|seen| seen.holds(*vip));
    let free: Vec<IpAddr> = vips(&loaded.cluster)
        .into_iter()
        // A node that was not looked at may hold it, and rightly so.
        .filter(|vip| !owned(vip) && seen.len() == loaded.cluster.nodes.len())
        .collect();
    let question = Question {
        neighbours: free.clone(),
        ..Question::default()
    };
    if let (false, Some(agent)) = (
        free.is_empty(),
        seen.first().and_then(|seen| fleet.get(&seen.node)),
    ) {
        let asked = agent
            .observe(&question)
            .await
            .map_err(|error| OpsError::Hosts {
                errors: vec![error],
            })?;
        problems.extend(asked.neighbours.into_iter().map(|(vip, hardware)| {
            HostProblem::VipTaken {
                node: asked.node.clone(),
                vip,
                hardware,
            }
        }));
    }
    if problems.is_empty() {
        Ok(seen)
    } else {
        Err(OpsError::Unfit { problems })
    }
}

/// Nodes that lead to a machine which an earlier node leads to as well: changed twice, it would have
/// the files of one node only, and the other node's machine none.
fn same_machines(seen: &[Observation]) -> Vec<HostProblem> {
    let of_earlier = |(index, own): (usize, &Observation)| {
        let is_same =
            |other: &&Observation| own.boot_id == other.boot_id && own.hostname == other.hostname;
        let earlier = seen.get(..index)?.iter().find(is_same)?;
        Some(HostProblem::SameMachine {
            node: earlier.node.clone(),
            other: own.node.clone(),
            hostname: own.hostname.clone(),
        })
    };
    seen.iter().enumerate().filter_map(of_earlier).collect()
}

async fn observe(
    context: &Context,
    loaded: &Loaded,
    fleet: &Fleet,
) -> Result<(Vec<Observation>, Vec<AgentError>), OpsError> {
    let guess = NodeFacts::debian_12();
    let mut questions = Vec::new();
    for node in loaded.nodes() {
        let rendered = render_node(loaded, node, &guess)?;
        let paths = rendered
            .files
            .iter()
            .map(|file| file.path.clone())
            .collect();
        questions.push((node, question(&loaded.cluster, paths)));
    }
    let answers = each(questions.iter(), context.parallel, |(node, question)| {
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
    Ok((seen, errors))
}

/// A lock whose holder ran here and is gone is nobody's.
pub(super) fn mark_dead(seen: &mut [Observation]) {
    for lock in seen.iter_mut().filter_map(|host| host.lock.as_mut()) {
        lock.stale |= is_dead(lock);
    }
}

async fn ask(
    agent: Option<&Agent>,
    question: &Question,
) -> Option<Result<Observation, AgentError>> {
    let agent = agent?;
    let seen = match agent.observe(question).await {
        Ok(seen) => seen,
        Err(error) => return Some(Err(error)),
    };
    // What was applied before may concern more than the inventory does now.
    let further = further_question(&seen, question);
    match further {
        Some(question) => Some(agent.observe(&question).await),
        None => Some(Ok(seen)),
    }
}

fn question(cluster: &Cluster, paths: Vec<HostPath>) -> Question {
    let backends: BTreeSet<(String, u16)> = cluster
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.servers)
        .map(|server| (server.address.host().to_owned(), server.address.port()))
        .collect();
    Question {
        paths,
        sysctls: cluster
            .sysctls
            .iter()
            .map(|sysctl| sysctl.key.to_string())
            .collect(),
        neighbours: Vec::new(),
        backends: backends.into_iter().collect(),
        names: check::names_to_resolve(cluster).into_iter().collect(),
        status_port: cluster.nginx.status_port,
        serving: true,
    }
}

/// The question with everything that the host's own records speak of, if that is more.
fn further_question(seen: &Observation, asked: &Question) -> Option<Question> {
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
    Some(Question {
        paths: paths.into_iter().collect(),
        sysctls: sysctls.into_iter().collect(),
        ..asked.clone()
    })
}

pub(super) fn render_node(
    loaded: &Loaded,
    node: &Node,
    facts: &NodeFacts,
) -> Result<render::RenderedNode, OpsError> {
    render::render(
        &loaded.cluster,
        node,
        facts,
        &loaded.secrets,
        &loaded.templates,
    )
    .map_err(OpsError::Render)
}

/// Chooses the failover profile, where the inventory leaves it open, by what the hosts can do.
pub(super) fn fit_profile(loaded: &mut Loaded, seen: &[Observation]) -> Result<(), OpsError> {
    if !loaded.leaves_profile_open() {
        return Ok(());
    }
    let cluster = &loaded.cluster;
    let mut is_slow = false;
    for host in seen {
        let version = host.facts().map_err(OpsError::Unsupported)?.keepalived;
        is_slow |= check::is_too_old_for_profile(cluster, version);
    }
    // Of those that are out of sight, one may be why the others have what they have.
    if seen.len() < cluster.nodes.len() {
        let standard = Failover::Standard.name();
        let has_it = |host: &Observation| {
            let recorded = host.recorded.as_ref();
            recorded.and_then(|live| live.get("failover")) == Some(standard)
        };
        is_slow |= seen.iter().any(has_it);
    }
    if is_slow {
        loaded.choose_standard()?;
    }
    Ok(())
}

/// What the keepalived of each host cannot do that the inventory asks of it.
fn version_findings(loaded: &Loaded, seen: &[Observation]) -> Result<Vec<Finding>, OpsError> {
    let mut findings = Vec::new();
    for (node, seen) in loaded.nodes().into_iter().zip(seen) {
        let facts = seen.facts().map_err(OpsError::Unsupported)?;
        findings.extend(check::keepalived_version(
            &loaded.cluster,
            node,
            facts.keepalived,
        ));
        if loaded.leaves_profile_open() && loaded.cluster.vrrp.failover == Failover::Standard {
            findings.extend(check::default_profile(
                &loaded.cluster,
                node,
                facts.keepalived,
            ));
        }
    }
    refuse_errors(findings, &loaded.source)
}

/// The servers' names that hosts cannot resolve (rule NG017).
pub(super) fn unresolved_names(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    let of_host = |seen: &Observation| (seen.node.clone(), seen.unresolved());
    let unresolved: Vec<_> = seen.iter().map(of_host).collect();
    check::unresolved_names(cluster, &unresolved)
}

/// The servers that hosts cannot connect to (rules NG018 and NG019); one whose name does not resolve breaks
/// a rule of its own.
pub(super) fn unreached_servers(cluster: &Cluster, seen: &[Observation]) -> Vec<Finding> {
    let unreached: Vec<Unreached> = seen
        .iter()
        .flat_map(|host| host.backends.iter().map(|server| (&host.node, server)))
        .filter_map(|(node, server)| {
            let cause = server
                .cause
                .filter(|cause| *cause != NoConnection::NoName)?;
            Some(Unreached {
                node: node.clone(),
                host: server.host.clone(),
                port: server.port,
                cause: cause.to_string(),
            })
        })
        .collect();
    check::unreached_servers(cluster, &unreached)
}

/// What the inventory wants of every node, for the hosts as they are, and what their versions make of it.
pub(super) fn desired(
    loaded: &Loaded,
    seen: &[Observation],
) -> Result<(Vec<Desired>, Vec<Finding>), OpsError> {
    let findings = version_findings(loaded, seen)?;
    let desired: Result<Vec<Desired>, OpsError> = loaded
        .nodes()
        .into_iter()
        .zip(seen)
        .map(|(node, seen)| {
            let facts = seen.facts().map_err(OpsError::Unsupported)?;
            Ok(Desired::from_rendered(
                &loaded.cluster,
                &render_node(loaded, node, &facts)?,
            ))
        })
        .collect();
    Ok((desired?, findings))
}
