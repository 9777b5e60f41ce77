//! The phases, in order, and the way back.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::event::{Event, Step};
use super::fleet::{Fleet, each};
use super::outcome::{ApplyOutcome, Failure, FailureCause, Result as ApplyResult};
use super::prove::one_owner_each;
use crate::agent::{
    Activation, Agent, AgentError, LiveFile, LockRequest, Question, TestResult, sha256_hex,
};
use crate::model::{Node, NodeName};
use crate::plan::{Goal, NodePlan, Plan, Provenance, Strategy, UnitAction};
use crate::remote::Connector;

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Nodes worked on at a time in the steps that change nothing live.
    pub parallel: usize,
    /// Stop after validation.
    pub check_only: bool,
    /// A host undoes by itself what was not confirmed within this time.
    pub confirm_timeout: Duration,
    /// How long the election may take.
    pub owner_patience: Duration,
    /// The cluster's VIPs.
    pub vips: Vec<IpAddr>,
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
            tx: tx.to_owned(),
            elapsed: started.elapsed(),
        };
        if plan.is_empty() {
            return outcome(ApplyResult::NothingToDo);
        }
        let plans: Vec<&NodePlan> = plan.changing().collect();
        if let Err(failure) = self.until_validated(&plans, plan, tx).await {
            self.give_up_staged(&plans, tx).await;
            return outcome(ApplyResult::Unchanged(failure));
        }
        if self.options.check_only {
            self.give_up_staged(&plans, tx).await;
            return outcome(ApplyResult::Checked);
        }
        let mut touched = Vec::new();
        if let Err(failure) = self.activate_all(plan, &plans, tx, &mut touched).await {
            let result = self.roll_back(failure, &touched, &plans, tx).await;
            self.unlock_all(tx).await;
            return outcome(result);
        }
        let result = self.confirm_all(plan, &plans, tx).await;
        self.unlock_all(tx).await;
        outcome(result)
    }

    /// The steps before anything live changes.
    async fn until_validated(&self, plans: &[&NodePlan], plan: &Plan, tx: &str) -> Failed {
        self.lock_all(tx).await?;
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
        let request = LockRequest {
            tx: tx.to_owned(),
            holder: self.options.provenance.by.clone(),
            pid: std::process::id(),
            duration: self.options.confirm_timeout + Duration::from_mins(2),
        };
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

    async fn prepare(&self, node: &NodePlan, agent: &Agent, tx: &str) -> Done {
        let wanted = node.tree.full_manifest();
        let install: &[String] = if self.options.check_only {
            &[]
        } else {
            &node.install
        };
        let installed = agent.prepare(tx, &wanted, install).await?;
        Ok(installed_note(&node.install, &installed))
    }

    async fn stage(&self, node: &NodePlan, agent: &Agent, plan: &Plan, tx: &str) -> Done {
        let mut tree = node.tree.clone();
        let from = &self.options.provenance;
        let number = match plan.goal {
            Goal::Rollback { to: 0 } => 0,
            _ => plan.next_generation,
        };
        let facts = [
            ("generation", number.to_string()),
            ("tx", tx.to_owned()),
            ("applied_by", from.by.clone()),
            ("applied_at", from.at.clone()),
            ("inventory", from.inventory.clone()),
            ("commit", from.commit.clone()),
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
        match tests.into_iter().find(|test| test.code != 0) {
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

    /// Node by node, or all at once where the plan says that they must not disagree meanwhile.
    async fn activate_all(
        &self,
        plan: &Plan,
        plans: &[&NodePlan],
        tx: &str,
        touched: &mut Vec<NodeName>,
    ) -> Failed {
        let batches: Vec<Vec<&NodePlan>> = match plan.strategy {
            Strategy::Rolling => plans.iter().map(|node| vec![*node]).collect(),
            Strategy::AtOnce { .. } => vec![plans.to_vec()],
        };
        self.say(Event::StepStarted {
            step: Step::Activate,
            nodes: plans.len(),
        });
        for batch in batches {
            self.refuse_stop(Step::Activate)?;
            touched.extend(batch.iter().map(|node| node.node.clone()));
            for node in &batch {
                self.say(Event::Activating {
                    node: node.node.clone(),
                    holds: node.holds.clone(),
                });
            }
            let results = each(batch.iter(), usize::MAX, |node| self.activate(node, tx)).await;
            let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
            self.fail_with(Step::Activate, errors)?;
            for node in &batch {
                let (step, node) = (Step::Activate, node.node.clone());
                self.say(Event::NodeDone {
                    step,
                    node,
                    note: None,
                });
            }
            let concerns_vrrp = |node: &&&NodePlan| {
                node.keepalived != UnitAction::None || node.nginx != UnitAction::None
            };
            let goes_back = matches!(plan.goal, Goal::Rollback { to: 0 });
            if !goes_back && batch.iter().any(|node| concerns_vrrp(&node)) {
                self.prove_owners().await?;
            }
        }
        self.refuse_stop(Step::Activate)
    }

    async fn activate(&self, node: &NodePlan, tx: &str) -> std::result::Result<(), FailureCause> {
        let Some(agent) = self.fleet.get(&node.node) else {
            return Ok(());
        };
        // A package that was just installed has brought files of its own.
        let expected = if node.install.is_empty() {
            node.expected.clone()
        } else {
            [].into()
        };
        let activation = Activation {
            expected,
            nginx: node.nginx.word(),
            keepalived: node.keepalived.word(),
            revert_after: self.options.confirm_timeout,
        };
        Ok(agent.activate(tx, &activation).await?)
    }

    async fn prove_owners(&self) -> Failed {
        match one_owner_each(self.fleet, &self.options.vips, self.options.owner_patience).await {
            Ok(owners) => {
                self.say(Event::OwnersSeen { owners });
                Ok(())
            }
            Err(seen) => self.fail_with(Step::Prove, vec![FailureCause::Owners { seen }]),
        }
    }

    /// Over fresh connections: a change that cuts new ones off must not be confirmed by old ones.
    async fn confirm_all(&self, plan: &Plan, plans: &[&NodePlan], tx: &str) -> ApplyResult {
        self.say(Event::StepStarted {
            step: Step::Confirm,
            nodes: plans.len(),
        });
        let wanted: Vec<&Node> = self
            .nodes
            .iter()
            .filter(|node| plans.iter().any(|plan| plan.node == node.name))
            .collect();
        let (fresh, unreachable) =
            Fleet::connect(self.connector, &wanted, self.options.parallel).await;
        if !unreachable.is_empty() {
            let errors = unreachable.into_iter().map(FailureCause::Agent).collect();
            let failure = Failure {
                step: Step::Confirm,
                errors,
            };
            self.say_failure(&failure);
            let touched: Vec<NodeName> = plans.iter().map(|node| node.node.clone()).collect();
            let result = self.roll_back(failure, &touched, plans, tx).await;
            fresh.close().await;
            return result;
        }
        let mut errors = Vec::new();
        for agent in fresh.agents() {
            match confirm_with_patience(agent, tx).await {
                Ok(()) => {
                    let (step, node) = (Step::Confirm, agent.node().clone());
                    self.say(Event::NodeDone {
                        step,
                        node,
                        note: None,
                    });
                }
                Err(error) => errors.push(error),
            }
        }
        fresh.close().await;
        if errors.is_empty() {
            let generation = match plan.goal {
                Goal::Rollback { to: 0 } => 0,
                _ => plan.next_generation,
            };
            return ApplyResult::Applied { generation };
        }
        let problems = errors
            .iter()
            .map(|error| {
                format!(
                    "{} is not confirmed and will undo the change by itself",
                    error.node()
                )
            })
            .collect();
        let errors = errors.into_iter().map(FailureCause::Agent).collect();
        ApplyResult::Mixed {
            failure: Failure {
                step: Step::Confirm,
                errors,
            },
            problems,
        }
    }

    /// In reverse, every node attempted, whatever became of the others; then the result is looked at.
    async fn roll_back(
        &self,
        failure: Failure,
        touched: &[NodeName],
        plans: &[&NodePlan],
        tx: &str,
    ) -> ApplyResult {
        let mut problems = Vec::new();
        for name in touched.iter().rev() {
            let Some(agent) = self.fleet.get(name) else {
                continue;
            };
            self.say(Event::Reverting { node: name.clone() });
            let why = format!("the {} step failed", failure.step.name());
            match agent.revert(tx, &why).await {
                Ok(()) => self.say(Event::Reverted { node: name.clone() }),
                Err(error) => {
                    let message = error.to_string();
                    problems.push(
                        format!("{message}\n{}", error.detail())
                            .trim_end()
                            .to_owned(),
                    );
                    self.say(Event::RevertFailed {
                        node: name.clone(),
                        message,
                    });
                }
            }
        }
        for plan in plans.iter().filter(|plan| !touched.contains(&plan.node)) {
            self.give_up_staged(&[plan], tx).await;
        }
        for plan in plans {
            problems.extend(self.differences(plan).await);
        }
        if problems.is_empty() {
            ApplyResult::RolledBack(failure)
        } else {
            ApplyResult::Mixed { failure, problems }
        }
    }

    /// What on a node is not as it was when the plan was made.
    async fn differences(&self, plan: &NodePlan) -> Vec<String> {
        let Some(agent) = self.fleet.get(&plan.node) else {
            return Vec::new();
        };
        let question = Question {
            paths: plan.expected.keys().cloned().collect(),
            ..Question::default()
        };
        let seen = match agent.observe(&question).await {
            Ok(seen) => seen,
            Err(error) => return vec![format!("cannot see how {} is now: {error}", plan.node)],
        };
        let mut found = Vec::new();
        for (path, expected) in &plan.expected {
            let now = seen
                .files
                .get(path)
                .and_then(LiveFile::content)
                .map(sha256_hex);
            if now != *expected {
                found.push(format!("{}: {path} is not as it was", plan.node));
            }
        }
        if seen.journal.is_some() {
            found.push(format!("{}: the change is still in its journal", plan.node));
        }
        found
    }

    /// Nothing live changed: what was staged or installed for it goes again.
    async fn give_up_staged(&self, plans: &[&NodePlan], tx: &str) {
        for plan in plans {
            if let Some(agent) = self.fleet.get(&plan.node)
                && !plan.install.is_empty()
                && let Err(error) = agent.revert(tx, "it was given up before activation").await
            {
                let message = error.to_string();
                self.say(Event::RevertFailed {
                    node: plan.node.clone(),
                    message,
                });
            }
        }
        self.unlock_all(tx).await;
    }

    async fn unlock_all(&self, tx: &str) {
        let results = each(self.fleet.agents(), self.options.parallel, |agent| {
            agent.unlock(tx)
        })
        .await;
        for error in results.into_iter().filter_map(Result::err) {
            // A lock that cannot be given back now frees itself when its time is over.
            tracing::warn!(node = %error.node(), %error, "failed to give the lock back");
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

    fn fail_with(&self, step: Step, errors: Vec<FailureCause>) -> Failed {
        if errors.is_empty() {
            return Ok(());
        }
        let failure = Failure { step, errors };
        self.say_failure(&failure);
        Err(failure)
    }

    fn say_failure(&self, failure: &Failure) {
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

    fn say(&self, event: Event) {
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

/// A confirmation that is lost on the way must not leave a node behind: it is asked again.
async fn confirm_with_patience(agent: &Agent, tx: &str) -> std::result::Result<(), AgentError> {
    let mut last = agent.confirm(tx).await;
    for _ in 0..2 {
        if last.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        last = agent.confirm(tx).await;
    }
    last
}
