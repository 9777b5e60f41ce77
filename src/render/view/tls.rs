//! Certificates and keys: the paths for each site, and the files that are pushed.

use std::collections::BTreeMap;

use crate::model::{Cluster, FileRole, HostPath, SecretRef, Secrets, Site, Tls};
use crate::render::convert::{host_path, secret};
use crate::render::error::RenderError;
use crate::render::registry::TLS_DIR;
use crate::render::types::RenderedFile;

/// Paths of a pushed certificate and its key.
#[derive(Debug, Clone)]
struct Pair {
    certificate: HostPath,
    key: HostPath,
}

/// The pushed pairs of a cluster, without duplicates, by the secrets that they come from.
#[derive(Debug)]
pub(in crate::render) struct TlsFiles {
    pairs: BTreeMap<(SecretRef, SecretRef), Pair>,
}

impl TlsFiles {
    /// Names each pushed pair after the first name of its site, with a number if sites of the same name have different
    /// pairs.
    pub(in crate::render) fn of(cluster: &Cluster) -> Result<Self, RenderError> {
        let mut pairs = BTreeMap::new();
        let mut taken = Vec::new();
        for site in &cluster.sites {
            let Some(Tls::Pushed { certificate, key }) = &site.tls else {
                continue;
            };
            let source = (certificate.clone(), key.clone());
            if pairs.contains_key(&source) {
                continue;
            }
            let base = file_name(site);
            let mut stem = base.clone();
            let mut number = 1;
            while taken.contains(&stem) {
                number += 1;
                stem = format!("{base}-{number}");
            }
            let pair = Pair {
                certificate: host_path(&format!("{TLS_DIR}/{stem}.crt"))?,
                key: host_path(&format!("{TLS_DIR}/{stem}.key"))?,
            };
            taken.push(stem);
            pairs.insert(source, pair);
        }
        Ok(Self { pairs })
    }

    /// The paths of the site's certificate and key. `None` without TLS.
    pub(super) fn paths(&self, site: &Site) -> Option<(String, String)> {
        match site.tls.as_ref()? {
            Tls::OnHost { certificate, key } => Some((certificate.to_string(), key.to_string())),
            Tls::Pushed { certificate, key } => {
                let pair = self.pairs.get(&(certificate.clone(), key.clone()))?;
                Some((pair.certificate.to_string(), pair.key.to_string()))
            }
        }
    }

    /// The files, ordered by path.
    pub(in crate::render) fn render(
        &self,
        secrets: &Secrets,
    ) -> Result<Vec<RenderedFile>, RenderError> {
        let mut files = Vec::new();
        for ((certificate, key), pair) in &self.pairs {
            files.push(RenderedFile {
                role: FileRole::TlsCertificate,
                path: pair.certificate.clone(),
                mode: 0o644,
                content: pem(secrets, certificate, &["CERTIFICATE"])?,
            });
            files.push(RenderedFile {
                role: FileRole::TlsKey,
                path: pair.key.clone(),
                mode: 0o600,
                content: pem(secrets, key, &["PRIVATE KEY"])?,
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// A site's first name in a form suitable for file names.
fn file_name(site: &Site) -> String {
    match site.names.first().map(crate::model::ServerName::as_str) {
        None | Some("_") => "default".to_owned(),
        Some(name) => name.replace('*', "_").to_ascii_lowercase(),
    }
}

/// The bytes of a secret that is PEM of the expected kind. Otherwise a key given as a certificate would become
/// world-readable.
fn pem(secrets: &Secrets, reference: &SecretRef, kinds: &[&str]) -> Result<Vec<u8>, RenderError> {
    let text = secret(secrets, reference)?;
    let kind_of = |line: &str| {
        let kind = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
        Some(kinds.iter().any(|wanted| kind.ends_with(wanted)))
    };
    let mut found = false;
    for line in text.lines() {
        match kind_of(line.trim_end()) {
            Some(true) => found = true,
            Some(false) if kinds == ["CERTIFICATE"] && line.contains("PRIVATE KEY") => {
                return Err(RenderError::unsupported(
                    format!("the certificate from {reference:?}"),
                    "it holds a private key",
                    "give the key as `key`, apart from the certificate",
                ));
            }
            _ => {}
        }
    }
    if !found {
        return Err(RenderError::unsupported(
            format!("the secret from {reference:?}"),
            format!("it is not a PEM file with a {}", kinds.join(" or ")),
            "check what it holds",
        ));
    }
    let mut bytes = text.as_bytes().to_vec();
    if !text.ends_with('\n') {
        bytes.push(b'\n');
    }
    Ok(bytes)
}
