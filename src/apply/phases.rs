//! The phases of a change that change nothing live, in order.

use super::change::Change;
use super::event::{Event, Step};
use super::fleet::each;
use super::outcome::{Failure, FailureCause};
use super::outside::Outside;
use super::session::Session;
use crate::agent::{Agent, AgentError, Fact, Reason, TestResult};
use crate::plan::NodePlan;

type Failed = std::result::Result<(), Failure>;

/// The phases of one change until its first activation.
pub(super) struct Phases<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) change: Change<'a>,
}

impl Phases<'_> {
    /// The steps before anything live changes, and how the cluster is seen from outside until then.
    pub(super) async fn until_validated(&self) -> std::result::Result<Outside, Failure> {
        let session = self.session;
        self.lock_all().await?;
        // From here on every node knows the way to each VIP, as its users' hosts do: what a change does to
        // these is then seen on the nodes.
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

    /// Every node of the cluster is locked, also those that do not change, so that nobody else changes them.
    async fn lock_all(&self) -> Failed {
        let (session, tx) = (self.session, self.change.tx);
        let agents: Vec<&Agent> = session.fleet.agents().collect();
        session.emit(Event::StepStarted {
            step: Step::Lock,
            nodes: agents.len(),
        });
        let request = self.change.lock_request();
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
            // Generation 0 is what ran before hactl; what its files are worth is not hactl's to judge.
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

    /// One step on several nodes at a time; all of them end before its failures are judged.
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
                // Said as each ends, not when all have: who waits for a slow host sees which.
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

/// Nothing live changed there: packages that were installed for it go again. What is staged goes
/// with the lock.
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

/// Those that were asked for by name, the rest by number.
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
