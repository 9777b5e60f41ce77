//! Saved plans: what was reviewed is what is applied, or nothing is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::OpsError;
use crate::agent::sha256_hex;
use crate::model::{NodeName, harmless_json};
use crate::plan::Plan;
use camino::Utf8Path;

/// A plan as it was saved. It holds no file contents and so no secrets: apply makes the plan again and
/// refuses to go on unless both are the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanFile {
    /// The file's format.
    pub format: u32,
    /// The cluster's name.
    pub cluster: String,
    /// Per node, a hash over what lies there and what is to come.
    pub fingerprints: BTreeMap<String, String>,
    /// The plan as `plan --format json` shows it, for people and their tools.
    pub plan: serde_json::Value,
}

/// A plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is none.
    #[error("{path} is no plan of hactl's: {reason}")]
    NotAPlan {
        /// Its path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Another version of hactl saved it.
    #[error(
        "cannot apply {path}: it has format {format}, and this version of hactl reads format {FORMAT}"
    )]
    OtherFormat {
        /// Its path.
        path: String,
        /// Its format.
        format: u32,
    },
    /// The hosts, or the inventory, are no longer what it was made for.
    #[error(
        "the plan is out of date: the hosts or the inventory have changed since it was made; nothing was changed"
    )]
    MovedOn,
}

/// The format that is written, and the only one that is read: of another one it is not known what its
/// fingerprints are made of.
const FORMAT: u32 = 2;

fn fingerprints(plan: &Plan) -> BTreeMap<String, String> {
    let of = |node: &crate::plan::NodePlan| {
        let mut text = String::new();
        for (path, before) in &node.expected {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{path}\t{}", before.as_deref().unwrap_or("-"));
        }
        text.push_str(&node.tree.full_manifest().to_text());
        let losses = plan.losses.iter().filter(|loss| loss.node == node.node);
        for loss in losses {
            let _ = writeln!(text, "stops\t{}", loss.name);
        }
        for (unit, action) in [("nginx", node.nginx), ("keepalived", node.keepalived)] {
            let _ = writeln!(text, "action\t{unit}\t{}", action.word());
        }
        for sysctl in &node.sysctls {
            let kernel = sysctl.kernel.as_deref().unwrap_or("-");
            let _ = writeln!(text, "sysctl\t{}\t{kernel}\t{}", sysctl.key, sysctl.wanted);
        }
        sha256_hex(text.as_bytes())
    };
    let name = |node: &NodeName| node.to_string();
    plan.nodes
        .iter()
        .map(|node| (name(&node.node), of(node)))
        .collect()
}

/// True when both do the same to the same hosts.
pub(super) fn is_same(one: &Plan, other: &Plan) -> bool {
    one.cluster == other.cluster
        && one.goal == other.goal
        && one.strategy == other.strategy
        && fingerprints(one) == fingerprints(other)
}

impl PlanFile {
    /// The file for `plan`.
    pub fn new(plan: &Plan) -> Self {
        Self {
            format: FORMAT,
            cluster: plan.cluster.to_string(),
            fingerprints: fingerprints(plan),
            plan: serde_json::to_value(plan).unwrap_or_default(),
        }
    }

    /// True when `plan` is the one that was saved.
    pub fn matches(&self, plan: &Plan) -> bool {
        self.cluster == plan.cluster.as_str() && self.fingerprints == fingerprints(plan)
    }
}

/// Saves a plan, readable by its owner only: it tells how a cluster is built.
pub fn write_plan_file(path: &Utf8Path, plan: &Plan) -> Result<(), OpsError> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |source| OpsError::Write {
        path: path.to_owned(),
        source,
    };
    let text =
        serde_json::to_string_pretty(&PlanFile::new(plan)).map_err(|error| failed(error.into()))?;
    let text = harmless_json(&text);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    // One that was there already keeps its mode, which may be anything.
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))
            .map_err(failed)?;
    }
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(failed)
}

/// Reads a saved plan.
pub fn read_plan_file(path: &Utf8Path) -> Result<PlanFile, OpsError> {
    let not_a_plan = |reason: String| {
        OpsError::PlanFile(PlanFileError::NotAPlan {
            path: path.to_string(),
            reason,
        })
    };
    let text = std::fs::read_to_string(path).map_err(|error| not_a_plan(error.to_string()))?;
    let file: PlanFile =
        serde_json::from_str(&text).map_err(|error| not_a_plan(error.to_string()))?;
    if file.format == FORMAT {
        Ok(file)
    } else {
        Err(OpsError::PlanFile(PlanFileError::OtherFormat {
            path: path.to_string(),
            format: file.format,
        }))
    }
}
