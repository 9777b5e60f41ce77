//! Connecting to the nodes and looking at them: what plan, apply, rollback and status begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::able::named_programs;
use super::context::{Context, Loaded, refuse_errors};
use super::error::OpsError;
use super::fitness::require_fit;
use super::holder::is_dead;
use super::membership::Missing;
use super::notice::{Notice, notices};
use super::secrets::secret_variables;
use crate::agent::{Agent, AgentError, ListensAt, NoConnection, Observation, PeerDoor, Question};
use crate::apply::{Fleet, each};
use crate::check::{self, Finding, Unreached};
use crate::health::{self, Problem};
use crate::model::{Cluster, Failover, HostPath, Node, NodeFacts, NodeName};
use crate::plan::{Desired, LeftOut, Redactor};
use crate::remote::{SshConnector, SshOptions};
use crate::render;

/// Open connections, and what was seen over them.
pub(super) struct Survey {
    pub(super) connector: SshConnector,
    pub(super) fleet: Fleet,
    /// In the inventory's order.
    pub(super) seen: Vec<Observation>,
    /// The nodes that are not changed, in the inventory's order.
    pub(super) others: Vec<Other>,
    /// Nodes of the last generation that the inventory no longer names.
    pub(super) missing: Vec<Missing>,
}

/// A node that is not changed: what was seen of it, or why nothing was.
pub(super) enum Other {
    Seen(Box<Observation>),
    Unseen { node: NodeName, why: String },
}

impl Other {
    fn is(&self, name: &NodeName) -> bool {
        match self {
            Self::Seen(seen) => seen.node == *name,
            Self::Unseen { node, .. } => node == name,
        }
    }

    pub(super) fn seen(&self) -> Option<&Observation> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Unseen { .. } => None,
        }
    }
}

impl Survey {
    /// What hosts tell, and which of those that are not changed could not be looked at.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let unseen = self.others.iter().filter_map(|other| match other {
            Other::Unseen { node, why } => Some(Notice::NotSeen {
                node: node.clone(),
                why: why.clone(),
            }),
            Other::Seen(_) => None,
        });
        notices(&self.seen).into_iter().chain(unseen).collect()
    }

    /// What is wrong with the nodes that are changed, and with the VIPs.
    pub(super) fn known_problems(&self, cluster: &Cluster) -> Vec<Problem> {
        let others: Vec<_> = self.others.iter().map(Other::seen).collect();
        health::known_problems_beside(&self.seen, &others, &vips(cluster))
    }

    /// `seen` of the nodes that are changed, and what was seen of the others.
    pub(super) fn with_others(&self, seen: &[Observation]) -> Vec<Observation> {
        let others = self.others.iter().filter_map(Other::seen);
        seen.iter().chain(others).cloned().collect()
    }

    /// Everything that was seen.
    pub(super) fn all(&self) -> Vec<Observation> {
        self.with_others(&self.seen)
    }
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

/// Every node's own address with each TCP port on which its nginx listens at all addresses, or at VIPs of that
/// family: what peers can ask it for, whoever owns the VIPs. Beside others it listens at the VIPs alone.
pub(super) fn peer_ports(cluster: &Cluster) -> Vec<PeerDoor> {
    let vips = vips(cluster);
    let is_shared = cluster.hosts.shares("nginx");
    let ports = |node: &Node| {
        let mut ports: BTreeMap<u16, ListensAt> = BTreeMap::new();
        for listen in cluster.sites.iter().flat_map(|site| &site.listen) {
            let is_here = |address: &IpAddr| address.is_ipv4() == node.address.is_ipv4();
            let listens = match listen.address {
                None if is_shared && !vips.iter().any(is_here) => continue,
                None if is_shared => ListensAt::Vips,
                None => ListensAt::All,
                Some(address) if !is_here(&address) => continue,
                Some(address) if address.is_unspecified() => ListensAt::All,
                Some(address) if vips.contains(&address) => ListensAt::Vips,
                Some(_) => continue,
            };
            let known = ports.entry(listen.port).or_insert(listens);
            *known = listens.min(*known);
        }
        let streams = cluster.streams.iter().filter(|stream| !stream.udp);
        ports.extend(streams.map(|stream| (stream.port, ListensAt::All)));
        let address = node.address;
        ports.into_iter().map(move |(port, listens)| PeerDoor {
            address,
            port,
            listens,
        })
    };
    cluster.nodes.iter().flat_map(ports).collect()
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

/// Connects and observes everything that a plan compares. All nodes that are to be changed must answer: a
/// change to some nodes only is asked for with `--limit`.
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

/// Connects to all nodes and observes those that can be connected to. The nodes that are not changed are
/// looked at, too: they may own a VIP, and must agree with the others. The errors are those of nodes that
/// are to be changed.
async fn look(context: &Context, loaded: &Loaded) -> Result<(Survey, Vec<AgentError>), OpsError> {
    let connector = connector(context, &loaded.cluster);
    let nodes: Vec<&Node> = loaded.cluster.nodes.iter().collect();
    let (fleet, mut errors) = Fleet::connect(&connector, &nodes, context.parallel).await;
    match observe(context, loaded, &fleet).await {
        Ok((mut seen, failed)) => {
            errors.extend(failed);
            let others = others(loaded, &mut seen, &mut errors);
            let found = Survey {
                connector,
                fleet,
                seen,
                others,
                missing: Vec::new(),
            };
            Ok((found, errors))
        }
        Err(error) => {
            fleet.close().await;
            Err(error)
        }
    }
}

async fn refuse_unfit(loaded: &Loaded, mut found: Survey) -> Result<Survey, OpsError> {
    match require_fit(loaded, &found.fleet, &found.seen, &found.others).await {
        Ok(missing) => {
            found.missing = missing;
            Ok(found)
        }
        Err(error) => {
            found.fleet.close().await;
            Err(error)
        }
    }
}

/// Takes what is known of the nodes that are not changed out of what was found.
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
    context: &Context,
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
        let question = Question {
            peers: peers.copied().collect(),
            programs: named_programs(&loaded.cluster, &rendered),
            ..question(&loaded.cluster, paths)
        };
        questions.push((node, question));
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
        hooks: cluster.notify_hook.iter().cloned().collect(),
        programs: Vec::new(),
        peers: Vec::new(),
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

/// The nodes that are not changed, as a plan knows them. What nobody can say what to do with counts as
/// not seen.
pub(super) fn left_out(loaded: &Loaded, survey: &Survey) -> Vec<LeftOut> {
    left_out_as(loaded, survey, |node, seen| {
        let rendered = render_node(loaded, node, &seen.facts().ok()?).ok()?;
        Some(Desired::from_rendered(&loaded.cluster, &rendered))
    })
}

/// The same where `wanted` says what each of them would be.
pub(super) fn left_out_as(
    loaded: &Loaded,
    survey: &Survey,
    mut wanted: impl FnMut(&Node, &Observation) -> Option<Desired>,
) -> Vec<LeftOut> {
    let mut one = |node: &Node| {
        let seen = survey
            .others
            .iter()
            .find(|other| other.is(&node.name))?
            .seen()?;
        Some(LeftOut::Seen(Box::new((wanted(node, seen)?, seen.clone()))))
    };
    let unseen = |node: &Node| LeftOut::Unseen(node.name.clone());
    let others = loaded.others().into_iter();
    others
        .map(|node| one(node).unwrap_or_else(|| unseen(node)))
        .collect()
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
