//! Running state that differs from its file, and what hosts tell of earlier changes, in words.

use super::text::comma;
use crate::agent::Phase;
use crate::model::NodeName;
use crate::ops::Notice;
use crate::plan::RunningDrift;

/// One sentence.
pub(super) fn drift_words(drift: &RunningDrift) -> String {
    match drift {
        RunningDrift::Sysctl {
            key,
            applied,
            kernel: Some(kernel),
        } => format!("the kernel uses {key} = {kernel}, though {applied} was applied"),
        RunningDrift::Sysctl { key, applied, .. } => {
            format!("the kernel has no {key} any more, though {applied} was applied")
        }
        // The identities themselves tell nobody anything, and differ on every node; JSON has them.
        RunningDrift::NginxServes { serves, .. } => match serves {
            Some(_) => "nginx serves another configuration than the one that was applied: a reload failed",
            None => "nginx does not serve the configuration that was applied",
        }
        .to_owned(),
        RunningDrift::KeepalivedLoaded { loaded, .. } => match loaded {
            Some(_) => "keepalived runs another configuration than the one that was applied: a reload failed",
            None => "keepalived does not run the configuration that was applied",
        }
        .to_owned(),
        RunningDrift::Unwatched { file } => format!(
            "keepalived no longer watches {file}, which somebody removed: a dead nginx is noticed late"
        ),
        RunningDrift::Down { unit, state } => format!("{unit} does not run ({state})"),
        RunningDrift::Masked { unit } => {
            format!("{unit} is masked: systemd neither starts nor reloads it")
        }
        RunningDrift::NotEnabled { unit } => format!("{unit} would not start at boot"),
        RunningDrift::DaemonReloadNeeded { unit } => {
            format!("systemd has not read the file of {unit} since it changed")
        }
    }
}

/// The node, and one sentence.
pub(super) fn notice_words(notice: &Notice) -> (&NodeName, String) {
    match notice {
        Notice::Unfinished {
            node,
            tx,
            phase,
            deadline,
        } => {
            // Once it is being ended, the time that it was given is past.
            let is_waiting = phase.waits() || *phase == Phase::Activating;
            let deadline = deadline
                .as_ref()
                .filter(|at| is_waiting && at.seconds_left > 0);
            let when = deadline.map_or_else(String::new, |at| format!(" at {at}"));
            (
                node,
                format!(
                    "the change {tx} is unfinished there ({phase}); the host ends it by itself{when}"
                ),
            )
        }
        Notice::Waiting {
            node, by, deadline, ..
        } => {
            let until = match deadline {
                Some(deadline) => format!("is undone at {deadline}"),
                None => "is undone when its time is over".to_owned(),
            };
            (
                node,
                format!(
                    "a change of {by}'s waits to be confirmed and {until}: `hactl confirm` keeps it, \
                     `hactl cancel` undoes it now"
                ),
            )
        }
        Notice::Undone { node, tx, why, at } => (
            node,
            format!(
                "the host undid the last change ({tx}): {why}{}",
                told_at(at)
            ),
        ),
        Notice::Drilling {
            node,
            name,
            since,
            seconds_left: 0,
        } => (
            node,
            format!(
                "the fault of the drill {name}, made at {since}, could not be undone there; the host goes \
                 on trying, and `journalctl -u hactl-heal` says why"
            ),
        ),
        Notice::Drilling {
            node,
            name,
            since,
            seconds_left,
        } => (
            node,
            format!(
                "the drill {name} is under way there since {since}; the host ends it by itself within \
                 {seconds_left} s"
            ),
        ),
        Notice::Completed { node, tx, at } => (
            node,
            format!(
                "the last change ({tx}) was interrupted and stays: another node had been told to keep it{}",
                told_at(at)
            ),
        ),
        Notice::Cancelled { node, tx, why, at } => (
            node,
            format!("the last change ({tx}) was undone: {why}{}", told_at(at)),
        ),
        Notice::Incomplete { node, tx, why } => (
            node,
            format!(
                "undoing the change {tx} failed ({why}); the host tries again every 30 s: look at \
                 `journalctl -u hactl-revert` there"
            ),
        ),
        Notice::Behind {
            node,
            generation,
            newest,
        } => (
            node,
            format!(
                "it has generation {generation}, though generation {newest} was made on it, too: was it \
                 brought back from a backup? `hactl apply` brings it up to date"
            ),
        ),
        Notice::Locked { node, lock } => (node, lock.words()),
        Notice::NotSeen { node, why } => (
            node,
            format!("it is left out and could not be looked at: {why}"),
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

/// `lb1, lb3: words`, each words once.
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
