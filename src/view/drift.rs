//! Text for drift, and for what hosts report about earlier changes.

use super::findings::with_rule;
use super::text::comma;
use crate::agent::Phase;
use crate::check::Rule;
use crate::model::NodeName;
use crate::ops::Notice;
use crate::plan::RunningDrift;

/// One sentence, with the id of its rule.
pub(super) fn drift_words(drift: &RunningDrift) -> String {
    with_rule(words(drift), Rule::of_drift(drift))
}

fn words(drift: &RunningDrift) -> String {
    match drift {
        RunningDrift::Sysctl {
            key,
            applied,
            kernel: Some(kernel),
        } => format!("the kernel uses {key} = {kernel}, though {applied} was applied"),
        RunningDrift::Sysctl { key, applied, .. } => {
            format!("the kernel has no {key} any more, though {applied} was applied")
        }
        // The identities differ on every node and mean nothing to a reader. The JSON output has them.
        RunningDrift::Loaded { unit, loaded, .. } => match loaded {
            Some(_) => format!(
                "{unit} runs another configuration than the one that was applied: a reload failed"
            ),
            None => format!("{unit} does not run the configuration that was applied"),
        },
        RunningDrift::Unwatched { file } => format!(
            "keepalived no longer watches {file}, which somebody removed: a dead nginx is noticed late"
        ),
        RunningDrift::Down { unit, state } => format!("{unit} is not running ({state})"),
        RunningDrift::Masked { unit } => {
            format!("{unit} is masked: systemd neither starts nor reloads it")
        }
        RunningDrift::NotEnabled { unit } => format!("{unit} would not start at boot"),
        RunningDrift::DaemonReloadNeeded { unit } => {
            format!("{unit} needs `systemctl daemon-reload`: its file has changed")
        }
    }
}

fn drilling_words(name: &str, since: &str, seconds_left: u64) -> String {
    if seconds_left == 0 {
        return format!(
            "the fault of the drill {name}, injected at {since}, could not be undone; the host keeps trying, \
             see `journalctl -u hactl-heal`"
        );
    }
    format!(
        "the drill {name} has been running since {since}; the host ends it on its own within \
         {seconds_left} s"
    )
}

/// The node, and one sentence about it.
pub(super) fn notice_words(notice: &Notice) -> (&NodeName, String) {
    match notice {
        Notice::Unfinished {
            node,
            tx,
            phase,
            deadline,
        } => {
            // Once the change is being ended, its deadline has passed.
            let is_waiting = phase.waits() || *phase == Phase::Activating;
            let deadline = deadline
                .as_ref()
                .filter(|at| is_waiting && at.seconds_left > 0);
            let when = deadline.map_or_else(String::new, |at| format!(" at {at}"));
            (
                node,
                format!(
                    "the change {tx} is unfinished ({phase}); the host ends it on its own{when}"
                ),
            )
        }
        Notice::Waiting {
            node, by, deadline, ..
        } => {
            let until = match deadline {
                Some(deadline) => format!("rolls back at {deadline}"),
                None => "rolls back when its time is over".to_owned(),
            };
            (
                node,
                format!(
                    "a change by {by} is pending confirmation and {until}: `hactl confirm` keeps it, `hactl cancel` rolls it back now"
                ),
            )
        }
        Notice::Undone { node, tx, why, at } => (
            node,
            format!(
                "the host rolled the last change ({tx}) back: {why}{}",
                told_at(at)
            ),
        ),
        Notice::Drilling {
            node,
            name,
            since,
            seconds_left,
        } => (node, drilling_words(name, since, *seconds_left)),
        Notice::Completed { node, tx, at } => (
            node,
            format!(
                "the last change ({tx}) was interrupted and is kept: another node had confirmed it{}",
                told_at(at)
            ),
        ),
        Notice::Cancelled { node, tx, why, at } => (
            node,
            format!(
                "the last change ({tx}) was rolled back: {why}{}",
                told_at(at)
            ),
        ),
        Notice::Incomplete { node, tx, why } => (
            node,
            format!(
                "cannot roll back the change {tx}: {why}; the host tries again every 30 s, see \
                 `journalctl -u hactl-revert`"
            ),
        ),
        Notice::Behind {
            node,
            generation,
            newest,
        } => (
            node,
            format!(
                "it has generation {generation}, although generation {newest} was applied to it: was it \
                 restored from a backup? `hactl apply` brings it up to date"
            ),
        ),
        Notice::Locked { node, lock } => (node, lock.words()),
        Notice::NotSeen { node, why } => (
            node,
            format!("it is left out and could not be inspected: {why}"),
        ),
    }
}

/// `2026-11-22T16:50:00Z` as ` (2026-11-22 16:50 UTC)`.
fn told_at(time: &str) -> String {
    match time.get(..16) {
        Some(minutes) => format!(" ({} UTC)", minutes.replace('T', " ")),
        None => String::new(),
    }
}

/// Groups nodes with equal sentences: `lb1, lb3: words`.
pub(super) fn by_words<'a>(said: impl IntoIterator<Item = (&'a NodeName, String)>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&NodeName>)> = Vec::new();
    for (node, words) in said {
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, nodes)) => nodes.push(node),
            None => groups.push((words, vec![node])),
        }
    }
    let line = |(words, mut nodes): (String, Vec<&NodeName>)| {
        nodes.sort();
        format!("{}: {words}", comma(&nodes))
    };
    groups.into_iter().map(line).collect()
}
