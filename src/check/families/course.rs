//! How a change reaches the daemons, and whether they loaded it (KA053, NG003, NG007).

use crate::model::UnitId;
use crate::plan::RunningDrift;

rules! { RULES:
KA053 {
    Error, [ByConstruction("the plan changes all nodes at once if changed and unchanged nodes would not hear each other")],
    title: "a rolling change that splits the cluster",
    reason: "Nodes that temporarily disagree on how they exchange adverts elect an owner each. That covers unicast or multicast, peers, source address, interface, version, virtual_router_id, authentication, advert interval, strict mode, the instance that brings a VIP, and (before 2.3.3) the list of VIPs.",
    fix: "let apply make that change on all nodes at once",
}
NG003 {
    Error, [ByConstruction("the plan restarts nginx, node by node, where a listen goes from all addresses of a port to one of them, or back")],
    title: "wildcard and specific listen swapped on a port",
    reason: "A reload cannot make that change: the bind fails and the old configuration goes on serving, while the reload reports success (measured).",
    fix: "let apply restart nginx on the nodes one by one",
}
NG007 {
    Error, [Drift(is_not_applied)],
    title: "a reload was not applied",
    reason: "`nginx -s reload` exits 0 while the old configuration goes on serving.",
    fix: "read nginx's error log for [emerg]; free the port it names, or restart nginx",
}
}

fn is_not_applied(drift: &RunningDrift) -> bool {
    matches!(drift, RunningDrift::Loaded { unit, .. } if *unit == UnitId::NGINX)
}
