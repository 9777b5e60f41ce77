//! A manifest: the content of a generation, in the tab-separated text that hosts keep.

use super::facts::{Fact, Facts};
use crate::model::{FileRole, HostPath};

/// The most lines parsed. A generation of the largest inventory has fewer.
const MAX_LINES: usize = 10_000;
/// The highest generation number accepted. A host that claimed the maximum would leave no number
/// for the next generation on any node.
const MAX_GENERATION: u64 = 1_000_000_000;

/// A path in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Entry {
    /// A regular file.
    File {
        /// Its role, `other` in generation 0.
        role: FileRole,
        /// Permission bits.
        mode: u32,
        owner: String,
        group: String,
        /// The hash of its content.
        sha256: String,
        path: HostPath,
    },
    /// A symbolic link.
    Link {
        /// The link's target, unresolved.
        target: String,
        path: HostPath,
    },
    /// No file.
    Absent {
        /// The absent file's path.
        path: HostPath,
    },
}

impl Entry {
    pub fn path(&self) -> &HostPath {
        match self {
            Self::File { path, .. } | Self::Link { path, .. } | Self::Absent { path } => path,
        }
    }
}

/// A unit's state before hactl.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ServiceRecord {
    /// Its name, such as `nginx.service`.
    pub unit: String,
    /// The output of `systemctl is-enabled`.
    pub enabled: String,
    /// The output of `systemctl is-active`.
    pub active: String,
}

/// The content of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Manifest {
    /// Facts about the generation.
    pub facts: Facts,
    /// The paths that it covers.
    pub entries: Vec<Entry>,
    /// Sysctls, as key and value.
    pub sysctls: Vec<(String, String)>,
    /// Units, in generation 0 only.
    pub services: Vec<ServiceRecord>,
}

impl Manifest {
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.facts.get(fact)
    }

    pub fn generation(&self) -> Option<u64> {
        self.get(Fact::Generation).and_then(generation_number)
    }

    /// The hash of the file at `path`, if the manifest has a file there.
    pub fn sha256_of(&self, path: &HostPath) -> Option<&str> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::File {
                path: own, sha256, ..
            } if own == path => Some(sha256.as_str()),
            _ => None,
        })
    }

    /// Whether the manifest covers `path`.
    pub fn speaks_of(&self, path: &HostPath) -> bool {
        self.entries.iter().any(|entry| entry.path() == path)
    }

    /// The text that a host keeps.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: &[&str]| {
            text.push_str(&fields.join("\t"));
            text.push('\n');
        };
        for (key, value) in self.facts.lines() {
            // The shell's word splitting would drop an empty field.
            line(&[key, if value.is_empty() { "-" } else { value }]);
        }
        for entry in &self.entries {
            match entry {
                Entry::File {
                    role,
                    mode,
                    owner,
                    group,
                    sha256,
                    path,
                } => {
                    line(&[
                        "file",
                        (*role).into(),
                        &format!("{mode:04o}"),
                        owner,
                        group,
                        sha256,
                        path.as_str(),
                    ]);
                }
                Entry::Link { target, path } => line(&["link", target, path.as_str()]),
                Entry::Absent { path } => line(&["absent", path.as_str()]),
            }
        }
        for (key, value) in &self.sysctls {
            line(&["sysctl", key, if value.is_empty() { "-" } else { value }]);
        }
        for service in &self.services {
            line(&["service", &service.unit, &service.enabled, &service.active]);
        }
        text
    }

    /// Parses the text that a host keeps. Skips lines that it does not understand: they come from
    /// an older or newer hactl, or from a compromised host.
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        for line in text.lines().take(MAX_LINES) {
            // One more than the longest line has.
            let fields: Vec<&str> = line.splitn(8, '\t').collect();
            manifest.take_line(&fields);
        }
        manifest
    }

    fn take_line(&mut self, fields: &[&str]) {
        match *fields {
            ["file", role, mode, owner, group, sha256, path] => {
                if let (Ok(mode), Ok(path)) = (u32::from_str_radix(mode, 8), HostPath::new(path)) {
                    let [owner, group, sha256] = [owner, group, sha256].map(str::to_owned);
                    self.entries.push(Entry::File {
                        role: FileRole::of_word(role),
                        mode,
                        owner,
                        group,
                        sha256,
                        path,
                    });
                }
            }
            ["link", target, path] => {
                if let Ok(path) = HostPath::new(path) {
                    self.entries.push(Entry::Link {
                        target: target.to_owned(),
                        path,
                    });
                }
            }
            ["absent", path] => {
                if let Ok(path) = HostPath::new(path) {
                    self.entries.push(Entry::Absent { path });
                }
            }
            ["sysctl", key, value] => self.sysctls.push((key.to_owned(), value.to_owned())),
            ["service", unit, enabled, active] => {
                let [unit, enabled, active] = [unit, enabled, active].map(str::to_owned);
                self.services.push(ServiceRecord {
                    unit,
                    enabled,
                    active,
                });
            }
            [key, value] => {
                self.facts.read(key, value);
            }
            _ => {}
        }
    }
}

/// Parses a generation number from a host.
pub(super) fn generation_number(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (number <= MAX_GENERATION).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_its_text() {
        let path = |text: &str| HostPath::new(text).unwrap();
        let manifest = Manifest {
            facts: [
                (Fact::Generation, "3".to_owned()),
                (Fact::Cluster, "web".to_owned()),
                (Fact::Commit, String::new()),
            ]
            .into(),
            entries: vec![
                Entry::File {
                    role: FileRole::NginxConf,
                    mode: 0o644,
                    owner: "root".to_owned(),
                    group: "root".to_owned(),
                    sha256: "00".to_owned(),
                    path: path("/etc/nginx/nginx.conf"),
                },
                Entry::Absent {
                    path: path("/etc/sysctl.d/90-hactl.conf"),
                },
                Entry::Link {
                    target: "/x".to_owned(),
                    path: path("/etc/y"),
                },
            ],
            sysctls: vec![("net.core.somaxconn".to_owned(), "65535".to_owned())],
            services: vec![],
        };
        let read = Manifest::parse(&manifest.to_text());
        assert_eq!(read.entries, manifest.entries);
        assert_eq!(read.sysctls, manifest.sysctls);
        assert_eq!(read.generation(), Some(3));
        assert_eq!(read.get(Fact::Commit), None);
    }

    #[test]
    fn a_claim_of_an_absurd_number_or_size_is_not_believed() {
        let read = Manifest::parse("generation\t18446744073709551615\n");
        assert_eq!(read.generation(), None);
        let read = Manifest::parse(&"absent\t/etc/x\n".repeat(100_000));
        assert_eq!(read.entries.len(), MAX_LINES);
    }
}
