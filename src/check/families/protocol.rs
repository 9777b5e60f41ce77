//! Limits of the VRRP versions, and conflicts with other settings (KA017 to KA019, KA031, KA032, KA050, KA055, KA056,
//! KA059, KA060).

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
    title: "an advert interval that VRRPv2 cannot express",
    reason: "VRRPv2 sends its interval in whole seconds. keepalived rounds any other, and `keepalived -t` fails.",
    fix: "use VRRPv3, or an interval of whole seconds",
}
KA018 {
    Warning, [Inventory(families)],
    title: "an IPv6 VIP with VRRPv2",
    reason: "VRRPv2 (RFC 3768) is IPv4 only, and keepalived's releases handle the combination differently. hactl renders version 3 for such an instance, without the password.",
    fix: "use VRRPv3 for all",
}
KA019 {
    Warning, [Inventory(families)],
    title: "unicast requested where it is impossible",
    reason: "Unicast peers must be of the VIP's address family, and strict mode refuses them. hactl renders multicast for such an instance: the network has to carry it, and every host on it receives the adverts.",
    fix: "give the nodes addresses of the VIP's family and turn strict mode off, or ask for multicast",
}
KA021 {
    Error, [ByConstruction("hactl renders each node's unicast peers from the inventory: all other nodes, never itself. A raw snippet with `unicast_peer` breaks KA007")],
    title: "unicast peers that are not mutual, or that include the node itself",
    reason: "A node that its peer does not list is never heard by that peer: two owners (measured).",
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
    title: "strict mode overrides other settings",
    reason: "In strict mode keepalived refuses unicast peers, ignores the password and resets `preempt_delay`. hactl renders the instance without them.",
    fix: "turn strict mode off, or remove what it overrides",
}
KA059 {
    Warning, [Inventory(few_adverts)],
    title: "too few missed adverts cause a failover",
    reason: "A backup that misses this few adverts in a row takes the VIP, and random packet loss causes that more often than with RFC 9568's three adverts a second apart. Three adverts every 50 ms moved the VIP once in half a minute at 5 % packet loss, and eight times at 10 %, since losing two is enough when the third is late. Eight every 20 ms take as long and never moved it (measured).",
    fix: "raise `down_timer_adverts`, or set `failover: standard`",
}
KA060 {
    Warning, [Inventory(fast_in_seconds)],
    title: "`failover: fast` with VRRPv2",
    reason: "VRRPv2 counts in whole seconds (RFC 3768, 5.3.7), so `fast` is no faster than `standard`: a lost node is noticed after 2 to 3 s, not after 0.14 to 0.16 s. A node that resigns, such as one whose nginx is dead, is replaced without that wait in either.",
    fix: "use VRRPv3, or set `failover: standard`",
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

/// VRRPv2 has only whole seconds.
fn can_say_its_interval(cluster: &Cluster) -> bool {
    cluster.vrrp.version == VrrpVersion::V3 || cluster.vrrp.advert_interval.is_whole_seconds()
}

/// KA059 assumes a network that loses one in this many packets.
const ONE_LOST_IN: f64 = 10.0;

/// How often per second enough adverts in a row are lost to make a backup take over.
fn needless_takeovers(interval: Duration, missing: u8) -> f64 {
    ONE_LOST_IN.powi(-i32::from(missing)) / interval.as_secs_f64()
}

fn few_adverts(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let (missing, interval) = (vrrp.down_timer_adverts, vrrp.advert_interval.duration());
    let often = |missing| needless_takeovers(interval, missing);
    // 1.5 times the rate with RFC 9568's defaults: three adverts, one second apart.
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
        "another node takes the VIP as soon as it misses {what}, sent every {} s: if one packet in {ONE_LOST_IN} is lost, that happens every {:.0} s or more often",
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
            "set `down_timer_adverts: {enough}`, which needs keepalived 2.2.3 or later, or set `failover: standard` without `advert_interval`"
        ),
        Some(_) => "remove `down_timer_adverts`: keepalived then waits for three".to_owned(),
        None => "turn strict mode off, which insists on three, or set `failover: standard` without `advert_interval`".to_owned(),
    };
    findings.push(Finding::new(&KA059, places::vrrp(key), message).fix(fix));
}

/// `fast` needs intervals in hundredths of a second.
fn fast_in_seconds(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    let is_both = (vrrp.failover, vrrp.version) == (Failover::Fast, VrrpVersion::V2);
    // With any other interval, it was set explicitly.
    if is_both
        && vrrp.advert_interval.duration() == Duration::from_secs(1)
        && cluster.nodes.len() > 1
    {
        let message = "VRRPv2 counts in whole seconds: one advert a second is not `fast`";
        let path = places::vrrp("failover");
        findings.push(Finding::new(&KA060, path, message));
    }
}

fn strict(cluster: &Cluster, findings: &mut Vec<Finding>) {
    let vrrp = &cluster.vrrp;
    if !vrrp.strict {
        if let Some(chain) = &vrrp.iptables_chain {
            let message = format!("the chain {chain} has no effect: strict mode is off");
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
                // Nodes have one address each, so some VIPs are of the other family in any case.
                finding = finding.fix("no action is needed if the network carries multicast; otherwise give one family's VIPs a cluster of their own");
            }
            findings.push(finding);
        }
    }
}

fn has_both_families(cluster: &Cluster) -> bool {
    let vips = || cluster.instances.iter().flat_map(|it| &it.addresses);
    vips().any(|vip| vip.addr().is_ipv6()) && vips().any(|vip| vip.addr().is_ipv4())
}
