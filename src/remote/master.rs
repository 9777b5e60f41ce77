//! Starting the ssh master connection that all calls to a host share.
//!
//! The library could start it, too, but with hactl's whole environment. ssh may outlive hactl, and
//! must not get the secrets in that environment.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::{RemoteError, SshOptions};
use crate::model::{Node, clipped, harmless};

/// `ControlPersist`: a killed hactl leaves its connections behind. They close after this time,
/// which is long enough for an operator to review a plan.
const KEPT: Duration = Duration::from_hours(1);

/// Connects to `node`. Returns a private folder with the control socket, under the name that the
/// library expects.
pub(super) async fn launch(options: &SshOptions, node: &Node) -> Result<TempDir, RemoteError> {
    let cannot_start = |error: std::io::Error| RemoteError::NoSsh {
        node: node.name.clone(),
        detail: error.to_string(),
    };
    // A Unix socket's path is limited to 108 bytes, which one in a home folder may exceed.
    let folder = tempfile::Builder::new()
        .prefix(".ssh-connection")
        .tempdir()
        .map_err(cannot_start)?;
    let log = folder.path().join("log");
    let mut ssh = Command::new("ssh");
    ssh.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for name in &options.withheld {
        ssh.env_remove(name);
    }
    ssh.arg("-E").arg(&log);
    ssh.arg("-S").arg(folder.path().join("master"));
    ssh.args(["-M", "-f", "-N"]);
    for option in [
        format!("ControlPersist={}s", KEPT.as_secs()),
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!(
            "ConnectTimeout={}",
            options.connect_timeout.as_secs().max(1)
        ),
        "ServerAliveInterval=5".to_owned(),
    ] {
        ssh.args(["-o", &option]);
    }
    if let Some(port) = node.ssh.port {
        ssh.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &node.ssh.user {
        ssh.args(["-l", user.as_str()]);
    }
    if let Some(identity) = &node.ssh.identity_file {
        // Offer only this key, and none of the agent's.
        ssh.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(identity);
    }
    if let Some(config) = &options.config_file {
        ssh.arg("-F").arg(config);
    }
    if let Some(jump) = &node.ssh.jump {
        ssh.args(["-J", jump]);
    }
    // ssh goes into the background once it is connected.
    let status = ssh
        .arg("--")
        .arg(&node.ssh.host)
        .status()
        .await
        .map_err(cannot_start)?;
    if status.success() {
        return Ok(folder);
    }
    let said = std::fs::read(&log).unwrap_or_default();
    Err(explain(node, &String::from_utf8_lossy(&said)))
}

/// Classifies ssh's message, the only indication of the kind of failure.
fn explain(node: &Node, detail: &str) -> RemoteError {
    let (node, host) = (node.name.clone(), node.ssh.host.clone());
    let last_line = detail
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    // ssh's output includes the host's banner.
    let last_line = clipped(&harmless(last_line.trim()), 1000);
    let short = last_line.trim_start_matches("ssh: ").to_owned();
    if detail.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        RemoteError::HostKeyChanged { node, host }
    } else if detail.contains("Host key verification failed")
        || detail.contains("host key is known")
    {
        RemoteError::HostKeyUnknown { node, host }
    } else if detail.contains("Permission denied")
        || detail.contains("Too many authentication failures")
    {
        RemoteError::PermissionDenied {
            node,
            host,
            detail: short,
        }
    } else {
        RemoteError::Unreachable {
            node,
            host,
            detail: short,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InterfaceName, InventoryPath, Login, NodeName, RouterId, SshSettings};

    fn node() -> Node {
        Node {
            name: NodeName::new("lb1").unwrap(),
            address: "10.0.0.11".parse().unwrap(),
            interface: InterfaceName::new("eth0").unwrap(),
            router_id: RouterId::new("lb1").unwrap(),
            ssh: SshSettings {
                host: "10.0.0.11".to_owned(),
                user: None,
                port: None,
                jump: None,
                identity_file: None,
                login: Login::Root,
            },
            path: InventoryPath::root(),
        }
    }

    #[test]
    fn ssh_words_become_kinds_of_errors() {
        let explained = |text: &str| explain(&node(), text).to_string();
        assert!(explained("No ED25519 host key is known for lb1 and you have requested strict checking.\nHost key verification failed.")
            .contains("does not know the host key"));
        assert!(
            explained("root@lb1: Permission denied (publickey).")
                .contains("accepts none of the keys")
        );
        assert!(
            explained("connect to host lb1 port 22: Connection refused")
                .contains("Connection refused")
        );
        assert!(explained("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.")
            .contains("has changed"));
    }

    #[test]
    fn a_hosts_banner_commands_no_terminal() {
        let banner = "Welcome \u{1b}]0;owned\u{7}\u{9b}2J\u{202e}";
        let error = explain(&node(), banner).to_string();
        assert!(!error.chars().any(crate::model::is_harmful), "{error:?}");
        assert!(
            error.ends_with(r"Welcome \u{1b}]0;owned\u{7}\u{9b}2J\u{202e}"),
            "{error}"
        );
    }
}
