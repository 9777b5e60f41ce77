//! Which of the nodes that `--limit` leaves out would change, too. Their generation does not tell it: a node that a
//! change does not concern keeps the one that it has.

use std::net::IpAddr;

use super::build::node_plan;
use super::diff::Redactor;
use super::request::LeftOut;
use crate::model::NodeName;

/// Those of `left_out` that were seen to differ from what they would be.
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
