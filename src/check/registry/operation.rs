//! Rules on changes under way and on running clusters.

use crate::check::rule::Coverage::Observed;

rules! { OPERATION:
KA053 {
    Error, [Plan], Observed("the running configuration of all nodes against the new one"),
    title: "a change that splits the cluster while it rolls",
    reason: "Nodes that differ for a while in how they hear each other elect an owner each: unicast or multicast, peers, source address, interface, version, virtual_router_id, authentication, advert interval, strict mode, the instance that brings a VIP, and (before 2.3.3) the list of VIPs.",
    fix: "let apply make that change on all nodes at once",
}
DR001 {
    Error, [Status], Observed("each node's addresses"),
    title: "a VIP has no owner, or more than one",
    reason: "Clients reach nobody, or now this node and now that.",
    fix: "look at `journalctl -u keepalived` on the nodes, and at whether they hear each other (IP protocol 112)",
}
DR002 {
    Error, [Status], Observed("nginx on the owner and on its peers"),
    title: "the owner is unhealthy while a peer is healthy",
    reason: "The failover did not come.",
    fix: "look at the check on the owner: whether it runs, what it returns, what keepalived makes of it",
}
DR003 {
    Error, [Status], Observed("addresses and processes of each node"),
    title: "the VIP is up where keepalived is not running",
    reason: "A killed keepalived leaves the address behind: two owners until it starts again (measured).",
    fix: "start keepalived there, or remove the address",
}
}
