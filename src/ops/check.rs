//! `hactl check`: the inventory's rules, offline.

use super::context::{Context, read_inventory};
use super::error::OpsError;
use super::expected::Expected;
use crate::check::{self, Finding};
use crate::inventory::Inventory;

/// What check found.
pub struct CheckReport {
    /// The inventory.
    pub inventory: Inventory,
    /// Errors and warnings.
    pub findings: Vec<Finding>,
    /// What faults would cost its users.
    pub expected: Expected,
}

/// Reads the inventory and runs every rule that needs no host.
pub fn check(context: &Context) -> Result<CheckReport, OpsError> {
    let inventory = read_inventory(&context.inventory)?;
    let findings = check::run(&inventory.cluster);
    let expected = Expected::of(&inventory.cluster);
    Ok(CheckReport {
        inventory,
        findings,
        expected,
    })
}
