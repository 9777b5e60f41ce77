//! The golden cases: folders with an `inventory.yml`, the files that it renders to, and optionally
//! a `case.txt` with nodes and host facts.

use std::path::{Path, PathBuf};

use hactl::model::{Cluster, NodeFacts, NodeName, OsFamily, SecretRef, Secrets, Tls};
use secrecy::SecretString;

pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    pub(crate) cluster: Cluster,
    /// The facts of its hosts.
    pub(crate) facts: NodeFacts,
    /// The nodes to render.
    pub(crate) nodes: Vec<NodeName>,
}

/// All cases, sorted by name.
pub(crate) fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Case {
    let text = std::fs::read_to_string(folder.join("inventory.yml")).unwrap();
    let cluster = match hactl::inventory::load("inventory.yml", &text) {
        Ok(inventory) => inventory.cluster,
        Err(error) => panic!(
            "{}: {}",
            folder.display(),
            error
                .errors()
                .iter()
                .map(|e| format!("{e} ({:?})", e.advice()))
                .collect::<Vec<_>>()
                .join("; ")
        ),
    };
    let mut facts = NodeFacts::debian_12();
    let mut nodes = vec![cluster.nodes[0].name.clone()];
    let settings = std::fs::read_to_string(folder.join("case.txt")).unwrap_or_default();
    for line in settings.lines() {
        match line.split_once(' ').unwrap() {
            ("family", "redhat") => {
                facts.family = OsFamily::Redhat;
                "rhel".clone_into(&mut facts.os_id);
                facts.nginx_user = hactl::model::UserName::new("nginx").unwrap();
            }
            ("keepalived", version) => facts.keepalived = version.parse().unwrap(),
            ("nginx", version) => facts.nginx = version.parse().unwrap(),
            ("nodes", names) => {
                nodes = names
                    .split(' ')
                    .map(|n| NodeName::new(n).unwrap())
                    .collect();
            }
            other => panic!("{}: {other:?}", folder.display()),
        }
    }
    Case {
        folder,
        cluster,
        facts,
        nodes,
    }
}

impl Case {
    /// The case's secrets, with this certificate and key.
    pub(crate) fn secrets(&self, certificate: &str, key: &str) -> Secrets {
        let mut secrets = Secrets::default();
        let mut insert = |reference: &SecretRef, value: &str| {
            secrets.insert(reference.clone(), SecretString::from(value.to_owned()));
        };
        for reference in self.cluster.secret_refs() {
            insert(reference, "nginx_ha_2025");
        }
        for site in &self.cluster.sites {
            if let Some(Tls::Pushed {
                certificate: chain,
                key: private,
            }) = &site.tls
            {
                insert(chain, certificate);
                insert(private, key);
            }
        }
        secrets
    }
}
