//! What verbs say that ask no host: `init`, `check` and `render`.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::error::PlacedFinding;
use crate::check::Finding;
use crate::ops::Expected;

/// The inventory that was written.
#[derive(Serialize, JsonSchema)]
pub struct InitBody<'a> {
    /// Where.
    #[schemars(with = "String")]
    pub path: &'a Utf8Path,
    /// The rules that it breaks.
    pub findings: Vec<PlacedFinding>,
}

/// What there is to say of an inventory.
#[derive(Serialize, JsonSchema)]
pub struct CheckBody<'a> {
    /// The inventory's file.
    pub file: &'a str,
    /// The rules that it breaks.
    pub findings: Vec<PlacedFinding>,
    /// True where it names no failover profile, so that `fast` is assumed: the hosts decide.
    pub leaves_profile_open: bool,
    /// What faults would cost users.
    pub expected: &'a Expected,
}

/// The files that were written.
#[derive(Serialize, JsonSchema)]
pub struct RenderBody<'a> {
    /// The folder.
    #[schemars(with = "String")]
    pub folder: &'a Utf8Path,
    /// Each file.
    #[schemars(with = "Vec<String>")]
    pub files: &'a [Utf8PathBuf],
    /// The rules that the inventory breaks.
    pub warnings: &'a [Finding],
}
