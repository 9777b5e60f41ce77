//! The course of a change, which apply and rollback share: look, find what has to be recovered, plan, ask,
//! recover, plan again, carry out.

use std::time::{Duration, Instant};

use super::context::{Context, Loaded};
use super::error::OpsError;
use super::fingerprint::{Basis, is_same};
use super::fitness::refuse_masked;
use super::forgotten::refuse_running;
use super::holder::own_origin;
use super::membership::refuse_missing;
use super::notice::{Notice, note_all};
use super::plan::{Planned, test_files};
use super::plan_file::PlanFile;
use super::recovery::{self, Recoverer, Recovery, require_no_pending_change};
use super::survey::{Survey, fit_profile, owner_patience, peer_ports};
use super::unreachable::survey_for;
use crate::agent::{AgentError, Observation, PeerKey, ThisMachine};
use crate::apply::{
    ApplyOptions, ApplyOutcome, ApplyResult, Confirmation, Engine, Event, Failure, FailureCause,
    Fleet, Step,
};
use crate::check::Finding;
use crate::health::{self, Problem};
use crate::inventory::Source;
use crate::model::NodeName;
use crate::plan::{Loss, Plan, Provenance};

/// What is asked for.
pub struct ApplyRequest<'a> {
    /// Stop after validation, and write nothing on any host.
    pub check_only: bool,
    /// Who confirms.
    pub confirm: Confirmation,
    /// Time after which hosts roll back an unconfirmed change.
    pub confirm_timeout: Duration,
    /// A plan that was saved: hosts that have moved on since are refused.
    pub plan_file: Option<PlanFile>,
    /// Shown what would be done before anything is done.
    pub agree: &'a (dyn Fn(&Proposal) -> Consent + Sync),
    /// Told of everything that happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// What would be done, for the user to agree to.
pub struct Proposal<'a> {
    /// What has to be ended first.
    pub recovery: &'a Recovery,
    /// The plan; where there is something to recover, for the hosts as they will be then.
    pub plan: &'a Plan,
    /// What the hosts tell of earlier changes.
    pub notices: &'a [Notice],
    /// What keeps nodes that hactl has set up from serving or taking over now.
    pub problems: &'a [Problem],
    /// What the hosts' versions make of the inventory.
    pub findings: &'a [Finding],
    /// For the findings' places.
    pub source: &'a Source,
    /// It differs from what was agreed to before the recovery.
    pub is_revised: bool,
}

impl Proposal<'_> {
    fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.recovery.is_empty()
    }
}

/// What the user says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// It may be carried out.
    Given,
    /// It may not.
    Declined,
    /// These may not stop being served, since nobody named them and nobody can be asked.
    Unnamed(Vec<Loss>),
}

/// What was done.
pub struct ApplyReport {
    /// The plan.
    pub plan: Plan,
    /// What had to be recovered first.
    pub recovery: Recovery,
    /// True once it was.
    pub is_recovered: bool,
    /// What the hosts tell of earlier changes.
    pub notices: Vec<Notice>,
    /// What kept nodes that hactl has set up from serving or taking over before.
    pub problems: Vec<Problem>,
    /// What the hosts' versions make of the inventory.
    pub findings: Vec<Finding>,
    /// The nodes that `--limit` leaves out and that differ from the inventory, too.
    pub behind: Vec<NodeName>,
    /// How it ended; `None` when the user did not agree.
    pub outcome: Option<ApplyOutcome>,
}

/// Makes the plan of a verb for hosts that were seen.
pub(super) trait Planner {
    /// The plan for hosts that are as `seen` says, which the survey's may not be yet. Asks hosts only for
    /// what they keep of the past.
    fn plan(
        &self,
        loaded: &Loaded,
        survey: &Survey,
        seen: &[Observation],
    ) -> impl Future<Output = Result<Planned, OpsError>>;
}

/// One change from the first look to its end.
pub(super) async fn change(
    context: &Context,
    loaded: &mut Loaded,
    planner: impl Planner,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let mut survey = survey_for(context, loaded, &planner).await?;
    let mut fits = refuse_missing(loaded, &survey.missing, &context.forget)
        .and_then(|()| refuse_masked(&survey.seen))
        .and_then(|()| fit_profile(loaded, &survey.all()));
    if fits.is_ok() {
        fits = refuse_running(loaded, &survey, &context.forget).await;
    }
    if let Err(error) = fits {
        survey.fleet.close().await;
        return Err(error);
    }
    let course = Course {
        context,
        loaded,
        planner,
        request,
    };
    let report = course.run(&mut survey).await;
    survey.fleet.close().await;
    report
}

struct Course<'a, P> {
    context: &'a Context,
    loaded: &'a Loaded,
    planner: P,
    request: ApplyRequest<'a>,
}

/// Peers ask each other for half a minute, and going back takes seconds.
const SETTLE_TIME: Duration = Duration::from_mins(1);

impl<P: Planner> Course<'_, P> {
    async fn run(&self, survey: &mut Survey) -> Result<ApplyReport, OpsError> {
        let is_whole = self.context.limit.is_empty();
        let recovery = Recovery::find(&survey.seen, is_whole);
        let foreseen = recovery::foresee(&recovery, &survey.fleet, &survey.seen).await?;
        let planned = self.plan(survey, &foreseen).await?;
        let mut report = ApplyReport {
            plan: planned.plan,
            notices: recovery.without_own(survey.notices()),
            problems: survey.known_problems(&self.loaded.cluster),
            recovery,
            is_recovered: false,
            findings: planned.findings,
            behind: planned.behind,
            outcome: None,
        };
        if !self.is_agreed(&report, false)? {
            return Ok(report);
        }
        if self.request.check_only {
            report.outcome = Some(
                self.check(
                    &mut report.plan,
                    &survey.fleet,
                    &survey.with_others(&foreseen),
                )
                .await?,
            );
            return Ok(report);
        }
        note_all(&survey.fleet, &report.notices).await;
        if !report.recovery.is_empty() {
            self.recover(&report.recovery, survey).await?;
            report.is_recovered = true;
            let planned = self.plan(survey, &survey.seen).await?;
            report.problems = survey.known_problems(&self.loaded.cluster);
            let is_as_agreed = is_same(&report.plan, &planned.plan);
            (report.plan, report.findings) = (planned.plan, planned.findings);
            report.behind = planned.behind;
            if !is_as_agreed && !self.is_agreed(&report, true)? {
                return Ok(report);
            }
        }
        report.outcome = Some(self.carry_out(&report.plan, survey).await?);
        Ok(report)
    }

    /// The plan, unless a change is under way that is not to be recovered, or another one was saved.
    async fn plan(&self, survey: &Survey, seen: &[Observation]) -> Result<Planned, OpsError> {
        require_no_pending_change(&survey.with_others(seen))?;
        let planned = self.planner.plan(self.loaded, survey, seen).await?;
        if let Some(file) = &self.request.plan_file {
            let loaded = self.loaded;
            let basis = Basis::of(loaded.source.text(), &loaded.templates, seen);
            file.require(&planned.plan, &basis)
                .map_err(OpsError::PlanFile)?;
        }
        Ok(planned)
    }

    /// True when there is nothing to agree to, too.
    fn is_agreed(&self, report: &ApplyReport, is_revised: bool) -> Result<bool, OpsError> {
        let nothing = Recovery::default();
        let proposal = Proposal {
            recovery: if is_revised {
                &nothing
            } else {
                &report.recovery
            },
            plan: &report.plan,
            notices: &report.notices,
            problems: &report.problems,
            findings: &report.findings,
            source: &self.loaded.source,
            is_revised,
        };
        if proposal.is_empty() {
            return Ok(true);
        }
        match (self.request.agree)(&proposal) {
            Consent::Given => Ok(true),
            Consent::Declined => Ok(false),
            Consent::Unnamed(losses) => Err(OpsError::StopsServing {
                losses,
                goal: report.plan.goal,
            }),
        }
    }

    /// Ends what was interrupted, and looks at the hosts again.
    async fn recover(&self, recovery: &Recovery, survey: &mut Survey) -> Result<(), OpsError> {
        let recoverer = Recoverer {
            context: self.context,
            loaded: self.loaded,
            tell: self.request.tell,
        };
        recoverer.carry_out(recovery, survey).await?;
        let again = super::survey::survey(self.context, self.loaded).await?;
        std::mem::replace(survey, again).fleet.close().await;
        Ok(())
    }

    /// Everything that can be found out without writing anything: whether the hosts are free, and what the
    /// daemons say of the files.
    async fn check(
        &self,
        plan: &mut Plan,
        fleet: &Fleet,
        seen: &[Observation],
    ) -> Result<ApplyOutcome, OpsError> {
        let started = Instant::now();
        let result = if plan.is_empty() {
            ApplyResult::NothingToDo
        } else if let Some(failure) = locked(seen) {
            self.tell_failure(&failure);
            ApplyResult::Unchanged(failure)
        } else {
            (self.request.tell)(Event::StepStarted {
                step: Step::Validate,
                nodes: plan.changing().count(),
            });
            test_files(fleet, plan, self.context.parallel).await?;
            self.judge(plan)
        };
        Ok(ApplyOutcome {
            result,
            tx: None,
            elapsed: started.elapsed(),
        })
    }

    /// What the daemons said.
    fn judge(&self, plan: &Plan) -> ApplyResult {
        let mut errors = Vec::new();
        for node in plan.changing() {
            (self.request.tell)(Event::Tested {
                node: node.node.clone(),
                tests: node.tests.clone(),
            });
            match node.failed_tests().next() {
                None => (self.request.tell)(Event::NodeDone {
                    step: Step::Validate,
                    node: node.node.clone(),
                    note: None,
                }),
                Some(test) => errors.push(FailureCause::Refused {
                    node: node.node.clone(),
                    program: test.program.clone(),
                    output: test.output.clone(),
                }),
            }
        }
        if errors.is_empty() {
            return ApplyResult::Checked;
        }
        let failure = Failure {
            step: Step::Validate,
            errors,
        };
        self.tell_failure(&failure);
        ApplyResult::Unchanged(failure)
    }

    fn tell_failure(&self, failure: &Failure) {
        for error in &failure.errors {
            (self.request.tell)(Event::Failed {
                step: failure.step,
                message: error.to_string(),
            });
        }
    }

    async fn carry_out(&self, plan: &Plan, survey: &Survey) -> Result<ApplyOutcome, OpsError> {
        let (context, loaded) = (self.context, self.loaded);
        let peer_key = PeerKey::random().map_err(OpsError::NoRandomness)?;
        let engine = Engine {
            fleet: &survey.fleet,
            connector: &survey.connector,
            client: &ThisMachine,
            // With those that are not changed: they are locked, and may own a VIP.
            nodes: &loaded.cluster.nodes,
            options: ApplyOptions {
                parallel: context.parallel,
                confirm: self.request.confirm,
                origin: own_origin(),
                confirm_timeout: self.request.confirm_timeout,
                settle_time: SETTLE_TIME,
                owner_patience: owner_patience(&loaded.cluster),
                peer_key: Some(peer_key),
                vips: health::doors(&loaded.cluster),
                peer_ports: peer_ports(&loaded.cluster),
                hooks: loaded.cluster.notify_hook.iter().cloned().collect(),
                before: survey.known_problems(&self.loaded.cluster),
                provenance: loaded.provenance.clone(),
                stop: context.stop.clone(),
            },
            tell: self.request.tell,
        };
        let tx = new_tx(&loaded.provenance);
        Ok(engine.run(plan, &tx).await)
    }
}

/// Who works on the hosts, as they were seen.
fn locked(seen: &[Observation]) -> Option<Failure> {
    let errors: Vec<FailureCause> = seen
        .iter()
        .filter_map(|host| {
            let lock = host.lock.clone().filter(|lock| !lock.stale)?;
            let node = host.node.clone();
            let lock = Box::new(lock);
            Some(FailureCause::Agent(AgentError::Locked { node, lock }))
        })
        .collect();
    (!errors.is_empty()).then_some(Failure {
        step: Step::Lock,
        errors,
    })
}

/// An id that sorts by time, and that no other change has.
fn new_tx(provenance: &Provenance) -> String {
    use std::hash::{BuildHasher, RandomState};
    let time: String = provenance
        .at
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    // The hasher's keys are the operating system's randomness.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{time}-{random:016x}")
}
