//! The words that hactl and the program on the host share. A test compares them with the program's text.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// How far a change has got on a host, by its journal.
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
    /// The files are put in place, and the daemons told.
    Activating,
    /// The daemons have it; hactl may confirm it.
    Activated,
    /// A person may confirm it.
    Offered,
    /// Its time is over: the host asks the others how it ended.
    Asking,
    /// It is rolled back.
    Undoing,
    /// Decided: it is carried through.
    Confirmed,
    /// A word of a later hactl's.
    #[default]
    #[strum(disabled)]
    Unknown,
}

impl Phase {
    /// The change waits for a confirmation, and nothing is decided.
    pub fn waits(self) -> bool {
        matches!(self, Self::Activated | Self::Offered)
    }
}

/// What a change does to a service.
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
    /// Nothing.
    #[default]
    None,
    /// It reads its configuration again; connections live on.
    Reload,
    /// It is stopped and started; the VIP is handed over first.
    Restart,
    /// It is started (and enabled).
    Start,
    /// It is stopped (and disabled).
    Stop,
}

impl UnitAction {
    /// The host program's word.
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
    /// It stays.
    Confirmed,
    /// hactl rolled it back.
    Reverted,
    /// The host rolled it back on its own.
    Expired,
    /// A step of the rollback failed, and the journal still has it.
    Incomplete,
}

/// What ended a change on a host.
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
    /// Another node told that hactl had confirmed it there.
    Peer,
    /// An operator cancelled it.
    Cancelled,
    /// The hactl that made it was gone, and the next one rolled it back.
    Interrupted,
    /// It failed on some node.
    Failed,
    /// Nobody confirmed it in time.
    Unconfirmed,
    /// Nobody confirmed it in time, and some other node could not be asked.
    PeersSilent,
    /// The host was restarted while it was activated.
    Restarted,
}

impl Cause {
    /// What a record of a hactl before this one says, which has words alone.
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
    /// For programs.
    pub cause: Cause,
    /// For people.
    pub words: String,
}

impl Reason {
    /// Nobody asked for it.
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

    /// The hactl that made the change is gone.
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
    /// Another call works there.
    Busy,
    /// Another node failed meanwhile.
    CalledOff,
    /// The change was confirmed there.
    Confirmed,
    /// No space, or no write.
    Disk,
    /// A drill is under way.
    Drilling,
    /// A file is immutable, or a mount.
    Fixed,
    /// A drill's fault was not undone.
    Heal,
    /// A program is not installed.
    Lacking,
    /// A step of a switch of all nodes took too long.
    Late,
    /// The lock is somebody else's by now.
    LockLost,
    /// No mount namespace.
    Mount,
    /// A file changed after the plan was made.
    MovedOn,
    /// No package manager that hactl drives.
    NoPackageManager,
    /// No such generation.
    NoGeneration,
    /// The change is not active there.
    NotActive,
    /// It does not wait for an operator.
    NotOffered,
    /// The program does not run as root.
    NotRoot,
    /// A directory, device or socket is where a file goes.
    Obstacle,
    /// The package manager failed.
    Packages,
    /// hactl asked for what the program does not know.
    Protocol,
    /// A file system is read-only.
    ReadOnly,
    /// A step of the rollback failed.
    Revert,
    /// systemd, or a unit.
    Service,
    /// A unit does not run the new configuration.
    Stale,
    /// `/var/lib/hactl` cannot be written.
    StateUnwritable,
    /// The kernel refuses a sysctl.
    Sysctl,
    /// A staged file is not what was sent.
    Tampered,
    /// A drill that could not be undone there.
    Unable,
    /// An earlier change is under way.
    Unfinished,
    /// Others than root can write where root writes.
    Unsafe,
    /// Others than root can write where hactl keeps its state.
    UnsafeState,
    /// A file cannot be written.
    Write,
}

impl FailureCode {
    /// What the user can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Disk => "free some space on the host (`df -h /var/lib /etc`), then run it again",
            Self::ReadOnly | Self::Write | Self::StateUnwritable => {
                "make the file system writable (`mount | grep ' ro[,)]'`, and `dmesg` for why it is not), then run it again"
            }
            Self::Fixed => {
                "let it be replaced on the host (`chattr -i`, `umount`; `lsattr` and `findmnt` tell which), then run it again"
            }
            Self::Unsafe => {
                "make root its owner and let nobody else write there (`chown root:root`, `chmod go-w`), look at what others may have put there, then run it again"
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
                "look at the lines above, and whether another program has one of its ports (`ss -ltnp` on the host)"
            }
            Self::Service => "look at the lines above, and at `systemctl status` on the host",
            Self::NoPackageManager => {
                "install them with the host's own package manager (`dnf install nginx keepalived`), then run it again"
            }
            Self::Packages => {
                "run `apt-get update` and `apt-get install nginx keepalived` on the host, and fix what they report"
            }
            Self::CalledOff => "look at what is said of the other nodes",
            Self::MovedOn => "run `hactl plan` again and look at what it says now",
            Self::LockLost => "run `hactl status`, then run it again",
            Self::Busy => "wait a few seconds, then run it again",
            Self::NotRoot => "log in as root (ssh.user), or set ssh.sudo in the inventory",
            Self::NoGeneration => "`hactl history` lists the generations there are",
            Self::NotOffered => {
                "wait until the hactl that makes it says that it waits for a confirmation"
            }
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
            Self::Confirmed => "run `hactl status`; `hactl rollback` takes the change back",
            Self::Obstacle => "look at what lies there, and move it away",
            Self::Mount => {
                "allow mount namespaces on the host (`unshare -m true` as root), then run it again"
            }
            Self::Revert => {
                "fix the problems above by hand; the copies are in /var/lib/hactl/tx on the host"
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

    /// The words of the program's text that stand right behind one of `before`, wherever it is a command.
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
        // It has an error of its own.
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

    /// `run_action` has a case for each, and for nothing else.
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
            "carry_through \"$1\" ",
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
