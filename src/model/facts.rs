//! What a host is: the facts that templates and rules depend on.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use super::names::{HostPath, UserName};

/// A dotted version such as keepalived's `2.2.7` or nginx's `1.22.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third, 0 where there is none.
    pub patch: u32,
}

impl Version {
    /// A version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is no dotted version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no version: expected numbers separated by dots, such as 2.2.7")]
pub struct InvalidVersion;

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let text = text.trim().trim_start_matches('v');
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut parts = text[..end].split('.').map(str::parse::<u32>);
        let mut next = || parts.next().transpose().map_err(|_| InvalidVersion);
        let major = next()?.ok_or(InvalidVersion)?;
        Ok(Self {
            major,
            minor: next()?.unwrap_or(0),
            patch: next()?.unwrap_or(0),
        })
    }
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The distribution's family, which decides package names, users and paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// RHEL, `CentOS`, Rocky, Alma, Fedora.
    Redhat,
}

/// The versions of keepalived and nginx that a distribution's release packages; for hosts where
/// neither is installed and the package manager's lists are empty, as on a fresh image.
pub fn packaged_versions(os_id: &str, os_version: &str) -> Option<(Version, Version)> {
    let versions = match (os_id, os_version) {
        ("debian", "11") => ((2, 1, 5), (1, 18, 0)),
        ("debian", "12") => ((2, 2, 7), (1, 22, 1)),
        ("debian", "13") => ((2, 3, 3), (1, 26, 3)),
        ("ubuntu", "20.04") => ((2, 0, 19), (1, 18, 0)),
        ("ubuntu", "22.04") => ((2, 2, 4), (1, 18, 0)),
        ("ubuntu", "24.04") => ((2, 2, 8), (1, 24, 0)),
        _ => return None,
    };
    let version = |(major, minor, patch)| Version::new(major, minor, patch);
    Some((version(versions.0), version(versions.1)))
}

/// An address that a host has of its own: no virtual one, and none on its loopback.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OwnAddress {
    /// The interface that it is on.
    pub interface: String,
    /// The address, with its network's prefix length.
    pub net: IpNet,
}

/// What rendering and planning need to know of one host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeFacts {
    /// `ID` of os-release(5).
    pub os_id: String,
    /// `VERSION_ID` of os-release(5).
    pub os_version: String,
    /// Its family.
    pub family: OsFamily,
    /// keepalived's version: installed, or what the host's packages would install.
    pub keepalived: Version,
    /// nginx's version, likewise.
    pub nginx: Version,
    /// The user that nginx's workers run as.
    pub nginx_user: UserName,
    /// nginx's pid file as its unit expects it.
    pub nginx_pid_file: HostPath,
    /// Its own addresses; `None` where no host was asked.
    pub addresses: Option<Vec<OwnAddress>>,
}

impl NodeFacts {
    /// A Debian 12 host with that release's packages: what `render` assumes offline.
    pub fn debian_12() -> Self {
        // These three texts are valid by the tests below; the fallible constructors stay at the edge.
        let fixed = || -> Option<Self> {
            Some(Self {
                os_id: "debian".to_owned(),
                os_version: "12".to_owned(),
                family: OsFamily::Debian,
                keepalived: Version::new(2, 2, 7),
                nginx: Version::new(1, 22, 1),
                nginx_user: UserName::new("www-data").ok()?,
                nginx_pid_file: HostPath::new("/run/nginx.pid").ok()?,
                addresses: None,
            })
        };
        fixed().unwrap_or_else(|| unreachable!("the built-in facts are valid"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        for (text, expected) in [
            ("2.2.7", Version::new(2, 2, 7)),
            ("v2.2.7", Version::new(2, 2, 7)),
            ("1.22.1 (Ubuntu)", Version::new(1, 22, 1)),
            ("1:2.2.7-1+b2", Version::new(1, 0, 0)),
            ("2.3", Version::new(2, 3, 0)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("none".parse::<Version>(), Err(InvalidVersion));
    }

    #[test]
    fn the_built_in_facts_exist() {
        assert_eq!(NodeFacts::debian_12().nginx_user.as_str(), "www-data");
    }
}
