//! A change under way: a line per node on a terminal, a line per step elsewhere.

use super::progress_bars::Bars;
use super::progress_lines::Lines;
use super::ui::Ui;
use crate::apply::Event;
use crate::ops::Stamped;
use crate::plan::Plan;

/// Shows events as they come.
#[derive(Debug)]
pub(super) enum Progress {
    /// On a terminal.
    Bars(Bars),
    /// In a pipe, or between logs.
    Lines(Ui, Lines),
}

impl Progress {
    /// Progress of `plan`.
    pub(super) fn new(ui: &Ui, plan: &Plan) -> Self {
        match ui.bars() {
            Some(bars) => Self::Bars(Bars::new(bars, plan, ui.colours_err())),
            None => Self::Lines(ui.clone(), Lines::new(plan)),
        }
    }

    /// The same as lines, also on a terminal.
    pub(super) fn log(ui: &Ui, plan: &Plan) -> Self {
        Self::Lines(ui.clone(), Lines::new(plan))
    }

    /// It is over: shows what is left to show.
    pub(super) fn finish(self) {
        if let Self::Lines(ui, mut lines) = self {
            ui.status(&lines.finish());
        }
    }

    /// Shows one event.
    pub(super) fn event(&mut self, event: &Stamped<Event>) {
        match self {
            Self::Bars(bars) => bars.event(event),
            Self::Lines(ui, lines) => ui.status(&lines.event(event)),
        }
    }
}
