//! Fetching secrets, once, at the edge.

use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;
use secrecy::SecretString;

use super::error::OpsError;
use crate::model::{Cluster, SecretRef, Secrets};
use crate::remote::local_output;

/// Every secret that `cluster` refers to. Relative files are beside the inventory.
pub(super) fn fetch_secrets(cluster: &Cluster, inventory: &Utf8Path) -> Result<Secrets, OpsError> {
    let withheld = secret_variables(cluster);
    let mut secrets = Secrets::default();
    for reference in cluster.secret_refs() {
        let secret = fetch(reference, inventory, &withheld)?;
        secrets.insert(reference.clone(), secret);
    }
    Ok(secrets)
}

/// The environment variables that hold secrets of `cluster`: no program that hactl starts gets them.
pub(super) fn secret_variables(cluster: &Cluster) -> Vec<String> {
    let variable = |reference: &SecretRef| match reference {
        SecretRef::Env(name) => Some(name.clone()),
        SecretRef::File(_) | SecretRef::Command(_) => None,
    };
    let references = cluster.secret_refs().into_iter();
    references.filter_map(variable).collect()
}

fn fetch(
    reference: &SecretRef,
    inventory: &Utf8Path,
    withheld: &[String],
) -> Result<SecretString, OpsError> {
    let failed = |reason: String| OpsError::Secret {
        reference: reference.clone(),
        reason,
    };
    let value = match reference {
        SecretRef::Env(name) => std::env::var(name)
            .map_err(|_| failed("the environment has no such variable".to_owned()))?,
        SecretRef::File(path) => {
            let path = inventory.parent().unwrap_or(Utf8Path::new(".")).join(path);
            return secret_file(&path).map_err(failed);
        }
        SecretRef::Command(argv) => local_output(argv, withheld).map_err(failed)?,
    };
    non_empty(&value).map_err(failed)
}

/// The secret in a file that nobody but its owner can read, less one final newline; or why not.
pub fn secret_file(path: &Utf8Path) -> Result<SecretString, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A certificate is public; only what may be a secret must be closed to others.
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let is_public =
        text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY-----");
    if mode & 0o077 != 0 && !is_public {
        return Err(format!(
            "others can read it (mode {mode:04o}): chmod 600 {path} (KA033)"
        ));
    }
    non_empty(&text)
}

fn non_empty(value: &str) -> Result<SecretString, String> {
    match value.strip_suffix('\n').unwrap_or(value) {
        "" => Err("it is empty".to_owned()),
        value => Ok(SecretString::from(value)),
    }
}
