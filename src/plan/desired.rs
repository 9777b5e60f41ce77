//! What a node shall be: rendered from the inventory, or a generation brought back.

use std::collections::BTreeMap;

use crate::agent::{Entry, Manifest, ServiceRecord, Tree, TreeFile};
use crate::model::{Cluster, HostPath, Node, NodeName};
use crate::render::{ConfigId, ConfigIds, RenderedNode};

/// Who applies, from where, and what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `user@machine`.
    pub by: String,
    /// UTC.
    pub at: String,
    /// SHA-256 of the inventory's text.
    pub inventory: String,
    /// The inventory's Git commit, with a `+` when its repository was modified since and a `?` where that is
    /// not known; empty where there is none.
    pub commit: String,
}

/// The fact of a manifest that names the cluster's nodes: `lb1=10.0.0.11 lb2=10.0.0.12`.
pub const MEMBERS: &str = "members";

/// One node's desired state.
#[derive(Clone)]
pub struct Desired {
    /// Whose it is.
    pub node: NodeName,
    /// The configurations' identities; none for generation 0.
    pub ids: Option<ConfigIds>,
    /// Its files, kernel settings and absences.
    pub tree: Tree,
    /// How the units were before hactl, when that is the goal.
    pub services: Vec<ServiceRecord>,
    /// True for generation 0.
    pub is_original: bool,
}

/// The identities that a generation's manifest names.
fn ids(manifest: &Manifest) -> Option<ConfigIds> {
    let id = |key: &str| manifest.get(key).and_then(ConfigId::new);
    Some(ConfigIds {
        nginx: id("nginx_id")?,
        keepalived: id("keepalived_id")?,
    })
}

/// The value of [`MEMBERS`].
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
    /// The same, recorded as a state of the cluster that `cluster` is now: who belongs to it does not come
    /// back with an earlier generation.
    #[must_use]
    pub fn with_members_of(mut self, cluster: &Cluster) -> Self {
        if !self.is_original {
            let meta = &mut self.tree.manifest.meta;
            meta.insert(MEMBERS.to_owned(), members(cluster));
        }
        self
    }

    /// What the inventory wants of a node.
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
        let mut meta = indexmap::IndexMap::from([
            ("cluster".to_owned(), cluster.name.to_string()),
            ("node".to_owned(), rendered.node.to_string()),
            ("nginx_id".to_owned(), rendered.ids.nginx.to_string()),
            (
                "keepalived_id".to_owned(),
                rendered.ids.keepalived.to_string(),
            ),
            ("vips".to_owned(), vips(cluster)),
            (MEMBERS.to_owned(), members(cluster)),
            (
                "status_port".to_owned(),
                cluster.nginx.status_port.to_string(),
            ),
            (
                "failover".to_owned(),
                cluster.vrrp.failover.name().to_owned(),
            ),
        ]);
        let shares = ["nginx", "keepalived"].map(|name| (name, cluster.hosts.shares(name)));
        let shared: Vec<&str> = shares.iter().filter(|it| it.1).map(|it| it.0).collect();
        if !shared.is_empty() {
            meta.insert("shares".to_owned(), shared.join(" "));
            let names = cluster.instances.iter().map(|it| it.name.as_str());
            meta.insert("instances".to_owned(), names.collect::<Vec<_>>().join(" "));
        }
        if let Some(path) = &rendered.tracked_file {
            meta.insert("tracked_file".to_owned(), path.to_string());
        }
        let manifest = Manifest {
            meta,
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

    /// Generation 0 of a host that has none of hactl's live: whatever is there now.
    pub fn as_it_is(node: &NodeName) -> Self {
        let mut manifest = Manifest::default();
        let generation = ("generation".to_owned(), "0".to_owned());
        manifest.meta.extend([generation]);
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

    /// What a generation was. `None` when the host's copy lacks the content of one of its files.
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

/// The VIPs, as a host announces those that it owns.
fn vips(cluster: &Cluster) -> String {
    let addresses = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses);
    let addresses: Vec<String> = addresses.map(|net| net.addr().to_string()).collect();
    addresses.join(" ")
}
