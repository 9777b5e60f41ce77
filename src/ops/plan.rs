//! `hactl plan`: what apply would do, with the daemons' own word on it.

use super::able::refuse_unable;
use super::apply::ToInventory;
use super::context::{Context, Loaded, load, refuse_errors};
use super::error::OpsError;
use super::expected::Expected;
use super::fingerprint::Basis;
use super::fitness::refuse_masked;
use super::forgotten::refuse_running;
use super::membership::refuse_missing;
use super::notice::Notice;
use super::recovery::{self, Recovery, require_no_pending_change};
use super::survey::{
    Survey, desired, fit_profile, left_out, redactor, unreached_servers, unresolved_names, vips,
};
use super::unreachable::survey_for;
use crate::agent::Observation;
use crate::apply::{Fleet, each};
use crate::check::Finding;
use crate::health::Problem;
use crate::model::NodeName;
use crate::plan::{Goal, LeftOut, NodePlan, Plan, Request, behind, build};

/// A plan and what else was noticed.
pub struct PlanReport {
    /// The inventory that it is for.
    pub loaded: Loaded,
    /// The plan, its tests filled in; where there is something to recover, for the hosts as they will be
    /// then.
    pub plan: Plan,
    /// What it is made of.
    pub basis: Basis,
    /// What an apply would end first.
    pub recovery: Recovery,
    /// What the hosts' versions make of the inventory.
    pub findings: Vec<Finding>,
    /// What the hosts tell of earlier changes.
    pub notices: Vec<Notice>,
    /// What keeps nodes that hactl has set up from serving or taking over now.
    pub problems: Vec<Problem>,
    /// What faults would cost users with it; `None` where its files are not hactl's.
    pub expected: Option<Expected>,
}

impl PlanReport {
    /// True when an apply would do something.
    pub fn changes(&self) -> bool {
        !self.plan.is_empty() || !self.recovery.is_empty()
    }

    /// What there is to say of the inventory, by itself and on these hosts.
    pub fn warnings(&self) -> Vec<&Finding> {
        self.loaded.warnings.iter().chain(&self.findings).collect()
    }
}

/// A plan, and what the hosts' versions make of the inventory.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) findings: Vec<Finding>,
    /// The nodes that `--limit` leaves out and that differ from the inventory, too.
    pub(super) behind: Vec<NodeName>,
}

/// Looks at the hosts and plans; changes nothing on them.
pub async fn plan(context: &Context) -> Result<PlanReport, OpsError> {
    let mut loaded = load(context)?;
    let survey = survey_for(context, &mut loaded, &ToInventory).await?;
    let report = look(context, loaded, &survey).await;
    survey.fleet.close().await;
    report
}

async fn look(
    context: &Context,
    mut loaded: Loaded,
    survey: &Survey,
) -> Result<PlanReport, OpsError> {
    let recovery = Recovery::find(&survey.seen, context.limit.is_empty());
    let foreseen = recovery::foresee(&recovery, &survey.fleet, &survey.seen).await?;
    let all = survey.with_others(&foreseen);
    require_no_pending_change(&all)?;
    refuse_missing(&loaded, &survey.missing, &context.forget)?;
    refuse_running(&loaded, survey, &context.forget).await?;
    refuse_masked(&survey.seen)?;
    fit_profile(&mut loaded, &all)?;
    let Planned {
        mut plan, findings, ..
    } = make(&loaded, survey, &foreseen)?;
    test_files(&survey.fleet, &mut plan, context.parallel).await?;
    Ok(PlanReport {
        expected: Expected::of_plan(&loaded.cluster, &plan, &foreseen),
        basis: Basis::of(loaded.source.text(), &loaded.templates, &foreseen),
        notices: recovery.without_own(survey.notices()),
        problems: survey.known_problems(&loaded.cluster),
        loaded,
        plan,
        recovery,
        findings,
    })
}

/// The plan for hosts that are as `seen` says; refused where nginx could not start with it.
pub(super) fn make(
    loaded: &Loaded,
    survey: &Survey,
    seen: &[Observation],
) -> Result<Planned, OpsError> {
    let names = refuse_errors(unresolved_names(&loaded.cluster, seen), &loaded.source)?;
    let mut planned = plan_beside(loaded, seen, left_out(loaded, survey))?;
    planned.findings.extend(names);
    refuse_unable(&loaded.cluster, &planned.plan, seen)?;
    let unreached = unreached_servers(&loaded.cluster, seen);
    planned.findings.extend(unreached);
    Ok(planned)
}

/// The plan beside nodes that are not changed.
pub(super) fn plan_beside(
    loaded: &Loaded,
    seen: &[Observation],
    left_out: Vec<LeftOut>,
) -> Result<Planned, OpsError> {
    let (desired, findings) = desired(loaded, seen)?;
    let (vips, redactor) = (vips(&loaded.cluster), redactor());
    let behind = behind(&left_out, &vips, &redactor);
    let request = Request {
        cluster: loaded.cluster.name.clone(),
        goal: Goal::Apply,
        vips,
        left_out,
        nodes: desired.into_iter().zip(seen.iter().cloned()).collect(),
        redactor,
        take_over: loaded.take_over.clone(),
    };
    let plan = build(request).map_err(OpsError::Plan)?;
    Ok(Planned {
        plan,
        findings,
        behind,
    })
}

/// Asks the daemons of every node that would change to test its files.
pub(super) async fn test_files(
    fleet: &Fleet,
    plan: &mut Plan,
    parallel: usize,
) -> Result<(), OpsError> {
    let changing = plan
        .nodes
        .iter_mut()
        .filter(|node| !node.is_empty() && node.ids.is_some());
    let results = each(changing, parallel, |node: &mut NodePlan| async move {
        let agent = fleet.get(&node.node)?;
        match agent.validate(&node.tree).await {
            Ok(mut tests) => {
                tests.retain(|test| node.can_test(&test.program));
                node.tests = tests;
                None
            }
            Err(error) => Some(error),
        }
    })
    .await;
    let errors: Vec<_> = results.into_iter().flatten().collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Hosts { errors })
    }
}
