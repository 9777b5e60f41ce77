//! A change from its plan to its end: what apply and rollback show.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::change_text::{
    agreement_question, outcome_json, outcome_text, revised_text, stopping_text,
};
use super::document::Document;
use super::findings::findings_text;
use super::losses::losses_question;
use super::plan::{PlanDetail, notices_text, plan_text};
use super::problems::{problems_text, remaining_text};
use super::progress::Progress;
use super::recovery::recovery_text;
use super::ui::Ui;
use crate::apply::{ApplyResult, Event};
use crate::health::Problem;
use crate::model::NodeName;
use crate::ops::{ApplyReport, Proposal};
use crate::plan::Loss;

/// Shows one change. It is told of everything, from any thread.
#[derive(Debug)]
pub struct ChangeView {
    ui: Ui,
    verb: &'static str,
    detail: PlanDetail,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    started: Instant,
    progress: Option<Progress>,
    events: Vec<Value>,
    owners: Vec<(IpAddr, NodeName)>,
    /// What was wrong before, and still is.
    problems: Vec<Problem>,
}

impl Ui {
    /// Follows a change, with its plan in that detail.
    pub fn follow_change(&self, verb: &'static str, detail: PlanDetail) -> ChangeView {
        ChangeView {
            ui: self.clone(),
            verb,
            detail,
            state: Mutex::new(State {
                started: Instant::now(),
                progress: None,
                events: Vec::new(),
                owners: Vec::new(),
                problems: Vec::new(),
            }),
        }
    }
}

impl ChangeView {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what will be done.
    pub fn show_proposal(&self, proposal: &Proposal) {
        let text = if proposal.is_revised {
            revised_text().to_owned()
        } else {
            notices_text(proposal.notices) + &problems_text(proposal.problems)
        };
        self.ui.status(&text);
        self.ui.status(&recovery_text(proposal.recovery));
        let unicode = Ui::is_unicode();
        self.ui
            .status(&findings_text(proposal.findings, proposal.source, unicode));
        self.ui.status(&plan_text(proposal.plan, self.detail));
        self.ui.status("\n");
    }

    /// Asks whether to do it.
    pub fn ask(&self, proposal: &Proposal, is_stopped: &dyn Fn() -> bool) -> bool {
        let question = agreement_question(proposal.recovery, proposal.plan);
        self.ui.ask(&question, is_stopped)
    }

    /// Asks whether what the plan names may stop being served.
    pub fn ask_to_stop_serving(&self, losses: &[Loss], is_stopped: &dyn Fn() -> bool) -> bool {
        self.ui.ask(&losses_question(losses), is_stopped)
    }

    /// It begins.
    pub fn begin(&self, proposal: &Proposal) {
        let mut state = self.state();
        if !proposal.is_revised {
            state.started = Instant::now();
        }
        state.progress = Some(if proposal.recovery.is_empty() {
            Progress::new(&self.ui, proposal.plan)
        } else {
            // The nodes of the earlier change need not be those of the plan, so that there is no bar for each.
            Progress::log(&self.ui, proposal.plan)
        });
    }

    /// Something happened.
    pub fn event(&self, event: &Event) {
        let mut state = self.state();
        let at = state.started.elapsed().as_millis();
        let mut json = serde_json::to_value(event).unwrap_or_default();
        json["at_ms"] = json!(at);
        state.events.push(json);
        if let Event::OwnersSeen { owners } = event {
            owners.clone_into(&mut state.owners);
        }
        if let Event::ProblemsRemain { problems } = event {
            problems.clone_into(&mut state.problems);
        }
        if let Some(progress) = &mut state.progress {
            progress.event(event);
        }
    }

    /// The user wants it to stop.
    pub fn stopping(&self) {
        self.ui.status(stopping_text());
    }

    /// It is over.
    pub fn end(&self, report: &ApplyReport, exit_code: u8) {
        let mut state = self.state();
        if let Some(progress) = state.progress.take() {
            progress.finish();
        }
        if self.ui.is_json() {
            let document = Document::new(self.verb)
                .with("exit_code", &exit_code)
                .with("recovery", &report.recovery)
                .with("recovered", &report.is_recovered)
                .with("plan", &report.plan)
                .with("vips", &report.plan.courses())
                .with("notices", &report.notices)
                .with("problems", &report.problems)
                .with("events", &state.events)
                .with("outcome", &outcome_json(report));
            self.ui.document(&document);
            return;
        }
        if !report.notices.is_empty() && is_nothing(report) {
            // No plan was shown, and these with it.
            self.ui.status(&notices_text(&report.notices));
        }
        if is_nothing(report) {
            self.ui.status(&problems_text(&report.problems));
        }
        let text = outcome_text(report, &state.owners, Ui::is_unicode());
        if exit_code == 0 {
            self.ui.data(&(text + &remaining_text(&state.problems)));
        } else {
            self.ui.raw_error(&text);
        }
    }
}

fn is_nothing(report: &ApplyReport) -> bool {
    let result = report.outcome.as_ref().map(|outcome| &outcome.result);
    matches!(result, Some(ApplyResult::NothingToDo))
}
