//! Rules on who owns the VIP, and how fast it moves.

use crate::check::rule::Coverage::Checked;

rules! { ELECTIONS:
KA010 {
    Error, [Inventory], Checked,
    title: "nopreempt together with a weight",
    reason: "With `nopreempt` a backup accepts the adverts of an owner of lower priority, so a weight that lowers the priority of a node whose nginx is dead never moves the VIP (keepalived issue 2599, measured).",
    fix: "let a dead nginx mean FAULT, which works with and without preemption, or allow preemption",
}
KA011 {
    Error, [Inventory], Checked,
    title: "the weight is no larger than the spread of the priorities",
    reason: "A node whose nginx is dead has to fall below every healthy node. It does not when the weight is at most the highest priority less the lowest.",
    fix: "let a dead nginx mean FAULT, or use a weight that is larger than the highest priority less the lowest",
}
KA012 {
    Error, [Inventory], Checked,
    title: "the election goes wrong",
    reason: "hactl simulates every set of dead nodes and dead nginx that the cluster can get into. In one of them the VIP stays on a dead nginx although a healthy node stands by, has no owner although a node stands for it, or has two.",
    fix: "let a dead nginx mean FAULT, or use a weight that is larger than the highest priority less the lowest",
}
KA013 {
    Error, [Inventory], Checked,
    title: "two nodes have the same priority",
    reason: "Equal priorities leave the owner to chance: whoever was first, or has the higher address. Both become MASTER for a moment when they start together.",
    fix: "give every node its own priority, best first",
}
KA014 {
    Warning, [Inventory], Checked,
    title: "`state MASTER` asked for",
    reason: "A node that starts as MASTER takes the VIP before it has heard anyone: every recovery is a second failover. With `nopreempt` keepalived drops `nopreempt` and its test fails. hactl renders BACKUP everywhere; the priorities decide.",
    fix: "remove it; the node with the highest priority becomes the owner by itself",
}
KA015 {
    Warning, [Inventory], Checked,
    title: "preempt_delay delays the failover of a dead nginx",
    reason: "`preempt_delay` holds back every takeover from a node of lower priority, and a weight makes a dead nginx just that (measured).",
    fix: "let a dead nginx mean FAULT, which `preempt_delay` does not hold back, or set the delay to 0",
}
KA016 {
    Note, [Inventory], Checked,
    title: "with nginx dead on all nodes, nobody owns the VIP",
    reason: "FAULT takes a node out of the election. It is the fastest failover there is, and its price is that the VIP answers nothing at all, not even a refusal, while nginx is dead on all nodes. A weight leaves one owner.",
    fix: "nothing, if clients fare no better with a refused connection than with none; else use a weight larger than the spread of the priorities",
}
KA017 {
    Error, [Inventory], Checked,
    title: "adverts more often than VRRPv2 can say",
    reason: "VRRPv2 sends its interval in whole seconds. keepalived rounds, and its test of the file fails.",
    fix: "use VRRPv3, or an interval of whole seconds",
}
KA059 {
    Warning, [Inventory], Checked,
    title: "too few adverts are waited for",
    reason: "A node that misses so few adverts takes the VIP, and by chance alone they are lost one after the other more often than the three a second apart of RFC 9568. Three of 50 ms moved the VIP once in half a minute where 5 % of packets were lost, and eight times at 10 %, since two are enough when the third comes late; eight of 20 ms take as long and never moved it (measured).",
    fix: "wait for more adverts (`down_timer_adverts`), or say `failover: standard`",
}
KA060 {
    Warning, [Inventory], Checked,
    title: "`failover: fast` with VRRPv2",
    reason: "VRRPv2 counts in whole seconds (RFC 3768, 5.3.7), so that `fast` is as `standard`: a lost node is noticed after 2 to 3 s, not after 0.14 to 0.16 s. What resigns, as a node does whose nginx is dead, is not waited for in either.",
    fix: "use VRRPv3, or say `failover: standard`",
}
KA018 {
    Warning, [Inventory], Checked,
    title: "an IPv6 VIP with VRRPv2",
    reason: "VRRPv2 (RFC 3768) is IPv4 only, and releases of keepalived differ in what they make of the two together. hactl renders version 3 for such an instance, without the password.",
    fix: "use VRRPv3 for all",
}
KA019 {
    Warning, [Inventory], Checked,
    title: "unicast asked for, and not to be had",
    reason: "Unicast peers have to be of the VIP's family, and strict mode refuses them. hactl renders multicast for such an instance: the network has to carry it, and everyone on the wire hears it.",
    fix: "give the nodes addresses of the VIP's family and turn strict mode off, or ask for multicast",
}
KA027 {
    Warning, [Inventory], Checked,
    title: "a single node",
    reason: "There is nobody to fail over to.",
    fix: "add a second node",
}
KA046 {
    Warning, [Inventory], Checked,
    title: "a check may take longer than the time between two checks",
    reason: "keepalived starts no check while the last one runs, so the interval is not kept and a hung nginx is noticed later than the settings promise.",
    fix: "make the check's timeout shorter than its interval",
}
KA047 {
    Warning, [Inventory], Checked,
    title: "a hung nginx is noticed late",
    reason: "A killed nginx is noticed at once, by a file that its unit writes; one that hangs only by checks that time out, `fall` of them in a row.",
    fix: "shorten the interval or the timeout, or lower `fall`: 1 s, 1 s and 2 notice within 3 s",
}
}
