//! A change under way: a line per node on a terminal, a line per step elsewhere.

use super::progress_bars::Bars;
use super::progress_lines::Lines;
use super::ui::Ui;
use crate::apply::Event;
use crate::ops::Stamped;
use crate::plan::Plan;

#[derive(Debug)]
pub(super) enum Progress {
    /// On a terminal.
    Bars(Bars),
    /// In a pipe, or if logs go to standard error too.
    Lines(Ui, Lines),
}

impl Progress {
    pub(super) fn new(ui: &Ui, plan: &Plan) -> Self {
        match ui.bars() {
            Some(bars) => Self::Bars(Bars::new(bars, plan, ui.colours_err())),
            None => Self::Lines(ui.clone(), Lines::new(plan)),
        }
    }

    /// Lines, even on a terminal.
    pub(super) fn log(ui: &Ui, plan: &Plan) -> Self {
        Self::Lines(ui.clone(), Lines::new(plan))
    }

    /// Prints what is still held back.
    pub(super) fn finish(self) {
        if let Self::Lines(ui, mut lines) = self {
            ui.status(&lines.finish());
        }
    }

    pub(super) fn event(&mut self, event: &Stamped<Event>) {
        match self {
            Self::Bars(bars) => bars.event(event),
            Self::Lines(ui, lines) => ui.status(&lines.event(event)),
        }
    }
}
