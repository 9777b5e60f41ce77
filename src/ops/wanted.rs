//! What the inventory asks of the nodes, given the hosts as they are.

use super::error::OpsError;
use super::selection::{Loaded, refuse_errors};
use super::snapshot::ClusterSnapshot;
use crate::agent::{Fact, Observation};
use crate::check::{self, Finding, VersionEvidence};
use crate::model::{Failover, Node, NodeFacts};
use crate::plan::{Desired, LeftOut};
use crate::render;

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

/// Chooses the failover profile by the versions of the hosts, if the inventory does not set one.
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
    // A node that was not observed may be why the others have the standard profile.
    if seen.len() < cluster.nodes.len() {
        let standard = Failover::Standard.name();
        let has_it = |host: &Observation| {
            let recorded = host.recorded.as_ref();
            recorded.and_then(|live| live.get(Fact::Failover)) == Some(standard)
        };
        is_slow |= seen.iter().any(has_it);
    }
    if is_slow {
        loaded.choose_standard()?;
    }
    Ok(())
}

/// What the inventory asks for and a host's keepalived does not support.
fn version_findings(loaded: &Loaded, seen: &[Observation]) -> Result<Vec<Finding>, OpsError> {
    let mut findings = Vec::new();
    for (node, seen) in loaded.nodes().into_iter().zip(seen) {
        let facts = seen.facts().map_err(OpsError::Unsupported)?;
        findings.extend(check::keepalived_version(&VersionEvidence {
            cluster: &loaded.cluster,
            node,
            version: facts.keepalived,
            leaves_profile_open: loaded.leaves_profile_open(),
        }));
    }
    refuse_errors(findings, &loaded.source)
}

/// The nodes outside the change, as a plan sees them. A node whose desired state is unknown counts as unobserved.
pub(super) fn left_out(loaded: &Loaded, snapshot: &ClusterSnapshot<'_>) -> Vec<LeftOut> {
    left_out_as(loaded, snapshot, |node, seen| {
        let rendered = render_node(loaded, node, &seen.facts().ok()?).ok()?;
        Some(Desired::from_rendered(&loaded.cluster, &rendered))
    })
}

/// The same, with the desired state of each node from `wanted`.
pub(super) fn left_out_as(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    mut wanted: impl FnMut(&Node, &Observation) -> Option<Desired>,
) -> Vec<LeftOut> {
    let mut one = |node: &Node| {
        let seen = snapshot
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

/// The desired state of every node for the hosts as they are, and findings about their versions.
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
