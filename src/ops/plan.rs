//! `hactl plan`: what apply would do, with the daemons' own word on it.

use super::apply::refuse_unfinished;
use super::context::{Context, Loaded, load, refuse_errors};
use super::error::OpsError;
use super::expected::Expected;
use super::notice::{Notice, notices};
use super::survey::{Survey, desired, redactor, survey, unresolved_names, version_findings, vips};
use crate::apply::{Fleet, each};
use crate::check::Finding;
use crate::model::Node;
use crate::plan::{Goal, LeftOut, NodePlan, Plan, Request, build};

/// A plan and what else was noticed.
pub struct PlanReport {
    /// The inventory that it is for.
    pub loaded: Loaded,
    /// The plan, its tests filled in.
    pub plan: Plan,
    /// What the hosts tell of earlier changes.
    pub notices: Vec<Notice>,
    /// What faults would cost users with it; `None` where its files are not hactl's.
    pub expected: Option<Expected>,
}

impl PlanReport {
    /// What check has to say of the inventory.
    pub fn warnings(&self) -> &[Finding] {
        &self.loaded.warnings
    }
}

/// Looks at the hosts and plans; changes nothing on them.
pub async fn plan(context: &Context) -> Result<PlanReport, OpsError> {
    let mut loaded = load(context)?;
    let survey = survey(context, &loaded).await?;
    let planned = refuse_unfinished(&survey.seen).and_then(|()| make(&loaded, &survey));
    let mut plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            survey.fleet.close().await;
            return Err(error);
        }
    };
    let tested = test_files(&survey.fleet, &mut plan, context.parallel).await;
    let notices = notices(&survey.seen);
    let expected = Expected::of_plan(&loaded.cluster, &plan, &survey.seen);
    survey.fleet.close().await;
    tested?;
    loaded
        .warnings
        .extend(version_findings(&loaded, &survey.seen)?);
    Ok(PlanReport {
        loaded,
        plan,
        notices,
        expected,
    })
}

/// The plan for what was seen; refused where nginx could not start with it.
pub(super) fn make(loaded: &Loaded, survey: &Survey) -> Result<Plan, OpsError> {
    refuse_errors(
        unresolved_names(&loaded.cluster, &survey.seen),
        &loaded.source,
    )?;
    let unseen = |node: &Node| LeftOut::Unseen(node.name.clone());
    plan_beside(
        loaded,
        survey,
        loaded.others().into_iter().map(unseen).collect(),
    )
}

/// The plan beside nodes that are not changed.
pub(super) fn plan_beside(
    loaded: &Loaded,
    survey: &Survey,
    left_out: Vec<LeftOut>,
) -> Result<Plan, OpsError> {
    let nodes = desired(loaded, &survey.seen)?
        .into_iter()
        .zip(survey.seen.iter().cloned())
        .collect();
    let request = Request {
        cluster: loaded.cluster.name.clone(),
        goal: Goal::Apply,
        vips: vips(&loaded.cluster),
        left_out,
        nodes,
        redactor: redactor(),
        take_over: loaded.take_over.clone(),
    };
    build(request).map_err(OpsError::Plan)
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
