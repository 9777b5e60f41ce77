//! Fetches secrets, once, at the edge.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use camino::Utf8Path;
use secrecy::SecretString;

use super::error::OpsError;
use crate::model::{Cluster, SecretRef, Secrets};
use crate::remote::local_output;

/// Every secret that `cluster` refers to. Relative paths start at the inventory's folder.
pub(super) fn fetch_secrets(cluster: &Cluster, inventory: &Utf8Path) -> Result<Secrets, OpsError> {
    let withheld = secret_variables(cluster);
    let mut secrets = Secrets::default();
    for reference in cluster.secret_refs() {
        let secret = fetch(reference, inventory, &withheld)?;
        secrets.insert(reference.clone(), secret);
    }
    Ok(secrets)
}

/// Environment variables that hold secrets of `cluster`. No program that hactl starts inherits them.
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

/// Upper limit for a secret. A certificate chain with its key is far shorter.
const MOST_BYTES: u64 = 1024 * 1024;

/// The secret in a file that only its owner can read, without one trailing newline. Or why it cannot be used.
pub fn secret_file(path: &Utf8Path) -> Result<SecretString, String> {
    let why = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    // Never block: opening a FIFO without a writer would hang hactl.
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let mut options = File::options();
    let file = options.read(true).custom_flags(flags).open(path);
    let file = file.map_err(why)?;
    let metadata = file.metadata().map_err(why)?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(why)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes"));
    }
    // A certificate is public. Anything that may be secret must not be readable by others.
    let is_public =
        text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY-----");
    if mode & 0o077 != 0 && !is_public {
        return Err(format!(
            "its permissions are too open (mode {mode:04o}): chmod 600 {path} (KA033)"
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn refused(path: &Utf8Path) -> String {
        secret_file(path).expect_err("it is refused")
    }

    #[test]
    fn what_is_no_closed_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let path = folder.join("secret");
        assert_eq!(refused(&path), "no such file");
        assert_eq!(refused(folder), "it is not a regular file");
        assert_eq!(
            refused(Utf8Path::new("/dev/zero")),
            "it is not a regular file"
        );

        nix::unistd::mkfifo(path.as_std_path(), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(refused(&path), "it is not a regular file");
        std::fs::remove_file(&path).expect("it exists");

        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::write(&path, vec![b'a'; 1024 * 1024 + 1]).expect("written");
        std::fs::set_permissions(&path, closed).expect("closed");
        assert_eq!(refused(&path), "it is longer than 1048576 bytes");
        std::fs::write(&path, "poison\n").expect("written");
        let secret = secret_file(&path).expect("a secret");
        assert_eq!(secret.expose_secret(), "poison");
        let open = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, open).expect("open");
        assert!(refused(&path).starts_with("its permissions are too open (mode 0640)"));
    }
}
