//! `hactl plan`: what apply would do, with the daemons' own word on it.

use super::connect::Hosts;
use super::error::OpsError;
use super::expected::Expected;
use super::fingerprint::Basis;
use super::fitness::refuse_masked;
use super::foresee::foresee;
use super::forgotten::refuse_running;
use super::membership::refuse_missing;
use super::notice::Notice;
use super::planning::{Planned, ToInventory, make, test_files};
use super::recovery::{Recovery, require_no_pending_change};
use super::selection::{Loaded, Selection, load};
use super::survey::Survey;
use super::transport::Access;
use super::unreachable::survey_for;
use super::wanted::fit_profile;
use crate::check::Finding;
use crate::health::Problem;
use crate::plan::Plan;

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
    /// What rules say of the hosts.
    pub findings: Vec<Finding>,
    /// What the hosts tell of earlier changes.
    pub notices: Vec<Notice>,
    /// What else keeps nodes that hactl has set up from serving or taking over now.
    pub problems: Vec<Problem>,
    /// What faults would cost users with it; `None` where its files are not hactl's.
    pub expected: Option<Expected>,
}

impl PlanReport {
    /// True when an apply would do something.
    pub fn changes(&self) -> bool {
        !self.plan.is_empty() || !self.recovery.is_empty()
    }

    /// All findings: of the inventory alone, and on these hosts.
    pub fn warnings(&self) -> Vec<&Finding> {
        self.loaded.warnings.iter().chain(&self.findings).collect()
    }
}

/// Looks at the hosts and plans; changes nothing on them.
pub async fn plan(selection: &Selection, access: &Access) -> Result<PlanReport, OpsError> {
    let mut loaded = load(selection)?;
    Hosts::of(access, &loaded.cluster)
        .with(async |connections, errors| {
            let survey = survey_for(access, &mut loaded, &ToInventory, &connections, errors);
            let survey = survey.await?;
            look(access, loaded, &survey).await
        })
        .await
}

async fn look(
    access: &Access,
    mut loaded: Loaded,
    survey: &Survey<'_>,
) -> Result<PlanReport, OpsError> {
    let recovery = Recovery::find(&survey.seen, !loaded.is_limited());
    let foreseen = foresee(&recovery, survey.fleet, &survey.seen).await?;
    let all = survey.with_others(&foreseen);
    require_no_pending_change(&all)?;
    refuse_missing(&loaded, &survey.missing, &loaded.forget)?;
    refuse_running(&loaded, survey, &loaded.forget).await?;
    refuse_masked(&survey.seen)?;
    fit_profile(&mut loaded, &all)?;
    let Planned {
        mut plan,
        mut findings,
        ..
    } = make(&loaded, survey, &foreseen)?;
    let (broken, problems) = survey.broken(&loaded.cluster);
    findings.extend(broken);
    test_files(survey.fleet, &mut plan, access.parallel).await?;
    Ok(PlanReport {
        expected: Expected::of_plan(&loaded.cluster, &plan, &foreseen),
        basis: Basis::of(loaded.source.text(), &loaded.templates, &foreseen),
        notices: recovery.without_own(survey.notices()),
        problems,
        loaded,
        plan,
        recovery,
        findings,
    })
}
