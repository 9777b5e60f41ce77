//! Running state that differs from its file, and what hosts tell of earlier changes, in words.

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
        RunningDrift::Down { unit, state } => format!("{unit} does not run ({state})"),
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
