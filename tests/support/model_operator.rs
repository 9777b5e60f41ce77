//! The model's operators: the one that applies a change, and those that confirm or cancel a waiting
//! one.

use hactl::apply::{Command, Coordinator, Decision, ProtocolResult, Reply};

use crate::Message;
use crate::host_model::Stage;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    /// Queries the state of the change on all nodes.
    Looks {
        /// Confirms if true, else cancels.
        confirms: bool,
        /// The states received so far.
        seen: Vec<Stage>,
    },
    Works(Coordinator),
    /// Has reported the outcome.
    Ended(ProtocolResult),
    /// Died, or refused to do anything.
    Gone,
}

impl Operator {
    /// An operator about to confirm or cancel that has not queried a node yet.
    pub(crate) fn looks(confirms: bool) -> Self {
        Self::Looks {
            confirms,
            seen: Vec::new(),
        }
    }

    /// Has queried one more of `nodes` nodes. Once it knows the state of all of them, it decides
    /// like `hactl confirm` and `hactl cancel`.
    pub(crate) fn after_look(confirms: bool, mut stages: Vec<Stage>, nodes: usize) -> Self {
        let is_unfinished = |stage: &Stage| matches!(stage, Stage::Staged | Stage::Activating);
        if confirms && stages.iter().any(is_unfinished) {
            return Self::Gone;
        }
        if !confirms {
            // Cancelling treats all undecided stages the same.
            for stage in &mut stages {
                if !matches!(stage, Stage::New | Stage::Old) {
                    *stage = Stage::Active;
                }
            }
        }
        if stages.len() < nodes {
            return Self::Looks {
                confirms,
                seen: stages,
            };
        }
        let side = |stage: &Stage| match stage {
            Stage::New => Decision::Committed,
            Stage::Old => Decision::RolledBack,
            _ => Decision::InDoubt,
        };
        let sides: Vec<Decision> = stages.iter().map(side).collect();
        if !confirms {
            return Self::Works(Coordinator::cancel(&sides));
        }
        if stages.contains(&Stage::New) || stages[0] == Stage::Offered {
            Self::Works(Coordinator::confirm_waiting(&sides))
        } else {
            Self::Gone
        }
    }

    /// The state machine while it runs.
    pub(crate) fn coordinator(&self) -> Option<&Coordinator> {
        match self {
            Self::Works(coordinator) => Some(coordinator),
            _ => None,
        }
    }

    /// Replaces a finished state machine by its result, since its history no longer matters.
    pub(crate) fn settled(self) -> Self {
        match self.coordinator().and_then(Coordinator::result) {
            Some(result) => Self::Ended(result),
            None => self,
        }
    }

    /// The reported result, if any.
    pub(crate) fn result(&self) -> Option<ProtocolResult> {
        match self {
            Self::Ended(result) => Some(*result),
            _ => None,
        }
    }
}

pub(crate) fn node_of(command: Command) -> usize {
    match command {
        Command::Activate(index)
        | Command::Confirm(index)
        | Command::Offer(index)
        | Command::Withdraw(index)
        | Command::Revert(index)
        | Command::Ask(index) => index,
        Command::Prove => unreachable!("it is no message"),
    }
}

pub(crate) fn node_of_news(reply: Reply) -> usize {
    match reply {
        Reply::Activated(index)
        | Reply::ActivationFailed(index)
        | Reply::Confirmed(index)
        | Reply::Refused(index)
        | Reply::ConfirmationLost(index)
        | Reply::Unreachable(index)
        | Reply::Offered(index)
        | Reply::OfferFailed(index)
        | Reply::Withdrawn(index)
        | Reply::WithdrawalLost(index)
        | Reply::Reverted(index)
        | Reply::RevertFailed(index)
        | Reply::Is(index, _)
        | Reply::Silent(index) => index,
        _ => unreachable!("it is about no node"),
    }
}

/// What the operator makes of a lost message. `None` for the reply to a late request, whose loss
/// tells it nothing new.
pub(crate) fn lost_news(message: &Message, index: usize) -> Option<Reply> {
    Some(match message {
        Message::Request(Command::Activate(_))
        | Message::HostAnswer(Reply::Activated(_) | Reply::ActivationFailed(_)) => {
            Reply::ActivationFailed(index)
        }
        Message::Request(Command::Confirm(_))
        | Message::HostAnswer(Reply::Confirmed(_) | Reply::Refused(_)) => {
            Reply::ConfirmationLost(index)
        }
        Message::Request(Command::Offer(_))
        | Message::HostAnswer(Reply::Offered(_) | Reply::OfferFailed(_)) => {
            Reply::OfferFailed(index)
        }
        Message::Request(Command::Withdraw(_)) | Message::HostAnswer(Reply::Withdrawn(_)) => {
            Reply::WithdrawalLost(index)
        }
        Message::Request(Command::Revert(_))
        | Message::HostAnswer(Reply::Reverted(_) | Reply::RevertFailed(_)) => {
            Reply::RevertFailed(index)
        }
        Message::Request(Command::Ask(_)) | Message::HostAnswer(Reply::Is(..)) => {
            Reply::Silent(index)
        }
        _ => return None,
    })
}
