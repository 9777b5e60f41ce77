//! A model of what a host does with a change, from its being staged to its being decided. It is what
//! the host's program must do; `tests/commit_model.rs` explores it, and the conformance test holds the
//! real program to it.

/// Where a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// The files lie beside the live ones.
    Staged,
    /// Some of the live files may be new; its own proof is not there yet. What is being undone is here,
    /// too: neither can be confirmed any more, and both end with the old files.
    Activating,
    /// The new configuration runs, proven, and a timer will end that.
    Active,
    /// Likewise, and the operator may confirm it here.
    Offered,
    /// Its time is over: it takes no confirmation from the operator any more, and asks its peers.
    Asking,
    /// It has the new configuration for good.
    New,
    /// It has the old one for good.
    Old,
}

/// What a host says to a peer or to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// Done, or done before.
    Yes,
    /// It will not.
    No,
}

/// One host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host {
    pub(crate) stage: Stage,
    /// Peers that have not yet told it that they are not confirmed, and can't be any more: a bit each.
    pub(crate) open: u8,
    pub(crate) up: bool,
    /// It decides for all, and takes a confirmation only once the change was offered to it.
    pub(crate) guards: bool,
}

impl Host {
    /// The host in place `own` of `count`.
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

    /// The end of an activation; `works` is its own proof.
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

    /// Its maker says that all nodes have it, and that it works.
    pub(crate) fn offer(&mut self) -> Answer {
        match self.stage {
            Stage::Active | Stage::Offered => {
                self.stage = Stage::Offered;
                Answer::Yes
            }
            _ => Answer::No,
        }
    }

    /// From now on it takes no confirmation. `No` where it has taken one.
    pub(crate) fn withdraw(&mut self) -> Answer {
        match self.stage {
            Stage::New => return Answer::No,
            Stage::Staged => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            Stage::Activating | Stage::Asking | Stage::Old => {}
        }
        Answer::Yes
    }

    /// The operator's. What is confirmed stays.
    pub(crate) fn revert(&mut self) -> Answer {
        if self.stage == Stage::New {
            return Answer::No;
        }
        self.stage = Stage::Old;
        Answer::Yes
    }

    /// Its timer.
    pub(crate) fn expire(&mut self) {
        match self.stage {
            // It never said that it is active, so nobody can have been confirmed: no need to ask.
            Stage::Activating => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            _ => {}
        }
    }

    /// A peer whose time is over asks whether this host is confirmed. If it is active and not confirmed,
    /// it never will be by the operator: from now on it asks, too. What is only staged listens to
    /// nobody, which the peer takes for a no; it may still be activated, by an order that is late.
    pub(crate) fn answer_peer(&mut self) -> Answer {
        match self.stage {
            Stage::New => return Answer::Yes,
            Stage::Activating => self.stage = Stage::Old,
            Stage::Active | Stage::Offered => self.stage = Stage::Asking,
            Stage::Staged | Stage::Asking | Stage::Old => {}
        }
        Answer::No
    }

    /// A peer has answered.
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

    /// The power goes and comes back. What was half done is undone before the daemons start.
    /// `is_armed` tells whether a timer was set already for what is only staged.
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
