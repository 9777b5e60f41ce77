//! `hactl check`: the inventory's rules, offline.

use super::error::OpsError;
use super::expected::Expected;
use super::selection::{Selection, leaves_profile_open, read_inventory};
use crate::check::{self, Finding};
use crate::inventory::Inventory;

pub struct CheckReport {
    pub inventory: Inventory,
    /// Errors and warnings.
    pub findings: Vec<Finding>,
    /// The expected impact of faults on users.
    pub expected: Expected,
    /// True if the inventory names no failover profile, so that the hosts decide which one it gets.
    pub leaves_profile_open: bool,
}

/// Reads the inventory and runs every rule that needs no host.
pub fn check(selection: &Selection) -> Result<CheckReport, OpsError> {
    let inventory = read_inventory(&selection.inventory)?;
    let findings = check::run(&inventory.cluster);
    let expected = Expected::of(&inventory.cluster);
    Ok(CheckReport {
        leaves_profile_open: leaves_profile_open(&inventory.source),
        inventory,
        findings,
        expected,
    })
}
