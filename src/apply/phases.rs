//! The phases of a change before anything live changes, in order.

use super::change::Change;
use super::event::{Event, Step};
use super::fleet::each;
use super::outcome::{Failure, FailureCause};
use super::outside::Outside;
use super::session::Session;
use crate::agent::{Agent, AgentError, Fact, Reason, TestResult};
use crate::plan::NodePlan;

type Failed = std::result::Result<(), Failure>;

/// The phases of one change up to its first activation.
pub(super) struct Phases<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) change: Change<'a>,
}

impl Phases<'_> {
    /// The steps before anything live changes. Returns the view from outside before the change.
    pub(super) async fn until_validated(&self) -> std::result::Result<Outside, Failure> {
        let session = self.session;
        self.lock_all().await?;
        // From here on every node has each VIP in its neighbour cache, as clients on the link do, so that the nodes see
        // what the change does to these.
        let (validated, before) = tokio::join!(
            self.validated(),
            Outside::now(session.fleet, session.client, &session.vips)
        );
        validated.map(|()| before)
    }

    async fn validated(&self) -> Failed {
        self.on_each(Step::Prepare, |node, agent| self.prepare(node, agent))
            .await?;
        self.on_each(Step::Stage, |node, agent| self.stage(node, agent))
            .await?;
        self.on_each(Step::Validate, |node, agent| self.validate(node, agent))
            .await?;
        self.refuse_stop(Step::Validate)
    }

    /// Locks every node of the cluster, including those that do not change, so that no other process changes them.
    async fn lock_all(&self) -> Failed {
        let (session, tx) = (self.session, self.change.tx);
        let agents: Vec<&Agent> = session.fleet.agents().collect();
        session.emit(Event::StepStarted {
            step: Step::Lock,
            nodes: agents.len(),
        });
        let request = self.change.lock_request();
        // One by one, in an order that all processes share: of two that start at the same time, the one that locks the
        // first node locks them all. In parallel, each could block the other.
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
                Ok(_) => session.emit(Event::NodeDone {
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

    async fn prepare(&self, node: &NodePlan, agent: &Agent) -> Done {
        let wanted = node.tree.full_manifest();
        let packages = node.packages();
        let installed = agent.prepare(self.change.tx, &wanted, &packages).await?;
        Ok(installed_note(&packages, &installed))
    }

    async fn stage(&self, node: &NodePlan, agent: &Agent) -> Done {
        let Change { plan, tx, .. } = self.change;
        let mut tree = node.tree.clone();
        let options = self.change.options;
        let from = &options.provenance;
        let run = [
            (Fact::Confirm, options.confirm.word().to_owned()),
            (Fact::Tx, tx.to_owned()),
            (Fact::AppliedBy, from.by.clone()),
            (Fact::AppliedAt, from.at.clone()),
            (Fact::Inventory, from.inventory.clone()),
            (Fact::Commit, from.commit.clone()),
        ];
        tree.manifest.facts.extend(plan.record_of(node));
        tree.manifest.facts.extend(run);
        agent
            .stage(tx, &tree)
            .await
            .map(|()| None)
            .map_err(FailureCause::from)
    }

    async fn validate(&self, node: &NodePlan, agent: &Agent) -> Done {
        if node.ids.is_none() {
            // Generation 0 is what ran before hactl, whose files hactl does not judge.
            return Ok(None);
        }
        let tests = agent.validate_staged(self.change.tx).await?;
        self.session.emit(Event::Tested {
            node: node.node.clone(),
            tests: tests.clone(),
        });
        match tests.into_iter().find(|test| !test.verdict().is_passed()) {
            None => Ok(None),
            Some(TestResult { unit, output, .. }) => Err(FailureCause::Refused {
                node: node.node.clone(),
                unit,
                output,
            }),
        }
    }

    /// Runs one step on several nodes in parallel. All of them end before failures are evaluated.
    async fn on_each<'p, F>(
        &'p self,
        step: Step,
        work: impl Fn(&'p NodePlan, &'p Agent) -> F,
    ) -> Failed
    where
        F: Future<Output = Done>,
    {
        self.refuse_stop(step)?;
        let (session, plans) = (self.session, self.change.plans);
        session.emit(Event::StepStarted {
            step,
            nodes: plans.len(),
        });
        let pairs: Vec<(&'p NodePlan, &'p Agent)> = plans
            .iter()
            .filter_map(|plan| Some((*plan, session.fleet.get(&plan.node)?)))
            .collect();
        let results = each(pairs.iter().copied(), session.parallel, |(plan, agent)| {
            let work = work(plan, agent);
            async move {
                // Emitted as each node ends, so that the user sees which one is slow.
                let note = work.await?;
                let node = plan.node.clone();
                session.emit(Event::NodeDone { step, node, note });
                Ok(())
            }
        })
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
            self.session.emit(Event::Failed {
                step: failure.step,
                message: error.to_string(),
            });
        }
    }

    fn refuse_stop(&self, step: Step) -> Failed {
        if self.session.is_stopped() {
            self.session.emit(Event::Interrupted);
            return Err(Failure {
                step,
                errors: vec![FailureCause::Interrupted],
            });
        }
        Ok(())
    }
}

/// Removes the packages that were installed on nodes on which nothing live has changed. Staged files are removed with
/// the lock.
pub(super) async fn give_up_prepared(
    session: &Session<'_>,
    plans: &[&NodePlan],
    tx: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    let why = Reason::failed("it was given up before activation");
    for plan in plans.iter().filter(|plan| !plan.packages().is_empty()) {
        let Some(agent) = session.fleet.get(&plan.node) else {
            continue;
        };
        if let Err(error) = agent.revert(tx, &why).await {
            let message = error.to_string();
            problems.push(message.clone());
            session.emit(Event::RevertFailed {
                node: plan.node.clone(),
                message,
            });
        }
    }
    problems
}

/// Names the packages that were requested, and counts the rest.
fn installed_note(asked: &[&str], installed: &[String]) -> Option<String> {
    let (named, further): (Vec<&str>, Vec<&str>) = installed
        .iter()
        .map(String::as_str)
        .partition(|package| asked.contains(package));
    let further = match further.len() {
        0 => Vec::new(),
        1 => further,
        number if named.is_empty() => return Some(format!("installed {number} packages")),
        number => {
            return Some(format!(
                "installed {} and {number} dependencies",
                named.join(", ")
            ));
        }
    };
    let all = [named, further].concat();
    (!all.is_empty()).then(|| format!("installed {}", all.join(", ")))
}

/// The result of a step on one node, perhaps with a note for the user.
type Done = std::result::Result<Option<String>, FailureCause>;

impl From<AgentError> for FailureCause {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}
