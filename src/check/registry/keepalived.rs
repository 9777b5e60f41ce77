//! Rules on keepalived's configuration and on what the wire carries.

use crate::check::rule::Coverage::{CannotHappen, Checked, Observed};

rules! { KEEPALIVED:
KA003 {
    Error, [Host], Observed("`keepalived -t` on the staged file, its exit status read by version"),
    title: "keepalived refuses the file",
    reason: "`keepalived -t` found errors. Its exit status means different things before and after 2.2.0, and 2.2.5 to 2.2.7 kill themselves with an unprivileged `script_user`, so that hactl tests a copy without it. Its code is read by the version that tested: runs with errors and script security off are refusals, too.",
    fix: "read keepalived's own message and correct the inventory or the raw snippet that it names",
}
KA004 {
    Error, [Inventory], Checked,
    title: "a block on one line in a raw snippet",
    reason: "keepalived reads line by line. 1.3.5 and 1.3.9 parse nothing of `virtual_ipaddress { 10.0.0.100/24 }`, without a word, and later releases read it only in places.",
    fix: "put the opening brace at the end of its line, each item on a line, and the closing brace on its own",
}
KA005 {
    Error, [Inventory], Checked,
    title: "a keyword in a raw snippet that keepalived does not know there",
    reason: "keepalived ignores an unknown keyword and goes on with its default: `priorty 100` means priority 100 on all nodes (measured).",
    fix: "correct the keyword, or move it to the snippet where it belongs",
}
KA006 {
    Error, [Host, Plan], Checked,
    title: "a keyword newer than the node's keepalived",
    reason: "An older keepalived ignores the keyword, so the node behaves differently from its file and from its peers.",
    fix: "upgrade keepalived on that node, or do without the keyword",
}
KA007 {
    Error, [Inventory], Checked,
    title: "a raw snippet sets what hactl renders",
    reason: "keepalived takes one of the two values, silently, and hactl's rules and simulation then speak of another configuration than the one that runs.",
    fix: "use the inventory's own setting",
}
KA008 {
    Error, [Inventory], Checked,
    title: "unbalanced braces in a raw snippet",
    reason: "The snippet would swallow, or end, the block around it.",
    fix: "close every `{` with a `}` on its own line",
}
KA020 {
    Error, [Status], Observed("what the running keepalived of each node has, compared"),
    title: "nodes disagree on virtual_router_id, version, interval or VIPs",
    reason: "Any of these being different makes two owners. One inventory renders all nodes alike, so this is a node changed by hand or not yet converged.",
    fix: "apply the inventory on all nodes",
}
KA021 {
    Error, [Inventory], CannotHappen("hactl renders each node's unicast peers from the inventory: all other nodes, never itself. A raw snippet with `unicast_peer` breaks KA007"),
    title: "unicast peers asymmetric, or the node among them",
    reason: "A node that is not among its peer's peers is never heard there: two owners (measured).",
    fix: "list every other node on every node",
}
KA022 {
    Error, [Inventory], CannotHappen("unicast or multicast is one setting for the whole cluster. A raw snippet with `unicast_peer` breaks KA007"),
    title: "unicast and multicast mixed",
    reason: "Neither side hears the other: two owners.",
    fix: "use one of them on all nodes",
}
KA023 {
    Error, [Host, Plan], Checked,
    title: "VRRPv3 by unicast on a keepalived whose checksums are wrong",
    reason: "Before 1.3.7 every second unicast peer gets a wrong VRRPv3 checksum (\"Invalid VRRPv3 checksum\", measured on 1.3.5 with three nodes) and drops the adverts: two owners.",
    fix: "use VRRPv2 or multicast on this cluster, or upgrade keepalived to 1.3.7 or later on all nodes",
}
KA025 {
    Error, [Inventory, Host], Checked,
    title: "the VIP is taken",
    reason: "The VIP is a node's own address, or something already answers for it: a node asks for it on the wire (ARP, or neighbour discovery). keepalived says nothing of either.",
    fix: "choose a free address for the VIP",
}
KA026 {
    Warning, [Inventory], Checked,
    title: "the VIP is outside the subnet of the nodes",
    reason: "Neighbours ask for the VIP by ARP only if it is in their own subnet. Elsewhere a router must know a route to it.",
    fix: "choose a VIP in the nodes' subnet, correct its prefix length, or see to the route",
}
KA028 {
    Error, [Inventory], Checked,
    title: "the VIP is no host address",
    reason: "The address is its subnet's own or its broadcast address, or multicast, loopback or unspecified. Hosts don't answer for such an address.",
    fix: "choose a host address of the subnet",
}
KA030 {
    Warning, [Plan], Checked,
    title: "a password of more than 8 characters",
    reason: "VRRPv2 sends 8 characters; keepalived cuts the rest, and its test of the file fails.",
    fix: "use a random password of at most 8 characters",
}
KA031 {
    Error, [Inventory, Plan], Checked,
    title: "an authentication that cannot work",
    reason: "VRRPv3 has none: keepalived ignores it, and its test of the file fails. Shell text such as `$(openssl …)` is taken literally and cut to 8 characters. AH is not recommended by keepalived itself, and hactl never renders it.",
    fix: "remove the authentication and let a firewall keep protocol 112 to the peers; with VRRPv2 use a random password of at most 8 characters",
}
KA032 {
    Warning, [Inventory, Plan], Checked,
    title: "the virtual_router_id or the password of the samples",
    reason: "51 is in every sample and guide, so it is the first id that another cluster on the same wire has too. The passwords of the samples are the first that anyone tries.",
    fix: "choose a virtual_router_id of your own, and a random password",
}
KA033 {
    Warning, [Host], Observed("the mode of the files that hold secrets"),
    title: "a file with a secret is readable by others",
    reason: "The VRRPv2 password and TLS keys stand in it in the clear.",
    fix: "apply: hactl writes such files with mode 0600",
}
KA040 {
    Error, [Plan, Status], Observed("the scripts that the live keepalived.conf names, and the one to come"),
    title: "a script is missing or not executable",
    reason: "keepalived then disables the check and keeps MASTER (measured): it fails open, silently.",
    fix: "run `hactl apply` to restore a script of hactl's; install your own on every node with mode 0755",
}
KA041 {
    Error, [Plan, Status], Observed("owner and mode of each component of the scripts' paths"),
    title: "an unsafe path to a script",
    reason: "With script security keepalived runs no script as root whose path others can write to.",
    fix: "make every folder of the path root's and writable by root alone",
}
KA043 {
    Error, [Inventory], CannotHappen("the check script is hactl's own and only reads; healing is left to systemd's `Restart=`"),
    title: "the check script acts instead of reading",
    reason: "A script that starts nginx again makes a crash loop look healthy, and the failover never comes (measured: 16 s and more).",
    fix: "let the script only read",
}
KA050 {
    Warning, [Inventory], Checked,
    title: "`vrrp_strict`",
    reason: "Strict mode drops all traffic to the VIP that is not VRRP's own, so that nginx is unreachable through it (measured).",
    fix: "turn it off, unless this VIP is only a gateway",
}
KA051 {
    Warning, [Inventory], Checked,
    title: "a second default route",
    reason: "A default route that comes and goes with the VIP competes with the host's own. Written as in the samples, without an interface, keepalived cannot track it, and its test of the file fails; hactl renders the interface and no tracking.",
    fix: "remove it; the VIP needs no route of its own to be reached",
}
KA052 {
    Warning, [Host, Plan], Checked,
    title: "this keepalived reloads without a check",
    reason: "Before 2.2.0 there is no `reload_check_config`: a structurally broken file makes keepalived exit at a reload and leave the VIP up, which makes two owners. hactl renders the keyword where keepalived knows it.",
    fix: "upgrade keepalived to 2.2.0 or later",
}
KA058 {
    Error, [Host, Plan], Checked,
    title: "this keepalived waits for three adverts only",
    reason: "`down_timer_adverts` exists from 2.2.3 on. An older keepalived takes over after three, and three that come often enough for eight to be waited for go missing in ordinary use: the virtual IP would move without need.",
    fix: "say `failover: standard` under `vrrp`, or upgrade keepalived to 2.2.3 or later; `advert_interval: 50ms` is as quick as `fast`, but lost packets move the virtual IP (KA059)",
}
KA066 {
    Note, [Host, Plan], Checked,
    title: "`standard` in place of `fast`",
    reason: "An inventory that names no failover profile gets `fast` where every node's keepalived can wait for eight missing adverts, which is so from 2.2.3 on. One that cannot decides for all: nodes with other timers would elect two owners.",
    fix: "upgrade keepalived to 2.2.3 or later, and the next apply brings `fast` to all nodes; or say `failover: standard` under `vrrp`, and it stays",
}
KA055 {
    Warning, [Inventory], Checked,
    title: "a firewall chain without strict mode",
    reason: "keepalived uses the chain for strict mode and `no_accept` only. As `vrrp_iptables` it has to exist, and Debian's keepalived has no such keyword; hactl renders `nftables` there.",
    fix: "remove the chain",
}
KA056 {
    Warning, [Inventory], Checked,
    title: "strict mode overrides what was asked for",
    reason: "In strict mode keepalived refuses unicast peers, ignores the password and resets `preempt_delay`. hactl renders the instance without them.",
    fix: "turn strict mode off, or remove what it overrides",
}
KA057 {
    Warning, [Host, Plan], Checked,
    title: "this keepalived cannot watch nginx's file",
    reason: "From 2.0.0 on keepalived learns of a dead nginx at once, from a file that nginx's unit writes (`track_file`). An older one learns it from checks only, `fall` of them in a row.",
    fix: "upgrade keepalived to 2.0.0 or later, or check more often",
}
}
