//! The words shared by hactl and the program on the host. A test compares them with the program's
//! text.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A change's phase on a host, as recorded in its journal.
#[derive(
    Debug,
    Default,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Files are being installed and daemons reloaded.
    Activating,
    /// The daemons run the new configuration, and hactl may confirm it.
    Activated,
    /// The operator may confirm it.
    Offered,
    /// Timed out: the host asks its peers how the change ended.
    Asking,
    /// It is being rolled back.
    Undoing,
    /// The decision to keep it is final, and the rest of its commit is under way.
    Confirmed,
    /// A phase of a later hactl.
    #[default]
    #[strum(disabled)]
    Unknown,
}

impl Phase {
    /// Whether the change is pending confirmation, with nothing decided.
    pub fn waits(self) -> bool {
        matches!(self, Self::Activated | Self::Offered)
    }
}

/// What a change does to a unit.
#[derive(
    Debug,
    Default,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum UnitAction {
    /// No action.
    #[default]
    None,
    /// Reload its configuration. Connections survive.
    Reload,
    /// Restart it, after handing the VIP over.
    Restart,
    /// Start and enable it.
    Start,
    /// Stop and disable it.
    Stop,
}

impl UnitAction {
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// How the last change on a host ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Confirmed: the configuration stays.
    Confirmed,
    /// Rolled back by hactl.
    Reverted,
    /// Rolled back by the host on its own.
    Expired,
    /// A step of the rollback failed, and the journal still lists the change.
    Incomplete,
}

/// Why a change on a host ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    schemars::JsonSchema,
)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// hactl confirmed it.
    Hactl,
    /// A peer reported that hactl had confirmed it there.
    Peer,
    /// An operator cancelled it.
    Cancelled,
    /// The hactl that applied it had ended, and the next one rolled it back.
    Interrupted,
    /// It failed on a node.
    Failed,
    /// Nobody confirmed it in time.
    Unconfirmed,
    /// Nobody confirmed it in time, and not all peers could be asked.
    PeersSilent,
    /// The host rebooted during the activation.
    Restarted,
}

impl Cause {
    /// Derives the cause from the text in a record of an older hactl, which has no cause.
    pub(super) fn of_words(ending: Ending, why: &str) -> Self {
        match ending {
            Ending::Confirmed if why.starts_with("by another node") => Self::Peer,
            Ending::Confirmed => Self::Hactl,
            Ending::Reverted if why.starts_with("cancelled by") => Self::Cancelled,
            Ending::Reverted if why.starts_with("it was interrupted") => Self::Interrupted,
            Ending::Reverted | Ending::Incomplete => Self::Failed,
            Ending::Expired if why.contains("could be asked") => Self::PeersSilent,
            Ending::Expired if why.contains("restarted") => Self::Restarted,
            Ending::Expired => Self::Unconfirmed,
        }
    }
}

/// Why hactl rolls a change back, as the host records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Machine-readable.
    pub cause: Cause,
    /// Human-readable.
    pub words: String,
}

impl Reason {
    /// A failure, rather than a decision.
    pub fn failed(words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            cause: Cause::Failed,
            words,
        }
    }

    /// `by` is `user@machine`.
    pub fn cancelled(by: &str) -> Self {
        Self {
            cause: Cause::Cancelled,
            words: format!("cancelled by {by}"),
        }
    }

    pub fn interrupted() -> Self {
        Self {
            cause: Cause::Interrupted,
            words: "it was interrupted, and nobody worked on it any more".to_owned(),
        }
    }
}

/// Why a call of the program failed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum FailureCode {
    /// Another call is running there.
    Busy,
    /// Another node failed meanwhile.
    CalledOff,
    /// The change is confirmed there.
    Confirmed,
    /// No space left, or a write failed.
    Disk,
    /// A drill is running.
    Drilling,
    /// A file is immutable or a mount point.
    Fixed,
    /// A drill's fault could not be undone.
    Heal,
    /// A required program is not installed.
    Lacking,
    /// A step of a simultaneous change took too long.
    Late,
    /// Another operation has taken the lock.
    LockLost,
    /// The host has no mount namespaces.
    Mount,
    /// A file changed after the plan was made.
    MovedOn,
    /// hactl does not drive this host's package manager.
    NoPackageManager,
    /// No such generation.
    NoGeneration,
    /// The change is not active there.
    NotActive,
    /// The change is not open for confirmation.
    NotOffered,
    /// The program is not running as root.
    NotRoot,
    /// A directory, device or socket occupies a file's path.
    Obstacle,
    /// The package manager failed.
    Packages,
    /// hactl sent a call or argument that the program does not know.
    Protocol,
    /// A file system is read-only.
    ReadOnly,
    /// A step of the rollback failed.
    Revert,
    /// systemd or a unit failed.
    Service,
    /// A unit does not run the new configuration.
    Stale,
    /// `/var/lib/hactl` cannot be written.
    StateUnwritable,
    /// The kernel rejects a sysctl.
    Sysctl,
    /// A staged file differs from what was sent.
    Tampered,
    /// The host could not undo this drill.
    Unable,
    /// An earlier change is not finished.
    Unfinished,
    /// Users other than root can write to a path that hactl writes as root.
    Unsafe,
    /// Users other than root can write to hactl's state.
    UnsafeState,
    /// A file cannot be written.
    Write,
}

impl FailureCode {
    pub fn hint(self) -> &'static str {
        match self {
            Self::Disk => "free some space on the host (`df -h /var/lib /etc`), then run it again",
            Self::ReadOnly | Self::Write | Self::StateUnwritable => {
                "make the file system writable (`mount | grep ' ro[,)]'`, and `dmesg` for why it is not), then run it again"
            }
            Self::Fixed => {
                "make it replaceable on the host (`chattr -i` or `umount`; check with `lsattr` and `findmnt`), then run it again"
            }
            Self::Unsafe => {
                "make root its owner and only writer (`chown root:root`, `chmod go-w`), check it for files that others left there, then run it again"
            }
            Self::UnsafeState => {
                "find out who put it there; if it was you, give it to root alone (`chown -R root:root`, `chmod 700`), then run it again"
            }
            Self::Tampered => {
                "nothing was changed; find out what wrote there on the host, or whether its disk fails (`dmesg`), then run it again"
            }
            Self::Lacking => "install the named program on the host, then run it again",
            Self::Sysctl => "remove or correct that key under `sysctl` in the inventory",
            Self::Stale => {
                "read the lines above, and check whether another program holds one of its ports (`ss -ltnp` on the host)"
            }
            Self::Service => "read the lines above, and `systemctl status` on the host",
            Self::NoPackageManager => {
                "install them with the host's own package manager (`dnf install nginx keepalived`), then run it again"
            }
            Self::Packages => {
                "install nginx and keepalived on the host with its package manager, and fix what that reports"
            }
            Self::CalledOff => "see the errors of the other nodes",
            Self::MovedOn => "review the change again with `hactl plan`",
            Self::LockLost => "run `hactl status`, then run it again",
            Self::Busy => "wait a few seconds, then run it again",
            Self::NotRoot => "log in as root (ssh.user), or set ssh.sudo in the inventory",
            Self::NoGeneration => "list the existing generations with `hactl history`",
            Self::NotOffered => "wait until the hactl that makes the change asks for confirmation",
            Self::NotActive => {
                "the host rolled the change back on its own before it was confirmed; run it again"
            }
            Self::Drilling => "wait for the drill to end: the host undoes the fault on its own",
            Self::Heal => {
                "the host tries again every 5 s; fix what `journalctl -u hactl-heal` reports there"
            }
            Self::Unable => "run that drill on a host where it can be undone",
            Self::Unfinished => {
                "run `hactl apply` without --limit: it ends the earlier change first, once nobody works on the host"
            }
            Self::Confirmed => "run `hactl status`; to undo the change, run `hactl rollback`",
            Self::Obstacle => "inspect what is in the way, and move it elsewhere",
            Self::Mount => {
                "allow mount namespaces on the host (`unshare -m true` as root), then run it again"
            }
            Self::Revert => {
                "fix the problems above by hand; the host keeps its former files in /var/lib/hactl/tx"
            }
            Self::Late | Self::Protocol => "run it again with -vvv to see what the host answered",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Display;

    use super::*;
    use crate::agent::agent_script;

    fn words<T: Display>(variants: &[T]) -> BTreeSet<String> {
        variants.iter().map(ToString::to_string).collect()
    }

    /// The words that directly follow one of `before` in the program's text, wherever that is a
    /// command.
    fn said(before: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for line in agent_script().lines().map(str::trim_start) {
            if line.starts_with('#') {
                continue;
            }
            for lead in before {
                let spots = line.match_indices(lead).map(|(at, _)| at);
                for at in
                    spots.filter(|at| *at == 0 || !line[..*at].ends_with(char::is_alphanumeric))
                {
                    let rest = &line[at + lead.len()..];
                    let word = rest
                        .split(|c: char| !c.is_ascii_lowercase() && c != '-')
                        .next();
                    found.extend(word.filter(|word| !word.is_empty()).map(str::to_owned));
                }
            }
        }
        found
    }

    #[test]
    fn every_failure_code_is_known_and_said() {
        let mut codes = said(&["die ", "$place_on_error ", "say fail "]);
        // `locked` has an error of its own.
        assert!(codes.remove("locked"));
        assert_eq!(codes, words(FailureCode::VARIANTS));
    }

    #[test]
    fn every_phase_is_known_and_said() {
        let known: Vec<Phase> = Phase::VARIANTS
            .iter()
            .copied()
            .filter(|phase| *phase != Phase::Unknown)
            .collect();
        assert_eq!(
            said(&["journal \"$1\" ", "enter_phase \"$1\" "]),
            words(&known)
        );
    }

    /// `run_action` has exactly these cases.
    #[test]
    fn every_action_on_a_service_is_known() {
        let text = agent_script();
        let (_, rest) = text
            .split_once("\nrun_action() {\n    case $2 in\n")
            .unwrap();
        let (cases, _) = rest.split_once("\n    esac\n").unwrap();
        let labels = cases.lines().filter_map(|line| {
            let label = line.strip_prefix("    ")?.split_once(')')?.0;
            label.starts_with(char::is_alphabetic).then_some(label)
        });
        let known = labels.flat_map(|label| label.split(" | "));
        let known: BTreeSet<String> = known.map(str::to_owned).collect();
        assert_eq!(known, words(UnitAction::VARIANTS));
    }

    #[test]
    fn every_ending_and_cause_is_known_and_said() {
        let recorded = ["record_outcome \"$1\" ", "undo \"$1\" "];
        assert_eq!(said(&recorded), words(Ending::VARIANTS));
        let given = words(&[Cause::Cancelled, Cause::Interrupted, Cause::Failed]);
        let own = said(&[
            "finalize_commit \"$1\" ",
            "undo \"$1\" expired ",
            "record_outcome \"$1\" incomplete ",
        ]);
        let both: BTreeSet<String> = own.union(&given).cloned().collect();
        assert_eq!(both, words(Cause::VARIANTS));
    }

    #[test]
    fn what_an_older_hactl_wrote_is_read() {
        for (ending, words, cause) in [
            (Ending::Confirmed, "by hactl", Cause::Hactl),
            (
                Ending::Confirmed,
                "by another node, which hactl had confirmed",
                Cause::Peer,
            ),
            (Ending::Reverted, "cancelled by bob@sofa", Cause::Cancelled),
            (
                Ending::Reverted,
                "it was interrupted, and nobody worked on it any more",
                Cause::Interrupted,
            ),
            (Ending::Reverted, "the prove step failed", Cause::Failed),
            (
                Ending::Expired,
                "nobody confirmed it in time",
                Cause::Unconfirmed,
            ),
            (
                Ending::Expired,
                "nobody confirmed it in time, and not every other node could be asked",
                Cause::PeersSilent,
            ),
            (
                Ending::Expired,
                "the host was restarted while it was being made",
                Cause::Restarted,
            ),
        ] {
            assert_eq!(Cause::of_words(ending, words), cause, "{words}");
        }
    }
}
