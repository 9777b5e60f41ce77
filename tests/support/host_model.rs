//! A model of one host during a change, from staging to the decision. It specifies the host's
//! program: `tests/commit_model` explores it, and the conformance test compares the real program
//! with it.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// The files are staged next to the live ones.
    Staged,
    /// Some live files may be new, but the host's own proof is missing. Also covers a rollback in
    /// progress: neither can be confirmed any more, and both end with the old files.
    Activating,
    /// The new configuration runs and is proven. A timer will roll it back.
    Active,
    /// As `Active`, but the operator may confirm it here.
    Offered,
    /// Timed out: it no longer accepts a confirmation from the operator and asks its peers.
    Asking,
    /// The new configuration is final.
    New,
    /// The old configuration is final.
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// Done, now or before.
    Yes,
    /// Refused.
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host {
    pub(crate) stage: Stage,
    /// Bitmask of the peers that have not yet answered that they are unconfirmed and will stay so.
    pub(crate) open: u8,
    pub(crate) up: bool,
    /// The keeper: its decision counts for all hosts, and it accepts a confirmation only after the
    /// offer.
    pub(crate) guards: bool,
}

impl Host {
    /// The host with index `own` of `count` hosts.
    pub(crate) fn new(own: usize, count: usize) -> Self {
        let everybody = (1_u8 << count) - 1;
        Self {
            stage: Stage::Staged,
            open: everybody & !(1 << own),
            up: true,
            guards: false,
        }
    }

    pub(crate) fn begin_activation(&mut self) -> Answer {
        match self.stage {
            Stage::Staged => {
                self.stage = Stage::Activating;
                Answer::Yes
            }
            _ => Answer::No,
        }
    }

    /// The end of an activation. `works` is the result of the host's own proof.
    pub(crate) fn end_activation(&mut self, works: bool) -> Answer {
        if self.stage == Stage::Activating && works {
            self.stage = Stage::Active;
            return Answer::Yes;
        }
        Answer::No
    }

    pub(crate) fn confirm(&mut self) -> Answer {
        match self.stage {
            Stage::Active if self.guards => Answer::No,
            Stage::Active | Stage::Offered | Stage::New => {
                self.stage = Stage::New;
                Answer::Yes
            }
            _ => Answer::No,
        }
    }

    /// The operator reports that all nodes run the change and that it works.
    pub(crate) fn offer(&mut self) -> Answer {
        match self.stage {
            Stage::Active | Stage::Offered => {
                self.stage = Stage::Offered;
                Answer::Yes
            }
            _ => Answer::No,
        }
    }

    /// Makes the host refuse confirmations from now on. `No` if it already is confirmed.
    pub(crate) fn withdraw(&mut self) -> Answer {
        match self.stage {
            Stage::New => return Answer::No,
            Stage::Staged => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            Stage::Activating | Stage::Asking | Stage::Old => {}
        }
        Answer::Yes
    }

    /// The operator's rollback. A confirmed change stays.
    pub(crate) fn revert(&mut self) -> Answer {
        if self.stage == Stage::New {
            return Answer::No;
        }
        self.stage = Stage::Old;
        Answer::Yes
    }

    /// The timer fires.
    pub(crate) fn expire(&mut self) {
        match self.stage {
            // It never reported being active, so no host can have been confirmed. No need to ask.
            Stage::Activating => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            _ => {}
        }
    }

    /// A peer that timed out asks whether this host is confirmed. If this host is active but not
    /// confirmed, it stops accepting confirmations and asks its peers too. A host that is only
    /// staged does not listen, which the peer takes as a no. A late request may still activate it.
    pub(crate) fn answer_peer(&mut self) -> Answer {
        match self.stage {
            Stage::New => return Answer::Yes,
            Stage::Activating => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            Stage::Staged | Stage::Asking | Stage::Old => {}
        }
        Answer::No
    }

    pub(crate) fn hear_peer(&mut self, peer: usize, answer: Answer) {
        if self.stage != Stage::Asking {
            return;
        }
        match answer {
            Answer::Yes => self.stage = Stage::New,
            Answer::No => {
                self.open &= !(1 << peer);
                if self.open == 0 {
                    self.stage = Stage::Old;
                }
            }
        }
    }

    /// Power loss and reboot. A half-done change is undone before the daemons start. `is_armed`
    /// tells whether a timer was already set for a change that is only staged.
    pub(crate) fn boot(&mut self, is_armed: bool) {
        self.up = true;
        if self.stage == Stage::Activating || is_armed && self.stage == Stage::Staged {
            self.stage = Stage::Old;
        }
    }

    pub(crate) fn is_decided(self) -> bool {
        matches!(self.stage, Stage::New | Stage::Old)
    }
}
