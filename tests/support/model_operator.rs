//! The model's operators: the one that applies a change, and those that confirm or cancel a waiting
//! one.

use hactl::apply::{Coordinator, News, Order, Side, Verdict};

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
    Ended(Verdict),
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

    /// The state machine while it runs.
    pub(crate) fn coordinator(&self) -> Option<&Coordinator> {
        match self {
            Self::Works(coordinator) => Some(coordinator),
            _ => None,
        }
    }

    /// Replaces a finished state machine by its verdict, since its history no longer matters.
    pub(crate) fn settled(self) -> Self {
        match self.coordinator().and_then(Coordinator::verdict) {
            Some(verdict) => Self::Ended(verdict),
            None => self,
        }
    }

    /// The reported verdict, if any.
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

/// What the operator makes of a lost message. `None` for the reply to a late request, whose loss
/// tells it nothing new.
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
