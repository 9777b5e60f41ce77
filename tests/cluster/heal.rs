//! Every drill's fault heals by itself, with nobody there who asked for it: it is ordered over SSH, and
//! from then on no call is made. A new drill is covered by its row in the table.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hactl::agent::{Agent, FaultHits, FaultRequest};
use hactl::drill::{DRILLS, Drill, DrillSpec, Ends, Scope, Servers, Takeover};
use hactl::model::{InterfaceName, NodeName};
use hactl::remote::{Call, Host, Output, RemoteError};

use crate::cluster::{Cluster, VIP, machines};

/// Long enough to see that it was made.
const HELD: Duration = Duration::from_secs(4);
/// A machine boots meanwhile, or a daemon starts again.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn every_fault_heals_by_itself() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    let cluster = Arc::new(cluster);
    cluster.apply();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before: BTreeMap<String, String> = cluster
        .nodes()
        .into_iter()
        .map(|node| (node.clone(), ask(&cluster, &node, NETWORK).unwrap()))
        .collect();
    for spec in DRILLS {
        let started = Instant::now();
        let first = cluster.owner(VIP);
        for node in concerned(&cluster, spec) {
            // The next owner is only known once the one before it has lost the VIP.
            let node = node.unwrap_or_else(|| cluster.owner(VIP));
            runtime.block_on(order(&cluster, &node, spec));
            see_it_made(&cluster, spec, &node);
        }
        for (node, network) in &before {
            wait(&format!("{}: {node} to heal", spec.name), || {
                ask(&cluster, node, LEFT).map_or("it does not answer".to_owned(), |left| left)
            });
            // The kernel takes its time to find out that nobody else has a link-local address.
            wait(&format!("{}: {node}'s network", spec.name), || {
                let now = ask(&cluster, node, NETWORK).unwrap_or_default();
                if now == *network { String::new() } else { now }
            });
        }
        wait(
            &format!("{}: one owner that serves", spec.name),
            || match cluster.owners(VIP).as_slice() {
                [_] if serves(&cluster) => String::new(),
                owners => format!("{owners:?}"),
            },
        );
        // Whoever is preferred takes it back.
        wait(&format!("{}: the first owner", spec.name), || {
            let owners = cluster.owners(VIP);
            if owners == [first.as_str()] {
                String::new()
            } else {
                format!("{owners:?}")
            }
        });
        eprintln!("{}: {:.1} s", spec.name, started.elapsed().as_secs_f32());
    }
}

/// The nodes to which it is done, in order; `None` for whoever owns the VIP by then.
fn concerned(cluster: &Cluster, spec: &DrillSpec) -> Vec<Option<String>> {
    let nodes = cluster.nodes();
    match spec.scope {
        Scope::Owner => vec![None],
        Scope::EveryNode => nodes.into_iter().map(Some).collect(),
        Scope::EachOwnerInTurn { leave, .. } => vec![None; nodes.len() - leave],
    }
}

async fn order(cluster: &Arc<Cluster>, node: &str, spec: &DrillSpec) {
    let targets =
        ["192.168.1.10", "192.168.1.11", "192.168.1.12"].map(|host| (host.to_owned(), 8080));
    let count = match spec.servers {
        Servers::None => 0,
        Servers::One => 1,
        Servers::All => targets.len(),
    };
    let request = FaultRequest {
        id: format!("heal-{}", spec.name),
        name: spec.fault().to_owned(),
        hold: match spec.ends {
            Ends::ByOrder(_) => HELD,
            Ends::ByItself(patience) => patience,
        },
        hits: FaultHits {
            interface: Some(InterfaceName::new("eth0").unwrap()),
            vips: vec![VIP.parse().unwrap()],
            targets: targets[..count].to_vec(),
            percent: Some(Drill::PACKET_LOSS),
        },
    };
    let agent = Agent::new(Box::new(OverSsh {
        cluster: Arc::clone(cluster),
        node: NodeName::new(node).unwrap(),
    }));
    let state = agent.fault(&request).await.unwrap();
    assert_eq!(state.armed.unwrap().id, request.id);
}

/// A fault that was never made would heal, too.
fn see_it_made(cluster: &Cluster, spec: &DrillSpec, node: &str) {
    let what = format!("{} on {node} to be seen", spec.name);
    wait(&what, || {
        let seen = match spec.takeover {
            Takeover::Must => {
                let owners = cluster.owners(VIP);
                let mut others = owners.iter().filter(|owner| *owner != node);
                // The next step of a cascade needs one owner, and a split brain has two.
                others.next().is_some() && (spec.two_owners.is_some() || owners.len() == 1)
            }
            Takeover::MustNot => ask(cluster, node, "nft list table inet hactl_drill").is_some(),
        };
        if seen {
            String::new()
        } else {
            "nothing yet".to_owned()
        }
    });
}

/// Waits until `problem` has nothing to say.
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

/// What a shell in a node answers; `None` if it fails, or if the node is off.
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

/// Addresses and routes, but for the VIP's.
const NETWORK: &str = "for family in 4 6; do
    ip -o -$family addr show dev eth0 scope global | sed 's/^[0-9]*: //'
    ip -$family route show table all
done | grep -vF 10.0.0.100 | sort";

/// What is left of a drill, and what does not run.
const LEFT: &str =
    "ls -d /run/hactl-drill/armed /run/hactl-drill/agent /run/hactl-drill/before 2>/dev/null
systemctl list-units --all --plain --no-legend 'hactl-drill*' 'hactl-heal*'
nft list tables 2>/dev/null | grep hactl_drill
for unit in nginx keepalived; do systemctl is-active --quiet $unit || echo $unit; done
ps -C nginx -o stat= | grep T
ip link show eth0 | grep -o 'state DOWN'
:";

/// A call over the lab's SSH: one connection each, as short as it can be.
struct OverSsh {
    cluster: Arc<Cluster>,
    node: NodeName,
}

#[async_trait]
impl Host for OverSsh {
    fn node(&self) -> &NodeName {
        &self.node
    }

    async fn run(&self, call: Call<'_>) -> Result<Output, RemoteError> {
        let words = call.argv.iter();
        let words: Vec<String> = words
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        let command = format!("sudo -n -- {}", words.join(" "));
        let mut child = self
            .cluster
            .ssh(self.node.as_str(), &command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(call.stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        Ok(Output {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    async fn close(self: Box<Self>) {}
}
