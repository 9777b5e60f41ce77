//! What every operation starts from: the requested inventory, read and validated.

use camino::{Utf8Path, Utf8PathBuf};

use super::commit::git_commit;
use super::error::OpsError;
use super::secrets::fetch_secrets;
use crate::agent::sha256_hex;
use crate::check::{self, Finding, Severity};
use crate::inventory::{self, Source};
use crate::model::{Cluster, ClusterName, Failover, InventoryPath, Node, NodeName, Secrets};
use crate::plan::Provenance;
use crate::render::{Templates, templates};

/// What the command line selects.
#[derive(Clone)]
pub struct Selection {
    /// The inventory's file.
    pub inventory: Utf8PathBuf,
    /// A folder with templates that replace the built-in ones.
    pub templates: Option<Utf8PathBuf>,
    /// Only these nodes. Empty for all.
    pub limit: Vec<NodeName>,
    /// Nodes of the newest generation that the inventory no longer lists, by name or address, and that the user has
    /// taken out by hand.
    pub forget: Vec<String>,
    /// The cluster that the nodes may belong to so far, if it is not the inventory's.
    pub take_over: Option<ClusterName>,
}

impl Selection {
    /// The selected nodes of `cluster`. Fails if it lacks one.
    pub(super) fn nodes_of<'c>(&self, cluster: &'c Cluster) -> Result<Vec<&'c Node>, OpsError> {
        let unknown = self.limit.iter().find(|name| cluster.node(name).is_none());
        if let Some(name) = unknown {
            return Err(OpsError::UnknownNode {
                name: name.clone(),
                known: cluster.nodes.iter().map(|node| node.name.clone()).collect(),
            });
        }
        let is_meant = |node: &&Node| self.limit.is_empty() || self.limit.contains(&node.name);
        Ok(cluster.nodes.iter().filter(is_meant).collect())
    }
}

/// A validated inventory.
pub struct Loaded {
    pub cluster: Cluster,
    /// Its text and spans.
    pub source: Source,
    /// Findings of `hactl check`, without errors.
    pub warnings: Vec<Finding>,
    pub templates: Templates,
    /// The values of its secret references.
    pub secrets: Secrets,
    /// Who uses it, when, and at which commit.
    pub provenance: Provenance,
    /// The cluster that the nodes may belong to so far.
    pub(super) take_over: Option<ClusterName>,
    /// Nodes that the inventory no longer lists and that the user has taken out.
    pub(super) forget: Vec<String>,
    limit: Vec<NodeName>,
}

impl Loaded {
    /// True if `--limit` was given.
    pub(super) fn is_limited(&self) -> bool {
        !self.limit.is_empty()
    }

    /// Excludes `nodes` from the change.
    pub(super) fn leave_out(&mut self, nodes: &[NodeName]) {
        let kept = self.nodes().into_iter().map(|node| node.name.clone());
        self.limit = kept.filter(|name| !nodes.contains(name)).collect();
    }

    /// The nodes outside the change: those that `--limit` does not name.
    pub fn others(&self) -> Vec<&Node> {
        let is_other = |node: &&Node| !self.limit.is_empty() && !self.limit.contains(&node.name);
        self.cluster.nodes.iter().filter(is_other).collect()
    }

    /// True if the inventory leaves the failover profile to hactl.
    pub(super) fn leaves_profile_open(&self) -> bool {
        leaves_profile_open(&self.source)
    }

    /// Sets the profile to `standard`, where the inventory leaves it open.
    pub(super) fn choose_standard(&mut self) -> Result<(), OpsError> {
        let (name, text) = (self.source.name(), self.source.text());
        let inventory = inventory::load_with_profile(name, text.as_bytes(), Failover::Standard)
            .map_err(|errors| OpsError::Inventory(Box::new(errors)))?;
        self.warnings = findings_of(&inventory, &self.secrets)?;
        self.cluster = inventory.cluster;
        Ok(())
    }

    /// The nodes to be changed.
    pub fn nodes(&self) -> Vec<&Node> {
        let is_meant = |node: &&Node| self.limit.is_empty() || self.limit.contains(&node.name);
        self.cluster.nodes.iter().filter(is_meant).collect()
    }
}

/// Reads and resolves the inventory alone.
pub(super) fn read_inventory(path: &Utf8Path) -> Result<inventory::Inventory, OpsError> {
    let bytes = std::fs::read(path).map_err(|source| OpsError::ReadInventory {
        path: path.to_owned(),
        source,
    })?;
    inventory::load_bytes(path.as_str(), &bytes)
        .map_err(|errors| OpsError::Inventory(Box::new(errors)))
}

/// The built-in templates, overridden by those of a folder.
pub(super) fn read_templates(folder: Option<&Utf8Path>) -> Result<Templates, OpsError> {
    let Some(folder) = folder else {
        return Templates::embedded().map_err(OpsError::Template);
    };
    let unreadable = |source| OpsError::ReadTemplates {
        path: folder.to_owned(),
        source,
    };
    let mut overrides = Vec::new();
    for entry in folder.read_dir_utf8().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.into_path();
        let name = path.file_name().unwrap_or_default();
        // The folder may contain other files, but one with a template's name must be a template.
        if path.extension() == Some("tera") || templates().any(|spec| spec.name == name) {
            let text =
                std::fs::read_to_string(&path).map_err(|source| OpsError::ReadTemplates {
                    path: path.clone(),
                    source,
                })?;
            overrides.push((name.to_owned(), text));
        }
    }
    Templates::with_overrides(overrides).map_err(OpsError::Template)
}

/// The findings, unless one is an error.
pub(super) fn refuse_errors(
    findings: Vec<Finding>,
    source: &Source,
) -> Result<Vec<Finding>, OpsError> {
    if !has_error(&findings) {
        return Ok(findings);
    }
    Err(OpsError::Findings {
        findings,
        inventory: Box::new(source.clone()),
    })
}

/// The same for findings about hosts.
pub(super) fn refuse_unfit(
    findings: Vec<Finding>,
    source: &Source,
) -> Result<Vec<Finding>, OpsError> {
    if !has_error(&findings) {
        return Ok(findings);
    }
    Err(OpsError::UnfitHosts {
        findings,
        inventory: Box::new(source.clone()),
    })
}

fn has_error(findings: &[Finding]) -> bool {
    let is_error = |finding: &Finding| finding.severity() == Severity::Error;
    findings.iter().any(is_error)
}

/// True if an inventory names no failover profile.
pub(super) fn leaves_profile_open(source: &Source) -> bool {
    let path = InventoryPath::root().key("vrrp").key("failover");
    !source.is_typed(&path)
}

/// Findings of `hactl check`, unless one is an error.
fn findings_of(
    inventory: &inventory::Inventory,
    secrets: &Secrets,
) -> Result<Vec<Finding>, OpsError> {
    let mut findings = check::run(&inventory.cluster);
    findings.extend(check::password(&inventory.cluster, secrets));
    refuse_errors(findings, &inventory.source)
}

/// Reads the inventory and everything that it refers to. Refuses one that fails validation.
pub fn load(selection: &Selection) -> Result<Loaded, OpsError> {
    let inventory = read_inventory(&selection.inventory)?;
    selection.nodes_of(&inventory.cluster)?;
    let secrets = fetch_secrets(&inventory.cluster, &selection.inventory)?;
    let warnings = findings_of(&inventory, &secrets)?;
    let provenance = provenance(&selection.inventory, &inventory);
    Ok(Loaded {
        templates: read_templates(selection.templates.as_deref())?,
        secrets,
        provenance,
        cluster: inventory.cluster,
        source: inventory.source,
        warnings,
        take_over: selection.take_over.clone(),
        forget: selection.forget.clone(),
        limit: selection.limit.clone(),
    })
}

/// Who applies. With sudo, its caller and not root.
pub(super) fn provenance(path: &Utf8Path, inventory: &inventory::Inventory) -> Provenance {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .or_else(|| {
            nix::unistd::User::from_uid(nix::unistd::getuid())
                .ok()
                .flatten()
                .map(|user| user.name)
        })
        .unwrap_or_else(|| "unknown".to_owned());
    let machine = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    Provenance {
        by: format!("{user}@{}", machine.unwrap_or_else(|| "unknown".to_owned())),
        at: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        inventory: sha256_hex(inventory.source.text().as_bytes()),
        commit: git_commit(path).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read_with_and_without_its_ending_and_a_note_beside_it_is_not() {
        let built_in = Templates::embedded().unwrap().hash();
        for name in ["nginx.conf", "nginx.conf.tera", "README"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), "# mine\n").unwrap();
            let read = read_templates(Utf8Path::from_path(folder.path())).unwrap();
            assert_eq!(read.hash() == built_in, name == "README", "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nginx.tera"), "").unwrap();
        let read = read_templates(Utf8Path::from_path(folder.path()));
        assert!(matches!(read, Err(OpsError::Template(_))));
    }
}
