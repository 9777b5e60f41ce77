//! What the VRRP versions can say, and who else says it (KA017 to KA019, KA031, KA032, KA050,
//! KA055, KA056, KA059, KA060).

use std::time::Duration;

use ipnet::IpNet;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{
    Cluster, DownTimerAdverts, Failover, Peering, Preemption, VrrpInstance, VrrpVersion,
};

rules! { RULES:
KA017 {
    Error, [Inventory(interval)],
    title: "adverts more often than VRRPv2 can say",
    reason: "VRRPv2 sends its interval in whole seconds. keepalived rounds, and its test of the file fails.",
    fix: "use VRRPv3, or an interval of whole seconds",
}
KA018 {
    Warning, [Inventory(families)],
    title: "an IPv6 VIP with VRRPv2",
    reason: "VRRPv2 (RFC 3768) is IPv4 only, and releases of keepalived differ in what they make of the two together. hactl renders version 3 for such an instance, without the password.",
    fix: "use VRRPv3 for all",
}
KA019 {
    Warning, [Inventory(families)],
    title: "unicast asked for, and not to be had",
    reason: "Unicast peers have to be of the VIP's family, and strict mode refuses them. hactl renders multicast for such an instance: the network has to carry it, and everyone on the wire hears it.",
    fix: "give the nodes addresses of the VIP's family and turn strict mode off, or ask for multicast",
}
KA021 {
    Error, [ByConstruction("hactl renders each node's unicast peers from the inventory: all other nodes, never itself. A raw snippet with `unicast_peer` breaks KA007")],
    title: "unicast peers asymmetric, or the node among them",
    reason: "A node that is not among its peer's peers is never heard there: two owners (measured).",
    fix: "list every other node on every node",
}
KA022 {
    Error, [ByConstruction("unicast or multicast is one setting for the whole cluster. A raw snippet with `unicast_peer` breaks KA007")],
    title: "unicast and multicast mixed",
    reason: "Neither side hears the other: two owners.",
    fix: "use one of them on all nodes",
}
KA050 {
    Warning, [Inventory(strict)],
    title: "`vrrp_strict`",
    reason: "Strict mode drops all traffic to the VIP that is not VRRP's own, so that nginx is unreachable through it (measured).",
    fix: "turn it off, unless this VIP is only a gateway",
}
KA055 {
    Warning, [Inventory(strict)],
    title: "a firewall chain without strict mode",
    reason: "keepalived uses the chain for strict mode and `no_accept` only. As `vrrp_iptables` it has to exist, and Debian's keepalived has no such keyword; hactl renders `nftables` there.",
    fix: "remove the chain",
}
KA056 {
    Warning, [Inventory(strict)],
    title: "strict mode overrides what was asked for",
    reason: "In strict mode keepalived refuses unicast peers, ignores the password and resets `preempt_delay`. hactl renders the instance without them.",
    fix: "turn strict mode off, or remove what it overrides",
}
KA059 {
    Warning, [Inventory(few_adverts)],
    title: "too few adverts are waited for",
    reason: "A node that misses so few adverts takes the VIP, and by chance alone they are lost one after the other more often than the three a second apart of RFC 9568. Three of 50 ms moved the VIP once in half a minute where 5 % of packets were lost, and eight times at 10 %, since two are enough when the third comes late; eight of 20 ms take as long and never moved it (measured).",
    fix: "wait for more adverts (`down_timer_adverts`), or say `failover: standard`",
}
KA060 {
    Warning, [Inventory(fast_in_seconds)],
    title: "`failover: fast` with VRRPv2",
    reason: "VRRPv2 counts in whole seconds (RFC 3768, 5.3.7), so that `fast` is as `standard`: a lost node is noticed after 2 to 3 s, not after 0.14 to 0.16 s. What resigns, as a node does whose nginx is dead, is not waited for in either.",
    fix: "use VRRPv3, or say `failover: standard`",
}
}

fn interval(cluster: &Cluster, findings: &mut Vec<Finding>) {
    if !can_say_its_interval(cluster) {
        let interval = cluster.vrrp.advert_interval.keepalived();
        let message =
            format!("VRRPv2 cannot send adverts every {interval} s, only every whole second");
        let path = places::vrrp("advert_interval");
        findings.push(Finding::new(&KA017, path, message));
    }
}

/// VRRPv2 knows whole seconds only.
fn can_say_its_interval(cluster: &Cluster) -> bool {
    cluster.vrrp.version == VrrpVersion::V3 || cluster.vrrp.advert_interval.is_whole_seconds()
}

/// Of so many packets the network of KA059 loses one.
const ONE_LOST_IN: f64 = 10.0;

/// How often a second as many adverts as make a backup take over are lost one after the other.
fn needless_takeovers(interval: Duration, missing: u8) -> f64 {
    ONE_LOST_IN.powi(-i32::from(missing)) / interval.as_secs_f64()
}

fn few_adverts(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let (missing, interval) = (vrrp.down_timer_adverts, vrrp.advert_interval.duration());
    let often = |missing| needless_takeovers(interval, missing);
    // Half as often again as with what the RFC has: three adverts of a second.
    let too_often = 1.5 * needless_takeovers(Duration::from_secs(1), DownTimerAdverts::RFC.get());
    if cluster.nodes.len() < 2
        || !can_say_its_interval(cluster)
        || often(missing.get()) <= too_often
    {
        return;
    }
    let what = match missing.get() {
        1 => "one advert".to_owned(),
        several => format!("{several} adverts"),
    };
    let message = format!(
        "another node takes the VIP as soon as it misses {what} of {} s: where one packet in {ONE_LOST_IN} is lost, every {:.0} s or more often",
        vrrp.advert_interval.keepalived(),
        often(missing.get()).recip()
    );
    let is_quick = interval < Duration::from_secs(1);
    let key = if is_quick {
        "advert_interval"
    } else {
        "down_timer_adverts"
    };
    let enough = (1..=u8::MAX).find(|missing| often(*missing) <= too_often);
    let fix = match enough.filter(|_| !vrrp.strict) {
        Some(enough) if enough > DownTimerAdverts::RFC.get() => format!(
            "set `down_timer_adverts: {enough}`, which needs keepalived 2.2.3 or later, or say `failover: standard` without `advert_interval`"
        ),
        Some(_) => "remove `down_timer_adverts`: three are then waited for".to_owned(),
        None => "strict mode insists on three: turn it off, or say `failover: standard` without `advert_interval`".to_owned(),
    };
    findings.push(Finding::new(&KA059, places::vrrp(key), message).fix(fix));
}

/// `fast` counts in hundredths of a second.
fn fast_in_seconds(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let is_both = (vrrp.failover, vrrp.version) == (Failover::Fast, VrrpVersion::V2);
    // Another interval was set by hand.
    if is_both
        && vrrp.advert_interval.duration() == Duration::from_secs(1)
        && cluster.nodes.len() > 1
    {
        let message = "VRRPv2 knows whole seconds: adverts every second are not `fast`";
        let path = places::vrrp("failover");
        findings.push(Finding::new(&KA060, path, message));
    }
}

fn strict(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    if !vrrp.strict {
        if let Some(chain) = &vrrp.iptables_chain {
            let message = format!("the chain {chain} has no use: strict mode is off");
            let path = places::vrrp("iptables_chain");
            findings.push(Finding::new(&KA055, path, message));
        }
        return;
    }
    let message = "vrrp_strict drops clients' traffic to the VIP before nginx sees it";
    findings.push(Finding::new(&KA050, places::vrrp("strict"), message));
    let delays = matches!(vrrp.preemption, Preemption::Preempt { delay } if !delay.is_zero());
    for (asked, key, what) in [
        (vrrp.peering == Peering::Unicast, "peering", "unicast"),
        (
            vrrp.authentication.is_some(),
            "authentication",
            "the password",
        ),
        (delays, "preempt_delay", "preempt_delay"),
    ] {
        if asked {
            let message = format!("vrrp_strict overrides {what}: hactl renders none");
            findings.push(Finding::new(&KA056, places::vrrp(key), message));
        }
    }
}

fn families(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for (index, instance) in cluster.instances.iter().enumerate() {
        family(cluster, index, instance, findings);
    }
}

fn family(cluster: &Cluster, index: usize, instance: &VrrpInstance, findings: &mut Vec<Finding>) {
    let Some(first) = instance.addresses.first().map(IpNet::addr) else {
        return;
    };
    let name = &instance.name;
    let path = places::instance_key(index, "address");
    if first.is_ipv6() && cluster.vrrp.version == VrrpVersion::V2 {
        let message =
            format!("{name}: VRRPv2 cannot carry {first}; hactl renders version 3 for it");
        findings.push(Finding::new(&KA018, path.clone(), message));
    }
    if cluster.vrrp.peering == Peering::Unicast && !cluster.vrrp.strict {
        let nodes = cluster.nodes.iter();
        let others: Vec<_> = nodes
            .filter(|node| node.address.is_ipv6() != first.is_ipv6())
            .map(|node| format!("{} ({})", node.name, node.address))
            .collect();
        if !others.is_empty() {
            let message = format!(
                "{name}: {first} is not of the family of {}; hactl renders multicast",
                others.join(", ")
            );
            let mut finding = Finding::new(&KA019, path, message);
            if has_both_families(cluster) && others.len() == cluster.nodes.len() {
                // A node has one address, so that whatever it is, some VIPs are not of its family.
                finding = finding.fix("nothing, where the network carries multicast; else leave one family's VIPs to a cluster of their own");
            }
            findings.push(finding);
        }
    }
}

fn has_both_families(cluster: &Cluster) -> bool {
    let vips = || cluster.instances.iter().flat_map(|it| &it.addresses);
    vips().any(|vip| vip.addr().is_ipv6()) && vips().any(|vip| vip.addr().is_ipv4())
}
