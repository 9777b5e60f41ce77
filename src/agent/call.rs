//! Typed calls of the host's program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::adverts::{AdvertTest, AdvertTestRequest};
use super::answer::{Answer, TestResult};
use super::change::{Deadline, Journal};
use super::error::AgentError;
use super::fault::{FaultRequest, FaultState};
use super::manifest::Manifest;
use super::observation::Observation;
use super::observe::ObserveRequest;
use super::peer_key::PeerKey;
use super::protocol::{Reason, UnitAction};
use super::reach::{Announced, Reach, ReachQuestion};
use super::script::{BOOTSTRAP, READS, Tree, agent_script};
use super::switch::{Part, Switch};
use crate::model::{HostPath, NodeName, UnitId, harmless};
use crate::remote::{Call, Host, Program};

/// The program on one node, over one connection.
pub struct Agent {
    pub(super) host: Box<dyn Host>,
}

/// A request for a host's lock.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The change's id.
    pub tx: String,
    /// The holder, as `user@machine`.
    pub holder: String,
    /// The process, or `None` for a change pending confirmation.
    pub pid: Option<u32>,
    /// Identifies the process beyond its pid, so that a hactl on the same machine can tell whether
    /// it still runs.
    pub origin: String,
    /// The time after which the lock expires.
    pub duration: Duration,
}

/// What activation needs besides the staged tree.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// Hash by path of the files present when the plan was made. `None` for anything but a regular
    /// file.
    pub expected: BTreeMap<HostPath, Option<String>>,
    /// The action for each unit that the change concerns.
    pub actions: Vec<(UnitId, UnitAction)>,
    /// The host rolls the change back unless it is confirmed within this time.
    pub revert_after: Duration,
    /// Credentials for the other nodes of the change, or `None` if there are none.
    pub peer: Option<PeerCredentials>,
    /// Its part in a simultaneous change of all nodes.
    pub switch: Option<Switch>,
}

/// One node's credentials for the queries between nodes.
#[derive(Debug, Clone)]
pub struct PeerCredentials {
    /// The change's key.
    pub key: PeerKey,
    /// The node's own address, under which the peers query it.
    pub address: IpAddr,
}

/// Observing and staging take well under a second, installing packages can take minutes.
const SHORT: Duration = Duration::from_mins(1);
const LONG: Duration = Duration::from_mins(10);

impl Agent {
    pub fn new(host: Box<dyn Host>) -> Self {
        Self { host }
    }

    pub fn node(&self) -> &NodeName {
        self.host.node()
    }

    pub async fn close(self) {
        self.host.close().await;
    }

    /// Reads the host's facts, files, services and runtime state. Changes nothing there.
    pub async fn observe(&self, question: &ObserveRequest) -> Result<Observation, AgentError> {
        let answer = self
            .call(&["observe"], question.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.observation(self.node()))
    }

    /// How the VIPs look from that host, through the network. Changes nothing there, not even the
    /// kernel's neighbour table.
    pub async fn reach(&self, question: &ReachQuestion) -> Result<Reach, AgentError> {
        let answer = self
            .call(&["reach"], question.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.reach(self.node(), question))
    }

    /// Sends test packets of VRRP's protocol and listens for those of the peers, which are to do the same at the same
    /// time. Changes nothing there.
    pub async fn test_adverts(
        &self,
        request: &AdvertTestRequest,
    ) -> Result<AdvertTest, AgentError> {
        let words = request.arguments();
        let argv: Vec<&str> = std::iter::once("adverts")
            .chain(words.iter().map(String::as_str))
            .collect();
        let answer = self
            .call(&argv, b"", SHORT + request.duration + 2 * request.margin)
            .await?;
        Ok(AdvertTest {
            interval: request.interval,
            ..answer.advert_test()
        })
    }

    /// Announces those of `vips` that are on the host's interfaces: gratuitous ARP and unsolicited
    /// neighbour advertisements.
    pub async fn announce(&self, vips: &[IpAddr]) -> Result<Vec<Announced>, AgentError> {
        let mut stream = String::new();
        for vip in vips {
            let _ = writeln!(stream, "vip\t{vip}");
        }
        stream.push_str("end\n");
        let answer = self.call(&["announce"], stream.as_bytes(), SHORT).await?;
        Ok(answer.announced())
    }

    /// Runs the daemons' own tests of `tree` in separate namespaces. Changes nothing there.
    pub async fn validate(&self, tree: &Tree) -> Result<Vec<TestResult>, AgentError> {
        let answer = self.call(&["validate"], &tree.stream(), SHORT).await?;
        Ok(answer.tests())
    }

    /// Runs the same tests on the staged tree.
    pub async fn validate_staged(&self, tx: &str) -> Result<Vec<TestResult>, AgentError> {
        let answer = self.call(&["validate-staged", tx], b"", SHORT).await?;
        Ok(answer.tests())
    }

    /// Takes the host's lock. Returns the change that was interrupted there, if any.
    pub async fn lock(&self, request: &LockRequest) -> Result<Option<Journal>, AgentError> {
        let pid = request
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let seconds = request.duration.as_secs().to_string();
        let argv = [
            "lock",
            &request.tx,
            &request.holder,
            &pid,
            &seconds,
            &request.origin,
        ];
        let answer = self.call(&argv, b"", SHORT).await?;
        Ok(answer.journal())
    }

    /// Releases the lock if it is still ours.
    pub async fn unlock(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["unlock", tx], b"", SHORT).await.map(|_| ())
    }

    /// Breaks the lock of the change `tx` and discards what was prepared for it. While a change is
    /// in flight there, it refuses or, with `even_under_way`, removes only the lock.
    pub async fn break_lock(&self, tx: &str, even_under_way: bool) -> Result<(), AgentError> {
        let how = if even_under_way { "anyway" } else { "idle" };
        self.call(&["break-lock", tx, how], b"", LONG)
            .await
            .map(|_| ())
    }

    /// Records the host's original state for generation 0, and installs packages. Returns the newly
    /// installed ones.
    pub async fn prepare(
        &self,
        tx: &str,
        wanted: &Manifest,
        packages: &[&str],
    ) -> Result<Vec<String>, AgentError> {
        let mut stream = wanted.to_text();
        for package in packages {
            let _ = writeln!(stream, "package\t{package}");
        }
        stream.push_str("end\n");
        let answer = self.call(&["prepare", tx], stream.as_bytes(), LONG).await?;
        Ok(answer.packages())
    }

    /// Sends `tree` for a later activation. Nothing live changes.
    pub async fn stage(&self, tx: &str, tree: &Tree) -> Result<(), AgentError> {
        self.call(&["stage", tx], &tree.stream(), SHORT)
            .await
            .map(|_| ())
    }

    /// Arms the revert timer, installs the staged tree, reloads the daemons and verifies the
    /// result.
    pub async fn activate(&self, tx: &str, activation: &Activation) -> Result<(), AgentError> {
        let mut stream = String::new();
        for (path, hash) in &activation.expected {
            let _ = writeln!(stream, "expect\t{}\t{path}", hash.as_deref().unwrap_or("-"));
        }
        for (unit, action) in &activation.actions {
            let _ = writeln!(stream, "action\t{unit}\t{action}");
        }
        if let Some(PeerCredentials { key, address }) = &activation.peer {
            let _ = writeln!(stream, "peer\t{}\t{address}", key.digits());
        }
        if let Some(switch) = activation.switch {
            let part = match switch.part {
                Part::Keeper => "keeper",
                Part::Silent => "silent",
            };
            let _ = writeln!(stream, "switch\t{part}\t{}", switch.patience.as_secs());
        }
        stream.push_str("end\n");
        let seconds = activation.revert_after.as_secs().to_string();
        self.call(&["activate", tx, &seconds], stream.as_bytes(), LONG)
            .await
            .map(|_| ())
    }

    /// Makes the change the live generation, and disarms the timer.
    pub async fn confirm(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["confirm", tx], b"", SHORT).await.map(|_| ())
    }

    /// On the deciding node: all nodes have activated the change, so the operator may confirm it.
    /// Returns when the host rolls it back otherwise.
    pub async fn offer(&self, tx: &str) -> Result<Deadline, AgentError> {
        let answer = self.call(&["offer", tx], b"", SHORT).await?;
        Ok(answer.offered())
    }

    /// Closes the change for confirmation, unless it is already confirmed. Returns whether it is.
    pub async fn withdraw(&self, tx: &str) -> Result<bool, AgentError> {
        let answer = self.call(&["withdraw", tx], b"", SHORT).await?;
        Ok(answer.is_settled_new())
    }

    /// Records that the operator has been told how the change `tx` ended.
    pub async fn noted(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["noted", tx], b"", SHORT).await.map(|_| ())
    }

    /// Waits until keepalived has stopped there, in a simultaneous change.
    pub async fn ready(&self, tx: &str, patience: Duration) -> Result<(), AgentError> {
        let seconds = patience.as_secs().to_string();
        let answer = self.call(&["ready", tx, &seconds], b"", LONG).await;
        answer.map(|_| ())
    }

    /// Tells an activation that waits for its peers to proceed or to stop.
    pub async fn signal(&self, tx: &str, go: bool) -> Result<(), AgentError> {
        let word = if go { "go" } else { "stop" };
        self.call(&["signal", tx, word], b"", SHORT)
            .await
            .map(|_| ())
    }

    /// Silences a node again that was silent while the keeper changed, so that the keeper can be
    /// rolled back. Returns the node's part, or `None` if it has none.
    pub async fn hush(&self, tx: &str) -> Result<Option<Part>, AgentError> {
        Ok(self.call(&["hush", tx], b"", LONG).await?.part())
    }

    /// Rolls the change back. Every step is attempted, and the error's detail lists the failed
    /// ones.
    pub async fn revert(&self, tx: &str, why: &Reason) -> Result<(), AgentError> {
        let call = ["revert", tx, why.cause.into(), &why.words];
        self.call(&call, b"", LONG).await.map(|_| ())
    }

    /// Arms the undo of a fault and schedules the fault itself, which is injected 200 ms after this
    /// returns. From here on the host ends the fault on its own, whatever happens to hactl.
    pub async fn fault(&self, request: &FaultRequest) -> Result<FaultState, AgentError> {
        let hold = request.hold.as_millis().to_string();
        let argv = ["fault", &request.id, &request.name, &hold];
        let answer = self
            .call(&argv, request.hits.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.fault_state())
    }

    /// Ends the fault with this id now, unless it has ended. Returns the host's record of it once
    /// it is healed.
    pub async fn heal(&self, id: &str) -> Result<FaultState, AgentError> {
        let answer = self.call(&["heal", id], b"", SHORT).await?;
        Ok(answer.fault_state())
    }

    /// The armed fault there, and the host's record of the fault with this id.
    pub async fn fault_state(&self, id: &str) -> Result<FaultState, AgentError> {
        let answer = self.call(&["fault-state", id], b"", SHORT).await?;
        Ok(answer.fault_state())
    }

    /// The manifests of all generations on the host, and the number of the live one.
    pub async fn history(&self) -> Result<(Vec<Manifest>, Option<u64>), AgentError> {
        Ok(self.call(&["history"], b"", SHORT).await?.history())
    }

    /// One generation, with its files' contents.
    pub async fn generation(
        &self,
        number: u64,
    ) -> Result<(Manifest, BTreeMap<HostPath, Vec<u8>>), AgentError> {
        let number = number.to_string();
        let answer = self.call(&["generation", &number], b"", SHORT).await?;
        Ok(answer.generation())
    }

    pub(super) async fn call(
        &self,
        argv: &[&str],
        payload: &[u8],
        timeout: Duration,
    ) -> Result<Answer, AgentError> {
        let script = agent_script();
        let length = script.len().to_string();
        let label = argv.first().copied().unwrap_or_default();
        let call = Call {
            program: Program {
                argv: &["/bin/sh", "-c", BOOTSTRAP, "hactl-agent", &length, "serve"],
                text: script.as_bytes(),
                ready: READS,
            },
            arguments: argv.to_vec(),
            input: payload,
            label,
            timeout,
        };
        let output = self.host.call(call).await?;
        let stderr = harmless(&String::from_utf8_lossy(&output.stderr));
        if !stderr.is_empty() {
            tracing::trace!(node = %self.node(), label, %stderr, "remote program's standard error");
        }
        Answer::read(self.node(), label, &output.stdout, &stderr)
    }
}
