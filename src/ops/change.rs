//! The workflow that apply and rollback share: observe, find what needs recovery, plan, ask, recover, plan again,
//! carry out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::cluster::{election_time, owner_patience, peer_ports};
use super::connect::Hosts;
use super::error::OpsError;
use super::events::{Events, Stamped};
use super::fingerprint::{Basis, is_same};
use super::fitness::refuse_masked;
use super::foresee::foresee;
use super::forgotten::refuse_running;
use super::holder::own_origin;
use super::look::snapshot;
use super::membership::refuse_missing;
use super::notice::{Notice, acknowledge_all};
use super::plan_file::PlanFile;
use super::planning::{Planned, Planner, test_files};
use super::recover::Recoverer;
use super::recovery::{Recovery, require_no_pending_change};
use super::selection::Loaded;
use super::snapshot::ClusterSnapshot;
use super::transport::Access;
use super::unreachable::snapshot_for;
use super::wanted::fit_profile;
use crate::agent::{AgentError, Observation, PeerKey, VipDoors, random_bytes};
use crate::apply::{
    self, ApplyOptions, ApplyOutcome, ApplyResult, Confirmation, Event, Failure, FailureCause,
    Fleet, Session, Step,
};
use crate::check::Finding;
use crate::health::{self, Problem};
use crate::inventory::Source;
use crate::model::{Cluster, NodeName};
use crate::plan::{Loss, Plan, Provenance};

pub struct ApplyRequest<'a> {
    /// Stop after validation, and write nothing on any host.
    pub check_only: bool,
    /// Who confirms.
    pub confirm: Confirmation,
    /// Time after which hosts roll back an unconfirmed change.
    pub confirm_timeout: Duration,
    /// A saved plan. Hosts that have changed since are refused.
    pub plan_file: Option<PlanFile>,
    /// Asked for approval before anything is done.
    pub agree: &'a (dyn Fn(&Proposal) -> Consent + Sync),
    /// Receives every event.
    pub events: &'a Events<'a, Event>,
}

/// What would be done, for the user to approve.
pub struct Proposal<'a> {
    /// What has to be recovered first.
    pub recovery: &'a Recovery,
    /// The plan. If something needs recovery, it is for the hosts as they will be afterwards.
    pub plan: &'a Plan,
    /// What the hosts report about earlier changes.
    pub notices: &'a [Notice],
    /// What currently keeps nodes that hactl has set up from serving or taking over.
    pub problems: &'a [Problem],
    /// Findings about the hosts and their versions.
    pub findings: &'a [Finding],
    /// The text that findings point into.
    pub source: &'a Source,
    /// True if it differs from what was approved before the recovery.
    pub is_revised: bool,
}

impl Proposal<'_> {
    fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.recovery.is_empty()
    }
}

/// The user's answer to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    Given,
    Declined,
    /// Refused: these would stop being served, the user has not named them, and nobody can be asked.
    Unnamed(Vec<Loss>),
}

pub struct ApplyReport {
    pub plan: Plan,
    /// What had to be recovered first.
    pub recovery: Recovery,
    /// True once it has been recovered.
    pub is_recovered: bool,
    /// What the hosts report about earlier changes.
    pub notices: Vec<Notice>,
    /// What kept nodes that hactl has set up from serving or taking over before the change.
    pub problems: Vec<Problem>,
    /// Findings about the hosts and their versions.
    pub findings: Vec<Finding>,
    /// Nodes that `--limit` excludes and that differ from the inventory, too.
    pub behind: Vec<NodeName>,
    pub events: Vec<Stamped<Event>>,
    /// How it ended. `None` if the user declined.
    pub outcome: Option<ApplyOutcome>,
}

/// One change from the first observation to its end.
pub(super) async fn change(
    access: &Access,
    loaded: &mut Loaded,
    planner: impl Planner,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let hosts = Hosts::of(access, &loaded.cluster);
    let begun = hosts.with(async |connections, errors| {
        let snapshot = snapshot_for(access, loaded, &planner, &connections, errors).await?;
        refuse_missing(loaded, &snapshot.missing, &loaded.forget)?;
        refuse_masked(&snapshot.seen)?;
        fit_profile(loaded, &snapshot.all())?;
        refuse_running(loaded, &snapshot, &loaded.forget).await?;
        let course = Course {
            access,
            loaded,
            planner: &planner,
            request: &request,
        };
        course.begin(&snapshot).await
    });
    let mut report = match begun.await? {
        Begun::Ended(report) => report,
        // The recovery has changed the hosts, and possibly the way to reach them.
        Begun::Recovered(report) => {
            let ended = hosts.with(async |connections, errors| {
                let snapshot = snapshot(access, loaded, &connections, errors).await?;
                let course = Course {
                    access,
                    loaded,
                    planner: &planner,
                    request: &request,
                };
                course.go_on(report, &snapshot).await
            });
            ended.await?
        }
    };
    report.events = request.events.all();
    Ok(report)
}

struct Course<'a, P> {
    access: &'a Access,
    loaded: &'a Loaded,
    planner: &'a P,
    request: &'a ApplyRequest<'a>,
}

/// How far a change got over its first connections.
enum Begun {
    Ended(ApplyReport),
    /// Interrupted changes have been ended, so the hosts must be observed again.
    Recovered(ApplyReport),
}

/// Peers query each other for half a minute, and a rollback takes seconds.
const SETTLE_TIME: Duration = Duration::from_mins(1);

impl<P: Planner> Course<'_, P> {
    /// The whole change, unless something has to be recovered first.
    async fn begin(&self, snapshot: &ClusterSnapshot<'_>) -> Result<Begun, OpsError> {
        let recovery = Recovery::find(&snapshot.seen, !self.loaded.is_limited());
        let foreseen = foresee(&recovery, snapshot.fleet, &snapshot.seen).await?;
        let planned = self.plan(snapshot, &foreseen).await?;
        let (broken, problems) = snapshot.broken(&self.loaded.cluster);
        let mut report = ApplyReport {
            plan: planned.plan,
            notices: recovery.without_own(snapshot.notices()),
            problems,
            recovery,
            is_recovered: false,
            findings: [planned.findings, broken].concat(),
            behind: planned.behind,
            events: Vec::new(),
            outcome: None,
        };
        if !self.is_agreed(&report, false)? {
            return Ok(Begun::Ended(report));
        }
        self.request.events.begin();
        if self.request.check_only {
            let seen = snapshot.with_others(&foreseen);
            let checked = self.check(&mut report.plan, snapshot.fleet, &seen).await?;
            report.outcome = Some(checked);
            return Ok(Begun::Ended(report));
        }
        acknowledge_all(snapshot.fleet, &report.notices).await;
        if !report.recovery.is_empty() {
            self.recover(&report.recovery, snapshot).await?;
            report.is_recovered = true;
            return Ok(Begun::Recovered(report));
        }
        let outcome = self
            .carry_out(&report.plan, &planned.vips, snapshot)
            .await?;
        report.outcome = Some(outcome);
        Ok(Begun::Ended(report))
    }

    /// The rest of the change, after a recovery.
    async fn go_on(
        &self,
        mut report: ApplyReport,
        snapshot: &ClusterSnapshot<'_>,
    ) -> Result<ApplyReport, OpsError> {
        let planned = self.plan(snapshot, &snapshot.seen).await?;
        let (broken, problems) = snapshot.broken(&self.loaded.cluster);
        report.problems = problems;
        let is_as_agreed = is_same(&report.plan, &planned.plan);
        report.plan = planned.plan;
        report.findings = [planned.findings, broken].concat();
        report.behind = planned.behind;
        if is_as_agreed || self.is_agreed(&report, true)? {
            let outcome = self
                .carry_out(&report.plan, &planned.vips, snapshot)
                .await?;
            report.outcome = Some(outcome);
        }
        Ok(report)
    }

    /// The plan, unless a change that cannot be recovered is in progress, or the saved plan differs.
    async fn plan(
        &self,
        snapshot: &ClusterSnapshot<'_>,
        seen: &[Observation],
    ) -> Result<Planned, OpsError> {
        require_no_pending_change(&snapshot.with_others(seen))?;
        let planned = self.planner.plan(self.loaded, snapshot, seen).await?;
        if let Some(file) = &self.request.plan_file {
            let loaded = self.loaded;
            let basis = Basis::of(loaded.source.text(), &loaded.templates, seen);
            file.require(&planned.plan, &basis)
                .map_err(OpsError::PlanFile)?;
        }
        Ok(planned)
    }

    /// Also true if there is nothing to approve.
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

    async fn recover(
        &self,
        recovery: &Recovery,
        snapshot: &ClusterSnapshot<'_>,
    ) -> Result<(), OpsError> {
        let recoverer = Recoverer {
            access: self.access,
            loaded: self.loaded,
            tell: &|event| self.request.events.tell(event),
        };
        recoverer.carry_out(recovery, snapshot).await
    }

    /// All that can be checked without writing anything: whether the hosts are unlocked, and whether the daemons accept
    /// the files.
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
            self.request.events.tell(Event::StepStarted {
                step: Step::Validate,
                nodes: plan.changing().count(),
            });
            test_files(fleet, plan, self.access.parallel).await?;
            self.judge(plan)
        };
        Ok(ApplyOutcome {
            result,
            tx: None,
            elapsed: started.elapsed(),
        })
    }

    /// Evaluates the daemons' tests of the files.
    fn judge(&self, plan: &Plan) -> ApplyResult {
        let mut errors = Vec::new();
        for node in plan.changing() {
            self.request.events.tell(Event::Tested {
                node: node.node.clone(),
                tests: node.tests.clone(),
            });
            match node.failed_tests().next() {
                None => self.request.events.tell(Event::NodeDone {
                    step: Step::Validate,
                    node: node.node.clone(),
                    note: None,
                }),
                Some(test) => errors.push(FailureCause::Refused {
                    node: node.node.clone(),
                    unit: test.unit,
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
            self.request.events.tell(Event::Failed {
                step: failure.step,
                message: error.to_string(),
            });
        }
    }

    async fn carry_out(
        &self,
        plan: &Plan,
        vips: &[IpAddr],
        snapshot: &ClusterSnapshot<'_>,
    ) -> Result<ApplyOutcome, OpsError> {
        let (access, loaded) = (self.access, self.loaded);
        let peer_key = PeerKey::random().map_err(OpsError::NoRandomness)?;
        let session = Session {
            fleet: snapshot.fleet,
            connector: snapshot.connector,
            client: snapshot.client,
            // Including those outside the change: they are locked, and may own a VIP.
            nodes: &loaded.cluster.nodes,
            vips: doors(&loaded.cluster, vips),
            owner_patience: owner_patience(&loaded.cluster),
            parallel: access.parallel,
            stop: access.stop.clone(),
            tell: &|event| self.request.events.tell(event),
        };
        let options = ApplyOptions {
            confirm: self.request.confirm,
            origin: own_origin(),
            confirm_timeout: self.request.confirm_timeout,
            settle_time: SETTLE_TIME,
            election_time: election_time(&loaded.cluster),
            peer_key: Some(peer_key),
            peer_ports: peer_ports(&loaded.cluster),
            hooks: loaded.cluster.notify_hook.iter().cloned().collect(),
            before: snapshot.known_problems(&self.loaded.cluster),
            provenance: loaded.provenance.clone(),
        };
        let tx = new_tx(&loaded.provenance)?;
        Ok(apply::apply(&session, &options, plan, &tx).await)
    }
}

/// The endpoints of these VIPs. For a VIP that only a rollback knows, and not the inventory, just the owner is known.
fn doors(cluster: &Cluster, vips: &[IpAddr]) -> Vec<VipDoors> {
    let known = health::doors(cluster);
    let of_vip = |vip: &IpAddr| {
        let own = known.iter().find(|doors| doors.vip == *vip).cloned();
        own.unwrap_or(VipDoors {
            vip: *vip,
            doors: Vec::new(),
        })
    };
    vips.iter().map(of_vip).collect()
}

/// The locks that were held when the hosts were observed.
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

/// A unique id that sorts by time.
fn new_tx(provenance: &Provenance) -> Result<String, OpsError> {
    let time: String = provenance
        .at
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let random = u64::from_be_bytes(random_bytes().map_err(OpsError::NoRandomness)?);
    Ok(format!("{time}-{random:016x}"))
}
