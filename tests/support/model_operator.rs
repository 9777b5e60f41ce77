//! The operators of the model: the one that makes a change, and those that end one that waits.

use hactl::apply::{Coordinator, News, Order, Side, Verdict};

use crate::Message;
use crate::host_model::Stage;

/// Where an operator is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    /// It finds out how far the change is.
    Looks {
        /// Whether it confirms; otherwise it cancels.
        confirms: bool,
        /// What it has seen of the nodes so far.
        seen: Vec<Stage>,
    },
    /// It carries out the protocol.
    Works(Coordinator),
    /// It has told how it ended.
    Ended(Verdict),
    /// It died, or refused to do anything.
    Gone,
}

impl Operator {
    /// One that is to confirm or to cancel, before it has looked.
    pub(crate) fn looks(confirms: bool) -> Self {
        Self::Looks {
            confirms,
            seen: Vec::new(),
        }
    }

    /// It has looked at one more of so many nodes; once it knows them all it decides as `hactl confirm` and
    /// `hactl cancel` do.
    pub(crate) fn after_look(confirms: bool, mut stages: Vec<Stage>, nodes: usize) -> Self {
        let is_unfinished = |stage: &Stage| matches!(stage, Stage::Staged | Stage::Activating);
        if confirms && stages.iter().any(is_unfinished) {
            return Self::Gone;
        }
        if !confirms {
            // What is not decided is all the same to it.
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
            Stage::New => Side::New,
            Stage::Old => Side::Old,
            _ => Side::Undecided,
        };
        let sides: Vec<Side> = stages.iter().map(side).collect();
        if !confirms {
            return Self::Works(Coordinator::cancel(&sides));
        }
        if stages.contains(&Stage::New) || stages[0] == Stage::Offered {
            Self::Works(Coordinator::confirm_waiting(&sides))
        } else {
            Self::Gone
        }
    }

    /// The state machine, while it runs.
    pub(crate) fn coordinator(&self) -> Option<&Coordinator> {
        match self {
            Self::Works(coordinator) => Some(coordinator),
            _ => None,
        }
    }

    /// The same, as an end once it has come to one: what led to it does not count any more.
    pub(crate) fn settled(self) -> Self {
        match self.coordinator().and_then(Coordinator::verdict) {
            Some(verdict) => Self::Ended(verdict),
            None => self,
        }
    }

    /// What it has told, if it has.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Ended(verdict) => Some(*verdict),
            _ => None,
        }
    }
}

pub(crate) fn node_of(order: Order) -> usize {
    match order {
        Order::Activate(index)
        | Order::Confirm(index)
        | Order::Offer(index)
        | Order::Withdraw(index)
        | Order::Revert(index)
        | Order::Ask(index) => index,
        Order::Prove => unreachable!("it is no message"),
    }
}

pub(crate) fn node_of_news(news: News) -> usize {
    match news {
        News::Activated(index)
        | News::ActivationFailed(index)
        | News::Confirmed(index)
        | News::Refused(index)
        | News::ConfirmationLost(index)
        | News::Unreachable(index)
        | News::Offered(index)
        | News::OfferFailed(index)
        | News::Withdrawn(index)
        | News::WithdrawalLost(index)
        | News::Reverted(index)
        | News::RevertFailed(index)
        | News::Is(index, _)
        | News::Silent(index) => index,
        _ => unreachable!("it is about no node"),
    }
}

/// What an operator makes of a message that does not come. What is late was given up already; a second
/// loss of it tells nothing new.
pub(crate) fn lost_news(message: &Message, index: usize) -> Option<News> {
    Some(match message {
        Message::Request(Order::Activate(_))
        | Message::Reply(News::Activated(_) | News::ActivationFailed(_)) => {
            News::ActivationFailed(index)
        }
        Message::Request(Order::Confirm(_))
        | Message::Reply(News::Confirmed(_) | News::Refused(_)) => News::ConfirmationLost(index),
        Message::Request(Order::Offer(_))
        | Message::Reply(News::Offered(_) | News::OfferFailed(_)) => News::OfferFailed(index),
        Message::Request(Order::Withdraw(_)) | Message::Reply(News::Withdrawn(_)) => {
            News::WithdrawalLost(index)
        }
        Message::Request(Order::Revert(_))
        | Message::Reply(News::Reverted(_) | News::RevertFailed(_)) => News::RevertFailed(index),
        Message::Request(Order::Ask(_)) | Message::Reply(News::Is(..)) => News::Silent(index),
        _ => return None,
    })
}
