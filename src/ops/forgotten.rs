//! Nodes that the user declares removed. One that still answers is observed before that is believed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::cluster::vips;
use super::error::OpsError;
use super::member::{Member, StillThere};
use super::selection::Loaded;
use super::snapshot::ClusterSnapshot;
use crate::agent::{Fact, Observation, ObserveRequest};
use crate::apply::over;
use crate::model::{Node, NodeName, UnitId};

/// Refuses to forget a node that would keep a VIP and no longer hear the other nodes. For a node that does not answer
/// or does not accept a login, the user's word counts.
pub(super) async fn refuse_running(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    forget: &[String],
) -> Result<(), OpsError> {
    let Some(like) = loaded.cluster.nodes.first() else {
        return Ok(());
    };
    let recorded = snapshot.all();
    let recorded = recorded.iter().filter_map(|seen| {
        let vips = seen.recorded.as_ref()?.get(Fact::Vips)?;
        Some(vips.split(' ').filter_map(|vip| vip.parse().ok()))
    });
    let vips: BTreeSet<IpAddr> = recorded.flatten().chain(vips(&loaded.cluster)).collect();
    for one in &snapshot.missing {
        let is_named = forget.iter().any(|name| one.member.is_called(name));
        if !(is_named && one.answers) {
            continue;
        }
        let Some(node) = as_node(&one.member, like) else {
            continue;
        };
        let question = ObserveRequest::default();
        let seen = over(snapshot.connector, &node, async |agent| {
            agent.observe(&question).await
        });
        match seen.await.flatten().map(|seen| still_there(&seen, &vips)) {
            Ok(None) => {}
            Ok(Some(why)) => {
                return Err(OpsError::NotTakenOut {
                    member: one.member.clone(),
                    why,
                });
            }
            Err(error) => tracing::warn!(%error, "cannot look at {}, which answers", one.member),
        }
    }
    Ok(())
}

/// The settings that most likely reach it: those of a node of the cluster.
fn as_node(member: &Member, like: &Node) -> Option<Node> {
    let mut node = like.clone();
    node.name = NodeName::new(member.called())
        .or_else(|_| NodeName::new("forgotten"))
        .ok()?;
    node.address = member.address;
    node.ssh.host = member.address.to_string();
    Some(node)
}

fn still_there(seen: &Observation, vips: &BTreeSet<IpAddr>) -> Option<StillThere> {
    if let Some(vip) = vips.iter().find(|vip| seen.holds(**vip)) {
        return Some(StillThere::Holds(*vip));
    }
    let keepalived = seen.service(UnitId::KEEPALIVED);
    if keepalived.is_active() {
        // Another machine with that address may run a keepalived of its own.
        let mut routers = seen.vrrp.iter().map(|vrrp| &vrrp.wire);
        let is_ours = routers.any(|wire| {
            let mut own = wire.addresses.iter().chain(&wire.excluded).peekable();
            own.peek().is_none() || own.any(|address| vips.contains(address))
        });
        return (seen.vrrp.is_empty() || is_ours).then_some(StillThere::Runs);
    }
    let is_ours = seen.generation().is_some_and(|number| number > 0);
    (is_ours && keepalived.enabled == "enabled").then_some(StillThere::Starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Manifest, Service, VrrpState};

    fn host(active: &str, enabled: &str, address: Option<&str>) -> Observation {
        let mut seen = Observation::of(NodeName::new("lb3").unwrap());
        let service = Service {
            active: active.to_owned(),
            enabled: enabled.to_owned(),
            ..Service::default()
        };
        seen.services
            .insert("keepalived.service".to_owned(), service);
        let mut recorded = Manifest::default();
        recorded.facts.set(Fact::Generation, "4");
        seen.recorded = Some(recorded);
        if let Some(address) = address {
            let mut vrrp = VrrpState::default();
            vrrp.wire.addresses.insert(address.parse().unwrap());
            seen.vrrp.push(vrrp);
        }
        seen
    }

    #[test]
    fn only_what_neither_runs_nor_will_run_is_taken_out() {
        let vip: IpAddr = "10.0.0.100".parse().unwrap();
        let judge = |seen: &Observation| still_there(seen, &[vip].into());
        for (seen, expected) in [
            (
                host("active", "enabled", Some("10.0.0.100")),
                Some(StillThere::Runs),
            ),
            (host("active", "disabled", None), Some(StillThere::Runs)),
            (host("active", "enabled", Some("10.0.0.50")), None),
            (host("inactive", "enabled", None), Some(StillThere::Starts)),
            (host("inactive", "disabled", None), None),
        ] {
            assert_eq!(judge(&seen), expected);
        }
        let mut left = host("inactive", "disabled", None);
        left.addresses
            .push(("eth0".to_owned(), "10.0.0.100/32".parse().unwrap()));
        assert_eq!(judge(&left), Some(StillThere::Holds(vip)));
    }
}
