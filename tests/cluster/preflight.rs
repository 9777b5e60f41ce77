//! Hosts with one thing wrong each, and what preflight says of them.

use std::fmt::Write as _;

use crate::cluster::{Cluster, Ended, machines};

/// One thing that is wrong.
struct Broken {
    what: &'static str,
    /// The node where it is made, and how it is made and mended. `ctl` is the controller.
    node: &'static str,
    make: &'static str,
    mend: &'static str,
    /// What is replaced in the inventory.
    edits: &'static [(&'static str, &'static str)],
    /// The rule that it breaks, or a word of the refusal.
    told: &'static str,
}

const FINE: Broken = Broken {
    what: "",
    node: "lb2",
    make: ":",
    mend: ":",
    edits: &[],
    told: "",
};

/// Starts nftables' rules of a test.
const TABLE: &str = "nft add table inet broken && nft 'add chain inet broken i { type filter hook input priority 0; }' && nft 'add chain inet broken o { type filter hook output priority 0; }' && nft add rule inet broken";
const NO_TABLE: &str = "nft delete table inet broken";

/// Adverts of another virtual router of that id, for 12 s.
const ROUTER: &str = "perl -MSocket -e 'socket(S,2,3,112);setsockopt(S,0,32,inet_aton(q(10.0.0.1)));for(1..120){send(S,pack(q(C4n2a4),0x31,51,90,1,100,0,inet_aton(q(10.0.0.77))),0,pack_sockaddr_in(0,inet_aton(q(224.0.0.18))));select(undef,undef,undef,0.1)}' >/dev/null 2>&1 & echo $! >/tmp/router.pid";

/// Listens on a port in nginx's place, until the unit `listener` is stopped.
macro_rules! listen {
    ($port:literal) => {
        concat!(
            "systemctl stop nginx; systemd-run -q --unit=listener perl -MSocket -e 'socket(S,2,1,6);setsockopt(S,1,2,1);bind(S,pack_sockaddr_in(",
            $port,
            ",inet_aton(q(0.0.0.0)))) or die;listen(S,5);sleep 600'; until ss -Hltn | grep -q ':",
            $port,
            " '; do sleep 0.02; done"
        )
    };
}

/// A unit that does nothing, under the name of another program's.
macro_rules! unit {
    ($($name:literal),+) => {
        concat!(
            "for unit in ", $($name, " "),+,
            "; do printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' \
             >/run/systemd/system/${unit%.*}.service; done; systemctl daemon-reload; systemctl start ",
            $($name, " "),+
        )
    };
}

/// Replaces a program by one that prints `text`.
macro_rules! program {
    ($name:literal, $text:literal) => {
        concat!(
            "printf '#!/bin/sh\\n",
            $text,
            "\\n' >/usr/local/bin/",
            $name,
            "; chmod 755 /usr/local/bin/",
            $name
        )
    };
}

const BROKEN: [Broken; 32] = [
    Broken {
        what: "a firewall lets no adverts in",
        make: "i ip protocol 112 drop",
        told: "FW001",
        ..FINE
    },
    Broken {
        what: "a firewall lets in what belongs to a connection only",
        make: "i ct state established accept; nft add rule inet broken i ip protocol 112 drop",
        told: "FW001",
        ..FINE
    },
    Broken {
        what: "a firewall lets no adverts out",
        make: "o ip protocol 112 drop",
        told: "FW001",
        ..FINE
    },
    Broken {
        what: "a firewall rejects adverts of one peer",
        make: "i ip saddr 10.0.0.13 ip protocol 112 reject",
        told: "FW001",
        ..FINE
    },
    Broken {
        what: "the network drops multicast",
        make: "i ip daddr 224.0.0.18 drop",
        edits: &[("vips:", "vrrp: { peering: multicast }\nvips:")],
        told: "FW001",
        ..FINE
    },
    Broken {
        what: "a third of all adverts is lost",
        make: "i ip protocol 112 numgen random mod 3 == 0 drop",
        told: "KA061",
        ..FINE
    },
    Broken {
        what: "neither perl nor Python",
        make: "mv /usr/bin/perl /usr/bin/perl.away; mv /usr/bin/python3 /usr/bin/python3.away 2>/dev/null; :",
        mend: "mv /usr/bin/perl.away /usr/bin/perl; mv /usr/bin/python3.away /usr/bin/python3 2>/dev/null; :",
        told: "FW003",
        ..FINE
    },
    Broken {
        what: "another virtual router of that id",
        node: "ctl",
        make: ROUTER,
        mend: "kill $(cat /tmp/router.pid)",
        told: "KA024",
        ..FINE
    },
    Broken {
        what: "another host has the VIP",
        node: "ctl",
        make: "ip address add 10.0.0.100/24 dev eth0",
        mend: "ip address del 10.0.0.100/24 dev eth0",
        told: "KA025",
        ..FINE
    },
    Broken {
        what: "another program on nginx's port",
        make: listen!("80"),
        mend: "systemctl stop listener; systemctl start nginx",
        told: "NG020",
        ..FINE
    },
    Broken {
        what: "another program on nginx's status port",
        make: listen!("8081"),
        mend: "systemctl stop listener; systemctl start nginx",
        told: "NG020",
        ..FINE
    },
    Broken {
        what: "a firewall drops what goes to nginx's port",
        make: "i tcp dport 80 drop",
        told: "FW002",
        ..FINE
    },
    Broken {
        what: "an interface that does not exist",
        edits: &[("10.0.0.12, interface: eth0", "10.0.0.12, interface: eth7")],
        told: "no interface eth7",
        ..FINE
    },
    Broken {
        what: "an address that the host does not have",
        edits: &[("address: 10.0.0.12", "address: 10.0.0.22, host: 10.0.0.12")],
        told: "does not have its address 10.0.0.22",
        ..FINE
    },
    Broken {
        what: "two nodes that are one machine",
        edits: &[("address: 10.0.0.13", "address: 10.0.0.13, host: 10.0.0.12")],
        told: "the same machine",
        ..FINE
    },
    Broken {
        what: "an interface without a link",
        make: "ip link add dummy7 type veth peer name dummy8; ip link set dummy7 up",
        mend: "ip link del dummy7",
        edits: &[("10.0.0.12, interface: eth0", "10.0.0.12, interface: dummy7")],
        told: "SY014",
        ..FINE
    },
    Broken {
        what: "nginx's unit is masked",
        make: "systemctl -q mask nginx.service 2>/dev/null",
        mend: "systemctl -q unmask nginx.service 2>/dev/null",
        told: "nginx.service is masked",
        ..FINE
    },
    Broken {
        what: "no space for hactl's state",
        make: "mkdir -p /var/lib/hactl; mount -t tmpfs -o size=4m,mode=700 tmpfs /var/lib/hactl",
        mend: "umount /var/lib/hactl; rmdir /var/lib/hactl",
        told: "SY010",
        ..FINE
    },
    Broken {
        what: "no inodes for hactl's state",
        make: "mkdir -p /var/lib/hactl; mount -t tmpfs -o size=90m,nr_inodes=90,mode=700 tmpfs /var/lib/hactl",
        mend: "umount /var/lib/hactl; rmdir /var/lib/hactl",
        told: "SY010",
        ..FINE
    },
    Broken {
        what: "a read-only file system",
        make: "mkdir -p /var/lib/hactl; mount -t tmpfs -o ro,size=90m,mode=700 tmpfs /var/lib/hactl",
        mend: "umount /var/lib/hactl; rmdir /var/lib/hactl",
        told: "SY016",
        ..FINE
    },
    Broken {
        what: "others may write hactl's state",
        make: "mkdir -m 777 /var/lib/hactl",
        mend: "rmdir /var/lib/hactl",
        told: "/var/lib/hactl",
        ..FINE
    },
    Broken {
        what: "a distribution that hactl does not know",
        make: "cp -P /etc/os-release /run/os-release; rm /etc/os-release; printf 'ID=alpine\\nVERSION_ID=3.20\\n' >/etc/os-release",
        mend: "cp -P /run/os-release /etc/os-release.new; mv -f /etc/os-release.new /etc/os-release",
        told: "unsupported distribution",
        ..FINE
    },
    Broken {
        what: "a program that hactl needs is missing",
        make: "mv /usr/bin/flock /usr/bin/flock.away",
        mend: "mv /usr/bin/flock.away /usr/bin/flock",
        told: "flock",
        ..FINE
    },
    Broken {
        what: "one backend cannot be reached",
        make: "o ip daddr 192.168.1.10 drop",
        told: "NG018",
        ..FINE
    },
    Broken {
        what: "no backend can be reached",
        make: "o ip daddr 192.168.1.0/24 drop",
        told: "NG019",
        ..FINE
    },
    Broken {
        what: "a backend's name does not resolve",
        edits: &[("192.168.1.12:8080", "app.internal:8080")],
        told: "NG017",
        ..FINE
    },
    Broken {
        what: "packages upgrade themselves",
        make: concat!(
            "printf '[Timer]\\nOnCalendar=yearly\\n' >/run/systemd/system/dnf-automatic-install.timer; ",
            unit!("dnf-automatic-install.service"),
            "; systemctl start dnf-automatic-install.timer"
        ),
        mend: "systemctl stop dnf-automatic-install.timer dnf-automatic-install; rm /run/systemd/system/dnf-*; systemctl daemon-reload",
        told: "SY013",
        ..FINE
    },
    Broken {
        what: "another program moves addresses",
        make: unit!("pacemaker.service"),
        mend: "systemctl stop pacemaker; rm /run/systemd/system/pacemaker.service; systemctl daemon-reload",
        told: "SY015",
        ..FINE
    },
    Broken {
        what: "SELinux keeps nginx from its servers",
        make: concat!(
            program!("getenforce", "echo Enforcing"),
            "; ",
            program!("getsebool", "echo \"$1 --> off\"")
        ),
        mend: "rm /usr/local/bin/getenforce /usr/local/bin/getsebool",
        told: "SE001",
        ..FINE
    },
    Broken {
        what: "systemd-networkd removes foreign addresses",
        make: "printf '[Match]\\nName=eth0\\n[Network]\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' >/etc/systemd/network/10-lan.network; systemctl start systemd-networkd",
        mend: "systemctl stop systemd-networkd.socket systemd-networkd; rm /etc/systemd/network/10-lan.network; ip address replace 10.0.0.12/24 dev eth0",
        told: "KA054",
        ..FINE
    },
    Broken {
        what: "a folder where a file belongs",
        make: "mv /etc/nginx/nginx.conf /run/nginx.conf; mkdir /etc/nginx/nginx.conf",
        mend: "rmdir /etc/nginx/nginx.conf; mv /run/nginx.conf /etc/nginx/nginx.conf",
        told: "/etc/nginx/nginx.conf",
        ..FINE
    },
    Broken {
        what: "sshd does not run",
        make: "systemctl stop ssh.socket ssh.service 2>/dev/null; :",
        mend: "systemctl start ssh.service",
        told: "lb2",
        ..FINE
    },
];

fn sh(cluster: &Cluster, broken: &Broken, script: &str) {
    let text = match script.split_once(' ') {
        Some(("i" | "o", _)) => format!("{TABLE} {script}"),
        _ => script.to_owned(),
    };
    if broken.node == "ctl" {
        cluster.on_controller("sh", &["-c", &text]);
    } else {
        cluster.on(broken.node, &text);
    }
}

fn mend(cluster: &Cluster, broken: &Broken) {
    let is_rule = broken.make.starts_with("i ") || broken.make.starts_with("o ");
    sh(
        cluster,
        broken,
        if is_rule { NO_TABLE } else { broken.mend },
    );
}

fn preflight(cluster: &Cluster) -> Ended {
    cluster.run(&["preflight", "--measure", "1s"])
}

/// The part of an answer that does not differ from run to run: its findings without their counts. A machine with much
/// else to do delays adverts (KA062).
fn stable(ended: &Ended) -> String {
    let text = format!("{}\n{}", ended.stdout, ended.stderr);
    let is_finding = |block: &&str| {
        let labels = ["error:", "warning:", "note:"];
        labels.iter().any(|label| block.starts_with(label)) && !block.contains("(KA062)")
    };
    let blocks = text.split("\n\n").map(str::trim).filter(is_finding);
    blocks.fold(String::new(), |mut stable, block| {
        for line in block.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let counted = words.iter().enumerate().map(|(at, word)| {
                let is_count = words
                    .get(at + 1)
                    .is_some_and(|next| next.starts_with("sent)"));
                if is_count { "(N" } else { word }
            });
            let _ = writeln!(stable, "{}", counted.collect::<Vec<_>>().join(" "));
        }
        stable.push('\n');
        stable
    })
}

#[test]
fn each_broken_host_is_told_with_its_remedy() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    let fine = preflight(&cluster).exits(0);
    fine.says("web: fit");
    let inventory = cluster.inventory();
    let before = cluster.all_etc();
    let mut all = String::new();
    for broken in &BROKEN {
        for (from, to) in broken.edits {
            cluster.edit(from, to);
        }
        sh(&cluster, broken, broken.make);
        let ended = preflight(&cluster);
        mend(&cluster, broken);
        cluster.set_inventory(&inventory);
        let said = stable(&ended);
        assert!(
            said.contains(broken.told) || ended.stderr.contains(broken.told),
            "{}: {ended}",
            broken.what
        );
        // Each run loses other ones.
        if broken.told == "KA061" {
            continue;
        }
        let code = ended.code().unwrap();
        let _ = write!(all, "## {} (exit {code})\n\n{said}", broken.what);
    }
    preflight(&cluster).exits(0).says("web: fit");
    cluster.assert_etc(&before);
    insta::assert_snapshot!(all);
}
