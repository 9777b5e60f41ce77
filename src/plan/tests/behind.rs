//! Nodes that `--limit` leaves out.

use super::*;
use crate::plan::{LeftOut, behind};

#[test]
fn a_node_is_behind_where_it_would_change_too_whatever_its_generation_is() {
    let node = |name: &str, live: &str| {
        let mut wanted = desired(NEW, vec![]);
        wanted.node = NodeName::new(name).unwrap();
        let mut seen = after(&desired(live, vec![]));
        seen.node = wanted.node.clone();
        LeftOut::Seen(Box::new((wanted, seen)))
    };
    let unseen = LeftOut::Unseen(NodeName::new("lb4").unwrap());
    let all = [node("lb2", NEW), node("lb3", OLD), unseen];
    let found = behind(&all, &[VIP.parse().unwrap()], &Redactor::new([7; 32]));
    assert_eq!(found, [NodeName::new("lb3").unwrap()]);
}
