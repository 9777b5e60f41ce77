//! Searches the states that events can lead to, breadth first.

use std::collections::{HashMap, VecDeque};

use super::event::{ElectionEvent, EventKind};
use super::model::{Election, Nodes, State};
use super::verdict::{Verdict, Violation};

/// Up to this many nodes, every reachable state is visited: 3⁷ healths with up to 8 owners.
const EXHAUSTIVE: usize = 7;
/// In larger clusters, the search for a wrong state is limited to this many nearest states.
const NEAREST: usize = 60_000;

/// The result of simulating an election.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Simulation {
    /// Number of states visited.
    pub states: usize,
    /// The wrong state nearest to the all-healthy one.
    pub violation: Option<Violation>,
}

/// A wrong state, and the events that led to it, by position.
struct Wrong {
    verdict: Verdict,
    events: Vec<(EventKind, usize)>,
}

/// The result of one search.
struct Explored {
    states: usize,
    wrong: Option<Wrong>,
}

impl Election {
    /// Plays every sequence of events from the all-healthy state, until no new state is found.
    pub fn simulate(&self) -> Simulation {
        let explored = if self.contenders.len() <= EXHAUSTIVE {
            self.explore(usize::MAX)
        } else {
            self.explore_large()
        };
        Simulation {
            states: explored.states,
            violation: explored.wrong.map(|wrong| self.violation(wrong)),
        }
    }

    /// Pairs show whether a large cluster has a wrong state at all. If so, the nearest states may contain a shorter
    /// way to one.
    fn explore_large(&self) -> Explored {
        let by_pairs = self.explore_pairs();
        if by_pairs.wrong.is_none() || self.contenders.len() > Nodes::MAX {
            return by_pairs;
        }
        let nearest = self.explore(NEAREST);
        Explored {
            states: by_pairs.states + nearest.states,
            wrong: nearest.wrong.or(by_pairs.wrong),
        }
    }

    /// Breadth first, so that the first wrong state found is a nearest one.
    fn explore(&self, limit: usize) -> Explored {
        let start = self.all_healthy();
        let mut came_from: HashMap<State, Option<(State, EventKind, usize)>> =
            HashMap::from([(start, None)]);
        let mut queue = VecDeque::from([start]);
        let mut wrong = self.judge(start, start).map(|verdict| Wrong {
            verdict,
            events: Vec::new(),
        });

        while let Some(state) = queue.pop_front() {
            if wrong.is_some() || came_from.len() >= limit {
                break;
            }
            for (kind, index) in self.events(state) {
                let next = self.after(state, kind, index);
                if came_from.contains_key(&next) {
                    continue;
                }
                came_from.insert(next, Some((state, kind, index)));
                queue.push_back(next);
                if let Some(verdict) = self.judge(state, next) {
                    let events = way_to(next, &came_from);
                    wrong = Some(Wrong { verdict, events });
                    break;
                }
            }
        }
        Explored {
            states: came_from.len(),
            wrong,
        }
    }

    /// A wrong state needs only two nodes: an owner that keeps the VIP from a healthy one. It remains wrong when all
    /// other nodes are dead, so every pair is explored alone, after the deaths of the rest. That does not give the
    /// shortest way, but misses no wrong state.
    fn explore_pairs(&self) -> Explored {
        let count = self.contenders.len();
        let mut states = 0;
        let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| [one, other]));
        for pair in pairs {
            let contenders = pair
                .iter()
                .filter_map(|index| self.contenders.get(*index))
                .cloned();
            let duel = Self {
                contenders: contenders.collect(),
                ..self.clone()
            };
            let explored = duel.explore(usize::MAX);
            states += explored.states;
            if let Some(wrong) = explored.wrong {
                // Lowest priority first, so that the VIP does not move before it matters.
                let others = (0..count).rev().filter(|index| !pair.contains(index));
                let deaths = others.map(|index| (EventKind::NodeDies, index));
                let rest = wrong
                    .events
                    .iter()
                    .filter_map(|(kind, position)| Some((*kind, *pair.get(*position)?)));
                let events = deaths.chain(rest).collect();
                let wrong = Wrong { events, ..wrong };
                return Explored {
                    states,
                    wrong: Some(wrong),
                };
            }
        }
        Explored {
            states,
            wrong: None,
        }
    }

    /// The events possible in `state`, in the order in which a reader would try them.
    fn events(&self, state: State) -> impl Iterator<Item = (EventKind, usize)> {
        use EventKind::{NginxDies, NginxReturns, NodeDies, NodeReturns, NodeReturnsWithoutNginx};
        let count = self.contenders.len();
        [
            NginxDies,
            NodeDies,
            NginxReturns,
            NodeReturns,
            NodeReturnsWithoutNginx,
        ]
        .into_iter()
        .flat_map(move |kind| (0..count).map(move |index| (kind, index)))
        .filter(move |(kind, index)| {
            let (up, serving) = (state.up.contains(*index), state.serving.contains(*index));
            match kind {
                NginxDies => serving,
                NodeDies => up,
                NginxReturns => up && !serving,
                NodeReturns | NodeReturnsWithoutNginx => !up,
            }
        })
    }

    /// The stable state after an event.
    fn after(&self, state: State, kind: EventKind, index: usize) -> State {
        let (up, serving) = match kind {
            EventKind::NginxDies => (state.up, state.serving.without(index)),
            EventKind::NginxReturns => (state.up, state.serving.with(index)),
            EventKind::NodeDies => (state.up.without(index), state.serving.without(index)),
            EventKind::NodeReturns => (state.up.with(index), state.serving.with(index)),
            EventKind::NodeReturnsWithoutNginx => (state.up.with(index), state.serving),
        };
        State {
            up,
            serving,
            owners: self.settle(up, serving, state.owners),
        }
    }

    fn violation(&self, wrong: Wrong) -> Violation {
        let event = |(event, index): (EventKind, usize)| {
            let node = self.contenders.get(index)?.node.clone();
            Some(ElectionEvent { event, node })
        };
        Violation {
            events: wrong.events.into_iter().filter_map(event).collect(),
            verdict: wrong.verdict,
            preempt: self.preempt,
        }
    }
}

/// The events from the start to `state`.
fn way_to(
    state: State,
    came_from: &HashMap<State, Option<(State, EventKind, usize)>>,
) -> Vec<(EventKind, usize)> {
    let mut events = Vec::new();
    let mut at = state;
    while let Some(Some((before, kind, index))) = came_from.get(&at) {
        events.push((*kind, *index));
        at = *before;
    }
    events.reverse();
    events
}
