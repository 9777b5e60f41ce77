//! The operator's side of the commit protocol, as a pure state machine: it is told what happened and
//! says what to do next. It sends nothing, waits for nothing and knows no host, so that a model
//! checker can drive it through every interleaving (`tests/commit_model.rs`).
//!
//! The rules that make all nodes end on the same side:
//!
//! 1. Nothing is confirmed before every node is active and proven.
//! 2. Once a confirmation was sent, nothing is reverted from here, whatever is lost: the change is
//!    kept alive by asking again, and nodes that ran out of time ask each other.
//! 3. The first confirmation goes out alone. Until it is answered, one node at most can be confirmed.
//! 4. How it ended is what the nodes say at the end, not what was sent.
//!
//! Where the operator confirms, several operators may be at work: the one that made the change, and any
//! number that confirm or cancel it. They share no lock, since its holder may die. Instead:
//!
//! 5. The node in place 0 decides for all. It can be confirmed only once the change was offered to it,
//!    which its maker does when every node is active and proven; and from then on nobody reverts any node
//!    before node 0 has said that it was withdrawn: not confirmed, and never to be.

use std::collections::BTreeSet;

pub use crate::agent::Side;

/// A node's place in the order of activation.
pub type NodeIndex = usize;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Activate the staged tree on a node.
    Activate(NodeIndex),
    /// Look for one owner of every VIP.
    Prove,
    /// Confirm a node over a fresh connection.
    Confirm(NodeIndex),
    /// Let the operator confirm: the node that decides takes a confirmation from now on.
    Offer(NodeIndex),
    /// Make the node that decides take no confirmation any more, unless it has taken one.
    Withdraw(NodeIndex),
    /// Undo a node's activation.
    Revert(NodeIndex),
    /// Ask a node on which side it is.
    Ask(NodeIndex),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum News {
    /// A node runs the new configuration, by its own proof.
    Activated(NodeIndex),
    /// It does not, or whether it does is unknown.
    ActivationFailed(NodeIndex),
    /// Every VIP has one owner.
    Proved,
    /// Not so.
    NotProved,
    /// A node has confirmed.
    Confirmed(NodeIndex),
    /// A node would not confirm: its time was over.
    Refused(NodeIndex),
    /// A node could not be reached, so that it was told nothing.
    Unreachable(NodeIndex),
    /// Whether a node has confirmed is unknown: the message or its answer was lost.
    ConfirmationLost(NodeIndex),
    /// A person may confirm now.
    Offered(NodeIndex),
    /// Whether the operator may is unknown, or the node would not have it.
    OfferFailed(NodeIndex),
    /// The node that decides is not confirmed and will not be.
    Withdrawn(NodeIndex),
    /// Whether it was withdrawn is unknown.
    WithdrawalLost(NodeIndex),
    /// A node is back on the old configuration.
    Reverted(NodeIndex),
    /// A node could not be reverted, or whether it was is unknown.
    RevertFailed(NodeIndex),
    /// A node's answer to [`Order::Ask`].
    Is(NodeIndex, Side),
    /// No answer to [`Order::Ask`].
    Silent(NodeIndex),
    /// The user wants to stop.
    Stop,
    /// No confirmation may be begun any more: the hosts' own timers are close.
    TooLate,
    /// The hosts' timers and their asking each other are over: what is undecided now stays so.
    GaveUp,
}

/// How it ended, by what the nodes said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every node has the new configuration.
    AllNew,
    /// Every node has the old one.
    AllOld,
    /// Nothing was decided: every node that was active still is, and waits.
    Waiting,
    /// Neither, or it is unknown.
    Mixed,
}

/// What this operator is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Make the change, and confirm it.
    Apply,
    /// Make it, and leave its confirmation to the operator.
    Offer,
    /// Confirm one that waits.
    Confirm,
    /// Undo one that is not confirmed.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Activating { batch: usize, proving: bool },
    Offering,
    Confirming,
    Withdrawing,
    Reverting,
    Done,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the node"
)]
struct Node {
    touched: bool,
    active: bool,
    /// It may have been told to confirm.
    told: bool,
    /// It is being told, unless it turns out that it could not be reached.
    telling: bool,
    side: Option<Side>,
    revert_tried: bool,
    /// An order for it is under way.
    busy: bool,
    /// The next thing to do about its confirmation is to ask rather than to send it again.
    ask: bool,
}

impl Node {
    /// Nodes that somebody else has activated.
    fn all_on(sides: &[Side]) -> Vec<Self> {
        let node = |side: &Side| Self {
            touched: true,
            active: true,
            side: (*side != Side::Undecided).then_some(*side),
            ..Self::default()
        };
        sides.iter().map(node).collect()
    }

    fn may_be_confirmed(self) -> bool {
        self.told || self.telling || self.side == Some(Side::New)
    }
}

/// The operator's decisions from the first activation to the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the change"
)]
pub struct Coordinator {
    wish: Wish,
    batches: Vec<Vec<NodeIndex>>,
    nodes: Vec<Node>,
    phase: Phase,
    proof_under_way: bool,
    too_late: bool,
    /// Something was sent that has to be carried through.
    committed: bool,
    /// The node that decides has said that it is not confirmed and will not be.
    withdrawn: bool,
    /// Others decide: the nodes are asked until they have.
    watching: bool,
    /// It ended with nothing decided.
    left: bool,
}

impl Coordinator {
    /// For `count` nodes, activated one after the other, or `at_once`; the operator confirms where it is
    /// `manual`.
    pub fn new(count: usize, at_once: bool, manual: bool) -> Self {
        let all = 0..count;
        let batches = if at_once {
            vec![all.collect()]
        } else {
            all.map(|index| vec![index]).collect()
        };
        let phase = Phase::Activating {
            batch: 0,
            proving: false,
        };
        let wish = if manual { Wish::Offer } else { Wish::Apply };
        Self::start(wish, batches, vec![Node::default(); count], phase)
    }

    /// Confirms a change that somebody else has made; `sides` are its nodes, in its own order.
    pub fn confirm_waiting(sides: &[Side]) -> Self {
        Self::start(
            Wish::Confirm,
            Vec::new(),
            Node::all_on(sides),
            Phase::Confirming,
        )
    }

    /// Undoes a change that somebody else has made, unless it turns out to be confirmed: then it is
    /// carried through. `sides` are its nodes, in its own order.
    pub fn cancel(sides: &[Side]) -> Self {
        let phase = if sides.contains(&Side::New) {
            Phase::Confirming
        } else if sides.contains(&Side::Old) {
            // One that went back tells that none is confirmed.
            Phase::Reverting
        } else {
            Phase::Withdrawing
        };
        let mut operator = Self::start(Wish::Cancel, Vec::new(), Node::all_on(sides), phase);
        operator.committed = phase != Phase::Withdrawing;
        operator.withdrawn = phase == Phase::Reverting;
        operator
    }

    fn start(wish: Wish, batches: Vec<Vec<NodeIndex>>, nodes: Vec<Node>, phase: Phase) -> Self {
        let is_decided = |node: &Node| matches!(node.side, Some(Side::New | Side::Old));
        let phase = if !nodes.is_empty() && nodes.iter().all(is_decided) {
            Phase::Done
        } else {
            phase
        };
        Self {
            wish,
            batches,
            watching: wish == Wish::Confirm && nodes.iter().any(|it| it.side == Some(Side::Old)),
            nodes,
            phase,
            proof_under_way: false,
            too_late: false,
            committed: false,
            withdrawn: false,
            left: false,
        }
    }

    /// The end, once it is reached.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.phase != Phase::Done {
            return None;
        }
        let is = |side| self.nodes.iter().all(|node| node.side == Some(side));
        Some(if is(Side::New) {
            Verdict::AllNew
        } else if is(Side::Old) {
            Verdict::AllOld
        } else if self.left {
            Verdict::Waiting
        } else {
            Verdict::Mixed
        })
    }

    /// True while a node may have been told to confirm: from then on nothing is reverted from here. Also
    /// once anything else was begun that can only be carried through.
    pub fn is_past_return(&self) -> bool {
        self.committed || self.nodes.iter().any(|node| node.may_be_confirmed())
    }

    /// True where a node may be confirmed, for all that is known: also where the one that decides could not
    /// be asked.
    pub fn may_be_confirmed(&self) -> bool {
        let is_asked = matches!(self.wish, Wish::Offer | Wish::Cancel) && self.committed;
        is_asked && !self.withdrawn || self.nodes.iter().any(|node| node.may_be_confirmed())
    }

    /// The orders to carry out now. Each is given once; its news may come in any order.
    pub fn orders(&mut self) -> BTreeSet<Order> {
        match self.phase {
            Phase::Activating {
                batch,
                proving: false,
            } => self.activate(batch),
            Phase::Activating { proving: true, .. } if !self.proof_under_way => {
                self.proof_under_way = true;
                [Order::Prove].into()
            }
            Phase::Activating { .. } | Phase::Done => BTreeSet::new(),
            Phase::Offering => self.once_at_the_first(Order::Offer(0)),
            Phase::Confirming => self.confirm(),
            Phase::Withdrawing => self.once_at_the_first(Order::Withdraw(0)),
            Phase::Reverting => self.revert(),
        }
    }

    fn once_at_the_first(&mut self, order: Order) -> BTreeSet<Order> {
        if self.nodes[0].busy {
            return BTreeSet::new();
        }
        self.nodes[0].busy = true;
        self.committed |= order == Order::Withdraw(0);
        [order].into()
    }

    fn activate(&mut self, batch: usize) -> BTreeSet<Order> {
        let nodes = &mut self.nodes;
        let fresh = self.batches[batch]
            .iter()
            .filter(|index| !nodes[**index].touched)
            .copied();
        let fresh: Vec<NodeIndex> = fresh.collect();
        for index in &fresh {
            nodes[*index].touched = true;
            nodes[*index].busy = true;
        }
        fresh.into_iter().map(Order::Activate).collect()
    }

    fn confirm(&mut self) -> BTreeSet<Order> {
        // The first one, or one that was confirmed after it.
        let first_is_through = self.nodes.iter().any(|node| node.side == Some(Side::New));
        let watching = self.watching;
        let open = |(index, node): (NodeIndex, &mut Node)| {
            let is_decided = matches!(node.side, Some(Side::New | Side::Old));
            // Rule 3: alone, until it is answered.
            let may_go = index == 0 || first_is_through || watching;
            if node.busy || is_decided || !may_go {
                return None;
            }
            node.busy = true;
            if node.ask || watching {
                return Some(Order::Ask(index));
            }
            node.telling = true;
            Some(Order::Confirm(index))
        };
        self.nodes.iter_mut().enumerate().filter_map(open).collect()
    }

    /// In reverse, one after the other, every node that was touched.
    fn revert(&mut self) -> BTreeSet<Order> {
        if self.nodes.iter().any(|node| node.busy) {
            return BTreeSet::new();
        }
        let next = self
            .nodes
            .iter()
            .rposition(|node| node.touched && !node.revert_tried && node.side != Some(Side::Old));
        let Some(index) = next else {
            self.finish();
            return BTreeSet::new();
        };
        self.nodes[index].revert_tried = true;
        self.nodes[index].busy = true;
        [Order::Revert(index)].into()
    }

    fn finish(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| !node.touched) {
            // What was never told to change has not changed.
            node.side = Some(Side::Old);
        }
        self.phase = Phase::Done;
    }

    /// Takes note of what happened.
    pub fn hear(&mut self, news: News) {
        match news {
            News::Activated(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].active = true;
                self.step_forward();
            }
            News::ActivationFailed(index) => {
                self.nodes[index].busy = false;
                self.turn_back();
            }
            News::Proved => {
                self.proof_under_way = false;
                self.next_batch();
            }
            News::NotProved => {
                self.proof_under_way = false;
                self.turn_back();
            }
            News::Confirmed(index) => {
                self.was_told(index);
                self.decided(index, Side::New);
            }
            News::Refused(index) => self.refused(index),
            News::ConfirmationLost(index) => {
                self.was_told(index);
                self.nodes[index].ask = true;
            }
            News::Unreachable(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].telling = false;
                if self.phase == Phase::Confirming && !self.is_past_return() {
                    self.turn_back();
                }
            }
            News::Offered(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Offering {
                    self.leave();
                }
            }
            News::OfferFailed(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Offering {
                    self.phase = Phase::Withdrawing;
                }
            }
            News::Withdrawn(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Withdrawing {
                    self.withdrawn = true;
                    self.phase = Phase::Reverting;
                }
            }
            News::Reverted(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].side = Some(Side::Old);
            }
            News::WithdrawalLost(index) | News::RevertFailed(index) | News::Silent(index) => {
                self.nodes[index].busy = false;
            }
            News::Is(index, side) => self.told(index, side),
            News::Stop => {
                if !self.is_past_return() {
                    self.turn_back();
                }
            }
            News::TooLate => {
                self.too_late = true;
                if !self.is_past_return() {
                    self.turn_back();
                }
            }
            News::GaveUp => self.phase = Phase::Done,
        }
    }

    fn was_told(&mut self, index: NodeIndex) {
        let node = &mut self.nodes[index];
        (node.busy, node.telling, node.told) = (false, false, true);
    }

    fn step_forward(&mut self) {
        if let Phase::Activating {
            batch,
            proving: false,
        } = self.phase
        {
            let is_whole = self.batches[batch]
                .iter()
                .all(|index| self.nodes[*index].active);
            if is_whole {
                self.phase = Phase::Activating {
                    batch,
                    proving: true,
                };
            }
        }
    }

    fn next_batch(&mut self) {
        if let Phase::Activating {
            batch,
            proving: true,
        } = self.phase
        {
            self.phase = if batch + 1 < self.batches.len() {
                Phase::Activating {
                    batch: batch + 1,
                    proving: false,
                }
            } else if self.wish == Wish::Offer {
                Phase::Offering
            } else {
                Phase::Confirming
            };
        }
    }

    fn turn_back(&mut self) {
        match (self.phase, self.wish) {
            (Phase::Done, _) => {}
            // Whoever is only to confirm undoes nothing.
            (_, Wish::Confirm) if !self.watching => self.leave(),
            (_, Wish::Confirm) => {}
            // It may be confirmed by now, or be just about to.
            (Phase::Offering, _) => self.phase = Phase::Withdrawing,
            (Phase::Withdrawing, Wish::Cancel) if !self.committed => self.leave(),
            (Phase::Withdrawing, _) => {}
            _ => self.phase = Phase::Reverting,
        }
    }

    /// Ends with everything as it is.
    fn leave(&mut self) {
        self.left = true;
        self.phase = Phase::Done;
    }

    /// The first node is not to be confirmed by anybody, and others see to that.
    fn watch(&mut self) {
        self.watching = true;
    }

    fn decided(&mut self, index: NodeIndex, side: Side) {
        self.nodes[index].busy = false;
        self.nodes[index].side = Some(side);
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let none_else_can_be = others.clone().all(|(_, node)| !node.may_be_confirmed());
        match (self.phase, side, self.wish) {
            // Somebody has confirmed it: then it is carried through.
            (Phase::Withdrawing, Side::New, _) => self.phase = Phase::Confirming,
            (Phase::Confirming, Side::Old, Wish::Confirm) => self.watch(),
            (Phase::Confirming, Side::Old, _) if none_else_can_be => {
                // It was the only one that could have been confirmed, and was not.
                return self.turn_back();
            }
            _ => {}
        }
        if self
            .nodes
            .iter()
            .all(|node| matches!(node.side, Some(Side::New | Side::Old)))
        {
            self.phase = Phase::Done;
        }
    }

    /// A node whose time is over decides with its peers. Only if none of them can have been confirmed
    /// is it known that they will go back, and then going back now is quicker.
    fn refused(&mut self, index: NodeIndex) {
        self.was_told(index);
        self.nodes[index].ask = true;
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let none_can_be = others.clone().all(|(_, node)| !node.may_be_confirmed());
        match self.wish {
            Wish::Confirm if none_can_be => self.watch(),
            _ if none_can_be => self.turn_back(),
            _ => {}
        }
    }

    fn told(&mut self, index: NodeIndex, side: Side) {
        match side {
            Side::New | Side::Old => self.decided(index, side),
            Side::Undecided => {
                self.nodes[index].busy = false;
                // It has not heard the confirmation, so it is sent again, while there is time.
                self.nodes[index].ask = self.too_late || self.watching;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_to_confirming(count: usize) -> Coordinator {
        let mut coordinator = Coordinator::new(count, false, false);
        for index in 0..count {
            assert_eq!(coordinator.orders(), [Order::Activate(index)].into());
            assert_eq!(coordinator.orders(), [].into());
            coordinator.hear(News::Activated(index));
            assert_eq!(coordinator.orders(), [Order::Prove].into());
            coordinator.hear(News::Proved);
        }
        coordinator
    }

    #[test]
    fn the_first_confirmation_goes_out_alone() {
        let mut coordinator = run_to_confirming(3);
        assert_eq!(coordinator.orders(), [Order::Confirm(0)].into());
        assert_eq!(coordinator.orders(), [].into());
        coordinator.hear(News::Confirmed(0));
        assert_eq!(
            coordinator.orders(),
            [Order::Confirm(1), Order::Confirm(2)].into()
        );
        coordinator.hear(News::Confirmed(2));
        coordinator.hear(News::Confirmed(1));
        assert_eq!(coordinator.verdict(), Some(Verdict::AllNew));
    }

    #[test]
    fn a_failed_activation_reverts_in_reverse_and_tries_every_node() {
        let mut coordinator = Coordinator::new(3, false, false);
        for index in 0..2 {
            coordinator.orders();
            coordinator.hear(if index == 0 {
                News::Activated(0)
            } else {
                News::ActivationFailed(1)
            });
            if index == 0 {
                coordinator.orders();
                coordinator.hear(News::Proved);
            }
        }
        assert_eq!(coordinator.orders(), [Order::Revert(1)].into());
        coordinator.hear(News::RevertFailed(1));
        assert_eq!(coordinator.orders(), [Order::Revert(0)].into());
        coordinator.hear(News::Reverted(0));
        assert_eq!(coordinator.orders(), [].into());
        assert_eq!(coordinator.verdict(), Some(Verdict::Mixed));
    }

    #[test]
    fn a_lost_confirmation_is_asked_for_and_never_reverted() {
        let mut coordinator = run_to_confirming(2);
        coordinator.orders();
        coordinator.hear(News::ConfirmationLost(0));
        coordinator.hear(News::Stop);
        assert_eq!(coordinator.orders(), [Order::Ask(0)].into());
        coordinator.hear(News::Is(0, Side::Undecided));
        assert_eq!(coordinator.orders(), [Order::Confirm(0)].into());
        coordinator.hear(News::Confirmed(0));
        assert_eq!(coordinator.orders(), [Order::Confirm(1)].into());
    }

    #[test]
    fn stopping_before_the_first_confirmation_goes_back() {
        let mut coordinator = run_to_confirming(1);
        coordinator.hear(News::Stop);
        assert_eq!(coordinator.orders(), [Order::Revert(0)].into());
        coordinator.hear(News::Reverted(0));
        coordinator.orders();
        assert_eq!(coordinator.verdict(), Some(Verdict::AllOld));
    }
}
