//! The operator's side of the commit protocol as a pure state machine: it is fed events and returns commands. It sends
//! nothing, waits for nothing and knows no host, so that a model checker can drive it through every interleaving
//! (`tests/commit_model.rs`).
//!
//! The rules that make all nodes end on the same side:
//!
//! 1. Nothing is confirmed before every node is active and proven.
//! 2. Once a confirmation was sent, nothing is rolled back from here, whatever is lost: the coordinator keeps asking,
//!    and nodes that ran out of time query each other.
//! 3. The first confirmation goes out alone. Until it is answered, at most one node can be confirmed.
//! 4. The outcome is what the nodes report at the end, not what was sent.
//!
//! With manual confirmation, several operators may act at once: the one that made the change, and any number that
//! confirm or cancel it. They share no lock, since its holder may die. Instead:
//!
//! 5. The node at place 0, the decider, decides for all. It can be confirmed only once the change was offered to it,
//!    which the author does when every node is active and proven. From then on, nobody rolls back any node before the
//!    decider has reported that the change is withdrawn: not confirmed, and never to be.

use std::collections::BTreeSet;

pub use crate::agent::Decision;

/// A node's place in the order of activation.
pub type NodeIndex = usize;

/// A command for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Activate the staged tree on a node.
    Activate(NodeIndex),
    /// Check that every VIP has one owner.
    Prove,
    /// Confirm a node over a fresh connection.
    Confirm(NodeIndex),
    /// Open the change for confirmation: from now on the decider accepts one.
    Offer(NodeIndex),
    /// Make the decider accept no confirmation any more, unless it has accepted one.
    Withdraw(NodeIndex),
    /// Roll back a node's activation.
    Revert(NodeIndex),
    /// Query which side a node is on.
    Ask(NodeIndex),
}

/// The result of a command, or an external event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// A node runs the new configuration, according to its own checks.
    Activated(NodeIndex),
    /// A node does not run it, or that is unknown.
    ActivationFailed(NodeIndex),
    /// Every VIP has one owner.
    Proved,
    /// A VIP does not have exactly one owner.
    NotProved,
    /// A node has confirmed.
    Confirmed(NodeIndex),
    /// A node refused to confirm: its time was up.
    Refused(NodeIndex),
    /// A node could not be reached, so it was told nothing.
    Unreachable(NodeIndex),
    /// Whether a node has confirmed is unknown: the request or its answer was lost.
    ConfirmationLost(NodeIndex),
    /// The operator may confirm now.
    Offered(NodeIndex),
    /// The node refused, or whether the operator may confirm is unknown.
    OfferFailed(NodeIndex),
    /// The decider is not confirmed and never will be.
    Withdrawn(NodeIndex),
    /// Whether the decider has withdrawn the change is unknown.
    WithdrawalLost(NodeIndex),
    /// A node is back on the old configuration.
    Reverted(NodeIndex),
    /// A node could not be rolled back, or whether it was is unknown.
    RevertFailed(NodeIndex),
    /// A node's answer to [`Command::Ask`].
    Is(NodeIndex, Decision),
    /// No answer to [`Command::Ask`].
    Silent(NodeIndex),
    /// The user wants to stop.
    Stop,
    /// Too late to start a confirmation: the hosts' own timers are about to fire.
    TooLate,
    /// The hosts' timers have fired and their queries are over. What is undecided now stays so.
    GaveUp,
}

/// The outcome, as reported by the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolResult {
    /// Every node has the new configuration.
    Committed,
    /// Every node has the old configuration.
    RolledBack,
    /// Nothing was decided: every active node still is, pending confirmation.
    Pending,
    /// The nodes differ, or their state is unknown.
    Diverged,
}

/// What this operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Make the change, and confirm it.
    Apply,
    /// Make it, and leave its confirmation to the operator.
    Offer,
    /// Confirm a change that is pending confirmation.
    Confirm,
    /// Roll back a change that is not confirmed.
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

/// What is known about a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the node"
)]
struct Node {
    touched: bool,
    active: bool,
    /// A request to confirm may have reached it.
    told: bool,
    /// A request to confirm is on its way, unless it turns out that the node is unreachable.
    telling: bool,
    side: Option<Decision>,
    revert_tried: bool,
    /// A command for it is in progress.
    busy: bool,
    /// Query it before sending the confirmation again.
    ask: bool,
}

impl Node {
    /// Nodes that another process has activated.
    fn all_on(sides: &[Decision]) -> Vec<Self> {
        let node = |side: &Decision| Self {
            touched: true,
            active: true,
            side: (*side != Decision::InDoubt).then_some(*side),
            ..Self::default()
        };
        sides.iter().map(node).collect()
    }

    fn may_be_confirmed(self) -> bool {
        self.told || self.telling || self.side == Some(Decision::Committed)
    }
}

/// The operator's decisions from the first activation to the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the change"
)]
pub struct Coordinator {
    role: Role,
    batches: Vec<Vec<NodeIndex>>,
    nodes: Vec<Node>,
    phase: Phase,
    proof_under_way: bool,
    confirm_by: bool,
    /// A command was sent that has to be completed.
    committed: bool,
    /// The decider has reported that it is not confirmed and never will be.
    withdrawn: bool,
    /// The nodes decide among themselves: query them until they have.
    watching: bool,
    /// Ended undecided.
    left: bool,
}

impl Coordinator {
    /// For `count` nodes, activated one by one or `at_once`. With `manual`, the operator confirms.
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
        let role = if manual { Role::Offer } else { Role::Apply };
        Self::start(role, batches, vec![Node::default(); count], phase)
    }

    /// Confirms a change of another process. `sides` are its nodes, in its order.
    pub fn confirm_waiting(sides: &[Decision]) -> Self {
        Self::start(
            Role::Confirm,
            Vec::new(),
            Node::all_on(sides),
            Phase::Confirming,
        )
    }

    /// Rolls back a change of another process, unless it turns out to be confirmed: then it is completed. `sides` are
    /// its nodes, in its order.
    pub fn cancel(sides: &[Decision]) -> Self {
        let phase = if sides.contains(&Decision::Committed) {
            Phase::Confirming
        } else if sides.contains(&Decision::RolledBack) {
            // A node that rolled back proves that none is confirmed.
            Phase::Reverting
        } else {
            Phase::Withdrawing
        };
        let mut operator = Self::start(Role::Cancel, Vec::new(), Node::all_on(sides), phase);
        operator.committed = phase != Phase::Withdrawing;
        operator.withdrawn = phase == Phase::Reverting;
        operator
    }

    fn start(role: Role, batches: Vec<Vec<NodeIndex>>, nodes: Vec<Node>, phase: Phase) -> Self {
        let is_decided =
            |node: &Node| matches!(node.side, Some(Decision::Committed | Decision::RolledBack));
        let phase = if !nodes.is_empty() && nodes.iter().all(is_decided) {
            Phase::Done
        } else {
            phase
        };
        Self {
            role,
            batches,
            watching: role == Role::Confirm
                && nodes.iter().any(|it| it.side == Some(Decision::RolledBack)),
            nodes,
            phase,
            proof_under_way: false,
            confirm_by: false,
            committed: false,
            withdrawn: false,
            left: false,
        }
    }

    /// The result, once there is one.
    pub fn result(&self) -> Option<ProtocolResult> {
        if self.phase != Phase::Done {
            return None;
        }
        let is = |side| self.nodes.iter().all(|node| node.side == Some(side));
        Some(if is(Decision::Committed) {
            ProtocolResult::Committed
        } else if is(Decision::RolledBack) {
            ProtocolResult::RolledBack
        } else if self.left {
            ProtocolResult::Pending
        } else {
            ProtocolResult::Diverged
        })
    }

    /// True once a confirmation may have reached a node, or anything else was started that can only be completed: from
    /// then on nothing is rolled back from here.
    pub fn is_past_point_of_no_return(&self) -> bool {
        self.committed || self.nodes.iter().any(|node| node.may_be_confirmed())
    }

    /// True if a node may be confirmed, including when the decider could not be queried.
    pub fn may_be_confirmed(&self) -> bool {
        let is_asked = matches!(self.role, Role::Offer | Role::Cancel) && self.committed;
        is_asked && !self.withdrawn || self.nodes.iter().any(|node| node.may_be_confirmed())
    }

    /// The commands to carry out now. Each is returned once, and results may arrive in any order.
    pub fn next_commands(&mut self) -> BTreeSet<Command> {
        match self.phase {
            Phase::Activating {
                batch,
                proving: false,
            } => self.activate(batch),
            Phase::Activating { proving: true, .. } if !self.proof_under_way => {
                self.proof_under_way = true;
                [Command::Prove].into()
            }
            Phase::Activating { .. } | Phase::Done => BTreeSet::new(),
            Phase::Offering => self.once_at_the_first(Command::Offer(0)),
            Phase::Confirming => self.confirm(),
            Phase::Withdrawing => self.once_at_the_first(Command::Withdraw(0)),
            Phase::Reverting => self.revert(),
        }
    }

    fn once_at_the_first(&mut self, command: Command) -> BTreeSet<Command> {
        if self.nodes[0].busy {
            return BTreeSet::new();
        }
        self.nodes[0].busy = true;
        self.committed |= command == Command::Withdraw(0);
        [command].into()
    }

    fn activate(&mut self, batch: usize) -> BTreeSet<Command> {
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
        fresh.into_iter().map(Command::Activate).collect()
    }

    fn confirm(&mut self) -> BTreeSet<Command> {
        // The first node, or one that was confirmed after it.
        let first_is_through = self
            .nodes
            .iter()
            .any(|node| node.side == Some(Decision::Committed));
        let watching = self.watching;
        let open = |(index, node): (NodeIndex, &mut Node)| {
            let is_decided = matches!(node.side, Some(Decision::Committed | Decision::RolledBack));
            // Rule 3: alone, until it is answered.
            let may_go = index == 0 || first_is_through || watching;
            if node.busy || is_decided || !may_go {
                return None;
            }
            node.busy = true;
            if node.ask || watching {
                return Some(Command::Ask(index));
            }
            node.telling = true;
            Some(Command::Confirm(index))
        };
        self.nodes.iter_mut().enumerate().filter_map(open).collect()
    }

    /// Every touched node, one by one in reverse order.
    fn revert(&mut self) -> BTreeSet<Command> {
        if self.nodes.iter().any(|node| node.busy) {
            return BTreeSet::new();
        }
        let next = self.nodes.iter().rposition(|node| {
            node.touched && !node.revert_tried && node.side != Some(Decision::RolledBack)
        });
        let Some(index) = next else {
            self.finish();
            return BTreeSet::new();
        };
        self.nodes[index].revert_tried = true;
        self.nodes[index].busy = true;
        [Command::Revert(index)].into()
    }

    fn finish(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| !node.touched) {
            // A node that was never told to change has not changed.
            node.side = Some(Decision::RolledBack);
        }
        self.phase = Phase::Done;
    }

    /// Handles an event.
    pub fn on_reply(&mut self, reply: Reply) {
        match reply {
            Reply::Activated(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].active = true;
                self.step_forward();
            }
            Reply::ActivationFailed(index) => {
                self.nodes[index].busy = false;
                self.begin_rollback();
            }
            Reply::Proved => {
                self.proof_under_way = false;
                self.next_batch();
            }
            Reply::NotProved => {
                self.proof_under_way = false;
                self.begin_rollback();
            }
            Reply::Confirmed(index) => {
                self.mark_sent(index);
                self.decided(index, Decision::Committed);
            }
            Reply::Refused(index) => self.refused(index),
            Reply::ConfirmationLost(index) => {
                self.mark_sent(index);
                self.nodes[index].ask = true;
            }
            Reply::Unreachable(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].telling = false;
                if self.phase == Phase::Confirming && !self.is_past_point_of_no_return() {
                    self.begin_rollback();
                }
            }
            Reply::Offered(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Offering {
                    self.leave_pending();
                }
            }
            Reply::OfferFailed(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Offering {
                    self.phase = Phase::Withdrawing;
                }
            }
            Reply::Withdrawn(index) => {
                self.nodes[index].busy = false;
                if self.phase == Phase::Withdrawing {
                    self.withdrawn = true;
                    self.phase = Phase::Reverting;
                }
            }
            Reply::Reverted(index) => {
                self.nodes[index].busy = false;
                self.nodes[index].side = Some(Decision::RolledBack);
            }
            Reply::WithdrawalLost(index) | Reply::RevertFailed(index) | Reply::Silent(index) => {
                self.nodes[index].busy = false;
            }
            Reply::Is(index, side) => self.on_query(index, side),
            Reply::Stop => {
                if !self.is_past_point_of_no_return() {
                    self.begin_rollback();
                }
            }
            Reply::TooLate => {
                self.confirm_by = true;
                if !self.is_past_point_of_no_return() {
                    self.begin_rollback();
                }
            }
            Reply::GaveUp => self.phase = Phase::Done,
        }
    }

    fn mark_sent(&mut self, index: NodeIndex) {
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
            } else if self.role == Role::Offer {
                Phase::Offering
            } else {
                Phase::Confirming
            };
        }
    }

    fn begin_rollback(&mut self) {
        match (self.phase, self.role) {
            (Phase::Done, _) => {}
            // An operator who only confirms rolls nothing back.
            (_, Role::Confirm) if !self.watching => self.leave_pending(),
            (_, Role::Confirm) => {}
            // It may already be confirmed, or is about to be.
            (Phase::Offering, _) => self.phase = Phase::Withdrawing,
            (Phase::Withdrawing, Role::Cancel) if !self.committed => self.leave_pending(),
            (Phase::Withdrawing, _) => {}
            _ => self.phase = Phase::Reverting,
        }
    }

    /// Ends with everything left as it is.
    fn leave_pending(&mut self) {
        self.left = true;
        self.phase = Phase::Done;
    }

    /// The first node will not be confirmed by anyone, and the nodes resolve that themselves.
    fn watch(&mut self) {
        self.watching = true;
    }

    fn decided(&mut self, index: NodeIndex, side: Decision) {
        self.nodes[index].busy = false;
        self.nodes[index].side = Some(side);
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let none_else_can_be = others.clone().all(|(_, node)| !node.may_be_confirmed());
        match (self.phase, side, self.role) {
            // Another operator has confirmed it, so it is completed.
            (Phase::Withdrawing, Decision::Committed, _) => self.phase = Phase::Confirming,
            (Phase::Confirming, Decision::RolledBack, Role::Confirm) => self.watch(),
            (Phase::Confirming, Decision::RolledBack, _) if none_else_can_be => {
                // It was the only node that could have been confirmed, and was not.
                return self.begin_rollback();
            }
            _ => {}
        }
        if self
            .nodes
            .iter()
            .all(|node| matches!(node.side, Some(Decision::Committed | Decision::RolledBack)))
        {
            self.phase = Phase::Done;
        }
    }

    /// A node whose time is up decides with its peers. Only if none of them can have been confirmed is it certain that
    /// they will roll back, and then doing so now is faster.
    fn refused(&mut self, index: NodeIndex) {
        self.mark_sent(index);
        self.nodes[index].ask = true;
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let none_can_be = others.clone().all(|(_, node)| !node.may_be_confirmed());
        match self.role {
            Role::Confirm if none_can_be => self.watch(),
            _ if none_can_be => self.begin_rollback(),
            _ => {}
        }
    }

    fn on_query(&mut self, index: NodeIndex, side: Decision) {
        match side {
            Decision::Committed | Decision::RolledBack => self.decided(index, side),
            Decision::InDoubt => {
                self.nodes[index].busy = false;
                // It has not received the confirmation. Send it again, while there is time.
                self.nodes[index].ask = self.confirm_by || self.watching;
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
            assert_eq!(
                coordinator.next_commands(),
                [Command::Activate(index)].into()
            );
            assert_eq!(coordinator.next_commands(), [].into());
            coordinator.on_reply(Reply::Activated(index));
            assert_eq!(coordinator.next_commands(), [Command::Prove].into());
            coordinator.on_reply(Reply::Proved);
        }
        coordinator
    }

    #[test]
    fn the_first_confirmation_goes_out_alone() {
        let mut coordinator = run_to_confirming(3);
        assert_eq!(coordinator.next_commands(), [Command::Confirm(0)].into());
        assert_eq!(coordinator.next_commands(), [].into());
        coordinator.on_reply(Reply::Confirmed(0));
        assert_eq!(
            coordinator.next_commands(),
            [Command::Confirm(1), Command::Confirm(2)].into()
        );
        coordinator.on_reply(Reply::Confirmed(2));
        coordinator.on_reply(Reply::Confirmed(1));
        assert_eq!(coordinator.result(), Some(ProtocolResult::Committed));
    }

    #[test]
    fn a_failed_activation_reverts_in_reverse_and_tries_every_node() {
        let mut coordinator = Coordinator::new(3, false, false);
        for index in 0..2 {
            coordinator.next_commands();
            coordinator.on_reply(if index == 0 {
                Reply::Activated(0)
            } else {
                Reply::ActivationFailed(1)
            });
            if index == 0 {
                coordinator.next_commands();
                coordinator.on_reply(Reply::Proved);
            }
        }
        assert_eq!(coordinator.next_commands(), [Command::Revert(1)].into());
        coordinator.on_reply(Reply::RevertFailed(1));
        assert_eq!(coordinator.next_commands(), [Command::Revert(0)].into());
        coordinator.on_reply(Reply::Reverted(0));
        assert_eq!(coordinator.next_commands(), [].into());
        assert_eq!(coordinator.result(), Some(ProtocolResult::Diverged));
    }

    #[test]
    fn a_lost_confirmation_is_asked_for_and_never_reverted() {
        let mut coordinator = run_to_confirming(2);
        coordinator.next_commands();
        coordinator.on_reply(Reply::ConfirmationLost(0));
        coordinator.on_reply(Reply::Stop);
        assert_eq!(coordinator.next_commands(), [Command::Ask(0)].into());
        coordinator.on_reply(Reply::Is(0, Decision::InDoubt));
        assert_eq!(coordinator.next_commands(), [Command::Confirm(0)].into());
        coordinator.on_reply(Reply::Confirmed(0));
        assert_eq!(coordinator.next_commands(), [Command::Confirm(1)].into());
    }

    #[test]
    fn stopping_before_the_first_confirmation_goes_back() {
        let mut coordinator = run_to_confirming(1);
        coordinator.on_reply(Reply::Stop);
        assert_eq!(coordinator.next_commands(), [Command::Revert(0)].into());
        coordinator.on_reply(Reply::Reverted(0));
        coordinator.next_commands();
        assert_eq!(coordinator.result(), Some(ProtocolResult::RolledBack));
    }
}
