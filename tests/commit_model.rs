//! Every interleaving of the commit protocol for three nodes: the operator dies at any moment, messages
//! and their answers are lost or late, a node loses its power, timers run out whenever they like.
//!
//! The operator's side is the very machine that `hactl apply` runs; the hosts are a model. Two things
//! are shown of every state in which nothing can happen any more: all nodes are on the same side, and
//! if the operator lived, its verdict is what they are.

#![expect(
    clippy::print_stdout,
    reason = "how much was explored is worth reading"
)]

#[path = "support/host_model.rs"]
mod host_model;

use std::collections::{BTreeSet, HashSet};

use hactl::apply::{Coordinator, News, Order, Side, Verdict};

use host_model::{Answer, Host, Stage};

const NODES: usize = 3;

/// A message between the operator and a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    /// An order on its way.
    Request(Order),
    /// Its answer on the way back.
    Reply(News),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    operator: Option<Coordinator>,
    at_once: bool,
    hosts: [Host; NODES],
    messages: BTreeSet<Message>,
    /// Messages that may still be lost or late.
    losses: u8,
    /// Power cuts that may still happen.
    cuts: u8,
    /// Activations that may still fail on their own proof.
    failures: u8,
}

impl World {
    fn new(at_once: bool, losses: u8, cuts: u8, failures: u8) -> Self {
        Self {
            operator: Some(Coordinator::new(NODES, at_once)),
            at_once,
            hosts: std::array::from_fn(|own| Host::new(own, NODES)),
            messages: BTreeSet::new(),
            losses,
            cuts,
            failures,
        }
    }

    /// Every world that can come next.
    fn next(&self) -> Vec<World> {
        let mut worlds = Vec::new();
        self.operator_steps(&mut worlds);
        for message in &self.messages {
            self.deliver(message, &mut worlds);
            self.lose(message, &mut worlds);
        }
        for index in 0..NODES {
            self.host_steps(index, &mut worlds);
        }
        worlds
    }

    fn with(&self, change: impl FnOnce(&mut World)) -> World {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    fn operator_steps(&self, worlds: &mut Vec<World>) {
        let Some(operator) = &self.operator else {
            return;
        };
        if operator.verdict().is_some() {
            return;
        }
        let mut acted = operator.clone();
        let orders = acted.orders();
        if !orders.is_empty() || acted != *operator {
            worlds.push(self.with(|world| {
                for order in orders {
                    // The proof is one step: it asks everybody and tells the worst. Where all were
                    // activated at once, nobody's time may be over; nobody is active again after that,
                    // so that the moment at which each is asked does not matter.
                    if order == Order::Prove {
                        let is_active = |host: &Host| host.stage == Stage::Active;
                        let holds = !world.at_once || world.hosts.iter().all(is_active);
                        acted.hear(if holds { News::Proved } else { News::NotProved });
                    } else {
                        world.messages.insert(Message::Request(order));
                    }
                }
                world.operator = Some(acted);
            }));
        }
        // kill -9, a stop by the user, and the clock.
        worlds.push(self.with(|world| world.operator = None));
        for news in [News::Stop, News::TooLate] {
            let mut told = operator.clone();
            told.hear(news);
            if told != *operator {
                worlds.push(self.with(|world| world.operator = Some(told)));
            }
        }
        // It gives up only when the hosts' own deciding is over.
        if self.messages.is_empty() && self.hosts.iter().all(|host| host.is_decided()) {
            let mut told = operator.clone();
            told.hear(News::GaveUp);
            worlds.push(self.with(|world| world.operator = Some(told)));
        }
    }

    fn deliver(&self, message: &Message, worlds: &mut Vec<World>) {
        match message {
            Message::Reply(news) => worlds.push(self.with(|world| {
                world.messages.remove(message);
                if let Some(operator) = &mut world.operator {
                    operator.hear(*news);
                }
            })),
            Message::Request(order) => {
                let index = node_of(*order);
                if !self.hosts[index].up {
                    return;
                }
                let reply = |world: &mut World, news: News| {
                    world.messages.remove(message);
                    world.messages.insert(Message::Reply(news));
                };
                match order {
                    Order::Activate(_) => self.deliver_activation(message, index, worlds),
                    Order::Confirm(_) => worlds.push(self.with(|world| {
                        let answer = world.hosts[index].confirm();
                        let yes = answer == Answer::Yes;
                        reply(
                            world,
                            if yes {
                                News::Confirmed(index)
                            } else {
                                News::Refused(index)
                            },
                        );
                    })),
                    Order::Revert(_) => {
                        self.cut_in_the_middle_of_an_undo(message, index, worlds);
                        worlds.push(self.with(|world| {
                            let answer = world.hosts[index].revert();
                            let yes = answer == Answer::Yes;
                            reply(
                                world,
                                if yes {
                                    News::Reverted(index)
                                } else {
                                    News::RevertFailed(index)
                                },
                            );
                        }));
                    }
                    Order::Ask(_) => worlds.push(self.with(|world| {
                        let side = match world.hosts[index].stage {
                            Stage::New => Side::New,
                            Stage::Old => Side::Old,
                            _ => Side::Undecided,
                        };
                        reply(world, News::Is(index, side));
                    })),
                    Order::Prove => unreachable!("it is no message"),
                }
            }
        }
    }

    /// Some of the files are old again, some still new, and the power goes.
    fn cut_in_the_middle_of_an_undo(
        &self,
        message: &Message,
        index: usize,
        worlds: &mut Vec<World>,
    ) {
        let stage = self.hosts[index].stage;
        if self.cuts == 0 || matches!(stage, Stage::Staged | Stage::New | Stage::Old) {
            return;
        }
        worlds.push(self.with(|world| {
            world.cuts -= 1;
            world.hosts[index].stage = Stage::Activating;
            world.hosts[index].up = false;
            world.messages.remove(message);
            world
                .messages
                .insert(Message::Reply(News::RevertFailed(index)));
        }));
    }

    /// An activation takes time: it begins, and a later step ends it.
    fn deliver_activation(&self, message: &Message, index: usize, worlds: &mut Vec<World>) {
        if self.hosts[index].stage == Stage::Activating {
            for works in [true, false] {
                if !works && self.failures == 0 {
                    continue;
                }
                worlds.push(self.with(|world| {
                    world.failures -= u8::from(!works);
                    let answer = world.hosts[index].end_activation(works);
                    world.messages.remove(message);
                    let yes = answer == Answer::Yes;
                    let news = if yes {
                        News::Activated(index)
                    } else {
                        News::ActivationFailed(index)
                    };
                    world.messages.insert(Message::Reply(news));
                }));
            }
            return;
        }
        worlds.push(self.with(|world| {
            if world.hosts[index].begin_activation() == Answer::No {
                world.messages.remove(message);
                world
                    .messages
                    .insert(Message::Reply(News::ActivationFailed(index)));
            }
        }));
    }

    /// A request is lost, or only thought to be and late; a reply is lost.
    fn lose(&self, message: &Message, worlds: &mut Vec<World>) {
        if self.losses == 0 {
            return;
        }
        let index = match message {
            Message::Request(order) => node_of(*order),
            Message::Reply(news) => node_of_news(*news),
        };
        // A connection that does not come about is a request that was never sent.
        if matches!(message, Message::Request(Order::Confirm(_))) {
            worlds.push(self.with(|world| {
                world.losses -= 1;
                world.messages.remove(message);
                if let Some(operator) = &mut world.operator {
                    operator.hear(News::Unreachable(index));
                }
            }));
        }
        let Some(lost) = Self::lost_news(message, index) else {
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
                    world.messages.remove(message);
                }
                if let Some(operator) = &mut world.operator {
                    operator.hear(lost);
                }
            }));
        }
    }

    /// What the operator makes of a message that does not come.
    fn lost_news(message: &Message, index: usize) -> Option<News> {
        // What is late was given up already; a second loss of it tells the operator nothing new.
        Some(match message {
            Message::Request(Order::Activate(_))
            | Message::Reply(News::Activated(_) | News::ActivationFailed(_)) => {
                News::ActivationFailed(index)
            }
            Message::Request(Order::Confirm(_))
            | Message::Reply(News::Confirmed(_) | News::Refused(_)) => {
                News::ConfirmationLost(index)
            }
            Message::Request(Order::Revert(_))
            | Message::Reply(News::Reverted(_) | News::RevertFailed(_)) => {
                News::RevertFailed(index)
            }
            Message::Request(Order::Ask(_)) | Message::Reply(News::Is(..)) => News::Silent(index),
            _ => return None,
        })
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
                // What was being done there ends with it.
                let activation = Message::Request(Order::Activate(index));
                if world.hosts[index].stage == Stage::Activating
                    && world.messages.remove(&activation)
                {
                    world
                        .messages
                        .insert(Message::Reply(News::ActivationFailed(index)));
                }
            }));
        }
        let mut expired = *host;
        expired.expire();
        // The timer shares the mutex with an activation: it fires when that has ended.
        let is_busy = self
            .messages
            .contains(&Message::Request(Order::Activate(index)))
            && host.stage == Stage::Activating;
        if expired != *host && !is_busy {
            worlds.push(self.with(|world| world.hosts[index] = expired));
        }
        if host.stage == Stage::Asking {
            for peer in (0..NODES).filter(|peer| *peer != index && self.hosts[*peer].up) {
                worlds.push(self.with(|world| {
                    let answer = world.hosts[peer].answer_peer();
                    world.hosts[index].hear_peer(peer, answer);
                }));
            }
        }
    }

    /// Wrong in a world where nothing happens any more; `None` when all is well.
    fn complaint(&self) -> Option<String> {
        let is_all = |stage| self.hosts.iter().all(|host| host.stage == stage);
        // A host that was staged and never told to activate has the old configuration.
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
        match self.operator.as_ref().and_then(Coordinator::verdict) {
            Some(Verdict::AllNew) if !is_all(Stage::New) => Some("a false success".to_owned()),
            Some(Verdict::AllOld) if settled[0] != Stage::Old => {
                Some("a false rollback".to_owned())
            }
            _ => None,
        }
    }
}

fn node_of(order: Order) -> usize {
    match order {
        Order::Activate(index)
        | Order::Confirm(index)
        | Order::Revert(index)
        | Order::Ask(index) => index,
        Order::Prove => unreachable!("it is no message"),
    }
}

fn node_of_news(news: News) -> usize {
    match news {
        News::Activated(index)
        | News::ActivationFailed(index)
        | News::Confirmed(index)
        | News::Refused(index)
        | News::ConfirmationLost(index)
        | News::Unreachable(index)
        | News::Reverted(index)
        | News::RevertFailed(index)
        | News::Is(index, _)
        | News::Silent(index) => index,
        _ => unreachable!("it is about no node"),
    }
}

/// Visits every world that can be reached; returns how many, and how many of them are ends.
fn explore(first: World) -> (usize, usize) {
    let mut seen: HashSet<World> = HashSet::new();
    let mut open = vec![first.clone()];
    seen.insert(first);
    let mut ends = 0;
    while let Some(world) = open.pop() {
        let next = world.next();
        if next.is_empty() {
            ends += 1;
            if let Some(complaint) = world.complaint() {
                panic!("{complaint}\n{world:#?}");
            }
        }
        for world in next {
            // Two owners of the future can't be: once one is New, no other may be Old for good.
            let stages: Vec<Stage> = world.hosts.iter().map(|host| host.stage).collect();
            assert!(
                !(stages.contains(&Stage::New) && stages.contains(&Stage::Old)),
                "New beside Old: {world:#?}"
            );
            if seen.insert(world.clone()) {
                open.push(world);
            }
        }
    }
    (seen.len(), ends)
}

/// Both orders of activation, with that many losses, power cuts and failed proofs at most.
fn all_nodes_end_on_the_same_side(losses: u8, cuts: u8, failures: u8) {
    for at_once in [false, true] {
        let (worlds, ends) = explore(World::new(at_once, losses, cuts, failures));
        println!(
            "at once {at_once}, {losses} losses, {cuts} cuts, {failures} failures: \
             {worlds} states, {ends} ends"
        );
        assert!(ends > 1);
    }
}

#[test]
fn when_the_operator_dies() {
    all_nodes_end_on_the_same_side(0, 0, 0);
}

#[test]
fn when_a_message_is_lost_or_late() {
    all_nodes_end_on_the_same_side(1, 0, 0);
}

#[test]
fn when_a_node_loses_its_power() {
    all_nodes_end_on_the_same_side(0, 1, 0);
}

#[test]
fn when_a_node_cannot_prove_itself() {
    all_nodes_end_on_the_same_side(0, 0, 1);
}

#[test]
fn when_a_message_is_lost_and_a_node_loses_its_power() {
    all_nodes_end_on_the_same_side(1, 1, 0);
}
