//! Output of `apply` and `rollback`, from the plan to the outcome.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::change_text::{
    agreement_question, outcome_record, outcome_text, revised_text, stopping_text,
};
use super::findings::findings_text;
use super::losses::losses_question;
use super::plan::{PlanDetail, notices_text, plan_text};
use super::problems::{problems_text, remaining_text};
use super::progress::Progress;
use super::recovery::recovery_text;
use super::show::Show;
use super::ui::Ui;
use crate::apply::{ApplyResult, Event};
use crate::health::Problem;
use crate::ops::{ApplyReport, Proposal, Stamped};
use crate::plan::Loss;
use crate::report::ChangeBody;

/// The view of one change. Events may arrive from any thread.
#[derive(Debug)]
pub struct ChangeView {
    ui: Ui,
    verb: &'static str,
    detail: PlanDetail,
    progress: Mutex<Option<Progress>>,
}

impl Ui {
    /// Starts the view of a change. `detail` says how much of its plan to print.
    pub fn follow_change(&self, verb: &'static str, detail: PlanDetail) -> ChangeView {
        ChangeView {
            ui: self.clone(),
            verb,
            detail,
            progress: Mutex::default(),
        }
    }
}

impl ChangeView {
    fn progress(&self) -> MutexGuard<'_, Option<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn show_proposal(&self, proposal: &Proposal) {
        let text = if proposal.is_revised {
            revised_text().to_owned()
        } else {
            notices_text(proposal.notices) + &problems_text(proposal.problems)
        };
        self.ui.status(&text);
        self.ui.status(&recovery_text(proposal.recovery));
        let unicode = Ui::is_unicode();
        let source = Some(proposal.source);
        self.ui
            .status(&findings_text(proposal.findings, source, unicode));
        self.ui.status(&plan_text(proposal.plan, self.detail));
        self.ui.status("\n");
    }

    pub fn ask(&self, proposal: &Proposal, is_stopped: &dyn Fn() -> bool) -> bool {
        let question = agreement_question(proposal.recovery, proposal.plan);
        self.ui.ask(&question, is_stopped)
    }

    /// Asks for separate approval of what would stop being served.
    pub fn ask_to_stop_serving(&self, losses: &[Loss], is_stopped: &dyn Fn() -> bool) -> bool {
        self.ui.ask(&losses_question(losses), is_stopped)
    }

    /// Starts the progress display.
    pub fn begin(&self, proposal: &Proposal) {
        *self.progress() = Some(if proposal.recovery.is_empty() {
            Progress::new(&self.ui, proposal.plan)
        } else {
            // The interrupted change may involve nodes outside the plan, so there is no bar for each of them.
            Progress::log(&self.ui, proposal.plan)
        });
    }

    pub fn event(&self, event: &Stamped<Event>) {
        self.ui.event(self.verb, event);
        if let Some(progress) = &mut *self.progress() {
            progress.event(event);
        }
    }

    /// Called on the first Ctrl-C.
    pub fn stopping(&self) {
        self.ui.status(stopping_text());
    }

    /// Clears the progress display and prints the outcome.
    pub fn end(&self, report: &ApplyReport, exit_code: u8) {
        if let Some(progress) = self.progress().take() {
            progress.finish();
        }
        self.ui.show(self.verb, exit_code, report);
    }
}

impl Show for ApplyReport {
    fn body(&self) -> impl Serialize {
        ChangeBody {
            recovery: &self.recovery,
            recovered: self.is_recovered,
            plan: &self.plan,
            vips: self.plan.courses(),
            notices: &self.notices,
            problems: &self.problems,
            findings: &self.findings,
            events: &self.events,
            outcome: outcome_record(self),
        }
    }

    fn print(&self, ui: &Ui, exit_code: u8) {
        if is_nothing(self) {
            // No plan was shown, so neither were these.
            ui.status(&notices_text(&self.notices));
            ui.status(&problems_text(&self.problems));
            ui.status(&findings_text(&self.findings, None, Ui::is_unicode()));
        }
        let mut text = outcome_text(self, Ui::is_unicode());
        if exit_code == 0 {
            text += &remaining_text(remaining(self));
        }
        ui.end(&text, exit_code);
    }
}

/// Problems that existed before the change and persist.
fn remaining(report: &ApplyReport) -> &[Problem] {
    let mut events = report.events.iter().rev();
    let last = events.find_map(|event| match &event.event {
        Event::ProblemsRemain { problems } => Some(problems.as_slice()),
        _ => None,
    });
    last.unwrap_or_default()
}

fn is_nothing(report: &ApplyReport) -> bool {
    let result = report.outcome.as_ref().map(|outcome| &outcome.result);
    matches!(result, Some(ApplyResult::NothingToDo))
}
