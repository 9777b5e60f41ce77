//! The commands together with their output for programs, which is validated against its schema as it is printed.

use std::time::Duration;

use crate::apply::Event;
use crate::ops::{
    self, Access, ApplyReport, ApplyRequest, Events, LockBreakRequest, LockReport, OpsError,
    PlanReport, PreflightReport, RollbackRequest, Selection, SettleReport, SettleRequest, Stamped,
    StatusReport,
};
use crate::view::{BrokenLocks, ErrorReport, Format, Locks, PlanDetail, Planned, Show, Ui};

fn print<T: Show>(verb: &'static str, report: &Result<T, &OpsError>) {
    for format in [Format::Json, Format::Ndjson] {
        let ui = Ui::captured(format);
        match report {
            Ok(report) => ui.show(verb, 0, report),
            Err(error) => ui.fail(verb, &ErrorReport::of_ops(error), 1),
        }
        assert!(ui.what_was_captured().contains(verb));
    }
}

fn line(event: &Stamped<Event>) {
    Ui::captured(Format::Ndjson).event("apply", event);
}

/// Events, each printed as a line.
pub(super) fn lines() -> Events<'static, Event> {
    Events::new(&line)
}

pub(super) async fn plan(selection: &Selection, access: &Access) -> Result<PlanReport, OpsError> {
    let report = ops::plan(selection, access).await;
    let shown = |report| Planned {
        report,
        detail: PlanDetail::Diffs,
        saved: None,
    };
    print("plan", &report.as_ref().map(shown));
    report
}

pub(super) async fn preflight(
    selection: &Selection,
    access: &Access,
) -> Result<PreflightReport, OpsError> {
    let report = ops::preflight(selection, access, Duration::from_secs(1)).await;
    print("preflight", &report.as_ref());
    report
}

pub(super) async fn apply(
    selection: &Selection,
    access: &Access,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let report = ops::apply(selection, access, request).await;
    print("apply", &report.as_ref());
    report
}

pub(super) async fn rollback(
    selection: &Selection,
    access: &Access,
    back: RollbackRequest,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let report = ops::rollback(selection, access, back, request).await;
    print("rollback", &report.as_ref());
    report
}

pub(super) async fn settle(
    selection: &Selection,
    access: &Access,
    request: SettleRequest<'_>,
) -> Result<SettleReport, OpsError> {
    let report = ops::settle(selection, access, request).await;
    print("confirm", &report.as_ref());
    report
}

pub(super) async fn status(
    selection: &Selection,
    access: &Access,
) -> Result<StatusReport, OpsError> {
    let report = ops::status(selection, access).await;
    print("status", &report.as_ref());
    report
}

pub(super) async fn lock_show(
    selection: &Selection,
    access: &Access,
) -> Result<LockReport, OpsError> {
    let report = ops::lock_show(selection, access).await;
    print("lock", &report.as_ref().map(Locks));
    report
}

pub(super) async fn lock_break(
    selection: &Selection,
    access: &Access,
    request: LockBreakRequest<'_>,
) -> Result<LockReport, OpsError> {
    let report = ops::lock_break(selection, access, request).await;
    print("lock", &report.as_ref().map(BrokenLocks));
    report
}
