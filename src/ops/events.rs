//! Events of a running command: numbered and timed at their source, emitted at once, kept for the report.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::apply::Progress;

/// An event with its number and time.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Stamped<E> {
    /// Its number within this run, from 1, without gaps.
    pub index: usize,
    /// Milliseconds since the work began. If the user is asked first, it begins with the answer.
    pub at_ms: u64,
    /// Progress of the change, once its first step has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What happened.
    #[serde(flatten)]
    pub event: E,
}

/// An event that may advance the overall progress.
pub trait Advances {
    /// Progress after this event.
    fn progress(&self, before: Option<Progress>) -> Option<Progress> {
        before
    }
}

impl Advances for crate::apply::Event {
    fn progress(&self, before: Option<Progress>) -> Option<Progress> {
        Progress::after(self, before)
    }
}

impl Advances for crate::lab::LabEvent {}

/// The events of one run.
pub struct Events<'a, E> {
    state: Mutex<State<E>>,
    tell: &'a (dyn Fn(&Stamped<E>) + Sync),
}

struct State<E> {
    started: Option<Instant>,
    told: Vec<Stamped<E>>,
}

impl<E> fmt::Debug for Events<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl<'a, E: Advances + Clone> Events<'a, E> {
    /// Passes each event to `tell` as it happens.
    pub fn new(tell: &'a (dyn Fn(&Stamped<E>) + Sync)) -> Self {
        Self {
            state: Mutex::new(State {
                started: None,
                told: Vec::new(),
            }),
            tell,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the clock, unless it is running. The first event starts it, too.
    pub fn begin(&self) {
        self.state().started.get_or_insert_with(Instant::now);
    }

    /// Emits an event. Several threads may emit: the listener gets events in the order of their numbers.
    pub fn tell(&self, event: E) {
        let mut state = self.state();
        let started = *state.started.get_or_insert_with(Instant::now);
        let before = state.told.last().and_then(|last| last.progress);
        let stamped = Stamped {
            index: state.told.len() + 1,
            at_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            progress: event.progress(before),
            event,
        };
        (self.tell)(&stamped);
        state.told.push(stamped);
    }

    /// All events so far.
    pub fn all(&self) -> Vec<Stamped<E>> {
        self.state().told.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Event, Step};
    use crate::model::NodeName;

    #[test]
    fn events_are_numbered_timed_and_counted_where_they_happen() {
        let told = Mutex::new(Vec::new());
        let tell = |event: &Stamped<Event>| told.lock().unwrap().push(event.index);
        let events = Events::new(&tell);
        events.tell(Event::Interrupted);
        events.tell(Event::StepStarted {
            step: Step::Stage,
            nodes: 2,
        });
        for node in ["lb1", "lb2"] {
            events.tell(Event::NodeDone {
                step: Step::Stage,
                node: NodeName::new(node).unwrap(),
                note: None,
            });
        }
        let all = events.all();
        assert_eq!(*told.lock().unwrap(), [1, 2, 3, 4]);
        assert!(all.is_sorted_by_key(|event| event.at_ms));
        let progress = all.iter().map(|event| event.progress);
        let far = |nodes_done| {
            Some(Progress {
                step: Step::Stage,
                number: 3,
                steps: 7,
                nodes_done,
                nodes: 2,
            })
        };
        assert_eq!(progress.collect::<Vec<_>>(), [None, far(0), far(1), far(2)]);
    }
}
