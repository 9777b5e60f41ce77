//! Fetching the values behind an inventory's references, once, at the edge.

use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;
use secrecy::SecretString;

use super::error::OpsError;
use crate::model::{Cluster, SecretRef, Secrets};
use crate::remote::local_output;

/// Every secret that `cluster` refers to. Relative files are beside the inventory.
pub(super) fn fetch_secrets(cluster: &Cluster, inventory: &Utf8Path) -> Result<Secrets, OpsError> {
    let mut secrets = Secrets::default();
    for reference in cluster.secret_refs() {
        secrets.insert(reference.clone(), fetch(reference, inventory)?);
    }
    Ok(secrets)
}

fn fetch(reference: &SecretRef, inventory: &Utf8Path) -> Result<SecretString, OpsError> {
    let failed = |reason: String| OpsError::Secret {
        reference: reference.clone(),
        reason,
    };
    let value = match reference {
        SecretRef::Env(name) => std::env::var(name)
            .map_err(|_| failed("the environment has no such variable".to_owned()))?,
        SecretRef::File(path) => {
            let path = inventory.parent().unwrap_or(Utf8Path::new(".")).join(path);
            let metadata = std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?;
            let mode = metadata.permissions().mode() & 0o7777;
            // A certificate is public; only what may be a secret must be closed to others.
            let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
            if mode & 0o077 != 0 && !text.starts_with("-----BEGIN CERTIFICATE-----") {
                return Err(failed(format!(
                    "others can read it (mode {mode:04o}): chmod 600 {path} (KA033)"
                )));
            }
            text
        }
        SecretRef::Command(argv) => local_output(argv).map_err(failed)?,
    };
    let value = value
        .strip_suffix('\n')
        .map_or(value.clone(), str::to_owned);
    if value.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(SecretString::from(value))
}
