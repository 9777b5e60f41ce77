//! The documents of verbs that contact no host: `init`, `check` and `render`.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::error::PlacedFinding;
use crate::check::Finding;
use crate::ops::Expected;

/// The inventory that was written.
#[derive(Serialize, JsonSchema)]
pub struct InitBody<'a> {
    /// Its path.
    #[schemars(with = "String")]
    pub path: &'a Utf8Path,
    /// Rules that it violates.
    pub findings: Vec<PlacedFinding>,
}

/// The result of checking an inventory.
#[derive(Serialize, JsonSchema)]
pub struct CheckBody<'a> {
    /// The inventory's file.
    pub file: &'a str,
    /// Rules that it violates.
    pub findings: Vec<PlacedFinding>,
    /// True if it names no failover profile. Then `fast` is assumed, and the hosts decide.
    pub leaves_profile_open: bool,
    /// Impact of faults on users.
    pub expected: &'a Expected,
}

/// The files that were written.
#[derive(Serialize, JsonSchema)]
pub struct RenderBody<'a> {
    /// The folder.
    #[schemars(with = "String")]
    pub folder: &'a Utf8Path,
    /// The files, in the order of writing.
    #[schemars(with = "Vec<String>")]
    pub files: &'a [Utf8PathBuf],
    /// Rules that the inventory violates.
    pub warnings: &'a [Finding],
}
