//! What every verb starts from: the inventory that it is asked to use, read and found fit.

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

/// What is asked for, by the words of the command line.
#[derive(Clone)]
pub struct Selection {
    /// The inventory's file.
    pub inventory: Utf8PathBuf,
    /// A folder with templates that replace the built-in ones.
    pub templates: Option<Utf8PathBuf>,
    /// Only these nodes; empty for all.
    pub limit: Vec<NodeName>,
    /// Nodes of the last generation that the inventory no longer names, by name or address: the user has
    /// taken them out by hand.
    pub forget: Vec<String>,
    /// The cluster that the nodes may have been until now, where it is not the inventory's.
    pub take_over: Option<ClusterName>,
}

impl Selection {
    /// The nodes of `cluster` that are asked for, which it must have.
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

/// An inventory that is fit to be used.
pub struct Loaded {
    /// What it means.
    pub cluster: Cluster,
    /// Its text and places.
    pub source: Source,
    /// What check has to say; no errors among them.
    pub warnings: Vec<Finding>,
    /// The templates.
    pub templates: Templates,
    /// The values behind its references.
    pub secrets: Secrets,
    /// Who uses it, when, and which it is.
    pub provenance: Provenance,
    /// The cluster that the nodes may have been until now.
    pub(super) take_over: Option<ClusterName>,
    /// Nodes that the inventory no longer names and that the user has taken out.
    pub(super) forget: Vec<String>,
    limit: Vec<NodeName>,
}

impl Loaded {
    /// True where `--limit` names the nodes to work on.
    pub(super) fn is_limited(&self) -> bool {
        !self.limit.is_empty()
    }

    /// Leaves `nodes` out from now on.
    pub(super) fn leave_out(&mut self, nodes: &[NodeName]) {
        let kept = self.nodes().into_iter().map(|node| node.name.clone());
        self.limit = kept.filter(|name| !nodes.contains(name)).collect();
    }

    /// The nodes that are not changed: those that `--limit` does not name.
    pub fn others(&self) -> Vec<&Node> {
        let is_other = |node: &&Node| !self.limit.is_empty() && !self.limit.contains(&node.name);
        self.cluster.nodes.iter().filter(is_other).collect()
    }

    /// True where the inventory leaves the failover profile to hactl.
    pub(super) fn leaves_profile_open(&self) -> bool {
        leaves_profile_open(&self.source)
    }

    /// Takes the profile that the inventory leaves open to be `standard`.
    pub(super) fn choose_standard(&mut self) -> Result<(), OpsError> {
        let (name, text) = (self.source.name(), self.source.text());
        let inventory = inventory::load_with_profile(name, text.as_bytes(), Failover::Standard)
            .map_err(|errors| OpsError::Inventory(Box::new(errors)))?;
        self.warnings = findings_of(&inventory, &self.secrets)?;
        self.cluster = inventory.cluster;
        Ok(())
    }

    /// The nodes to work on.
    pub fn nodes(&self) -> Vec<&Node> {
        let is_meant = |node: &&Node| self.limit.is_empty() || self.limit.contains(&node.name);
        self.cluster.nodes.iter().filter(is_meant).collect()
    }
}

/// Reads and resolves the inventory; nothing else.
pub(super) fn read_inventory(path: &Utf8Path) -> Result<inventory::Inventory, OpsError> {
    let bytes = std::fs::read(path).map_err(|source| OpsError::ReadInventory {
        path: path.to_owned(),
        source,
    })?;
    inventory::load_bytes(path.as_str(), &bytes)
        .map_err(|errors| OpsError::Inventory(Box::new(errors)))
}

/// The built-in templates with those of a folder in their place.
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
        // A folder may hold other things; what is called a template must be one.
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

/// The findings, unless there are errors among them.
pub(super) fn refuse_errors(
    findings: Vec<Finding>,
    source: &Source,
) -> Result<Vec<Finding>, OpsError> {
    if findings
        .iter()
        .any(|finding| finding.severity() == Severity::Error)
    {
        return Err(OpsError::Findings {
            findings,
            inventory: Box::new(source.clone()),
        });
    }
    Ok(findings)
}

/// True where an inventory names no failover profile.
pub(super) fn leaves_profile_open(source: &Source) -> bool {
    let path = InventoryPath::root().key("vrrp").key("failover");
    !source.is_typed(&path)
}

/// What check has to say of an inventory, unless there are errors among it.
fn findings_of(
    inventory: &inventory::Inventory,
    secrets: &Secrets,
) -> Result<Vec<Finding>, OpsError> {
    let mut findings = check::run(&inventory.cluster);
    findings.extend(check::password(&inventory.cluster, secrets));
    refuse_errors(findings, &inventory.source)
}

/// Reads the inventory and everything that it refers to, and refuses one that check finds errors in.
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

/// Who applies: as sudo's caller, not as root.
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
