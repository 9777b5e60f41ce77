//! What makes a host unfit for the cluster before anything is applied (FW002, NG020, SE001, SY010 to SY016).

use std::collections::{BTreeMap, BTreeSet};

use super::ways::is_down;
use crate::agent::{
    ClockOffset, ListensAt, Observation, PeerAnswer, PeerDoor, Preflight, Program, Space,
};
use crate::check::evidence::ClusterEvidence;
use crate::check::rule::{Finding, Findings};
use crate::model::{Cluster, InterfaceName, Node, Socket, Transport, UnitId};

rules! { RULES:
FW002 {
    Warning, [Fitness(shut)],
    title: "a firewall drops connections to nginx",
    reason: "Other nodes tried to connect to the port at this node's own address, and nothing came back to any of them, not even a refusal. Users who reach the VIP there may get as little, unless the firewall opens the port for the VIP alone.",
    fix: "open the port on that node: check `nft list ruleset`, and any firewall in between",
}
NG020 {
    Error, [Fitness(taken)],
    title: "another program listens on a port of nginx",
    reason: "nginx cannot bind the port and does not start.",
    fix: "stop that program on the node, or choose another port for nginx",
}
SE001 {
    Warning, [Fitness(selinux)],
    title: "SELinux keeps nginx from its upstream servers",
    reason: "With SELinux enforcing, nginx may connect to arbitrary ports only while the boolean httpd_can_network_connect is on, and to the usual ports of web servers with httpd_can_network_relay. Otherwise, unless a policy of your own allows it, it answers 502 and logs \"Permission denied\".",
    fix: "run `setsebool -P httpd_can_network_connect on` on the node",
}
SY010 {
    Error, [Fitness(full)],
    title: "too little free space",
    reason: "A change keeps the files of both configurations until it is confirmed, and a first one installs packages.",
    fix: "free some space on the node (`df -h /var/lib /etc`, `df -i`)",
}
SY011 {
    Warning, [Fitness(unsynchronised)],
    title: "the clock is not synchronised",
    reason: "Certificates look expired or not yet valid, and the logs of two nodes cannot be compared. VRRP itself does not depend on the time of day.",
    fix: "enable time synchronisation on the node (`timedatectl set-ntp true`, or install chrony)",
}
SY012 {
    Warning, [Fitness(apart)],
    title: "the nodes' clocks differ",
    reason: "The logs of two nodes cannot be compared, and a certificate may be valid on one node only.",
    fix: "synchronise both clocks with the same source (`timedatectl`, `chronyc sources`)",
}
SY013 {
    Note, [Fitness(upgraded)],
    title: "packages are upgraded automatically",
    reason: "An automatic upgrade of nginx or keepalived restarts it, on several nodes perhaps at the same time.",
    fix: "exclude keepalived and nginx (Unattended-Upgrade::Package-Blacklist, or `exclude=` in dnf.conf), or upgrade the nodes at different times",
}
SY014 {
    Error, [Fitness(down)],
    title: "the interface is down",
    reason: "keepalived is in FAULT as long as the interface of its instance has no link.",
    fix: "bring it up (`ip link set dev INTERFACE up`), check its cable or its virtual switch",
}
SY015 {
    Warning, [Fitness(rivals)],
    title: "another program moves addresses",
    reason: "Two programs that move addresses and start services on the same hosts undo each other's work.",
    fix: "disable one of the two on all nodes",
}
SY016 {
    Error, [Fitness(read_only)],
    title: "a file system is read-only",
    reason: "hactl writes the configuration below /etc and its state below /var/lib/hactl. The kernel makes a file system read-only after an error of its disk.",
    fix: "find out why (`dmesg`, `findmnt -t nosquashfs -O ro`), and make it writable",
}
}

/// Enough for the files of some generations, in KiB.
const SPACE: u64 = 16 * 1024;
/// The same for `PACKAGES`, if nginx or keepalived has to be installed there.
const SPACE_OF_PACKAGES: u64 = 100 * 1024;
const PACKAGES: &str = "/usr";
const INODES: u64 = 1000;
/// Clocks that differ by less than this, in seconds, are no obstacle to reading logs.
const APART: f64 = 1.0;

/// Programs that move addresses, by their systemd units.
const RIVALS: [&str; 8] = [
    "pacemaker.service",
    "corosync.service",
    "heartbeat.service",
    "ucarp.service",
    "vrrpd.service",
    "carp.service",
    "keepalived@",
    "ucarp@",
];

/// What upgrades packages on its own, by its systemd units: all of a row have to run.
const UPGRADERS: [(&str, &[&str]); 3] = [
    (
        "unattended-upgrades",
        &["unattended-upgrades.service", "apt-daily-upgrade.timer"],
    ),
    ("dnf-automatic", &["dnf-automatic-install.timer"]),
    ("dnf-automatic", &["dnf-automatic.timer"]),
];

/// Every host that was inspected, with its node.
fn inspected<'a>(
    evidence: &ClusterEvidence<'a>,
) -> impl Iterator<Item = (&'a Node, &'a Observation, &'a Preflight)> {
    let cluster = evidence.cluster;
    evidence.seen.iter().filter_map(move |host| {
        let preflight = host.probed.preflight.as_ref()?;
        Some((cluster.node(&host.node)?, host, preflight))
    })
}

fn full(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, host, preflight) in inspected(evidence) {
        let is_missing = |program: &Program| matches!(program, Program::Missing { .. });
        let installs = host.installed.values().any(is_missing);
        for (folder, space) in &preflight.space {
            let needed = match folder.as_str() {
                PACKAGES if installs => SPACE_OF_PACKAGES,
                // Nothing else is written there.
                PACKAGES => continue,
                _ => SPACE,
            };
            let left = match space.inodes {
                _ if space.kib < needed => format!("{} MiB", space.kib / 1024),
                Some(inodes) if inodes < INODES => format!("{inodes} inodes"),
                _ => continue,
            };
            let message = format!("{}: {folder} has {left} left", node.name);
            findings.push(Finding::new(&SY010, node.path.clone(), message).on(&node.name));
        }
    }
}

fn read_only(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, _, preflight) in inspected(evidence) {
        // An image whose /usr is read-only has its packages built in.
        let is_read_only =
            |(folder, space): &(&String, &Space)| !space.is_writable && *folder != PACKAGES;
        for (folder, _) in preflight.space.iter().filter(is_read_only) {
            let message = format!("{}: {folder} cannot be written", node.name);
            findings.push(Finding::new(&SY016, node.path.clone(), message).on(&node.name));
        }
    }
}

fn unsynchronised(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, _, preflight) in inspected(evidence) {
        if preflight.clock_is_synchronised == Some(false) {
            let message = format!(
                "{}: the clock is not synchronised (`timedatectl`)",
                node.name
            );
            findings.push(Finding::new(&SY011, node.path.clone(), message).on(&node.name));
        }
    }
}

/// The two clocks that differ most.
fn apart(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let clocks = inspected(evidence).filter_map(|(node, _, own)| Some((node, own.clock?)));
    let mut clocks: Vec<(&Node, ClockOffset)> = clocks.collect();
    clocks.sort_by(|one, other| one.1.ahead.total_cmp(&other.1.ahead));
    let (Some((slow, behind)), Some((fast, ahead))) = (clocks.first(), clocks.last()) else {
        return;
    };
    let apart = ahead.ahead - behind.ahead;
    if apart - ahead.error - behind.error < APART {
        return;
    }
    let message = format!(
        "{}: the clock is {apart:.1} s ahead of {}'s",
        fast.name, slow.name
    );
    findings.push(Finding::new(&SY012, fast.path.clone(), message).on(&fast.name));
}

fn upgraded(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, _, preflight) in inspected(evidence) {
        let runs = |units: &[&str]| units.iter().all(|unit| preflight.runs(unit));
        if let Some((name, _)) = UPGRADERS.iter().find(|(_, units)| runs(units)) {
            let message = format!("{}: {name} upgrades packages automatically", node.name);
            findings.push(Finding::new(&SY013, node.path.clone(), message).on(&node.name));
        }
    }
}

fn rivals(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, _, preflight) in inspected(evidence) {
        for unit in RIVALS.iter().filter_map(|unit| preflight.running(unit)) {
            let message = format!("{}: {unit} runs", node.name);
            findings.push(Finding::new(&SY015, node.path.clone(), message).on(&node.name));
        }
    }
}

fn down(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    for (node, host, _) in inspected(evidence) {
        let instances = evidence.cluster.instances.iter();
        let used = instances.filter_map(|instance| instance.interface.as_ref());
        let used: BTreeSet<&InterfaceName> = used.chain([&node.interface]).collect();
        for interface in used {
            if is_down(host, interface) {
                let state = &host.interfaces[interface.as_str()];
                let message = format!("{}: {interface} is down (operstate {state})", node.name);
                let fix = SY014.fix.replace("INTERFACE", interface.as_str());
                let finding = Finding::new(&SY014, node.path.clone(), message).on(&node.name);
                findings.push(finding.fix(fix));
            }
        }
    }
}

/// The sockets that nginx will listen on, on every node. An nginx that hactl shares with others listens on the VIPs.
fn wanted(cluster: &Cluster) -> BTreeSet<Socket> {
    let is_shared = cluster.hosts.shares(UnitId::NGINX);
    let socket = |address, port, transport| Socket {
        address,
        port,
        transport,
    };
    let any = [Socket::ANY_V4, Socket::ANY_V6];
    let listens = cluster.sites.iter().flat_map(|site| &site.listen);
    let sites = listens.flat_map(|listen| match listen.address {
        None if is_shared => Vec::new(),
        None => any
            .map(|address| socket(address, listen.port, Transport::Tcp))
            .into(),
        Some(address) => vec![socket(address, listen.port, Transport::Tcp)],
    });
    let streams = cluster.streams.iter().flat_map(|stream| {
        let transport = if stream.udp {
            Transport::Udp
        } else {
            Transport::Tcp
        };
        any.map(|address| socket(address, stream.port, transport))
    });
    let loopback = [127, 0, 0, 1].into();
    let status = socket(loopback, cluster.nginx.status_port, Transport::Tcp);
    sites.chain(streams).chain([status]).collect()
}

fn taken(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let wanted = wanted(evidence.cluster);
    for (node, _, preflight) in inspected(evidence) {
        let mut told = BTreeSet::new();
        for listener in &preflight.listeners {
            let clashes =
                |own: &&Socket| own.covers(&listener.socket) || listener.socket.covers(own);
            let is_nginx = listener.programs.iter().any(|program| program == "nginx");
            let Some(own) = wanted.iter().find(clashes) else {
                continue;
            };
            // Without a name, the kernel or another namespace owns it.
            if is_nginx || listener.programs.is_empty() || !told.insert(own.port) {
                continue;
            }
            let message = format!(
                "{}: {} listens on {}, which nginx needs",
                node.name,
                listener.programs.join(", "),
                listener.socket
            );
            findings.push(Finding::new(&NG020, node.path.clone(), message).on(&node.name));
        }
    }
}

/// Ports that nginx is to have on all addresses, from which no other node gets an answer.
fn shut(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let mut answers: BTreeMap<PeerDoor, Vec<PeerAnswer>> = BTreeMap::new();
    for peer in inspected(evidence).flat_map(|(_, host, _)| &host.peers) {
        answers.entry(peer.door).or_default().push(peer.answer);
    }
    // A host that is inspected answers, so it is not down.
    for (node, _, preflight) in
        inspected(evidence).filter(|(node, host, _)| host.holds(node.address))
    {
        let own = answers.iter().filter(|(door, answers)| {
            let is_silent = answers.iter().all(|answer| *answer == PeerAnswer::Silent);
            door.address == node.address && door.listens == ListensAt::All && is_silent
        });
        for (door, _) in own {
            let port = door.port;
            let message = format!(
                "{}: no other node gets an answer from port {port}",
                node.name
            );
            let finding = Finding::new(&FW002, node.path.clone(), message).on(&node.name);
            findings.push(if preflight.runs("firewalld.service") {
                finding.fix(format!(
                    "open it on that node: `firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload`"
                ))
            } else if preflight.ufw_is_enabled {
                finding.fix(format!("open it on that node: `ufw allow {port}/tcp`"))
            } else {
                finding
            });
        }
    }
}

fn selinux(evidence: &ClusterEvidence<'_>, findings: &mut Findings) {
    let proxies = !evidence.cluster.upstreams.is_empty();
    for (node, _, preflight) in inspected(evidence).filter(|_| proxies) {
        let is_on = |boolean: &str| preflight.selinux_booleans.get(boolean).copied();
        let is_enforcing = preflight.selinux.as_deref() == Some("Enforcing");
        let may_relay = is_on("httpd_can_network_relay") == Some(true);
        if is_enforcing && !may_relay && is_on("httpd_can_network_connect") == Some(false) {
            let message = format!(
                "{}: SELinux is enforcing, and httpd_can_network_connect is off",
                node.name
            );
            findings.push(Finding::new(&SE001, node.path.clone(), message).on(&node.name));
        }
    }
}
