//! The inventory that a new lab starts with.

use std::fmt::Write as _;

use super::addressing::{self, PREFIX, VIP_ADDRESS};
use super::names::{backend_name, node_name};
use super::spec::{LabSpec, Login};

/// A twelve-line inventory with the lab's addresses.
pub(super) fn inventory(spec: &LabSpec) -> String {
    let mut text = String::from("cluster: web\n");
    if spec.login == Login::Sudo {
        let _ = writeln!(text, "ssh: {{ user: {} }}", spec.login.user());
    }
    text.push_str("nodes:                        # first is the preferred master\n");
    for index in 0..spec.nodes {
        let (name, address) = (node_name(index), addressing::node(index).v4);
        let _ = writeln!(
            text,
            "  - {{ name: {name}, address: {address}, interface: eth0 }}"
        );
    }
    let _ = writeln!(text, "vips:\n  - {{ address: {VIP_ADDRESS}/{PREFIX} }}");
    let servers: Vec<String> = (0..spec.backends)
        .map(|index| addressing::backend_socket(index).to_string())
        .collect();
    if servers.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "upstreams:\n  backend: {{ servers: [{}] }}",
        servers.join(", ")
    );
    text.push_str("sites:\n  - { listen: [80], proxy: backend }\n");
    text
}

/// `/etc/hosts` of the machines.
pub(super) fn hosts(spec: &LabSpec) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
    for index in 0..spec.nodes {
        let _ = writeln!(text, "{} {}", addressing::node(index).v4, node_name(index));
    }
    for index in 0..spec.backends {
        let _ = writeln!(
            text,
            "{} {}",
            addressing::backend(index).v4,
            backend_name(index)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_nodes_give_the_twelve_lines() {
        let text = inventory(&LabSpec::new("demo"));
        assert_eq!(
            text,
            "\
cluster: web
nodes:                        # first is the preferred master
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
  - { name: lb3, address: 10.0.0.13, interface: eth0 }
vips:
  - { address: 10.0.0.100/24 }
upstreams:
  backend: { servers: [192.168.1.10:8080, 192.168.1.11:8080, 192.168.1.12:8080] }
sites:
  - { listen: [80], proxy: backend }
"
        );
    }

    #[test]
    fn a_sudo_login_is_named() {
        let spec = LabSpec {
            login: Login::Sudo,
            ..LabSpec::new("demo")
        };
        assert!(inventory(&spec).contains("\nssh: { user: deploy }\n"));
    }
}
