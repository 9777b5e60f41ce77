//! Model checking of the commit protocol over every interleaving: operators die at any moment,
//! requests and replies are lost or late, a node loses power, timers expire at any time. With
//! manual confirmation, several operators also confirm and cancel concurrently from different
//! machines.
//!
//! The operators' side is the production state machine, and the hosts are a model. Two properties
//! hold in every final state: all nodes are on the same side, and the result of every surviving
//! operator matches it.

#![expect(
    clippy::print_stdout,
    reason = "how much was explored is worth reading"
)]

#[path = "support/host_model.rs"]
mod host_model;
#[path = "support/model_operator.rs"]
mod model_operator;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hactl::apply::{Command, Coordinator, Decision, ProtocolResult, Reply};

use host_model::{Answer, Host, Stage};
use model_operator::{Operator, lost_news, node_of, node_of_news};

/// A message between an operator and a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    /// A command on its way to the host.
    Request(Command),
    /// The reply on its way back.
    HostAnswer(Reply),
}

/// A message, with the index of its operator.
type Sent = (usize, Message);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    operators: Vec<Operator>,
    at_once: bool,
    hosts: Vec<Host>,
    messages: BTreeSet<Sent>,
    /// How many messages may still be lost or late.
    losses: u8,
    /// How many power cuts may still happen.
    cuts: u8,
    /// How many activations and proofs may still fail.
    failures: u8,
}

/// The bounds of an exploration.
#[derive(Debug, Clone, Copy, Default)]
struct Scope {
    nodes: usize,
    at_once: bool,
    /// Confirmation is manual.
    manual: bool,
    /// The change is pending confirmation from the start, and the operator that applied it has
    /// exited.
    offered: bool,
    /// Operators that confirm or cancel, besides the one that applies the change.
    confirms: usize,
    cancels: usize,
    losses: u8,
    cuts: u8,
    failures: u8,
}

fn host(scope: Scope, own: usize) -> Host {
    let mut host = Host::new(own, scope.nodes);
    host.guards = scope.manual && own == 0;
    if scope.offered {
        host.begin_activation();
        host.end_activation(true);
        if own == 0 {
            host.offer();
        }
    }
    host
}

impl World {
    fn new(scope: Scope) -> Self {
        let maker = Coordinator::new(scope.nodes, scope.at_once, scope.manual);
        let mut operators = vec![if scope.offered {
            Operator::Ended(ProtocolResult::Pending)
        } else {
            Operator::Works(maker)
        }];
        operators.extend((0..scope.confirms).map(|_| Operator::looks(true)));
        operators.extend((0..scope.cancels).map(|_| Operator::looks(false)));
        Self {
            operators,
            at_once: scope.at_once,
            hosts: (0..scope.nodes).map(|own| host(scope, own)).collect(),
            messages: BTreeSet::new(),
            losses: scope.losses,
            cuts: scope.cuts,
            failures: scope.failures,
        }
    }

    /// Every possible successor.
    fn next(&self) -> Vec<World> {
        let mut worlds = Vec::new();
        for who in 0..self.operators.len() {
            self.operator_steps(who, &mut worlds);
        }
        for sent in &self.messages {
            self.deliver(sent, &mut worlds);
            self.lose(sent, &mut worlds);
        }
        for index in 0..self.hosts.len() {
            self.host_steps(index, &mut worlds);
        }
        worlds
    }

    fn with(&self, change: impl FnOnce(&mut World)) -> World {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    /// Replaces an operator's state. One that has ended or died receives nothing any more.
    fn becomes(&mut self, who: usize, operator: Operator) {
        self.operators[who] = operator.settled();
        if self.operators[who].coordinator().is_none() {
            self.messages
                .retain(|(own, message)| *own != who || matches!(message, Message::Request(_)));
        }
    }

    fn on_reply(&mut self, who: usize, reply: Reply) {
        if let Some(coordinator) = self.operators[who].coordinator() {
            let mut told = coordinator.clone();
            told.on_reply(reply);
            self.becomes(who, Operator::Works(told));
        }
    }

    fn operator_steps(&self, who: usize, worlds: &mut Vec<World>) {
        if let Operator::Looks { seen, .. } = &self.operators[who] {
            return self.look(who, seen.len(), worlds);
        }
        let Some(operator) = self.operators[who].coordinator() else {
            return;
        };
        let mut acted = operator.clone();
        let commands = acted.next_commands();
        if commands.contains(&Command::Prove) {
            // The proof queries every node and reports the worst result, modelled as one step.
            // After a simultaneous activation it holds only if no node has expired. No node becomes
            // active again after that, so the order of the queries does not matter.
            let is_active = |host: &Host| host.stage == Stage::Active;
            let holds = !self.at_once || self.hosts.iter().all(is_active);
            if !holds {
                worlds.push(self.with(|world| {
                    let mut told = acted.clone();
                    told.on_reply(Reply::NotProved);
                    world.becomes(who, Operator::Works(told));
                }));
            }
            for works in [true, false] {
                if holds && (works || self.failures > 0) {
                    worlds.push(self.with(|world| {
                        world.failures -= u8::from(!works);
                        let mut told = acted.clone();
                        told.on_reply(if works {
                            Reply::Proved
                        } else {
                            Reply::NotProved
                        });
                        world.becomes(who, Operator::Works(told));
                    }));
                }
            }
        } else if !commands.is_empty() || acted != *operator {
            worlds.push(self.with(|world| {
                let requests = commands
                    .iter()
                    .map(|command| (who, Message::Request(*command)));
                world.messages.extend(requests);
                world.becomes(who, Operator::Works(acted));
            }));
        }
        // kill -9, an interrupt by the user, and the deadline.
        worlds.push(self.with(|world| world.becomes(who, Operator::Gone)));
        for reply in [Reply::Stop, Reply::TooLate] {
            let mut told = operator.clone();
            told.on_reply(reply);
            if told != *operator {
                worlds.push(self.with(|world| world.becomes(who, Operator::Works(told))));
            }
        }
        // It gives up only after the hosts have decided on their own.
        if self.messages.is_empty() && self.hosts.iter().all(|host| host.is_decided()) {
            worlds.push(self.with(|world| world.on_reply(who, Reply::GaveUp)));
        }
    }

    /// An operator that resolves another's change observes the nodes one by one, and may act on
    /// outdated observations. If it cancels, it makes sure that a node that is not activated never
    /// will be.
    fn look(&self, who: usize, index: usize, worlds: &mut Vec<World>) {
        let Operator::Looks { confirms, seen } = &self.operators[who] else {
            return;
        };
        if !self.hosts[index].up {
            return;
        }
        worlds.push(self.with(|world| {
            if !confirms && world.hosts[index].stage == Stage::Staged {
                world.hosts[index].withdraw();
            }
            let mut seen = seen.clone();
            seen.push(world.hosts[index].stage);
            world.becomes(
                who,
                Operator::after_look(*confirms, seen, world.hosts.len()),
            );
        }));
    }

    fn deliver(&self, sent: &Sent, worlds: &mut Vec<World>) {
        let (who, message) = sent;
        let command = match message {
            Message::HostAnswer(reply) => {
                worlds.push(self.with(|world| {
                    world.messages.remove(sent);
                    world.on_reply(*who, *reply);
                }));
                return;
            }
            Message::Request(command) => *command,
        };
        let index = node_of(command);
        if !self.hosts[index].up {
            return;
        }
        if matches!(command, Command::Activate(_)) {
            return self.deliver_activation(sent, index, worlds);
        }
        if self.is_activating(index) && !matches!(command, Command::Ask(_)) {
            // The host runs one call at a time.
            return;
        }
        if matches!(command, Command::Revert(_)) {
            self.cut_in_the_middle_of_an_undo(sent, index, worlds);
        }
        worlds.push(self.with(|world| {
            let host = &mut world.hosts[index];
            let either = |answer, yes, no| if answer == Answer::Yes { yes } else { no };
            let reply = match command {
                Command::Confirm(_) => either(
                    host.confirm(),
                    Reply::Confirmed(index),
                    Reply::Refused(index),
                ),
                Command::Offer(_) => either(
                    host.offer(),
                    Reply::Offered(index),
                    Reply::OfferFailed(index),
                ),
                Command::Withdraw(_) => either(
                    host.withdraw(),
                    Reply::Withdrawn(index),
                    Reply::Is(index, Decision::Committed),
                ),
                Command::Revert(_) => either(
                    host.revert(),
                    Reply::Reverted(index),
                    Reply::RevertFailed(index),
                ),
                Command::Ask(_) => {
                    let side = match host.stage {
                        Stage::New => Decision::Committed,
                        Stage::Old => Decision::RolledBack,
                        _ => Decision::InDoubt,
                    };
                    Reply::Is(index, side)
                }
                Command::Activate(_) | Command::Prove => unreachable!("it is no such message"),
            };
            world.answer(sent, reply);
        }));
    }

    /// Power is lost while some files are restored and others are still new.
    fn cut_in_the_middle_of_an_undo(&self, sent: &Sent, index: usize, worlds: &mut Vec<World>) {
        let stage = self.hosts[index].stage;
        if self.cuts == 0 || matches!(stage, Stage::Staged | Stage::New | Stage::Old) {
            return;
        }
        worlds.push(self.with(|world| {
            world.cuts -= 1;
            world.hosts[index].stage = Stage::Activating;
            world.hosts[index].up = false;
            world.answer(sent, Reply::RevertFailed(index));
        }));
    }

    /// Sends the reply to a message, unless its operator is gone.
    fn answer(&mut self, sent: &Sent, reply: Reply) {
        self.messages.remove(sent);
        if self.operators[sent.0].coordinator().is_some() {
            self.messages.insert((sent.0, Message::HostAnswer(reply)));
        }
    }

    /// Whether an activation is running there, which holds the host's mutex.
    fn is_activating(&self, index: usize) -> bool {
        self.hosts[index].stage == Stage::Activating
            && self
                .messages
                .iter()
                .any(|(_, message)| *message == Message::Request(Command::Activate(index)))
    }

    /// An activation takes time: one step starts it, and a later one ends it.
    fn deliver_activation(&self, sent: &Sent, index: usize, worlds: &mut Vec<World>) {
        if self.hosts[index].stage == Stage::Activating {
            for works in [true, false] {
                if !works && self.failures == 0 {
                    continue;
                }
                worlds.push(self.with(|world| {
                    world.failures -= u8::from(!works);
                    let yes = world.hosts[index].end_activation(works) == Answer::Yes;
                    let reply = if yes {
                        Reply::Activated(index)
                    } else {
                        Reply::ActivationFailed(index)
                    };
                    world.answer(sent, reply);
                }));
            }
            return;
        }
        worlds.push(self.with(|world| {
            if world.hosts[index].begin_activation() == Answer::No {
                world.answer(sent, Reply::ActivationFailed(index));
            }
        }));
    }

    /// A request is lost, or late but presumed lost. A reply is lost.
    fn lose(&self, sent: &Sent, worlds: &mut Vec<World>) {
        let (who, message) = sent;
        if self.losses == 0 {
            return;
        }
        let index = match message {
            Message::Request(command) => node_of(*command),
            Message::HostAnswer(reply) => node_of_news(*reply),
        };
        // If the connection cannot be made, the operator knows that the request was not sent.
        if matches!(message, Message::Request(Command::Confirm(_))) {
            worlds.push(self.with(|world| {
                world.losses -= 1;
                world.messages.remove(sent);
                world.on_reply(*who, Reply::Unreachable(index));
            }));
        }
        let Some(lost) = lost_news(message, index) else {
            return;
        };
        let is_late_possible = matches!(message, Message::Request(_));
        for late in [false, true] {
            if late && !is_late_possible {
                continue;
            }
            worlds.push(self.with(|world| {
                world.losses -= 1;
                if !late {
                    world.messages.remove(sent);
                }
                world.on_reply(*who, lost);
            }));
        }
    }

    fn host_steps(&self, index: usize, worlds: &mut Vec<World>) {
        let host = &self.hosts[index];
        if !host.up {
            worlds.push(self.with(|world| world.hosts[index].boot(false)));
            return;
        }
        if self.cuts > 0 {
            worlds.push(self.with(|world| {
                world.cuts -= 1;
                world.hosts[index].up = false;
                // The power cut ends a running activation.
                let activation = (0, Message::Request(Command::Activate(index)));
                if world.hosts[index].stage == Stage::Activating
                    && world.messages.contains(&activation)
                {
                    world.answer(&activation, Reply::ActivationFailed(index));
                }
            }));
        }
        let mut expired = *host;
        expired.expire();
        // The timer needs the mutex that a running activation holds, so it fires afterwards.
        if expired != *host && !self.is_activating(index) {
            worlds.push(self.with(|world| world.hosts[index] = expired));
        }
        if host.stage == Stage::Asking {
            for peer in (0..self.hosts.len()).filter(|peer| *peer != index && self.hosts[*peer].up)
            {
                worlds.push(self.with(|world| {
                    let answer = world.hosts[peer].answer_peer();
                    world.hosts[index].hear_peer(peer, answer);
                }));
            }
        }
    }

    /// The violated property in a final state, or `None` if both hold.
    fn complaint(&self) -> Option<String> {
        let is_all = |stage| self.hosts.iter().all(|host| host.stage == stage);
        // A staged host that was never activated has the old configuration.
        let settled: Vec<Stage> = self
            .hosts
            .iter()
            .map(|host| {
                if host.stage == Stage::Staged {
                    Stage::Old
                } else {
                    host.stage
                }
            })
            .collect();
        let same = settled.iter().all(|stage| *stage == settled[0]);
        if !same || !matches!(settled[0], Stage::New | Stage::Old) {
            return Some(format!("the nodes end on different sides: {settled:?}"));
        }
        self.operators
            .iter()
            .find_map(|operator| match operator.result() {
                Some(ProtocolResult::Committed) if !is_all(Stage::New) => {
                    Some("a false success".to_owned())
                }
                Some(ProtocolResult::RolledBack) if settled[0] != Stage::Old => {
                    Some("a false rollback".to_owned())
                }
                _ => None,
            })
    }
}

/// A 128-bit digest that stands for a visited world. Among a hundred million worlds, the
/// probability of a collision is about 10⁻²³.
fn digest(world: &World) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, world).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// Visits every reachable world. Returns their number, and the number of final ones on the new and
/// on the old side.
fn explore(first: World) -> (usize, [usize; 2]) {
    let mut seen: HashSet<u128> = HashSet::new();
    seen.insert(digest(&first));
    let mut open = vec![first];
    let mut ends = [0; 2];
    while let Some(world) = open.pop() {
        let next = world.next();
        if next.is_empty() {
            ends[usize::from(world.hosts[0].stage != Stage::New)] += 1;
            if let Some(complaint) = world.complaint() {
                panic!("{complaint}\n{world:#?}");
            }
        }
        for world in next {
            // The decision is unique: once a node is New for good, no other may be Old for good.
            let is = |stage| world.hosts.iter().any(|host| host.stage == stage);
            assert!(
                !(is(Stage::New) && is(Stage::Old)),
                "New beside Old: {world:#?}"
            );
            if seen.insert(digest(&world)) {
                open.push(world);
            }
        }
    }
    (seen.len(), ends)
}

/// Explores both ways of activation, one node after the other and all at once.
fn all_nodes_end_on_the_same_side(scope: Scope) {
    for at_once in [false, true] {
        if at_once && scope.offered {
            // The activation is over, so its order makes no difference.
            continue;
        }
        let scope = Scope { at_once, ..scope };
        let (worlds, [new, old]) = explore(World::new(scope));
        println!("{scope:?}: {worlds} states, {new} ends on the new side, {old} on the old one");
        assert!(old > 0, "it can fail");
        // With manual confirmation and no operator to confirm, nothing is ever confirmed.
        assert_eq!(new > 0, !scope.manual || scope.confirms > 0);
    }
}

const THREE: Scope = Scope {
    nodes: 3,
    at_once: false,
    manual: false,
    offered: false,
    confirms: 0,
    cancels: 0,
    losses: 0,
    cuts: 0,
    failures: 0,
};

/// A change pending confirmation, and two operators.
const WAITS: Scope = Scope {
    nodes: 2,
    manual: true,
    offered: true,
    confirms: 1,
    cancels: 1,
    ..THREE
};

/// A change that is still being applied, and another operator.
const MADE: Scope = Scope {
    nodes: 2,
    manual: true,
    ..THREE
};

/// Whether to run explorations too large for every day: `HACTL_EVERY_INTERLEAVING=1`, with an
/// optimised build.
fn is_thorough() -> bool {
    std::env::var_os("HACTL_EVERY_INTERLEAVING").is_some()
}

#[test]
fn when_the_operator_dies() {
    all_nodes_end_on_the_same_side(THREE);
}

#[test]
fn when_a_message_is_lost_or_late() {
    all_nodes_end_on_the_same_side(Scope { losses: 1, ..THREE });
}

#[test]
fn when_a_node_loses_its_power() {
    all_nodes_end_on_the_same_side(Scope { cuts: 1, ..THREE });
}

#[test]
fn when_a_node_cannot_prove_itself() {
    all_nodes_end_on_the_same_side(Scope {
        failures: 1,
        ..THREE
    });
}

#[test]
fn when_a_message_is_lost_and_a_node_loses_its_power() {
    all_nodes_end_on_the_same_side(Scope {
        losses: 1,
        cuts: 1,
        ..THREE
    });
}

#[test]
fn when_a_change_waits_and_nobody_confirms_it() {
    all_nodes_end_on_the_same_side(Scope {
        manual: true,
        losses: 1,
        failures: 1,
        ..THREE
    });
}

#[test]
fn when_one_confirms_and_another_cancels() {
    all_nodes_end_on_the_same_side(WAITS);
}

#[test]
fn when_one_confirms_and_another_cancels_and_a_message_is_lost() {
    all_nodes_end_on_the_same_side(Scope { losses: 1, ..WAITS });
}

#[test]
fn when_one_confirms_and_another_cancels_and_a_node_loses_its_power() {
    all_nodes_end_on_the_same_side(Scope { cuts: 1, ..WAITS });
}

#[test]
fn when_one_confirms_a_change_whose_proof_fails() {
    all_nodes_end_on_the_same_side(Scope {
        confirms: 1,
        failures: 1,
        ..MADE
    });
}

#[test]
fn when_one_confirms_a_change_and_a_message_is_lost() {
    all_nodes_end_on_the_same_side(Scope {
        confirms: 1,
        losses: 1,
        ..MADE
    });
}

#[test]
fn when_one_cancels_a_change_that_is_still_being_made() {
    all_nodes_end_on_the_same_side(Scope {
        cancels: 1,
        failures: 1,
        ..MADE
    });
}

#[test]
fn when_a_change_is_taken_for_abandoned_while_its_maker_confirms_it() {
    all_nodes_end_on_the_same_side(Scope {
        manual: false,
        cancels: 1,
        ..MADE
    });
}

#[test]
fn when_all_of_it_happens() {
    if !is_thorough() {
        return;
    }
    let both = Scope {
        confirms: 1,
        cancels: 1,
        ..MADE
    };
    for scope in [
        Scope {
            failures: 1,
            ..both
        },
        Scope { losses: 1, ..both },
        Scope { nodes: 3, ..WAITS },
        Scope {
            losses: 1,
            cuts: 1,
            ..WAITS
        },
        Scope {
            confirms: 1,
            nodes: 3,
            ..MADE
        },
        Scope {
            cancels: 1,
            nodes: 3,
            ..MADE
        },
    ] {
        all_nodes_end_on_the_same_side(scope);
    }
}
