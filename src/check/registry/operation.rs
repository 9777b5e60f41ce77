//! Rules on changes under way and on running clusters.

use crate::check::rule::Coverage::Observed;

rules! { OPERATION:
KA053 {
    Error, [Plan], Observed("the running configuration of all nodes against the new one"),
    title: "a change that splits the cluster while it rolls",
    reason: "Nodes that differ for a while in how they hear each other elect an owner each: unicast or multicast, peers, source address, interface, version, virtual_router_id, authentication, advert interval, strict mode, the instance that brings a VIP, and (before 2.3.3) the list of VIPs.",
    fix: "let apply make that change on all nodes at once",
}
KA054 {
    Warning, [Host], Observed("systemd-networkd's files for the interface"),
    title: "systemd-networkd may remove the VIP",
    reason: "Without `KeepConfiguration=` networkd drops addresses that are not its own when it restarts.",
    fix: "set `KeepConfiguration=static` (or `yes`) for the interface",
}
FW001 {
    Error, [Doctor], Observed("adverts sent and heard on each node"),
    title: "protocol 112 is blocked between peers",
    reason: "Backups that hear no adverts take over: two owners, or as many as there are nodes.",
    fix: "allow IP protocol 112 (VRRP) from each peer in every firewall between them",
}
DR001 {
    Error, [Doctor], Observed("each node's addresses"),
    title: "a VIP has no owner, or more than one",
    reason: "Clients reach nobody, or now this node and now that.",
    fix: "see the findings beside this one for the cause",
}
DR002 {
    Error, [Doctor], Observed("nginx on the owner and on its peers"),
    title: "the owner is unhealthy while a peer is healthy",
    reason: "The failover did not come.",
    fix: "look at the check on the owner: whether it runs, what it returns, what keepalived makes of it",
}
DR003 {
    Error, [Doctor], Observed("addresses and processes of each node"),
    title: "the VIP is up where keepalived is not running",
    reason: "A killed keepalived leaves the address behind: two owners until it starts again (measured).",
    fix: "start keepalived there, or remove the address",
}
DR004 {
    Warning, [Doctor], Observed("keepalived's and the interface's counters, twice"),
    title: "error counters rise",
    reason: "Dropped or malformed adverts are the beginning of a failover that nobody asked for.",
    fix: "find who sends them, or what drops them, on that wire",
}
DR005 {
    Warning, [Doctor], Observed("the journal"),
    title: "keepalived's timer expired, or the VIP flaps",
    reason: "keepalived did not get the processor in time, or adverts are lost.",
    fix: "give keepalived a real-time priority, or lengthen the advert interval",
}
}
