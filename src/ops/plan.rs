//! `hactl plan`: what apply would do, and how the daemons judge the new files.

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
use super::snapshot::ClusterSnapshot;
use super::transport::Access;
use super::unreachable::snapshot_for;
use super::wanted::fit_profile;
use crate::check::Finding;
use crate::health::Problem;
use crate::plan::Plan;

/// A plan and everything else that the user should see with it.
pub struct PlanReport {
    /// The inventory that it is for.
    pub loaded: Loaded,
    /// The plan with its tests. If something needs recovery, it is for the hosts as they will be afterwards.
    pub plan: Plan,
    /// Inputs of the plan.
    pub basis: Basis,
    /// What an apply would recover first.
    pub recovery: Recovery,
    /// Findings about the hosts.
    pub findings: Vec<Finding>,
    /// What the hosts report about earlier changes.
    pub notices: Vec<Notice>,
    /// What else currently keeps nodes that hactl has set up from serving or taking over.
    pub problems: Vec<Problem>,
    /// Impact of faults on users with this plan. `None` if its files are not hactl's.
    pub expected: Option<Expected>,
}

impl PlanReport {
    /// True if an apply would do something.
    pub fn changes(&self) -> bool {
        !self.plan.is_empty() || !self.recovery.is_empty()
    }

    /// All findings, from the inventory alone and from the hosts.
    pub fn warnings(&self) -> Vec<&Finding> {
        self.loaded.warnings.iter().chain(&self.findings).collect()
    }
}

/// Observes the hosts and plans, without changing anything on them.
pub async fn plan(selection: &Selection, access: &Access) -> Result<PlanReport, OpsError> {
    let mut loaded = load(selection)?;
    Hosts::of(access, &loaded.cluster)
        .with(async |connections, errors| {
            let snapshot = snapshot_for(access, &mut loaded, &ToInventory, &connections, errors);
            let snapshot = snapshot.await?;
            look(access, loaded, &snapshot).await
        })
        .await
}

async fn look(
    access: &Access,
    mut loaded: Loaded,
    snapshot: &ClusterSnapshot<'_>,
) -> Result<PlanReport, OpsError> {
    let recovery = Recovery::find(&snapshot.seen, !loaded.is_limited());
    let foreseen = foresee(&recovery, snapshot.fleet, &snapshot.seen).await?;
    let all = snapshot.with_others(&foreseen);
    require_no_pending_change(&all)?;
    refuse_missing(&loaded, &snapshot.missing, &loaded.forget)?;
    refuse_running(&loaded, snapshot, &loaded.forget).await?;
    refuse_masked(&snapshot.seen)?;
    fit_profile(&mut loaded, &all)?;
    let Planned {
        mut plan,
        mut findings,
        ..
    } = make(&loaded, snapshot, &foreseen)?;
    let (broken, problems) = snapshot.broken(&loaded.cluster);
    findings.extend(broken);
    test_files(snapshot.fleet, &mut plan, access.parallel).await?;
    Ok(PlanReport {
        expected: Expected::of_plan(&loaded.cluster, &plan, &foreseen),
        basis: Basis::of(loaded.source.text(), &loaded.templates, &foreseen),
        notices: recovery.without_own(snapshot.notices()),
        problems,
        loaded,
        plan,
        recovery,
        findings,
    })
}
