//! Running state that differs from its file, and what hosts tell of earlier changes, in words.

use crate::ops::Notice;
use crate::plan::RunningDrift;

/// How much of a configuration's identity tells it from others.
const ID_SHOWN: usize = 8;

/// A configuration's identity, short.
pub(super) fn short(id: &str) -> &str {
    id.get(..ID_SHOWN).unwrap_or(id)
}

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
        RunningDrift::NginxServes { applied, serves } => match serves {
            Some(serves) => format!(
                "nginx serves configuration {}, though {} was applied: a reload failed",
                short(serves),
                short(applied)
            ),
            None => format!(
                "nginx does not serve configuration {}, which was applied",
                short(applied)
            ),
        },
        RunningDrift::KeepalivedLoaded { applied, loaded } => match loaded {
            Some(loaded) => format!(
                "keepalived runs configuration {}, though {} was applied: a reload failed",
                short(loaded),
                short(applied)
            ),
            None => format!(
                "keepalived does not run configuration {}, which was applied",
                short(applied)
            ),
        },
        RunningDrift::Down { unit, state } => format!("{unit} does not run: it is {state}"),
        RunningDrift::NotEnabled { unit } => format!("{unit} would not start at boot"),
        RunningDrift::DaemonReloadNeeded { unit } => {
            format!("systemd has not read the file of {unit} since it changed")
        }
    }
}

/// One sentence, the node first.
pub(super) fn notice_words(notice: &Notice) -> String {
    match notice {
        Notice::Unfinished { node, tx, phase } => format!(
            "{node}: the change {tx} is unfinished there ({phase}); the host's timer undoes it, or the next apply"
        ),
        Notice::Undone { node, tx, why } => {
            format!("{node}: the last change ({tx}) was undone there: {why}")
        }
        Notice::Locked {
            node,
            holder,
            since,
        } => format!("{node}: {holder} has been changing this cluster since {since}"),
    }
}
