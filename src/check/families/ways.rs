//! The ways between the hosts that test packets were sent on.

use crate::agent::{AdvertTest, Heard, Observation};
use crate::check::evidence::ClusterEvidence;
use crate::model::{InterfaceName, Node, Peering};

/// The way from one node to another.
pub(super) struct Way<'a> {
    pub(super) from: &'a Node,
    pub(super) to: &'a Node,
    pub(super) sender: &'a AdvertTest,
    pub(super) receiver: &'a AdvertTest,
}

impl Way<'_> {
    /// What arrives. `None` if nothing does, or if the sender's own kernel refuses to send it.
    pub(super) fn heard(&self, by: Peering) -> Option<&Heard> {
        if self.sender.unsent_to(self.to.address, by).is_some() {
            return None;
        }
        self.receiver.heard_from(self.from.address, by)
    }
}

pub(super) fn test_of(host: &Observation) -> Option<&AdvertTest> {
    host.probed.preflight.as_ref()?.adverts.as_ref()
}

/// Whether an interface has no link. A kind that does not know is in the state `unknown`.
pub(super) fn is_down(host: &Observation, interface: &InterfaceName) -> bool {
    let state = host.interfaces.get(interface.as_str());
    state.is_some_and(|state| ["down", "lowerlayerdown", "notpresent"].contains(&state.as_str()))
}

/// All ways that were tested, between hosts whose interfaces are up.
pub(super) fn ways<'a>(evidence: &ClusterEvidence<'a>) -> Vec<Way<'a>> {
    let tested = |host: &'a Observation| {
        let test = test_of(host)?;
        let node = evidence.cluster.node(&host.node)?;
        let is_up = !is_down(host, &node.interface);
        (test.failure.is_none() && is_up).then_some((node, test))
    };
    let tested: Vec<_> = evidence.seen.iter().filter_map(tested).collect();
    let mut ways = Vec::new();
    for (to, receiver) in &tested {
        for (from, sender) in &tested {
            let is_one_family = from.address.is_ipv4() == to.address.is_ipv4();
            if from.name != to.name && is_one_family {
                ways.push(Way {
                    from,
                    to,
                    sender,
                    receiver,
                });
            }
        }
    }
    ways
}
