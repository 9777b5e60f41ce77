//! Renders the files of one node and computes their identities.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::model::{Cluster, FileRole, Node, NodeFacts, Secrets};
use crate::units::{self, ManagedUnit, TemplateSpec, VariantMode};

use super::convert::host_path;
use super::error::RenderError;
use super::registry::{TRACK_FILE, path_on, templates};
use super::templates::Templates;
use super::types::{ConfigId, ConfigIds, RenderedFile, RenderedNode};
use super::view;
use super::view::tls::TlsFiles;

/// Stands in for the identity while that is computed.
const PLACEHOLDER: &str = "000000000000";

/// Renders all files of `node`.
///
/// The identity is a hash over every file's path, mode and content with a placeholder for the
/// identity itself, so that any change to any file changes it.
pub fn render(
    cluster: &Cluster,
    node: &Node,
    facts: &NodeFacts,
    secrets: &Secrets,
    templates: &Templates,
) -> Result<RenderedNode, RenderError> {
    let job = Job {
        cluster,
        node,
        facts,
        secrets,
        templates,
    };
    let tls = TlsFiles::of(cluster)?;
    let draft = job.files(None, &tls)?;
    let ids: ConfigIds = units::all()
        .map(|unit| (unit.id, identity(&draft, unit)))
        .collect();
    let files = job.files(Some(&ids), &tls)?;
    let tracks = view::keepalived::tracks_file(facts);
    let tracked_file = tracks.then(|| host_path(TRACK_FILE)).transpose()?;
    Ok(RenderedNode {
        node: node.name.clone(),
        ids,
        files,
        tracked_file,
    })
}

/// The input of rendering one node.
struct Job<'a> {
    cluster: &'a Cluster,
    node: &'a Node,
    facts: &'a NodeFacts,
    secrets: &'a Secrets,
    templates: &'a Templates,
}

impl Job<'_> {
    /// All files, with the identities of the units in their configurations.
    fn files(
        &self,
        ids: Option<&ConfigIds>,
        tls: &TlsFiles,
    ) -> Result<Vec<RenderedFile>, RenderError> {
        let mut files = Vec::new();
        for spec in templates() {
            let unit = units::all().find(|unit| unit.conf.name == spec.name);
            let id = unit.and_then(|unit| ids?.of(unit.id));
            files.push(self.file(spec, id.map_or(PLACEHOLDER, ConfigId::as_str), tls)?);
        }
        files.extend(tls.render(self.secrets)?);
        Ok(files)
    }

    fn file(
        &self,
        spec: &TemplateSpec,
        id: &str,
        tls: &TlsFiles,
    ) -> Result<RenderedFile, RenderError> {
        let Self {
            cluster,
            node,
            facts,
            secrets,
            templates,
        } = *self;
        let own = (spec.role == FileRole::KeepalivedConf).then_some(node);
        let header = view::header(cluster, own);
        let mut secret = false;
        let content = match spec.role {
            FileRole::KeepalivedConf => {
                let view = view::keepalived::view(cluster, node, facts, secrets, header, id)?;
                secret = view.holds_secret();
                templates.render(spec, &view)
            }
            FileRole::NginxConf => {
                let view = view::nginx::view(cluster, facts, tls, header, id)?;
                templates.render(spec, &view)
            }
            FileRole::CheckScript => {
                templates.render(spec, &view::scripts::check(cluster, facts, header)?)
            }
            FileRole::NotifyScript => {
                templates.render(spec, &view::scripts::notify(cluster, header)?)
            }
            FileRole::HandOverScript => {
                templates.render(spec, &view::scripts::hand_over(cluster, node, header)?)
            }
            FileRole::ReleaseScript => {
                templates.render(spec, &view::scripts::release(cluster, node, header)?)
            }
            FileRole::Sysctl => templates.render(spec, &view::units::sysctl(cluster, header)),
            FileRole::NginxUnit => {
                templates.render(spec, &view::units::nginx(cluster, facts, header)?)
            }
            FileRole::KeepalivedUnit => {
                templates.render(spec, &view::units::keepalived(cluster, header)?)
            }
            FileRole::UnitConf => {
                templates.render(spec, &view::units::conf(cluster, node, header, id))
            }
            FileRole::Tmpfiles | FileRole::TlsCertificate | FileRole::TlsKey | FileRole::Other => {
                templates.render(spec, &view::units::tmpfiles(header))
            }
        }?;
        Ok(RenderedFile {
            role: spec.role,
            path: host_path(path_on(spec, cluster.hosts))?,
            mode: match spec.mode {
                VariantMode::Fixed(mode) => mode,
                VariantMode::PrivateWithSecret if secret => 0o600,
                VariantMode::PrivateWithSecret => 0o644,
            },
            content: content.into_bytes(),
        })
    }
}

/// The identity of the files that `unit` loads. Lengths are hashed too, so that no two sets of files have the same
/// input.
fn identity(files: &[RenderedFile], unit: &ManagedUnit) -> ConfigId {
    let mut hash = Sha256::new();
    for file in files
        .iter()
        .filter(|file| unit.loads(file.role, &file.path))
    {
        for part in [file.path.as_str().as_bytes(), &file.content] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.update(file.mode.to_be_bytes());
    }
    let mut digits = String::with_capacity(12);
    for byte in hash.finalize().iter().take(6) {
        // Writing to a String can't fail.
        let _ = write!(digits, "{byte:02x}");
    }
    ConfigId::new(&digits).unwrap_or_else(|| unreachable!("six bytes are twelve digits"))
}
