//! Every drill's fault heals on its own, whatever happens to hactl: the real binary starts the
//! drill and is killed with SIGKILL, and nothing calls the hosts from then on. New drills are
//! covered automatically, by the table of drills.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hactl::drill::{DRILLS, DrillSpec, Takeover};

use crate::cluster::{Cluster, VIP, machines};

/// Enough for a reboot, or for a daemon to restart.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn every_fault_heals_by_itself_when_hactl_is_killed() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    // One of the faults uses up all of nginx's connections.
    let inventory = cluster.inventory();
    cluster.set_inventory(&format!(
        "{inventory}nginx: {{ worker_connections: 200 }}\n"
    ));
    cluster.apply();
    let before: BTreeMap<String, String> = cluster
        .nodes()
        .into_iter()
        .map(|node| (node.clone(), ask(&cluster, &node, NETWORK).unwrap()))
        .collect();
    for spec in DRILLS {
        let started = Instant::now();
        let first = cluster.owner(VIP);
        let arguments = [
            "failover-test",
            "--yes",
            "--drill",
            spec.name,
            "--hold",
            "4s",
        ];
        let mut hactl = cluster.start(&arguments);
        see_it_made(&cluster, spec, &first, &mut hactl);
        assert_runs(&mut hactl, spec);
        hactl.kill().unwrap();
        hactl.wait().unwrap();
        healed(&cluster, spec, &before, &first);
        eprintln!("{}: {:.1} s", spec.name, started.elapsed().as_secs_f32());
    }
    cluster.run(&["status"]).exits(0);
}

/// Waits until no trace of the drill is left.
fn healed(cluster: &Cluster, spec: &DrillSpec, before: &BTreeMap<String, String>, first: &str) {
    for (node, network) in before {
        wait(&format!("{}: {node} to heal", spec.name), || {
            ask(cluster, node, LEFT).map_or("it does not answer".to_owned(), |left| left)
        });
        // Duplicate address detection delays link-local addresses.
        wait(&format!("{}: {node}'s network", spec.name), || {
            let now = ask(cluster, node, NETWORK).unwrap_or_default();
            if now == *network { String::new() } else { now }
        });
    }
    wait(
        &format!("{}: one owner that serves", spec.name),
        || match cluster.owners(VIP).as_slice() {
            [_] if serves(cluster) => String::new(),
            owners => format!("{owners:?}"),
        },
    );
    // The preferred node preempts.
    wait(&format!("{}: the first owner", spec.name), || {
        let owners = cluster.owners(VIP);
        if owners == [first] {
            String::new()
        } else {
            format!("{owners:?}")
        }
    });
}

/// Fails if hactl ended before it was killed: then it has refused the drill.
#[track_caller]
fn assert_runs(hactl: &mut Child, spec: &DrillSpec) {
    if let Some(status) = hactl.try_wait().unwrap() {
        let mut said = String::new();
        let pipes = (hactl.stdout.take(), hactl.stderr.take());
        pipes.0.map(|mut pipe| pipe.read_to_string(&mut said));
        pipes.1.map(|mut pipe| pipe.read_to_string(&mut said));
        panic!("{}: hactl had ended: {status}\n{said}", spec.name);
    }
}

/// Waits for the fault to take effect, since a fault that is never injected would pass as healed.
fn see_it_made(cluster: &Cluster, spec: &DrillSpec, node: &str, hactl: &mut Child) {
    let what = format!("{} on {node} to be seen", spec.name);
    wait(&what, || {
        assert_runs(hactl, spec);
        let seen = match spec.takeover {
            Takeover::Must => {
                let owners = cluster.owners(VIP);
                let mut others = owners.iter().filter(|owner| *owner != node);
                // The next step of a cascade needs a single owner, but a split brain has two.
                others.next().is_some() && (spec.two_owners.is_some() || owners.len() == 1)
            }
            Takeover::MustNot if spec.name == "overload" => ask(
                cluster,
                node,
                "grep -q 'made.*overload' /run/hactl-drill/events",
            )
            .is_some(),
            Takeover::MustNot => ask(cluster, node, "nft list table inet hactl_drill").is_some(),
        };
        if seen {
            String::new()
        } else {
            "nothing yet".to_owned()
        }
    });
}

/// Waits until `problem` returns an empty string.
fn wait(what: &str, mut problem: impl FnMut() -> String) {
    let started = Instant::now();
    loop {
        let said = problem();
        if said.is_empty() {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "waited too long for {what}: {said}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The output of a shell script in a node, or `None` if it fails or the node is off.
fn ask(cluster: &Cluster, node: &str, script: &str) -> Option<String> {
    let output = cluster
        .node(node, "sh")
        .ok()?
        .args(["-c", script])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn serves(cluster: &Cluster) -> bool {
    let mut curl = cluster.controller("curl");
    curl.args([
        "-sS",
        "--fail",
        "--max-time",
        "2",
        &format!("http://{VIP}/"),
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::null());
    curl.status().is_ok_and(|status| status.success())
}

/// Addresses and routes, except the VIP's.
const NETWORK: &str = "for family in 4 6; do
    ip -o -$family addr show dev eth0 scope global | sed 's/^[0-9]*: //'
    ip -$family route show table all
done | grep -vF 10.0.0.100 | sort";

/// Remains of a drill, and units that are not running.
const LEFT: &str =
    "ls -d /run/hactl-drill/armed /run/hactl-drill/agent /run/hactl-drill/before 2>/dev/null
systemctl list-units --all --plain --no-legend 'hactl-drill*' 'hactl-heal*'
nft list tables 2>/dev/null | grep hactl_drill
for unit in nginx keepalived; do systemctl is-active --quiet $unit || echo $unit; done
ps -C nginx -o stat= | grep T
pgrep -f '[h]actl-overload'
ip link show eth0 | grep -o 'state DOWN'
:";
