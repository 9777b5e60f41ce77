//! What a host is: the facts that templates and rules depend on.

use ipnet::IpNet;

use super::distribution::OsFamily;
use super::names::{HostPath, UserName};
use super::version::Version;

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
        // The row's texts are valid by the tests below; the fallible constructors stay at the edge.
        let fixed = || -> Option<Self> {
            let (id, release) = ("debian", "12");
            let row = OsFamily::Debian.distribution();
            let (keepalived, nginx) = row.packaged(id, release)?;
            Some(Self {
                os_id: id.to_owned(),
                os_version: release.to_owned(),
                family: row.family,
                keepalived,
                nginx,
                nginx_user: UserName::new(row.nginx_user).ok()?,
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
    fn the_built_in_facts_exist() {
        assert_eq!(NodeFacts::debian_12().nginx_user.as_str(), "www-data");
    }
}
