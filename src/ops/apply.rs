//! `hactl apply`: makes the hosts what the inventory says.

use super::change::{ApplyReport, ApplyRequest, Planner, change};
use super::context::{Context, Loaded, load};
use super::error::OpsError;
use super::plan::{Planned, make};
use super::survey::Survey;
use crate::agent::Observation;

/// Plans, asks, and carries the plan out.
pub async fn apply(context: &Context, request: ApplyRequest<'_>) -> Result<ApplyReport, OpsError> {
    let mut loaded = load(context)?;
    change(context, &mut loaded, ToInventory, request).await
}

/// The plan that makes the hosts what the inventory says.
pub(super) struct ToInventory;

impl Planner for ToInventory {
    async fn plan(
        &self,
        loaded: &Loaded,
        survey: &Survey,
        seen: &[Observation],
    ) -> Result<Planned, OpsError> {
        make(loaded, survey, seen)
    }
}
