//! Names: text that ends up in configuration files, and so is limited to safe characters.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

/// Why a text is not a valid value of its type, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {rule}")]
pub struct InvalidValue {
    /// The kind of value, for example `node name`.
    pub what: &'static str,
    /// The rule that the text breaks, as a full statement of what is allowed.
    pub rule: String,
}

impl InvalidValue {
    /// An error for a value of the kind `what` that breaks `rule`.
    pub fn new(what: &'static str, rule: impl Into<String>) -> Self {
        Self {
            what,
            rule: rule.into(),
        }
    }
}

/// Declares a text type that is limited to safe characters.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.len() > $max || !valid(&text) {
                    return Err(InvalidValue::new($what, $rule));
                }
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Whether `text` starts with a letter or digit and contains only those, `-`, `_` and `.`.
fn is_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

name_type!(
    /// The cluster's name. Reports are named after it, and generations' manifests contain it.
    ClusterName, "cluster name", 63, is_label,
    "1 to 63 letters, digits, '-', '_' or '.', and a letter or digit first"
);
name_type!(
    /// A node's name in the inventory.
    NodeName, "node name", 63, is_label,
    "1 to 63 letters, digits, '-', '_' or '.', and a letter or digit first"
);
name_type!(
    /// The name of a `vrrp_instance` (keepalived.conf(5)).
    InstanceName, "VRRP instance name", 63, is_label,
    "1 to 63 letters, digits, '-', '_' or '.', and a letter or digit first"
);
name_type!(
    /// keepalived's `router_id` (keepalived.conf(5), global definitions).
    RouterId, "router_id", 63, is_label,
    "1 to 63 letters, digits, '-', '_' or '.', and a letter or digit first"
);
name_type!(
    /// The name of an nginx `upstream` block.
    UpstreamName, "upstream name", 63, is_label,
    "1 to 63 letters, digits, '-', '_' or '.', and a letter or digit first"
);
name_type!(
    /// A network interface's name; the kernel's `dev_valid_name` allows 15 bytes.
    InterfaceName, "interface name", 15,
    |text| {
        !matches!(text, "." | "..")
            // ip(8) and other tools would take it for an option.
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
    },
    "1 to 15 letters, digits, '-', '_', '.' or '@' (the kernel's own limit), and no '-' first"
);
name_type!(
    /// A login name on a host (useradd(8)).
    UserName, "user name", 32,
    |text| {
        text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
    },
    "1 to 32 lower-case letters, digits, '-' or '_', and a letter or '_' first"
);
name_type!(
    /// An nginx `server_name`: a host name, a wildcard at one end, or `_` for a catch-all.
    ServerName, "server name", 253,
    |text| {
        text == "_"
            || text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*'))
                && !text.starts_with('-')
                && text.trim_start_matches("*.").trim_end_matches(".*").find('*').is_none()
    },
    "a host name such as 'www.example.org', one with a wildcard at an end such as '*.example.org', or '_' for any"
);
name_type!(
    /// The name of an HTTP header (RFC 9110, section 5.1): a token, here without its unusual
    /// characters.
    HeaderName, "header name", 128,
    |text| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')),
    "1 to 128 letters, digits, '-' or '_'"
);
name_type!(
    /// A dotted sysctl(8) key, such as `net.core.somaxconn`.
    SysctlKey, "sysctl key", 128,
    |text| {
        text.contains('.')
            && text.split('.').all(|part| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '@'))
                    && !part.contains("//")
            })
            && !text.contains("..")
    },
    "dotted words of letters, digits, '-' or '_', such as 'net.core.somaxconn'"
);
name_type!(
    /// A sysctl's value: numbers and words, separated by single spaces.
    SysctlValue, "sysctl value", 4096,
    |text| {
        text.split(' ').all(|word| {
            !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ',' | ':' | '/'))
        })
    },
    "numbers or words, separated by single blanks"
);

/// An absolute path on a host, free of characters that a shell, keepalived or nginx would
/// interpret.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    schemars::JsonSchema,
    serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct HostPath(Utf8PathBuf);

impl HostPath {
    /// Validates `text`: absolute, without `..`, empty components or unsafe characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        let harmless = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|c| {
                    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+' | ':')
                })
        };
        // keepalived reads lines of up to 1024 bytes, nginx parameters of up to 4096.
        let valid = text.len() <= 1000
            && text
                .strip_prefix('/')
                .is_some_and(|rest| rest.split('/').all(harmless));
        if !valid {
            return Err(InvalidValue::new(
                "path on the host",
                "an absolute path of letters, digits, '-', '_', '.', '@', '+' or ':', without '..', of at most 1000 characters",
            ));
        }
        Ok(Self(text.into()))
    }

    pub fn as_path(&self) -> &Utf8Path {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

impl TryFrom<String> for HostPath {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl From<HostPath> for String {
    fn from(path: HostPath) -> Self {
        path.0.into_string()
    }
}
