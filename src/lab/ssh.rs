//! SSH keys, and the client configuration that uses them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::addressing;
use super::error::LabError;
use super::names::{Names, node_name};
use super::spec::{LabSpec, Login};
use super::tool::{command_for, run};

/// The uid of `deploy` in the image: the first regular user.
const DEPLOY: u32 = 1000;

/// Generates the client's key and one host key per node, and writes the client's files.
pub(super) fn make_client(names: &Names, spec: &LabSpec) -> Result<(), LabError> {
    generate(
        names,
        &names.client_key(),
        &format!("hactl-lab-{}", spec.name),
    )?;
    let mut known_hosts = String::new();
    for index in 0..spec.nodes {
        let node = node_name(index);
        let private = host_key(names, &node);
        generate(names, &private, &node)?;
        let addresses = addressing::node(index);
        let public = read(&private.with_extension("pub"))?;
        let _ = writeln!(
            known_hosts,
            "{node},{},{} {}",
            addresses.v4,
            addresses.v6,
            public.trim()
        );
    }
    write(&names.known_hosts(), &known_hosts, 0o600)?;
    write(&names.ssh_config(), &config(names, spec), 0o600)
}

/// Installs a node's host key and the login user's authorised key, and disables the other login.
pub(super) fn install(names: &Names, spec: &LabSpec, node: &str) -> Result<(), LabError> {
    let root = names.node(node).root();
    let ssh = root.join("etc/ssh");
    let private = host_key(names, node);
    write(&ssh.join("ssh_host_ed25519_key"), &read(&private)?, 0o600)?;
    let public = private.with_extension("pub");
    write(
        &ssh.join("ssh_host_ed25519_key.pub"),
        &read(&public)?,
        0o644,
    )?;

    let (home, id) = match spec.login {
        Login::Root => (root.join("root"), 0),
        Login::Sudo => (root.join("home/deploy"), DEPLOY),
    };
    let folder = home.join(".ssh");
    fs::create_dir_all(&folder).map_err(LabError::file("create", &folder))?;
    set_mode(&folder, 0o700)?;
    let keys = folder.join("authorized_keys");
    write(
        &keys,
        &read(&names.client_key().with_extension("pub"))?,
        0o600,
    )?;
    for path in [&folder, &keys] {
        chown(path, Some(id), Some(id)).map_err(LabError::file("give away", path))?;
    }
    if spec.login == Login::Sudo {
        write(
            &ssh.join("sshd_config.d/hactl-lab-login.conf"),
            "PermitRootLogin no\n",
            0o644,
        )?;
    }
    Ok(())
}

fn config(names: &Names, spec: &LabSpec) -> String {
    let mut text = String::new();
    for index in 0..spec.nodes {
        let address = addressing::node(index).v4;
        let _ = writeln!(text, "Host {}\n  HostName {address}", node_name(index));
    }
    let (key, known_hosts) = (names.client_key(), names.known_hosts());
    // OpenSSH 9's default, sntrup761x25519, costs 0.1 s of CPU time per connection.
    let _ = write!(
        text,
        "Host *\n  User {}\n  IdentityFile \"{}\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"{}\"\n  \
         GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  ConnectTimeout 5\n  \
         LogLevel ERROR\n  KexAlgorithms curve25519-sha256\n",
        spec.login.user(),
        key.display(),
        known_hosts.display(),
    );
    text
}

fn host_key(names: &Names, node: &str) -> PathBuf {
    names.node(node).dir().join("ssh_host_ed25519_key")
}

fn generate(names: &Names, path: &Path, comment: &str) -> Result<(), LabError> {
    let mut keygen = command_for(names, "ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(path);
    run(&mut keygen)
        .map(drop)
        .map_err(LabError::tool("generate an SSH key"))
}

fn read(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(LabError::file("read", path))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), LabError> {
    fs::write(path, text).map_err(LabError::file("write", path))?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(LabError::file("change the mode of", path))
}
