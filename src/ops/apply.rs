//! `hactl apply`: applies the inventory to the hosts.

use super::change::{ApplyReport, ApplyRequest, change};
use super::error::OpsError;
use super::planning::ToInventory;
use super::selection::{Selection, load};
use super::transport::Access;

pub async fn apply(
    selection: &Selection,
    access: &Access,
    request: ApplyRequest<'_>,
) -> Result<ApplyReport, OpsError> {
    let mut loaded = load(selection)?;
    change(access, &mut loaded, ToInventory, request).await
}
