//! `hactl failover-test`: drills on the running cluster.
//!
//! A drill holds the cluster lock, so that nothing else changes the cluster meanwhile. The hosts report what happened
//! only afterwards: asking them during the fault would disturb it, and a host without its link could not answer.

mod analysis;
mod fault;
mod fit;
mod intent;
mod reach;
mod request;
mod results;
mod rig;
mod run;
mod settle;
mod timeline;

pub use request::{DrillPlan, DrillProgress, FailoverOutcome, FailoverRequest, Interruption};
pub use results::{Earlier, earlier_drills, keep_drills, try_to_write_drills, write_drills};

use super::connect::Hosts;
use super::error::OpsError;
use super::look::snapshot;
use super::recover::Recoverer;
use super::recovery::Recovery;
use super::selection::{Loaded, Selection, load};
use super::snapshot::ClusterSnapshot;
use super::transport::Access;
use super::wanted::fit_profile;
use crate::apply::Event;
use reach::Reach;
use run::Runner;

/// Runs drills. `None` if the user declined.
pub async fn failover_test(
    selection: &Selection,
    access: &Access,
    request: FailoverRequest<'_>,
) -> Result<Option<FailoverOutcome>, OpsError> {
    let mut loaded = load(selection)?;
    Hosts::of(access, &loaded.cluster)
        .with(async |connections, errors| {
            let mut snapshot = snapshot(access, &loaded, &connections, errors).await?;
            let agreed = agreed(access, &mut loaded, &snapshot, &request).await?;
            let Some(intents) = agreed else {
                return Ok(None);
            };
            let seen = std::mem::take(&mut snapshot.seen);
            let reach = Reach::new(&loaded, connections);
            let runner = Runner::new(access, &loaded, &request, seen, reach);
            runner.run(&intents).await.map(Some)
        })
        .await
}

/// The drills that the user approved, once stale locks are released.
async fn agreed(
    access: &Access,
    loaded: &mut Loaded,
    snapshot: &ClusterSnapshot<'_>,
    request: &FailoverRequest<'_>,
) -> Result<Option<Vec<DrillPlan>>, OpsError> {
    // A drill that was killed leaves its lock, which is recovered here. A change that was killed is not, and blocks
    // every drill.
    let recovery = Recovery::find(&snapshot.seen, !loaded.is_limited());
    fit_profile(loaded, &snapshot.seen)?;
    let intents = intents(loaded, snapshot, request).await?;
    if !(request.agree)(&intents, &recovery) {
        return Ok(None);
    }
    request.events.begin();
    let recoverer = Recoverer {
        access,
        loaded,
        tell: &|event| {
            if let Event::LockReleased { node, holder } = event {
                request
                    .events
                    .tell(DrillProgress::LockReleased { node, holder });
            }
        },
    };
    recoverer.carry_out(&recovery, snapshot).await?;
    Ok(Some(intents))
}

async fn intents(
    loaded: &Loaded,
    snapshot: &ClusterSnapshot<'_>,
    request: &FailoverRequest<'_>,
) -> Result<Vec<DrillPlan>, OpsError> {
    fit::refuse_unfit(loaded, snapshot)?;
    fit::refuse_unreached(loaded, snapshot).await?;
    intent::intents(loaded, &snapshot.seen, request)
}
