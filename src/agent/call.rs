//! The calls that the host's program knows, typed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::answer::{Answer, TestResult};
use super::change::{Deadline, Journal};
use super::error::AgentError;
use super::fault::{FaultRequest, FaultState};
use super::manifest::Manifest;
use super::observation::Observation;
use super::observe::Question;
use super::peer_key::PeerKey;
use super::protocol::{Reason, UnitAction};
use super::reach::{Announced, Reach, ReachQuestion};
use super::script::{BOOTSTRAP, READS, Tree, agent_script};
use super::switch::{Part, Switch};
use crate::model::{HostPath, NodeName, UnitId, harmless};
use crate::remote::{Call, Host};

/// One node's program, over one connection.
pub struct Agent {
    pub(super) host: Box<dyn Host>,
}

/// Who asks for a lock, and for how long.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The change's id.
    pub tx: String,
    /// `user@machine`.
    pub holder: String,
    /// The process; none for a change that waits for its confirmation.
    pub pid: Option<u32>,
    /// Tells that process from any other one, for who runs where it ran.
    pub origin: String,
    /// After this long it is nobody's.
    pub duration: Duration,
}

/// What activation needs beside the staged tree.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// Hash by path of what lay there when the plan was made; `None` for no regular file.
    pub expected: BTreeMap<HostPath, Option<String>>,
    /// What happens to the services that are concerned.
    pub actions: Vec<(UnitId, UnitAction)>,
    /// After this long without a confirmation the host undoes it.
    pub revert_after: Duration,
    /// How the node and the change's other nodes know each other; `None` where it is the only one.
    pub peer: Option<PeerSide>,
    /// Its part where all nodes change at once.
    pub switch: Option<Switch>,
}

/// One node's side of the questions that nodes ask each other.
#[derive(Debug, Clone)]
pub struct PeerSide {
    /// The change's key.
    pub key: PeerKey,
    /// The node's own address, as the others ask for it.
    pub address: IpAddr,
}

/// Observing and staging take well under a second; a package installation minutes.
const SHORT: Duration = Duration::from_mins(1);
const LONG: Duration = Duration::from_mins(10);

impl Agent {
    /// The program over `host`.
    pub fn new(host: Box<dyn Host>) -> Self {
        Self { host }
    }

    /// Whose it is.
    pub fn node(&self) -> &NodeName {
        self.host.node()
    }

    /// Ends the connection.
    pub async fn close(self) {
        self.host.close().await;
    }

    /// What the host is, was given and runs. Changes nothing there.
    pub async fn observe(&self, question: &Question) -> Result<Observation, AgentError> {
        let answer = self
            .call(&["observe"], question.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.observation(self.node()))
    }

    /// How the VIPs look from there, through the network. Changes nothing there, nor what the host's kernel
    /// has learned.
    pub async fn reach(&self, question: &ReachQuestion) -> Result<Reach, AgentError> {
        let answer = self
            .call(&["reach"], question.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.reach(self.node(), question))
    }

    /// Has the host announce to its neighbours those of `vips` that are on its interfaces: gratuitous ARP, and
    /// unsolicited neighbour advertisements.
    pub async fn announce(&self, vips: &[IpAddr]) -> Result<Vec<Announced>, AgentError> {
        let mut stream = String::new();
        for vip in vips {
            let _ = writeln!(stream, "vip\t{vip}");
        }
        stream.push_str("end\n");
        let answer = self.call(&["announce"], stream.as_bytes(), SHORT).await?;
        Ok(answer.announced())
    }

    /// The daemons' own tests of `tree`, in namespaces of their own. Changes nothing there.
    pub async fn validate(&self, tree: &Tree) -> Result<Vec<TestResult>, AgentError> {
        let answer = self.call(&["validate"], &tree.stream(), SHORT).await?;
        Ok(answer.tests())
    }

    /// The same for what was staged.
    pub async fn validate_staged(&self, tx: &str) -> Result<Vec<TestResult>, AgentError> {
        let answer = self.call(&["validate-staged", tx], b"", SHORT).await?;
        Ok(answer.tests())
    }

    /// Takes the host's lock; a change that was interrupted there is answered.
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

    /// Gives the lock back, if it is still ours.
    pub async fn unlock(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["unlock", tx], b"", SHORT).await.map(|_| ())
    }

    /// Takes away the lock that the change `tx` has. What was prepared for it goes, too. While a change is
    /// under way there it is refused, or, if that is what is wanted, only the lock goes.
    pub async fn break_lock(&self, tx: &str, even_under_way: bool) -> Result<(), AgentError> {
        let how = if even_under_way { "anyway" } else { "idle" };
        self.call(&["break-lock", tx, how], b"", LONG)
            .await
            .map(|_| ())
    }

    /// Records the host as it is, for generation 0, and installs packages. Returns those that are new.
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

    /// Sends `tree` and keeps it there for activation. Nothing live changes.
    pub async fn stage(&self, tx: &str, tree: &Tree) -> Result<(), AgentError> {
        self.call(&["stage", tx], &tree.stream(), SHORT)
            .await
            .map(|_| ())
    }

    /// Arms the revert timer, puts the staged tree in place, brings the daemons to it and proves it.
    pub async fn activate(&self, tx: &str, activation: &Activation) -> Result<(), AgentError> {
        let mut stream = String::new();
        for (path, hash) in &activation.expected {
            let _ = writeln!(stream, "expect\t{}\t{path}", hash.as_deref().unwrap_or("-"));
        }
        for (unit, action) in &activation.actions {
            let _ = writeln!(stream, "action\t{unit}\t{action}");
        }
        if let Some(PeerSide { key, address }) = &activation.peer {
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

    /// Makes the change the live generation and disarms the timer.
    pub async fn confirm(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["confirm", tx], b"", SHORT).await.map(|_| ())
    }

    /// On the node that decides: all nodes have the change, so that the operator may confirm it. Answers when
    /// the host undoes it otherwise.
    pub async fn offer(&self, tx: &str) -> Result<Deadline, AgentError> {
        let answer = self.call(&["offer", tx], b"", SHORT).await?;
        Ok(answer.offered())
    }

    /// From now on the change can't be confirmed there, unless it is already: answers whether it is.
    pub async fn withdraw(&self, tx: &str) -> Result<bool, AgentError> {
        let answer = self.call(&["withdraw", tx], b"", SHORT).await?;
        Ok(answer.is_settled_new())
    }

    /// Its user was told how the change `tx` ended.
    pub async fn noted(&self, tx: &str) -> Result<(), AgentError> {
        self.call(&["noted", tx], b"", SHORT).await.map(|_| ())
    }

    /// Answered once keepalived is stopped there, for a change that all nodes make at once.
    pub async fn ready(&self, tx: &str, patience: Duration) -> Result<(), AgentError> {
        let seconds = patience.as_secs().to_string();
        let answer = self.call(&["ready", tx, &seconds], b"", LONG).await;
        answer.map(|_| ())
    }

    /// Tells an activation that waits for the other nodes to go on, or that it is off.
    pub async fn signal(&self, tx: &str, go: bool) -> Result<(), AgentError> {
        let word = if go { "go" } else { "stop" };
        self.call(&["signal", tx, word], b"", SHORT)
            .await
            .map(|_| ())
    }

    /// Makes a node silent that was silent while the keeper changed, since that is to go back. Answers the
    /// node's part; `None` where it has none.
    pub async fn hush(&self, tx: &str) -> Result<Option<Part>, AgentError> {
        Ok(self.call(&["hush", tx], b"", LONG).await?.part())
    }

    /// Undoes the change. Every step is tried; what failed is in the error's detail.
    pub async fn revert(&self, tx: &str, why: &Reason) -> Result<(), AgentError> {
        let call = ["revert", tx, why.cause.into(), &why.words];
        self.call(&call, b"", LONG).await.map(|_| ())
    }

    /// Arms the undo of a fault and orders the fault, which is made a fifth of a second after this has
    /// been answered. From here on the host ends it on its own, whatever becomes of us.
    pub async fn fault(&self, request: &FaultRequest) -> Result<FaultState, AgentError> {
        let hold = request.hold.as_millis().to_string();
        let argv = ["fault", &request.id, &request.name, &hold];
        let answer = self
            .call(&argv, request.hits.stream().as_bytes(), SHORT)
            .await?;
        Ok(answer.fault_state())
    }

    /// Ends the fault of this id now, unless it has ended; answers what the host recorded of it, once it
    /// is healed.
    pub async fn heal(&self, id: &str) -> Result<FaultState, AgentError> {
        let answer = self.call(&["heal", id], b"", SHORT).await?;
        Ok(answer.fault_state())
    }

    /// What is armed there, and what the host recorded of the fault of this id.
    pub async fn fault_state(&self, id: &str) -> Result<FaultState, AgentError> {
        let answer = self.call(&["fault-state", id], b"", SHORT).await?;
        Ok(answer.fault_state())
    }

    /// The manifests of all generations on the host, and the live one's number.
    pub async fn history(&self) -> Result<(Vec<Manifest>, Option<u64>), AgentError> {
        Ok(self.call(&["history"], b"", SHORT).await?.history())
    }

    /// One generation with the contents of its files.
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
        let mut words = vec!["/bin/sh", "-c", BOOTSTRAP, "hactl-agent", &length];
        words.extend(argv);
        let mut stdin = script.into_bytes();
        stdin.extend_from_slice(payload);
        let label = argv.first().copied().unwrap_or_default();
        let call = Call {
            argv: words,
            stdin: &stdin,
            ready: READS,
            label,
            timeout,
        };
        let output = self.host.run(call).await?;
        let stderr = harmless(&String::from_utf8_lossy(&output.stderr));
        if !stderr.is_empty() {
            tracing::trace!(node = %self.node(), label, %stderr, "remote program's standard error");
        }
        Answer::read(self.node(), label, &output.stdout, &stderr)
    }
}
