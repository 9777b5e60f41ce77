//! The facts about a host that templates and rules depend on.

use ipnet::IpNet;

use super::distribution::OsFamily;
use super::names::{HostPath, UserName};
use super::version::Version;

/// An address of the host's own: not a VIP, and not on the loopback interface.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OwnAddress {
    pub interface: String,
    /// The address and its prefix length.
    pub net: IpNet,
}

/// The facts about one host that rendering and planning need.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeFacts {
    /// `ID` of os-release(5).
    pub os_id: String,
    /// `VERSION_ID` of os-release(5).
    pub os_version: String,
    pub family: OsFamily,
    /// keepalived's version: the installed one, or else the one that the package manager would
    /// install.
    pub keepalived: Version,
    /// nginx's version, likewise.
    pub nginx: Version,
    /// The user that nginx's workers run as.
    pub nginx_user: UserName,
    /// nginx's pid file, as its systemd unit expects it.
    pub nginx_pid_file: HostPath,
    /// Its own addresses, or `None` if no host was queried.
    pub addresses: Option<Vec<OwnAddress>>,
}

impl NodeFacts {
    /// A Debian 12 host with that release's packages, as `render` assumes offline.
    pub fn debian_12() -> Self {
        // Cannot fail, as the test below shows. Nothing else here calls a fallible constructor on a
        // constant.
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
