//! The desired state of a node, rendered from the inventory or restored from a generation.

use std::collections::BTreeMap;

use crate::agent::{Entry, Fact, Facts, Manifest, ServiceRecord, Tree, TreeFile};
use crate::model::{Cluster, HostPath, Node, NodeName, UnitId};
use crate::render::{ConfigId, ConfigIds, RenderedNode};
use crate::units;

/// Who applies what, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `user@machine`.
    pub by: String,
    /// UTC.
    pub at: String,
    /// SHA-256 of the inventory's text.
    pub inventory: String,
    /// The inventory's Git commit, with a `+` if its repository was modified since, or a `?` if that is unknown.
    /// Empty without a repository.
    pub commit: String,
}

/// One node's desired state.
#[derive(Clone)]
pub struct Desired {
    pub node: NodeName,
    /// The identities of the configurations. `None` for generation 0.
    pub ids: Option<ConfigIds>,
    /// Files, kernel settings, and paths that must not exist.
    pub tree: Tree,
    /// The state of the units before hactl, for generation 0.
    pub services: Vec<ServiceRecord>,
    /// True for generation 0.
    pub is_original: bool,
}

/// The identities in a generation's manifest.
fn ids(manifest: &Manifest) -> Option<ConfigIds> {
    let id = |unit| Some((unit, ConfigId::new(manifest.facts.id_of(unit)?)?));
    let ids: Vec<_> = units::ids().filter_map(id).collect();
    (!ids.is_empty()).then(|| ids.into_iter().collect())
}

/// The value of [`Fact::Members`].
fn members(cluster: &Cluster) -> String {
    let member = |node: &Node| format!("{}={}", node.name, node.address);
    cluster
        .nodes
        .iter()
        .map(member)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Desired {
    /// Records the members of `cluster` as it is now: a rollback does not bring back former ones.
    #[must_use]
    pub fn with_members_of(mut self, cluster: &Cluster) -> Self {
        if !self.is_original {
            let facts = &mut self.tree.manifest.facts;
            facts.set(Fact::Members, members(cluster));
        }
        self
    }

    /// The state that the inventory describes.
    pub fn from_rendered(cluster: &Cluster, rendered: &RenderedNode) -> Self {
        let file = |file: &crate::render::RenderedFile| TreeFile {
            role: file.role,
            mode: file.mode,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            path: file.path.clone(),
            content: file.content.clone(),
        };
        let sysctl =
            |sysctl: &crate::model::Sysctl| (sysctl.key.to_string(), sysctl.value.to_string());
        let mut facts = Facts::from([
            (Fact::Cluster, cluster.name.to_string()),
            (Fact::Node, rendered.node.to_string()),
            (Fact::Vips, vips(cluster)),
            (Fact::Members, members(cluster)),
            (Fact::StatusPort, cluster.nginx.status_port.to_string()),
            (Fact::Failover, cluster.vrrp.failover.name().to_owned()),
        ]);
        for (unit, id) in rendered.ids.iter() {
            facts.set_id(unit, id.to_string());
        }
        let shared = units::ids().filter(|unit| cluster.hosts.shares(*unit));
        let shared: Vec<&str> = shared.map(UnitId::name).collect();
        if !shared.is_empty() {
            facts.set(Fact::Shares, shared.join(" "));
            let names = cluster.instances.iter().map(|it| it.name.as_str());
            facts.set(Fact::Instances, names.collect::<Vec<_>>().join(" "));
        }
        if let Some(path) = &rendered.tracked_file {
            facts.set(Fact::TrackedFile, path.to_string());
        }
        let manifest = Manifest {
            facts,
            sysctls: cluster.sysctls.iter().map(sysctl).collect(),
            ..Manifest::default()
        };
        Self {
            node: rendered.node.clone(),
            ids: Some(rendered.ids.clone()),
            tree: Tree {
                manifest,
                files: rendered.files.iter().map(file).collect(),
            },
            services: Vec::new(),
            is_original: false,
        }
    }

    /// Generation 0 of a host without a live generation: whatever is there now.
    pub fn as_it_is(node: &NodeName) -> Self {
        let mut manifest = Manifest::default();
        manifest.facts.set(Fact::Generation, "0");
        Self {
            node: node.clone(),
            ids: None,
            tree: Tree {
                manifest,
                files: Vec::new(),
            },
            services: Vec::new(),
            is_original: true,
        }
    }

    /// The state of a stored generation. `None` if the host's copy lacks the content of a file.
    pub fn from_generation(
        node: &NodeName,
        mut manifest: Manifest,
        mut contents: BTreeMap<HostPath, Vec<u8>>,
    ) -> Option<Self> {
        let mut files = Vec::new();
        let mut others = Vec::new();
        for entry in manifest.entries.drain(..) {
            match entry {
                Entry::File {
                    role,
                    mode,
                    owner,
                    group,
                    path,
                    ..
                } => {
                    let content = contents.remove(&path)?;
                    files.push(TreeFile {
                        role,
                        mode,
                        owner,
                        group,
                        path,
                        content,
                    });
                }
                other => others.push(other),
            }
        }
        manifest.entries = others;
        let is_original = manifest.generation() == Some(0);
        let services = if is_original {
            manifest.services.clone()
        } else {
            Vec::new()
        };
        Some(Self {
            node: node.clone(),
            ids: ids(&manifest),
            tree: Tree { manifest, files },
            services,
            is_original,
        })
    }
}

/// The VIPs, in the form from which a host announces those that it owns.
fn vips(cluster: &Cluster) -> String {
    let addresses = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses);
    let addresses: Vec<String> = addresses.map(|net| net.addr().to_string()).collect();
    addresses.join(" ")
}
