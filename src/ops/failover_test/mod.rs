//! `hactl failover-test`: drills on the running cluster.
//!
//! A drill holds the cluster's lock, so that nothing else changes it meanwhile. What happens on the
//! hosts is told by the hosts themselves, afterwards: asking them while it happens would disturb it,
//! and one that has lost its link could not answer.

mod fault;
mod fit;
mod intent;
mod reach;
mod results;
mod run;
mod settle;
mod story;
mod timeline;

use std::time::Duration;

pub use intent::DrillIntent;
pub use results::{Earlier, earlier_drills, keep_drills, try_to_write_drills, write_drills};

use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::recovery::{Recoverer, Recovery};
use super::survey::{Survey, fit_profile, survey};
use crate::apply::Event;
use crate::drill::{Drill, DrillReport};
use crate::model::NodeName;
use reach::Reach;
use run::Runner;

/// Which drills, and how they are watched.
pub struct FailoverRequest<'a> {
    /// The drills, in order.
    pub drills: Vec<Drill>,
    /// The node to which the fault is done; the VIP's owner where none is named.
    pub node: Option<NodeName>,
    /// Drills that cannot be done here are left out, and told of, rather than refused.
    pub skip_impossible: bool,
    /// How long a fault is held, where that is not left to the drill.
    pub hold: Option<Duration>,
    /// Each drill so many times.
    pub repeat: u32,
    /// One new connection every so often.
    pub probe_interval: Duration,
    /// So many connections are kept open.
    pub held_connections: u32,
    /// The path of something large, which is downloaded meanwhile.
    pub download: Option<String>,
    /// The longest outage that is accepted, of any drill; the inventory has others.
    pub budget: Option<Duration>,
    /// Told what will be done before anything is done; false gives up.
    pub agree: &'a (dyn Fn(&[DrillIntent], &Recovery) -> bool + Sync),
    /// Told what happens.
    pub tell: &'a (dyn Fn(&DrillProgress) + Sync),
}

/// What happens while drills run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillProgress {
    /// A drill is left out.
    Skipped {
        /// Which.
        drill: Drill,
        /// Why.
        why: String,
    },
    /// The lock of a holder that no longer runs was released.
    LockReleased {
        /// The node.
        node: NodeName,
        /// `user@machine` of who took it.
        holder: String,
    },
    /// A drill begins.
    Begun {
        /// Which.
        drill: Drill,
        /// On which node.
        node: NodeName,
        /// Which repetition, from 1, and of how many.
        repeat: (u32, u32),
    },
    /// A fault was ordered.
    Ordered {
        /// On which node.
        node: NodeName,
    },
    /// It is waited until the cluster is whole again.
    Settling,
}

/// What drills came to.
#[derive(Debug, Clone, PartialEq)]
pub struct FailoverOutcome {
    /// The record of those that ran.
    pub report: DrillReport,
    /// Why not all of them ran; `None` when they did.
    pub cut_short: Option<CutShort>,
}

/// Why drills ended before the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutShort {
    /// The user wanted it.
    Stopped {
        /// The nodes whose fault could not be ended.
        left: Vec<NodeName>,
        /// They end it by themselves within so long.
        within: Duration,
    },
    /// The cluster is not whole again.
    NotRecovered {
        /// What is not as it should be.
        why: String,
    },
}

/// Runs drills; `None` when the user did not agree.
pub async fn failover_test(
    context: &Context,
    request: FailoverRequest<'_>,
) -> Result<Option<FailoverOutcome>, OpsError> {
    let mut loaded = load(context)?;
    let survey = survey(context, &loaded).await?;
    // A drill that was killed leaves its lock. A change that was killed is not a drill's to end: with one
    // under way there is no drill.
    let recovery = Recovery::find(&survey.seen, context.limit.is_empty());
    let intents = match fit_profile(&mut loaded, &survey.seen) {
        Ok(()) => intents(&loaded, &survey, &request).await,
        Err(error) => Err(error),
    };
    let intents = match intents {
        Ok(intents) => intents,
        Err(error) => {
            survey.fleet.close().await;
            return Err(error);
        }
    };
    if !(request.agree)(&intents, &recovery) {
        survey.fleet.close().await;
        return Ok(None);
    }
    let recoverer = Recoverer {
        context,
        loaded: &loaded,
        tell: &|event| {
            if let Event::LockReleased { node, holder } = event {
                (request.tell)(&DrillProgress::LockReleased { node, holder });
            }
        },
    };
    if let Err(error) = recoverer.carry_out(&recovery, &survey).await {
        survey.fleet.close().await;
        return Err(error);
    }
    let reach = Reach::new(&loaded, survey.connector, survey.fleet);
    let runner = Runner::new(context, &loaded, &request, survey.seen, reach);
    runner.run(&intents).await.map(Some)
}

async fn intents(
    loaded: &Loaded,
    survey: &Survey,
    request: &FailoverRequest<'_>,
) -> Result<Vec<DrillIntent>, OpsError> {
    fit::refuse_unfit(loaded, survey)?;
    fit::refuse_unreached(loaded, survey).await?;
    intent::intents(loaded, &survey.seen, request)
}
