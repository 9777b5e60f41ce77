//! Which nodes that `--limit` leaves out would change too. Their generation does not tell: a node that a change
//! does not concern keeps its generation.

use std::net::IpAddr;

use super::build::node_plan;
use super::diff::Redactor;
use super::request::LeftOut;
use crate::model::NodeName;

/// The nodes in `left_out` that were seen to differ from their desired state.
pub fn behind(left_out: &[LeftOut], vips: &[IpAddr], redactor: &Redactor) -> Vec<NodeName> {
    let differing = left_out.iter().filter_map(|one| match one {
        LeftOut::Seen(both) => {
            let (desired, seen) = &**both;
            let plan = node_plan(desired.clone(), seen, vips, redactor);
            (!plan.is_ok_and(|plan| plan.is_empty())).then(|| seen.node.clone())
        }
        LeftOut::Unseen(_) => None,
    });
    differing.collect()
}
