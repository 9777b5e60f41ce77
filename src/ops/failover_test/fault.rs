//! Injects and ends a drill's faults: on one node, on all, or on one owner after another.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::reach::Reach;
use super::request::{DrillPlan, DrillProgress};
use crate::agent::{AgentError, FaultHits, FaultRequest, FaultState, FaultStep};
use crate::drill::{Drill, Ends, Scope, Servers};
use crate::health::VipOwners;
use crate::model::{Cluster, Node, NodeName};
use crate::ops::cluster::vips;
use crate::ops::events::Events;

/// Time from requesting a fault to its start (`fault_delay` of the host's program).
const DELAY: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(100);
/// Time within which a host must have ended a fault.
const HEAL_PATIENCE: Duration = Duration::from_secs(30);
/// systemd restarts a crashed daemon after 1 s. Asking earlier only disturbs the host.
const SELF_HEALING: Duration = Duration::from_millis(1500);

pub(super) struct FaultInjector<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) id: &'a str,
    pub(super) intent: &'a DrillPlan,
    pub(super) is_stopped: &'a (dyn Fn() -> bool + Sync),
    pub(super) events: &'a Events<'a, DrillProgress>,
    /// Boot ID of every node before the drill.
    pub(super) boots: &'a BTreeMap<NodeName, String>,
}

/// A fault that was requested.
#[derive(Debug, Clone)]
pub(super) struct InjectedFault {
    pub(super) node: NodeName,
    /// When the host answered.
    pub(super) at: Instant,
    /// What the host recorded about it. Empty for a host that was restarted.
    pub(super) state: FaultState,
    /// True once the host reports that it is over.
    pub(super) is_over: bool,
}

impl FaultInjector<'_> {
    /// Injects the drill's faults, the first on `node`, holds them, and ends them.
    pub(super) async fn make(
        &self,
        reach: &mut Reach<'_>,
        node: &NodeName,
    ) -> Result<Vec<InjectedFault>, AgentError> {
        let spec = self.intent.drill.spec();
        let mut ordered = match spec.scope {
            Scope::Owner => vec![self.order(reach, node).await?],
            Scope::EveryNode => {
                let nodes = self.cluster.nodes.iter();
                let orders = join_all(nodes.map(|node| self.order(reach, &node.name))).await;
                orders.into_iter().collect::<Result<_, _>>()?
            }
            Scope::EachOwnerInTurn { leave, .. } => self.in_turn(reach, node, leave).await?,
        };
        self.hold(spec.ends, &ordered).await;
        self.end(reach, &mut ordered).await;
        Ok(ordered)
    }

    async fn order(&self, reach: &Reach<'_>, node: &NodeName) -> Result<InjectedFault, AgentError> {
        let request = FaultRequest {
            id: self.id.to_owned(),
            name: self.intent.drill.spec().fault().to_owned(),
            hold: self.intent.hold,
            hits: self.hits(node),
        };
        let state = match reach.agent(node) {
            Some(agent) => agent.fault(&request).await?,
            None => FaultState::default(),
        };
        self.events
            .tell(DrillProgress::Ordered { node: node.clone() });
        Ok(InjectedFault {
            node: node.clone(),
            at: Instant::now(),
            state,
            is_over: false,
        })
    }

    fn hits(&self, node: &NodeName) -> FaultHits {
        let interface = self
            .cluster
            .node(node)
            .map(|node: &Node| node.interface.clone());
        let servers = self
            .cluster
            .upstreams
            .iter()
            .flat_map(|upstream| &upstream.servers)
            .map(|server| (server.address.host().to_owned(), server.address.port()));
        let concerned = match self.intent.drill.spec().servers {
            Servers::None => 0,
            Servers::One => 1,
            Servers::All => usize::MAX,
        };
        FaultHits {
            interface,
            vips: vips(self.cluster),
            targets: servers.take(concerned).collect(),
            percent: Some(Drill::PACKET_LOSS),
            status_port: Some(self.cluster.nginx.status_port),
            worker_connections: Some(self.cluster.nginx.worker_connections),
        }
    }

    /// Hits one owner after another, until `leave` nodes are left.
    async fn in_turn(
        &self,
        reach: &mut Reach<'_>,
        first: &NodeName,
        leave: usize,
    ) -> Result<Vec<InjectedFault>, AgentError> {
        let mut ordered = Vec::new();
        let mut next = Some(first.clone());
        while let Some(node) = next.take() {
            ordered.push(self.order(reach, &node).await?);
            if ordered.len() + leave >= self.cluster.nodes.len() {
                break;
            }
            let deadline = Instant::now() + self.intent.hold / 2;
            while next.is_none() && Instant::now() < deadline && !(self.is_stopped)() {
                tokio::time::sleep(POLL * 3).await;
                let seen = reach.glance().await;
                next = VipOwners::of(self.intent.vip, seen.iter().flatten())
                    .sole()
                    .cloned()
                    .filter(|owner| ordered.iter().all(|fault| fault.node != *owner));
            }
            // The effects of its takeover on the next owner are over before that one fails, too.
            self.pause(Duration::from_secs(1)).await;
        }
        self.pause(Duration::from_secs(2)).await;
        Ok(ordered)
    }

    /// Sleeps, until the user wants to stop.
    async fn pause(&self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline && !(self.is_stopped)() {
            tokio::time::sleep(POLL.min(time)).await;
        }
    }

    /// Waits until the faults have been held long enough.
    async fn hold(&self, ends: Ends, ordered: &[InjectedFault]) {
        let is_chain = ordered.len() > 1 && self.intent.drill.spec().scope != Scope::EveryNode;
        match ends {
            // The last fault of a chain has been held long enough, and all are ended in order.
            Ends::ByOrder(_) if is_chain => {}
            Ends::ByOrder(_) => self.pause(DELAY + self.intent.hold).await,
            Ends::ByItself(_) => self.pause(DELAY + SELF_HEALING).await,
        }
    }

    /// Makes sure that all faults are over, in the order of their injection, and learns when they ended.
    async fn end(&self, reach: &mut Reach<'_>, ordered: &mut [InjectedFault]) {
        let waits = matches!(self.intent.drill.spec().ends, Ends::ByItself(_));
        for fault in ordered {
            let mut deadline = Instant::now() + HEAL_PATIENCE;
            if waits {
                deadline += self.intent.hold;
            }
            while !fault.is_over && Instant::now() < deadline {
                fault.is_over = if waits && !(self.is_stopped)() {
                    self.is_over_by_itself(reach, fault).await
                } else {
                    heal(reach, self.id, fault).await
                };
                if !fault.is_over {
                    // Reconnects to nodes that lost their connection.
                    reach.glance().await;
                    tokio::time::sleep(POLL * 2).await;
                }
            }
        }
    }

    async fn is_over_by_itself(&self, reach: &mut Reach<'_>, fault: &mut InjectedFault) -> bool {
        if self.intent.drill == Drill::PowerOff {
            let seen = reach.glance().await;
            let own = seen.iter().flatten().find(|seen| seen.node == fault.node);
            return own.is_some_and(|own| self.boots.get(&fault.node) != Some(&own.boot_id));
        }
        let Some(agent) = reach.agent(&fault.node) else {
            return false;
        };
        if let Ok(state) = agent.fault_state(self.id).await {
            fault.state = state;
        }
        fault.state.armed.is_none() && fault.state.at(FaultStep::Healed).is_some()
    }
}

async fn heal(reach: &Reach<'_>, id: &str, fault: &mut InjectedFault) -> bool {
    let Some(agent) = reach.agent(&fault.node) else {
        return false;
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), agent.heal(id)).await;
    let Ok(Ok(state)) = asked else {
        return false;
    };
    fault.state = state;
    true
}
