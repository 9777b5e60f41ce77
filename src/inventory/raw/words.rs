//! Textual values: names, addresses, paths and texts.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::decode::Value;
use super::scalars::{checked, invalid, text};
use super::tree::Node;
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::model::{
    ClusterName, HeaderName, HostPath, InstanceName, InterfaceName, InvalidValue, InventoryPath,
    NodeName, RouterId, ServerAddress, ServerName, SysctlKey, SysctlValue, UpstreamName, UserName,
    decoded_url_path, nginx_quoted, nginx_text, nginx_variables,
};

/// Implements [`Value`] for a type that `$new` creates from text.
macro_rules! words {
    ($($type:ty: $new:expr, $expected:literal, $kind:literal;)+) => { $(
        impl Value for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
                let typed = text::<Self>(node, path, faults)?;
                checked(node, path, $new(typed), faults)
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "x-type": $kind })
            }
        }
    )+ };
}

words! {
    ClusterName: Self::new, "a name", "name";
    NodeName: Self::new, "a node's name", "node name";
    InstanceName: Self::new, "a name", "name";
    RouterId: Self::new, "a name", "name";
    UpstreamName: Self::new, "an upstream's name", "upstream name";
    InterfaceName: Self::new, "a network interface, such as eth0", "interface";
    UserName: Self::new, "a user name", "user name";
    ServerName: Self::new, "a host name, such as www.example.org", "host name";
    HeaderName: Self::new, "a header's name, such as X-Frame-Options", "header name";
    SysctlKey: Self::new, "a sysctl key, such as net.core.somaxconn", "sysctl key";
    HostPath: Self::new, "an absolute path on the hosts", "path on the hosts";
    ServerAddress: server, "ADDRESS:PORT, such as 192.168.1.10:8080", "ADDRESS:PORT";
    IpAddr: address, "an IP address, such as 10.0.0.11", "IP address";
    VirtualIp: VirtualIp::new, "an address with its prefix length, such as 10.0.0.100/24", "IP address/prefix";
    Network: Network::new, "a network, such as 10.1.0.0/16, or `default`", "network";
    SshHost: SshHost::new, "an address, a host name or an alias of your ssh configuration", "host";
    Jump: Jump::new, "a jump host, such as admin@bastion.example.org:22", "jump hosts";
    LocalPath: LocalPath::new, "a path on this machine", "path on this machine";
    EnvName: EnvName::new, "an environment variable's name", "variable name";
    Line: Line::new, "a text on one line", "text";
    Block: Block::new, "a text", "text";
    Body: Body::new, "a text", "text";
    UrlPath: UrlPath::new, "a path of URLs, such as /api/", "URL path";
    Target: Target::new, "a URL, or `https` for the same URL over TLS", "URL";
}

fn address(text: &str) -> Result<IpAddr, InvalidValue> {
    let rule = |rule: &str| Err(InvalidValue::new("IP address", rule));
    if let Ok(network) = text.parse::<IpNet>() {
        return rule(&format!(
            "the address without its prefix length: {}",
            network.addr()
        ));
    }
    match text.parse::<IpAddr>() {
        Ok(address) if is_host(address) => Ok(address),
        Ok(_) => rule("the address of a host; this one is reserved"),
        Err(_) => rule("an IP address, such as 10.0.0.11 or 2001:db8::11"),
    }
}

fn server(text: &str) -> Result<ServerAddress, InvalidValue> {
    ServerAddress::new(text).map_err(|error| {
        let bare = text
            .parse::<std::net::Ipv6Addr>()
            .map_or(text.to_owned(), |v6| format!("[{v6}]"));
        if ServerAddress::new(&format!("{bare}:80")).is_ok() {
            InvalidValue::new(error.what, format!("it with a port, such as \"{bare}:80\""))
        } else {
            error
        }
    })
}

/// False for addresses that no interface on a network can have.
fn is_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_broadcast)
}

/// A virtual IP: an address and its prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct VirtualIp(pub(in crate::inventory) IpNet);

impl VirtualIp {
    fn new(text: &str) -> Result<Self, InvalidValue> {
        let refuse = |rule: String| Err(InvalidValue::new("virtual IP", rule));
        if let Ok(address) = text.parse::<IpAddr>() {
            let bits = if address.is_ipv4() { 24 } else { 64 };
            return refuse(format!(
                "it with the prefix length of its network, most often `{address}/{bits}`"
            ));
        }
        let Ok(network) = text.parse::<IpNet>() else {
            return refuse(
                "an address and its prefix length, such as 10.0.0.100/24 or 2001:db8::100/64"
                    .into(),
            );
        };
        let is_small = network.max_prefix_len() - network.prefix_len() < 2;
        let is_v4 = network.addr().is_ipv4();
        let is_edge =
            network.addr() == network.network() || is_v4 && network.addr() == network.broadcast();
        if !is_host(network.addr()) || network.prefix_len() == 0 {
            return refuse("the address of a host; this one is reserved".into());
        }
        if !is_small && is_edge {
            return refuse(format!(
                "a host's address in {}; this one stands for the network or for all its hosts",
                network.trunc()
            ));
        }
        Ok(Self(network))
    }
}

/// The destination of a route. `None` is the default route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct Network(pub(in crate::inventory) Option<IpNet>);

impl Network {
    fn new(text: &str) -> Result<Self, InvalidValue> {
        if text == "default" {
            return Ok(Self(None));
        }
        let refuse = |rule: String| Err(InvalidValue::new("network", rule));
        match text.parse::<IpNet>() {
            Ok(network) if network == network.trunc() => Ok(Self(Some(network))),
            Ok(network) => refuse(format!("the network that holds it, `{}`", network.trunc())),
            Err(_) => refuse("a network, such as 10.1.0.0/16, or `default`".into()),
        }
    }
}

/// Declares a type of text that is used only by the inventory.
macro_rules! local_text {
    ($(#[$doc:meta])+ $name:ident, $what:literal, $valid:expr, $rule:literal) => {
        $(#[$doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(in crate::inventory) struct $name(pub(in crate::inventory) String);

        impl $name {
            fn new(text: &str) -> Result<Self, InvalidValue> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidValue::new($what, $rule))
                }
            }
        }
    };
}

/// True when `text` is safe as a host in ssh's arguments. A leading `-` would be an option.
fn is_ssh_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
}

fn is_jump(text: &str) -> bool {
    let is_hop = |hop: &str| {
        let (user, host) = hop
            .split_once('@')
            .map_or((None, hop), |(u, h)| (Some(u), h));
        let host = host
            .strip_prefix('[')
            .map_or(host.to_owned(), |rest| rest.replacen(']', "", 1));
        user.is_none_or(|user| UserName::new(user).is_ok()) && is_ssh_host(&host)
    };
    text.split(',').all(is_hop)
}

/// True without characters that a terminal interprets.
fn is_visible(text: &str) -> bool {
    !text.chars().any(super::guard::is_refused)
}

/// True without characters that end a line or that a terminal interprets.
fn is_printable(text: &str) -> bool {
    is_visible(text) && !text.contains(['\n', '\r'])
}

local_text!(
    /// The host that ssh connects to.
    SshHost, "host", is_ssh_host,
    "an address, a host name, or an alias of your ssh configuration"
);
local_text!(
    /// ssh's `ProxyJump`.
    Jump, "jump host", is_jump,
    "HOST, USER@HOST or USER@HOST:PORT, several separated by commas without blanks"
);
local_text!(
    /// A path on the operator's machine.
    LocalPath, "path", |text| !text.is_empty() && text.len() <= 4095 && is_printable(text) && !text.starts_with('-'),
    "a path on this machine, such as ~/.ssh/id_ed25519"
);
local_text!(
    /// The name of an environment variable.
    EnvName, "environment variable's name",
    |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    },
    "letters, digits and '_', and no digit first"
);
local_text!(
    /// A text on one line.
    Line, "text", |text| !text.is_empty() && is_printable(text) && nginx_variables(text).is_ok(),
    "a text on one line, without control characters, of at most 4000 bytes as nginx reads it"
);
local_text!(
    /// A text with any number of lines.
    Block, "text",
    |text| is_visible(text) && !text.contains('\r'),
    "a text without control characters"
);
local_text!(
    /// The body of a fixed response.
    Body, "text", |text| !text.contains('\r') && nginx_text(text).is_ok() && is_visible(text),
    "a text without control characters, of at most 4000 bytes as nginx reads it"
);
local_text!(
    /// The path of a location.
    UrlPath, "URL path",
    |text| {
        text.starts_with('/')
            && text.len() <= 1024
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~+,=:@%!()*".contains(c))
            && decoded_url_path(text).is_ok_and(|path| nginx_quoted(&path).is_ok())
    },
    "a path that starts with '/', of letters, digits and '/-._~+,=:@%!()*'; write any other visible character as %XX"
);
local_text!(
    /// The target of a redirect.
    Target, "redirect's target",
    |text| {
        let is_url = ["http://", "https://", "/", "$"].iter().any(|start| text.starts_with(start));
        let is_harmless = |c: char| c.is_ascii_graphic() && !"\"'\\;`<>^|".contains(c);
        text == "https"
            || is_url
                && text.len() <= 2048
                && text.chars().all(is_harmless)
                && nginx_variables(text).is_ok()
    },
    "a URL, such as https://$host$request_uri or /new/, or `https` for the same URL over TLS"
);

/// A sysctl's value, or `unmanaged` to leave the key alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum Setting {
    /// Written and applied.
    Value(SysctlValue),
    /// Neither written nor applied, even if hactl has a default for it.
    Unmanaged,
}

impl Value for Setting {
    fn expected() -> String {
        "a sysctl's value, or `unmanaged`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        match text::<Self>(node, path, faults)? {
            "unmanaged" => Some(Self::Unmanaged),
            typed => checked(node, path, SysctlValue::new(typed), faults).map(Self::Value),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "x-type": "sysctl value" })
    }
}

/// Implements [`Value`] for an enumeration of words.
macro_rules! choice {
    ($type:ty, $what:literal, $($word:literal => $value:expr),+ $(,)?) => {
        impl $crate::inventory::raw::Value for $type {
            fn expected() -> String {
                let words = [$(concat!("`", $word, "`")),+];
                format!("one of {}", words.join(", "))
            }

            fn decode(node: &$crate::inventory::raw::Node, path: &$crate::model::InventoryPath, faults: &mut $crate::inventory::error::Diagnostics) -> Option<Self> {
                match $crate::inventory::raw::scalars::text::<Self>(node, path, faults)? {
                    $($word => return Some($value),)+
                    typed => faults.add($crate::inventory::raw::words::no_choice(node, path, $what, typed, &[$($word),+])),
                }
                None
            }

            fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "enum": [$($crate::inventory::raw::words::json_word($word)),+] })
            }
        }
    };
}
pub(super) use choice;

/// The error for a word that is not among `words`.
pub(super) fn no_choice(
    node: &Node,
    path: &InventoryPath,
    what: &str,
    typed: &str,
    words: &[&'static str],
) -> Diagnostic {
    let fault = invalid(
        node,
        path,
        what,
        &format!("one of {}", super::suggest::list(words)),
    );
    let normal = typed.to_ascii_lowercase().replace('-', "_");
    match super::suggest::word(&normal, words) {
        Some(word) => fault.label(format!("did you mean `{word}`?")),
        None => fault,
    }
}

/// A word of a choice as JSON.
pub(super) fn json_word(word: &str) -> serde_json::Value {
    word.parse::<i64>().map_or_else(|_| word.into(), Into::into)
}
