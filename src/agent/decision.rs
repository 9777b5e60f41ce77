//! How a change was decided on a host, derived from its own records in one place.

use super::facts::Fact;
use super::observation::Observation;
use super::protocol::{Ending, Phase};

/// How a change was decided on a node, by its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It has the old configuration and will keep it.
    RolledBack,
    /// It has the new configuration and will keep it.
    Committed,
    /// It has the new configuration, unconfirmed.
    InDoubt,
}

impl Observation {
    /// How the change `tx` was decided on this host, or `None` if its records do not mention
    /// the change.
    ///
    /// The journal comes first, since it describes the change in flight. Its phase `confirmed` is
    /// final: any later call completes the commit. Without a journal the outcome decides, which the
    /// host writes before it removes the journal. If a later outcome has replaced it, the live
    /// generation decides.
    pub fn decision_of(&self, tx: &str) -> Option<Decision> {
        if let Some(journal) = self.journal.as_ref().filter(|journal| journal.tx == tx) {
            return Some(if journal.phase == Phase::Confirmed {
                Decision::Committed
            } else {
                Decision::InDoubt
            });
        }
        let is_live = self.recorded.as_ref().and_then(|live| live.get(Fact::Tx)) == Some(tx);
        let outcome = self.outcome.as_ref().filter(|outcome| outcome.tx == tx);
        match outcome.map(|outcome| outcome.result) {
            _ if is_live => Some(Decision::Committed),
            Some(Ending::Confirmed) => Some(Decision::Committed),
            Some(_) => Some(Decision::RolledBack),
            None => None,
        }
    }

    /// Whether the change `tx` is unfinished on this host, in either direction.
    pub fn is_under_way(&self, tx: &str) -> bool {
        self.journal
            .as_ref()
            .is_some_and(|journal| journal.tx == tx)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::agent::Answer;
    use crate::model::NodeName;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    const TX: &str = "our-change";

    /// The answer to `observe` of a host with these records.
    fn host(
        journal: Option<(&str, &str)>,
        outcome: Option<(&str, &str)>,
        live: &str,
    ) -> Observation {
        let node = NodeName::new("lb1").unwrap();
        let manifest = STANDARD.encode(format!("generation\t1\ntx\t{live}\n"));
        let mut text = format!("hactl-agent\t1\nrecorded\t1\n {manifest}\n");
        if let Some((tx, phase)) = journal {
            let _ = writeln!(text, "journal\t{tx}\t{phase}\t2\t0\t3\tauto\t60\tada@desk");
        }
        if let Some((tx, result)) = outcome {
            let _ = writeln!(
                text,
                "outcome\t{tx}\t{result}\twhy\t2026-01-01T00:00:00Z\t-"
            );
        }
        text += "end\n";
        let answer = Answer::read(&node, "observe", text.as_bytes(), "");
        answer
            .map_err(|error| error.to_string())
            .unwrap()
            .observation(&node)
    }

    #[test]
    fn every_combination_of_records_has_one_side() {
        use Decision::{Committed, InDoubt, RolledBack};
        let other = "another-change";
        let table = [
            // journal, outcome, live, side
            (Some((TX, "activating")), None, other, Some(InDoubt)),
            (Some((TX, "activated")), None, other, Some(InDoubt)),
            (Some((TX, "offered")), None, other, Some(InDoubt)),
            (Some((TX, "asking")), None, other, Some(InDoubt)),
            (Some((TX, "undoing")), None, other, Some(InDoubt)),
            (Some((TX, "confirmed")), None, other, Some(Committed)),
            // Killed after writing the outcome and before removing the journal.
            (
                Some((TX, "confirmed")),
                Some((TX, "confirmed")),
                TX,
                Some(Committed),
            ),
            (
                Some((TX, "undoing")),
                Some((TX, "incomplete")),
                other,
                Some(InDoubt),
            ),
            (None, Some((TX, "confirmed")), TX, Some(Committed)),
            (None, Some((TX, "reverted")), other, Some(RolledBack)),
            (None, Some((TX, "expired")), other, Some(RolledBack)),
            // A later change was rolled back, so the live generation is still ours.
            (None, Some((other, "reverted")), TX, Some(Committed)),
            (
                Some((other, "activated")),
                Some((TX, "confirmed")),
                TX,
                Some(Committed),
            ),
            (
                Some((other, "activated")),
                Some((TX, "reverted")),
                other,
                Some(RolledBack),
            ),
            (Some((other, "activated")), None, other, None),
            (None, Some((other, "confirmed")), other, None),
            (None, None, other, None),
        ];
        for (journal, outcome, live, side) in table {
            let host = host(journal, outcome, live);
            assert_eq!(host.decision_of(TX), side, "{journal:?} {outcome:?} {live}");
        }
    }
}
