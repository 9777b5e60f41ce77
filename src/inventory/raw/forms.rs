//! Values with more than one notation.

use std::net::IpAddr;

use camino::Utf8PathBuf;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::collections::List;
use super::decode::{Value, mismatch, prefix};
use super::scalars::{Int, checked, invalid, text};
use super::shape::{shape, subschema};
use super::tree::{Kind, Node};
use super::words::{EnvName, Line, LocalPath, choice, no_choice};
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::model::{
    Balance, DrillName, Failover, Hold, HostPath, InventoryPath, LogTarget, OnNginxFailure,
    Peering, SecretRef, ServerAddress, VrrpVersion, Weight,
};

impl Value for DrillName {
    fn expected() -> String {
        "a drill's name, such as `nginx-kill`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let typed = text::<Self>(node, path, faults)?;
        let name = Self::new(typed).ok();
        if name.is_none() {
            faults.add(no_choice(node, path, "drill", typed, &Self::ALL));
        }
        name
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": Self::ALL })
    }
}

choice!(Failover, "failover profile", "fast" => Self::Fast, "standard" => Self::Standard, "wan" => Self::Wan);
choice!(Hold, "owner", "owned" => Self::Owned, "shared" => Self::Shared);
choice!(Peering, "peering mode", "unicast" => Self::Unicast, "multicast" => Self::Multicast);
choice!(VrrpVersion, "VRRP version", "2" => Self::V2, "3" => Self::V3);
choice!(
    Balance, "balancing method",
    "round_robin" => Self::RoundRobin,
    "least_conn" => Self::LeastConn,
    "ip_hash" => Self::IpHash,
    "random" => Self::Random,
);

shape! {
    /// Where a secret comes from: exactly one of these keys. The secret itself is never in the inventory, and never in a diff, a log or a plan.
    SecretKeys as "secret" {
        /// A variable in hactl's environment.
        env: EnvName = Optional("one of the three"), "VRRP_PASSWORD";
        /// A file on this machine, relative to the inventory or absolute, that no other user can read.
        file: LocalPath = Optional("one of the three"), "secrets/vrrp.txt";
        /// A program and its arguments; what it prints is the secret, without one final newline.
        command: List<Line> = Optional("one of the three"), "[pass, show, web/vrrp]";
    }
}

const WRITE_A_SECRET: &str = "write where it comes from: `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ARGUMENT] }`";

impl Value for SecretRef {
    const NAME: Option<&'static str> = SecretKeys::NAME;

    fn expected() -> String {
        "where the secret comes from, `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM] }`"
            .to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        if let Kind::Scalar { .. } = node.kind {
            // Masked, so that the report of this mistake doesn't spread the secret.
            let message = format!("{}the inventory itself contains a secret", prefix(path));
            let fault = Diagnostic::at(&node.span, message)
                .label("masked here")
                .masking(&node.whole);
            faults.add(fault.help(WRITE_A_SECRET));
            return None;
        }
        let keys = SecretKeys::decode(node, path, faults)?;
        let sources = [
            keys.env.map(|name| Self::Env(name.value.0)),
            keys.file
                .map(|path| Self::File(Utf8PathBuf::from(path.value.0))),
            keys.command.map(|words| {
                Self::Command(
                    words
                        .value
                        .into_items()
                        .into_iter()
                        .map(|word| word.value.0)
                        .collect(),
                )
            }),
        ];
        let mut sources = sources.into_iter().flatten();
        match (sources.next(), sources.next()) {
            (Some(Self::Command(words)), None) if words.is_empty() => {
                faults.add(
                    Diagnostic::at(&node.span, format!("{path}: the command is empty"))
                        .help(WRITE_A_SECRET),
                );
                None
            }
            (Some(source), None) => Some(source),
            _ => {
                let message =
                    format!("{path}: expected exactly one of `env`, `file` and `command`");
                faults.add(Diagnostic::at(&node.span, message).help(WRITE_A_SECRET));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        SecretKeys::schema(generator)
    }
}

/// A certificate or key: a file on the hosts, or a secret that is pushed.
#[derive(Debug, Clone)]
pub(in crate::inventory) enum TlsFile {
    /// A file on the hosts.
    OnHost(HostPath),
    /// A secret that is pushed with the configuration.
    Pushed(SecretRef),
}

impl Value for TlsFile {
    fn expected() -> String {
        "an absolute path on the hosts, or a secret to push".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { text, .. } if !text.contains("-----BEGIN") => {
                checked(node, path, HostPath::new(text), faults).map(Self::OnHost)
            }
            _ => SecretRef::decode(node, path, faults).map(Self::Pushed),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [subschema::<HostPath>(generator), subschema::<SecretRef>(generator)],
        })
    }
}

shape! {
    /// A change of priority instead of FAULT.
    WeightKeys as "weight" {
        /// Negative: added to the priority while nginx fails. Positive: added while it is healthy. Its absolute value must exceed the spread of the priorities.
        weight: Weight = Required, "-30";
    }
}

impl Value for OnNginxFailure {
    fn expected() -> String {
        "`fault` or `{ weight: NUMBER }`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { text, .. } if text == "fault" => Some(Self::Fault),
            Kind::Mapping(_) => {
                let weight = WeightKeys::decode(node, path, faults)?.weight?;
                Some(Self::Weight {
                    weight: weight.value,
                })
            }
            _ => {
                let help =
                    "write `fault`, so that a node without nginx resigns, or `{ weight: -30 }`";
                faults.add(mismatch::<Self>(node, path).help(help));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "fault" }, subschema::<WeightKeys>(generator)] })
    }
}

/// nginx's `worker_processes`.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) struct Workers(pub(in crate::inventory) Option<u32>);

impl Value for Workers {
    fn expected() -> String {
        "`auto` or a whole number from 1 to 1024".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let typed = text::<Self>(node, path, faults)?;
        if typed == "auto" {
            return Some(Self(None));
        }
        if let Ok(number @ 1..=1024) = typed.parse::<u32>() {
            return Some(Self(Some(number)));
        }
        faults.add(invalid(node, path, "number of workers", &Self::expected()));
        None
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let number = subschema::<Int<1, 1024>>(generator);
        json_schema!({ "anyOf": [{ "const": "auto" }, number] })
    }
}

impl Value for LogTarget {
    fn expected() -> String {
        "`off`, an absolute path on the hosts, or `syslog:HOST:PORT`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let typed = text::<Self>(node, path, faults)?;
        if typed == "off" {
            return Some(Self::Off);
        }
        if let Some(server) = typed.strip_prefix("syslog:") {
            let server = checked(node, path, ServerAddress::new(server), faults)?;
            return Some(Self::Syslog { server });
        }
        if let Ok(path) = HostPath::new(typed) {
            return Some(Self::File { path });
        }
        faults.add(invalid(node, path, "log", &Self::expected()));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "`off`, path on the hosts or `syslog:HOST:PORT`" })
    }
}

shape! {
    /// A socket that a site listens on.
    ListenKeys as "listen" {
        /// The port.
        port: Int<1, 65535> = Required, "443";
        /// One address of the hosts. Best left out, since a backup does not have the VIP.
        address: IpAddr = Optional("every address, IPv4 and IPv6"), "10.0.0.100";
        /// TLS on this socket.
        tls: bool = Default("false"), "true";
        /// This site answers requests for unknown names.
        default: bool = Default("false"), "true";
    }
}

/// A socket that a site listens on: `80`, `443 tls`, `10.0.0.5:80 default`, or its keys.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) struct Socket {
    /// The address. `None` means all.
    pub(in crate::inventory) address: Option<IpAddr>,
    /// The port.
    pub(in crate::inventory) port: u16,
    /// TLS.
    pub(in crate::inventory) tls: bool,
    /// `default_server`.
    pub(in crate::inventory) default: bool,
}

impl Socket {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let place = words.next()?;
        let (address, port) = match place.rsplit_once(':') {
            None => (None, place),
            Some(("*", port)) => (None, port),
            Some((host, port)) => {
                let bare = host
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                (Some(bare.unwrap_or(host).parse().ok()?), port)
            }
        };
        let is_port = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| is_port)?;
        let mut socket = Self {
            address,
            port,
            tls: false,
            default: false,
        };
        for word in words {
            match word {
                "tls" => socket.tls = true,
                "default" => socket.default = true,
                _ => return None,
            }
        }
        Some(socket)
    }
}

impl Value for Socket {
    fn expected() -> String {
        "a port, such as 80 or `443 tls`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        if let Kind::Scalar { text, .. } = &node.kind {
            let socket = Self::parse(text);
            if socket.is_none() {
                let rule = "PORT or ADDRESS:PORT, optionally followed by `tls` or `default`, \
                            such as 80, 443 tls or \"[2001:db8::5]:443 tls\"";
                faults.add(invalid(node, path, "socket to listen on", rule));
            }
            return socket;
        }
        let keys = ListenKeys::decode(node, path, faults)?;
        Some(Self {
            address: keys.address.map(|address| address.value),
            port: keys.port?.as_u16(),
            tls: *keys.tls?,
            default: *keys.default?,
        })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let port = subschema::<Int<1, 65535>>(generator);
        let text = json_schema!({ "type": "string", "x-type": "`PORT tls default`" });
        json_schema!({ "anyOf": [port, text, subschema::<ListenKeys>(generator)] })
    }
}

/// A stream's port and protocol: `5432`, or `53 udp`.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) struct StreamPort {
    /// The port.
    pub(in crate::inventory) port: u16,
    /// UDP.
    pub(in crate::inventory) udp: bool,
}

impl Value for StreamPort {
    fn expected() -> String {
        "a port, such as 5432 or `53 udp`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let typed = text::<Self>(node, path, faults)?;
        let (port, udp) = match typed.split_once(' ') {
            Some((port, "udp")) => (port, true),
            Some((port, "tcp")) => (port, false),
            _ => (typed, false),
        };
        let is_digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse::<u16>().ok().filter(|_| is_digits);
        if port.is_none() {
            let rule = "PORT, optionally followed by `udp`, such as 5432 or 53 udp";
            faults.add(invalid(node, path, "port to listen on", rule));
        }
        port.map(|port| Self { port, udp })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let port = subschema::<Int<1, 65535>>(generator);
        json_schema!({ "anyOf": [port, { "type": "string", "x-type": "`PORT udp`" }] })
    }
}
