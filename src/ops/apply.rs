//! `hactl apply`: makes the hosts what the inventory says.

use std::time::Duration;

use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::holder::own_origin;
use super::notice::{INTERRUPTED, Notice, note_all, notices};
use super::plan::make;
use super::plan_file::{PlanFile, PlanFileError};
use super::settle::Settler;
use super::survey::{Survey, owner_patience, survey};
use super::under_way::{UnderWay, under_way};
use crate::agent::{AgentError, Journal, LockInfo, Observation, PeerKey};
use crate::apply::{
    ApplyOptions, ApplyOutcome, Confirmation, Engine, Event, FailureCause, SettleOutcome,
    SettleVerb, Verdict,
};
use crate::health;
use crate::model::Node;
use crate::plan::{Loss, Plan, Provenance};

/// What is asked for.
pub struct ApplyRequest<'a> {
    /// Stop after validation.
    pub check_only: bool,
    /// Who confirms.
    pub confirm: Confirmation,
    /// A host undoes by itself what was not confirmed within this time.
    pub confirm_timeout: Duration,
    /// A plan that was saved: hosts that have moved on since are refused.
    pub plan_file: Option<PlanFile>,
    /// Shown the plan before anything is done.
    pub agree: &'a (dyn Fn(&Plan, &[Notice]) -> Consent + Sync),
    /// Told of everything that happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// What the user says to a plan.
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
    /// What the hosts tell of earlier changes.
    pub notices: Vec<Notice>,
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

/// Ends earlier changes that were interrupted and that nobody works on any more: the way that they ended
/// on a host where they were confirmed, or else back. One that waits for a person is left alone. Only with
/// all hosts in sight: one that `--limit` leaves out may be the one that was confirmed. Frees the locks of
/// holders that are known to be dead.
pub(super) async fn recover(
    context: &Context,
    loaded: &Loaded,
    found: Survey,
) -> Result<Survey, OpsError> {
    if !context.limit.is_empty() {
        return Ok(found);
    }
    let changes = under_way(&found.seen);
    let is_abandoned = |change: &&UnderWay| change.lock.is_none() && !change.waits();
    let abandoned: Vec<&UnderWay> = changes.iter().filter(is_abandoned).collect();
    let is_left = |host: &Observation| {
        let left = |journal: &Journal| !abandoned.iter().any(|change| change.tx == journal.tx);
        host.journal.as_ref().is_some_and(left)
    };
    let dead =
        |host: &&Observation| !is_left(host) && host.lock.as_ref().is_some_and(|lock| lock.stale);
    let dead: Vec<&Observation> = found.seen.iter().filter(dead).collect();
    if abandoned.is_empty() && dead.is_empty() {
        return Ok(found);
    }
    let nodes: Vec<Node> = loaded.nodes().into_iter().cloned().collect();
    let settler = Settler {
        context,
        connector: &found.connector,
        fleet: &found.fleet,
        nodes: &nodes,
        cluster: &loaded.cluster,
        provenance: &loaded.provenance,
        tell: &|_| (),
    };
    let mut errors = Vec::new();
    for change in abandoned {
        let end = settler.end(change, SettleVerb::Cancel, INTERRUPTED, &found.seen);
        match end.await {
            Ok(end) => errors.extend(problems_of(change, end)),
            Err(error) => errors.push(error),
        }
    }
    for host in dead {
        if let (Some(agent), Some(lock)) = (found.fleet.get(&host.node), &host.lock) {
            let freed = agent.break_lock(&lock.tx, false).await;
            // Somebody else has taken it meanwhile, or a change could not be ended: that is said.
            let is_told = |error: &AgentError| !matches!(error.code(), "moved-on" | "unfinished");
            errors.extend(freed.err().filter(is_told));
        }
    }
    found.fleet.close().await;
    if errors.is_empty() {
        survey(context, loaded).await
    } else {
        Err(OpsError::Hosts { errors })
    }
}

/// Why the end of an interrupted change failed, on each host where it did.
fn problems_of(change: &UnderWay, end: SettleOutcome) -> Vec<AgentError> {
    if end.verdict != Verdict::Mixed {
        return Vec::new();
    }
    let causes = end.failure.into_iter().flat_map(|failure| failure.errors);
    let mut errors: Vec<AgentError> = causes
        .filter_map(|cause| match cause {
            FailureCause::Agent(error) => Some(error),
            _ => None,
        })
        .collect();
    if errors.is_empty()
        && let Some(member) = change.members.first()
    {
        errors.push(AgentError::Failed {
            node: member.node.clone(),
            code: "revert".to_owned(),
            message: format!("the interrupted change {} could not be ended", change.tx),
            detail: end.problems.join("\n"),
        });
    }
    errors
}

/// Nothing can be said of a host on which a change is under way: what it will be is not decided.
pub(super) fn refuse_unfinished(seen: &[Observation]) -> Result<(), OpsError> {
    let changes = under_way(seen);
    let unfinished = |host: &Observation| {
        let journal = host.journal.as_ref()?;
        let waits = changes
            .iter()
            .find(|change| change.tx == journal.tx && change.waits());
        let lock = match waits {
            // One deadline for all of its nodes, so that they are told of as one.
            Some(change) => Some(LockInfo {
                deadline: change.deadline.clone(),
                ..journal.as_lock()
            }),
            None => host.lock.clone().filter(|lock| !lock.stale),
        };
        Some(match lock {
            Some(lock) => AgentError::Locked {
                node: host.node.clone(),
                lock: Box::new(lock),
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
    let consent = if plan.is_empty() {
        Consent::Given
    } else {
        (request.agree)(&plan, &notices)
    };
    if consent != Consent::Given {
        survey.fleet.close().await;
        return match consent {
            Consent::Unnamed(losses) => Err(OpsError::StopsServing { losses }),
            _ => Ok(ApplyReport {
                plan,
                notices,
                outcome: None,
            }),
        };
    }
    let peer_key = match PeerKey::random() {
        Ok(key) => key,
        Err(error) => {
            survey.fleet.close().await;
            return Err(OpsError::NoRandomness(error));
        }
    };
    if !request.check_only {
        note_all(&survey.fleet, &notices).await;
    }
    let nodes: Vec<Node> = loaded.nodes().into_iter().cloned().collect();
    let engine = Engine {
        fleet: &survey.fleet,
        connector: &survey.connector,
        nodes: &nodes,
        options: ApplyOptions {
            parallel: context.parallel,
            check_only: request.check_only,
            confirm: request.confirm,
            origin: own_origin(),
            confirm_timeout: request.confirm_timeout,
            settle_time: SETTLE_TIME,
            owner_patience: owner_patience(&loaded.cluster),
            peer_key: Some(peer_key),
            vips: health::doors(&loaded.cluster),
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
        notices,
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
