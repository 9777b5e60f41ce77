//! `hactl apply`: makes the hosts what the inventory says.

use std::time::Duration;

use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::notice::{Notice, notices};
use super::plan::make;
use super::plan_file::{PlanFile, PlanFileError};
use super::survey::{Survey, owner_patience, survey, vips};
use crate::agent::{AgentError, Observation, PeerKey};
use crate::apply::{ApplyOptions, ApplyOutcome, Engine, Event};
use crate::model::Node;
use crate::plan::{Plan, Provenance};

/// What is asked for.
pub struct ApplyRequest<'a> {
    /// Stop after validation.
    pub check_only: bool,
    /// A host undoes by itself what was not confirmed within this time.
    pub confirm_timeout: Duration,
    /// A plan that was saved: hosts that have moved on since are refused.
    pub plan_file: Option<PlanFile>,
    /// Shown the plan before anything is done; false gives up.
    pub agree: &'a (dyn Fn(&Plan, &[Notice]) -> bool + Sync),
    /// Told of everything that happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// What was done.
pub struct ApplyReport {
    /// The plan.
    pub plan: Plan,
    /// How it ended; `None` when the user did not agree.
    pub outcome: Option<ApplyOutcome>,
}

/// Plans, asks, and carries the plan out.
pub async fn apply(context: &Context, request: ApplyRequest<'_>) -> Result<ApplyReport, OpsError> {
    let loaded = load(context)?;
    let survey = recover(context, &loaded, survey(context, &loaded).await?).await?;
    let planned = refuse_unfinished(&survey.seen).and_then(|()| make(&loaded, &survey));
    let checked = planned.and_then(|plan| match &request.plan_file {
        Some(file) if !file.matches(&plan) => Err(OpsError::PlanFile(PlanFileError::MovedOn)),
        _ => Ok(plan),
    });
    match checked {
        Ok(plan) => carry_out(context, &loaded, survey, plan, request).await,
        Err(error) => {
            survey.fleet.close().await;
            Err(error)
        }
    }
}

/// Ends an earlier change that was interrupted, on the hosts whose lock is nobody's any more: the way
/// that it ended on a host where it was confirmed, or else back. Only with all hosts in sight: one that
/// `--limit` leaves out may be the one that was confirmed.
pub(super) async fn recover(
    context: &Context,
    loaded: &Loaded,
    found: Survey,
) -> Result<Survey, OpsError> {
    let is_abandoned = |host: &&Observation| {
        host.journal.is_some() && host.lock.as_ref().is_none_or(|lock| lock.stale)
    };
    let abandoned: Vec<_> = found.seen.iter().filter(is_abandoned).collect();
    if abandoned.is_empty() || !context.limit.is_empty() {
        return Ok(found);
    }
    let mut errors = Vec::new();
    for host in abandoned {
        let (Some(agent), Some(journal)) = (found.fleet.get(&host.node), &host.journal) else {
            continue;
        };
        let settled = if found
            .seen
            .iter()
            .any(|host| has_confirmed(host, &journal.tx))
        {
            agent.confirm(&journal.tx).await
        } else {
            agent.revert(&journal.tx, "it was abandoned").await
        };
        // A change that was confirmed before it was interrupted has now been carried through.
        errors.extend(settled.err().filter(|error| error.code() != "confirmed"));
    }
    found.fleet.close().await;
    if errors.is_empty() {
        survey(context, loaded).await
    } else {
        Err(OpsError::Hosts { errors })
    }
}

/// Nothing can be said of a host on which a change is under way: what it will be is not decided.
pub(super) fn refuse_unfinished(seen: &[Observation]) -> Result<(), OpsError> {
    let unfinished = |host: &Observation| {
        let journal = host.journal.as_ref()?;
        Some(match host.lock.as_ref().filter(|lock| !lock.stale) {
            Some(lock) => AgentError::Locked {
                node: host.node.clone(),
                holder: lock.holder.clone(),
                pid: lock.pid.clone(),
                since: lock.since.clone(),
            },
            None => AgentError::Failed {
                node: host.node.clone(),
                code: "unfinished".to_owned(),
                message: format!("an earlier change ({}) is not finished there", journal.tx),
                detail: String::new(),
            },
        })
    };
    let errors: Vec<AgentError> = seen.iter().filter_map(unfinished).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(OpsError::Hosts { errors })
    }
}

/// True when the change `tx` was confirmed on this host.
fn has_confirmed(host: &Observation, tx: &str) -> bool {
    let live = host
        .recorded
        .as_ref()
        .and_then(|recorded| recorded.get("tx"));
    let ended = host
        .outcome
        .as_ref()
        .filter(|outcome| outcome.result == "confirmed");
    live == Some(tx) || ended.is_some_and(|outcome| outcome.tx == tx)
}

/// Peers ask each other for half a minute, and going back takes seconds.
const SETTLE_TIME: Duration = Duration::from_mins(1);

/// Asks the user, then runs the engine.
pub(super) async fn carry_out(
    context: &Context,
    loaded: &Loaded,
    survey: Survey,
    plan: Plan,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let notices = notices(&survey.seen);
    if !plan.is_empty() && !(request.agree)(&plan, &notices) {
        survey.fleet.close().await;
        return Ok(ApplyReport {
            plan,
            outcome: None,
        });
    }
    let peer_key = match PeerKey::random() {
        Ok(key) => key,
        Err(error) => {
            survey.fleet.close().await;
            return Err(OpsError::NoRandomness(error));
        }
    };
    let nodes: Vec<Node> = loaded.nodes().into_iter().cloned().collect();
    let engine = Engine {
        fleet: &survey.fleet,
        connector: &survey.connector,
        nodes: &nodes,
        options: ApplyOptions {
            parallel: context.parallel,
            check_only: request.check_only,
            confirm_timeout: request.confirm_timeout,
            settle_time: SETTLE_TIME,
            owner_patience: owner_patience(&loaded.cluster),
            peer_key,
            vips: vips(&loaded.cluster),
            provenance: loaded.provenance.clone(),
            stop: context.stop.clone(),
        },
        tell: request.tell,
    };
    let tx = new_tx(&loaded.provenance);
    let outcome = engine.run(&plan, &tx).await;
    survey.fleet.close().await;
    Ok(ApplyReport {
        plan,
        outcome: Some(outcome),
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
