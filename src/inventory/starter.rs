//! Writes a starter inventory for `hactl init`.

use std::fmt::Write as _;

/// The content of a starter inventory. Empty fields become the examples of the documentation, marked as such in the
/// text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StarterOptions {
    /// The cluster's name.
    pub cluster: Option<String>,
    /// The load balancers, the preferred master first.
    pub nodes: Vec<StarterNode>,
    /// The virtual IP with its prefix length.
    pub vip: Option<String>,
    /// The servers behind the proxy, each `ADDRESS:PORT`.
    pub servers: Vec<String>,
    /// The virtual router id.
    pub virtual_router_id: Option<u8>,
    /// The login user.
    pub user: Option<String>,
}

/// A load balancer in a starter inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StarterNode {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its interface.
    pub interface: String,
}

const EXAMPLE_NODES: [(&str, &str); 3] = [
    ("lb1", "10.0.0.11"),
    ("lb2", "10.0.0.12"),
    ("lb3", "10.0.0.13"),
];
const EXAMPLE_SERVERS: [&str; 3] = [
    "192.168.1.10:8080",
    "192.168.1.11:8080",
    "192.168.1.12:8080",
];

/// The text of a starter inventory. Values are written as given. [`super::load()`] validates them, with their places.
pub fn starter(options: &StarterOptions) -> String {
    let mut text = String::from(
        "# An inventory of hactl. Next: `hactl check`, then `hactl plan`.\n\
         # Every other key, with its default: docs/inventory.md.\n\n",
    );
    let cluster = options.cluster.as_deref().unwrap_or("web");
    let _ = writeln!(text, "cluster: {}", scalar(cluster));
    if let Some(user) = &options.user {
        let _ = writeln!(text, "ssh: {{ user: {} }}", scalar(user));
    }
    nodes(&mut text, &options.nodes);
    vip(&mut text, options);
    servers(&mut text, &options.servers);
    text.push_str("sites:\n  - { listen: [80], proxy: backend }\n");
    text
}

fn nodes(text: &mut String, nodes: &[StarterNode]) {
    let line = |name: &str, address: &str, interface: &str| {
        let (name, address, interface) = (scalar(name), scalar(address), scalar(interface));
        format!("  - {{ name: {name}, address: {address}, interface: {interface} }}\n")
    };
    if nodes.is_empty() {
        text.push_str(
            "nodes:                        # your hosts; first is the preferred master\n",
        );
        for (name, address) in EXAMPLE_NODES {
            text.push_str(&line(name, address, "eth0"));
        }
        return;
    }
    text.push_str("nodes:                        # first is the preferred master\n");
    for node in nodes {
        text.push_str(&line(&node.name, &node.address, &node.interface));
    }
}

fn vip(text: &mut String, options: &StarterOptions) {
    let address = scalar(options.vip.as_deref().unwrap_or("10.0.0.100/24"));
    text.push_str("vips:                         # a free address of the nodes' network\n");
    let _ = match options.virtual_router_id {
        Some(id) => writeln!(
            text,
            "  - {{ address: {address}, virtual_router_id: {id} }}"
        ),
        None => writeln!(text, "  - {{ address: {address} }}"),
    };
}

fn servers(text: &mut String, servers: &[String]) {
    let list = if servers.is_empty() {
        EXAMPLE_SERVERS.map(scalar).join(", ")
    } else {
        servers
            .iter()
            .map(|server| scalar(server))
            .collect::<Vec<_>>()
            .join(", ")
    };
    text.push_str("upstreams:                    # what the proxy stands in front of\n");
    let _ = writeln!(text, "  backend: {{ servers: [{list}] }}");
}

/// `text` as a YAML scalar that parses to the same text.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !text.ends_with(':')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c));
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || !c.is_ascii() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
