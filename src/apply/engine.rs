//! The phases, in order, and the way back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::drive::Drive;
use super::event::{Event, Step};
use super::fleet::{Fleet, each};
use super::outcome::{ApplyOutcome, Failure, FailureCause, Result as ApplyResult};
use super::outside::Outside;
use crate::agent::{
    Agent, AgentError, Client, LockRequest, PeerDoor, PeerKey, PeerSide, Reason, TestResult,
    VipDoors,
};
use crate::health::Problem;
use crate::model::{HostPath, Node, NodeName};
use crate::plan::{Goal, NodePlan, Plan, Provenance};
use crate::remote::Connector;

/// Who confirms a change that is active and proven on all nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// hactl, at once.
    #[default]
    Auto,
    /// A person, while the hosts' timers run: `hactl confirm` or `hactl cancel`.
    Manual,
}

impl Confirmation {
    /// As a host keeps it.
    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Nodes worked on at a time in the steps that change nothing live.
    pub parallel: usize,
    /// Who confirms.
    pub confirm: Confirmation,
    /// Tells this process from any other one, for who runs on this machine.
    pub origin: String,
    /// A host undoes by itself what was not confirmed within this time.
    pub confirm_timeout: Duration,
    /// How much longer hosts may take to decide among themselves once their timers have ended.
    pub settle_time: Duration,
    /// How long the election may take.
    pub owner_patience: Duration,
    /// By which the nodes of this change know each other; none where nothing is activated.
    pub peer_key: Option<PeerKey>,
    /// The cluster's VIPs, and what their users may reach there.
    pub vips: Vec<VipDoors>,
    /// What the nodes ask each other for, to see that each can be reached.
    pub peer_ports: Vec<PeerDoor>,
    /// Programs of the user's that the nodes' scripts call.
    pub hooks: Vec<HostPath>,
    /// What was wrong before, which the change is not failed for.
    pub before: Vec<Problem>,
    /// Who applies what.
    pub provenance: Provenance,
    /// Set from outside, when the user wants to stop.
    pub stop: Arc<AtomicBool>,
}

/// Carries out one plan.
pub struct Engine<'a> {
    /// All nodes' agents.
    pub fleet: &'a Fleet,
    /// For the fresh connections of the confirmation.
    pub connector: &'a dyn Connector,
    /// Where the VIPs are looked at from besides the nodes.
    pub client: &'a dyn Client,
    /// The cluster's nodes.
    pub nodes: &'a [Node],
    /// How.
    pub options: ApplyOptions,
    /// Told of everything that happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

type Failed = std::result::Result<(), Failure>;

impl Engine<'_> {
    /// From the lock to the confirmation, or back.
    pub async fn run(&self, plan: &Plan, tx: &str) -> ApplyOutcome {
        let started = Instant::now();
        let outcome = |result| ApplyOutcome {
            result,
            tx: Some(tx.to_owned()),
            elapsed: started.elapsed(),
        };
        if plan.is_empty() {
            return outcome(ApplyResult::NothingToDo);
        }
        let plans: Vec<&NodePlan> = plan.changing().collect();
        let before = match self.until_validated(&plans, plan, tx).await {
            Ok(before) => before,
            Err(failure) => {
                let prepared: &[&NodePlan] = match failure.step {
                    Step::Lock => &[],
                    _ => &plans,
                };
                let problems = self.give_up_prepared(prepared, tx).await;
                self.unlock_all(tx).await;
                return outcome(if problems.is_empty() {
                    ApplyResult::Unchanged(failure)
                } else {
                    ApplyResult::Mixed { failure, problems }
                });
            }
        };
        let ended = Drive::new(self, plan, &plans, tx).run(&before).await;
        match &ended.result {
            // A change that waits keeps its locks.
            ApplyResult::Waiting { .. } => {}
            _ if ended.is_unsure => {
                self.unlock_but(plans.iter().map(|plan| &plan.node), tx)
                    .await;
            }
            _ => self.unlock_all(tx).await,
        }
        outcome(ended.result)
    }

    /// The steps before anything live changes, and how the cluster is seen from outside until then.
    async fn until_validated(
        &self,
        plans: &[&NodePlan],
        plan: &Plan,
        tx: &str,
    ) -> std::result::Result<Outside, Failure> {
        self.lock_all(tx).await?;
        // From here on every node knows the way to each VIP, as its users' hosts do: what a change does to
        // these is then seen on the nodes.
        let (validated, before) = tokio::join!(
            self.validated(plans, plan, tx),
            Outside::now(self.fleet, self.client, &self.options.vips)
        );
        validated.map(|()| before)
    }

    async fn validated(&self, plans: &[&NodePlan], plan: &Plan, tx: &str) -> Failed {
        self.on_each(Step::Prepare, plans, |node, agent| {
            self.prepare(node, agent, tx)
        })
        .await?;
        self.on_each(Step::Stage, plans, |node, agent| {
            self.stage(node, agent, plan, tx)
        })
        .await?;
        self.on_each(Step::Validate, plans, |node, agent| {
            self.validate(node, agent, tx)
        })
        .await?;
        self.refuse_stop(Step::Validate)
    }

    /// Every node of the cluster is locked, also those that will not change: nobody else shall.
    async fn lock_all(&self, tx: &str) -> Failed {
        let agents: Vec<&Agent> = self.fleet.agents().collect();
        self.say(Event::StepStarted {
            step: Step::Lock,
            nodes: agents.len(),
        });
        let request = self.lock_request(tx);
        // One after the other, in the same order as everybody: of two that begin at the same time, the
        // one that gets the first node gets them all. Taken at once, each could stop the other.
        let mut errors = Vec::new();
        for agent in agents {
            let node = agent.node().clone();
            match agent.lock(&request).await {
                Ok(Some(journal)) if journal.tx != tx => {
                    errors.push(FailureCause::Unfinished {
                        node,
                        tx: journal.tx,
                    });
                }
                Ok(_) => self.say(Event::NodeDone {
                    step: Step::Lock,
                    node,
                    note: None,
                }),
                Err(error) => {
                    errors.push(FailureCause::Agent(error));
                    break;
                }
            }
        }
        self.fail_with(Step::Lock, errors)
    }

    /// For as long as the change may take.
    pub(super) fn lock_request(&self, tx: &str) -> LockRequest {
        LockRequest {
            tx: tx.to_owned(),
            holder: self.options.provenance.by.clone(),
            pid: Some(std::process::id()),
            origin: self.options.origin.clone(),
            duration: self.options.confirm_timeout + Duration::from_mins(2),
        }
    }

    async fn prepare(&self, node: &NodePlan, agent: &Agent, tx: &str) -> Done {
        let wanted = node.tree.full_manifest();
        let installed = agent.prepare(tx, &wanted, &node.install).await?;
        Ok(installed_note(&node.install, &installed))
    }

    async fn stage(&self, node: &NodePlan, agent: &Agent, plan: &Plan, tx: &str) -> Done {
        let mut tree = node.tree.clone();
        let from = &self.options.provenance;
        let position = plan.changing().position(|other| other.node == node.node);
        let facts = [
            ("generation", plan.generation_to_come().to_string()),
            ("position", position.unwrap_or_default().to_string()),
            ("nodes", plan.changing().count().to_string()),
            ("confirm", self.options.confirm.word().to_owned()),
            ("tx", tx.to_owned()),
            ("applied_by", from.by.clone()),
            ("applied_at", from.at.clone()),
            ("inventory", from.inventory.clone()),
            ("commit", from.commit.clone()),
            ("peers", self.peers_of(node, plan)),
            ("previous", node.generation.unwrap_or(0).to_string()),
        ];
        for (key, value) in facts {
            tree.manifest.meta.insert(key.to_owned(), value);
        }
        if let Goal::Rollback { to } = plan.goal {
            tree.manifest
                .meta
                .insert("restores".to_owned(), to.to_string());
        }
        agent
            .stage(tx, &tree)
            .await
            .map(|()| None)
            .map_err(FailureCause::from)
    }

    /// The addresses of the other nodes that change, which `node` asks when it is left alone.
    fn peers_of(&self, node: &NodePlan, plan: &Plan) -> String {
        let changes = |name| plan.changing().any(|other| other.node == name);
        let others = self.nodes.iter().filter(|other| other.name != node.node);
        let addresses = others.filter(|other| changes(other.name.clone()));
        addresses
            .map(|other| other.address.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What `node` needs to ask the others, and to answer them.
    pub(super) fn peer_side(&self, node: &NodePlan, plan: &Plan) -> Option<PeerSide> {
        let own = self.nodes.iter().find(|own| own.name == node.node)?;
        let key = self.options.peer_key.clone()?;
        (!self.peers_of(node, plan).is_empty()).then_some(PeerSide {
            key,
            address: own.address,
        })
    }

    async fn validate(&self, node: &NodePlan, agent: &Agent, tx: &str) -> Done {
        if node.ids.is_none() {
            // Generation 0 is what ran before hactl; what its files are worth is not hactl's to judge.
            return Ok(None);
        }
        let tests = agent.validate_staged(tx).await?;
        self.say(Event::Tested {
            node: node.node.clone(),
            tests: tests.clone(),
        });
        match tests.into_iter().find(|test| !test.verdict().is_passed()) {
            None => Ok(None),
            Some(TestResult {
                program, output, ..
            }) => Err(FailureCause::Refused {
                node: node.node.clone(),
                program,
                output,
            }),
        }
    }

    /// Nothing live changed there: packages that were installed for it go again. What is staged goes
    /// with the lock.
    pub(super) async fn give_up_prepared(&self, plans: &[&NodePlan], tx: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let why = Reason::failed("it was given up before activation");
        for plan in plans.iter().filter(|plan| !plan.install.is_empty()) {
            let Some(agent) = self.fleet.get(&plan.node) else {
                continue;
            };
            if let Err(error) = agent.revert(tx, &why).await {
                let message = error.to_string();
                problems.push(message.clone());
                self.say(Event::RevertFailed {
                    node: plan.node.clone(),
                    message,
                });
            }
        }
        problems
    }

    pub(super) async fn unlock_all(&self, tx: &str) {
        self.unlock(self.fleet.agents(), tx).await;
    }

    /// All but the nodes of a change that may end differently for all that is known: with its lock, a
    /// confirmed node would give up what lets it answer another one that has to ask yet. Their own timers
    /// give those locks back.
    pub(super) async fn unlock_but(&self, kept: impl Iterator<Item = &NodeName>, tx: &str) {
        let kept: BTreeSet<&NodeName> = kept.collect();
        let others = self.fleet.agents();
        self.unlock(others.filter(|agent| !kept.contains(agent.node())), tx)
            .await;
    }

    async fn unlock<'f>(&self, agents: impl Iterator<Item = &'f Agent>, tx: &str) {
        let results = each(agents, self.options.parallel, |agent| agent.unlock(tx)).await;
        for error in results.into_iter().filter_map(Result::err) {
            self.say(Event::LockNotReleased {
                node: error.node().clone(),
                message: error.to_string(),
            });
        }
    }

    /// One step on several nodes at a time; all of them end before its failures are judged.
    async fn on_each<'p, F>(
        &'p self,
        step: Step,
        plans: &[&'p NodePlan],
        work: impl Fn(&'p NodePlan, &'p Agent) -> F,
    ) -> Failed
    where
        F: Future<Output = Done>,
    {
        self.refuse_stop(step)?;
        self.say(Event::StepStarted {
            step,
            nodes: plans.len(),
        });
        let pairs: Vec<(&'p NodePlan, &'p Agent)> = plans
            .iter()
            .filter_map(|plan| Some((*plan, self.fleet.get(&plan.node)?)))
            .collect();
        let results = each(
            pairs.iter().copied(),
            self.options.parallel,
            |(plan, agent)| {
                let work = work(plan, agent);
                async move {
                    // Said as each ends, not when all have: who waits for a slow host sees which.
                    let note = work.await?;
                    let node = plan.node.clone();
                    self.say(Event::NodeDone { step, node, note });
                    Ok(())
                }
            },
        )
        .await;
        let errors = results.into_iter().filter_map(Result::err).collect();
        self.fail_with(step, errors)
    }

    pub(super) fn fail_with(&self, step: Step, errors: Vec<FailureCause>) -> Failed {
        if errors.is_empty() {
            return Ok(());
        }
        let failure = Failure { step, errors };
        self.say_failure(&failure);
        Err(failure)
    }

    pub(super) fn say_failure(&self, failure: &Failure) {
        for error in &failure.errors {
            self.say(Event::Failed {
                step: failure.step,
                message: error.to_string(),
            });
        }
    }

    fn refuse_stop(&self, step: Step) -> Failed {
        if self.options.stop.load(Ordering::Relaxed) {
            self.say(Event::Interrupted);
            return Err(Failure {
                step,
                errors: vec![FailureCause::Interrupted],
            });
        }
        Ok(())
    }

    pub(super) fn say(&self, event: Event) {
        (self.tell)(event);
    }
}

/// Those that were asked for by name, the rest by number.
fn installed_note(asked: &[String], installed: &[String]) -> Option<String> {
    let (named, further): (Vec<&str>, Vec<&str>) = installed
        .iter()
        .map(String::as_str)
        .partition(|package| asked.iter().any(|name| name == package));
    let further = match further.len() {
        0 => Vec::new(),
        1 => further,
        number if named.is_empty() => return Some(format!("installed {number} packages")),
        number => {
            return Some(format!(
                "installed {} and {number} that they need",
                named.join(", ")
            ));
        }
    };
    let all = [named, further].concat();
    (!all.is_empty()).then(|| format!("installed {}", all.join(", ")))
}

/// What one node's part of a step ends in: perhaps a note for the user.
type Done = std::result::Result<Option<String>, FailureCause>;

impl From<AgentError> for FailureCause {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}
