//! What families of distributions do each in its own way: one row for each.

use super::keepalived::KeepalivedFeature;
use super::version::Version;

/// A distribution's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// RHEL, `CentOS`, Rocky, Alma, Fedora.
    Redhat,
}

/// How packages come to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageManager {
    /// APT over dpkg, which hactl drives (`sh/56-apt.sh`).
    Apt,
    /// DNF over rpm: packages are installed by hand.
    Dnf,
}

impl PackageManager {
    /// What to do on a host that knows no package of the name `program`.
    pub fn hint(self, program: &str) -> String {
        match self {
            Self::Apt => format!("run `apt-get update` on the host, or install {program} there"),
            Self::Dnf => format!("run `dnf install {program}` on the host"),
        }
    }
}

/// What os-release(5) says of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`.
    pub id: String,
    /// `VERSION_ID`.
    pub version_id: String,
    /// `ID_LIKE`.
    pub id_like: String,
}

/// A family's ways.
#[derive(Debug)]
pub struct Distribution {
    /// Which family it is.
    pub family: OsFamily,
    /// What `ID` or `ID_LIKE` of os-release(5) has there.
    ids: &'static [&'static str],
    /// How packages come to a host.
    pub packages: PackageManager,
    /// The user that nginx's workers run as.
    pub nginx_user: &'static str,
    /// The files that load nginx's dynamic modules.
    pub nginx_modules: &'static str,
    /// The package of nginx's stream module, where nginx's own lacks it.
    pub stream_module: Option<&'static str>,
    /// `ExecStop=` of nginx's unit, with `{pid}` for its pid file; `None` where systemd stops it by a signal.
    pub nginx_stop: Option<&'static str>,
    /// What keepalived is built with from a release on, for its firewall rules; before, it has iptables.
    pub nftables_since: Option<KeepalivedFeature>,
    /// Releases: `ID`, `VERSION_ID`, and their versions of keepalived and nginx.
    releases: &'static [(&'static str, &'static str, Version, Version)],
}

const fn version(major: u32, minor: u32, patch: u32) -> Version {
    Version::new(major, minor, patch)
}

/// All of them.
pub static DISTRIBUTIONS: [Distribution; 2] = [
    Distribution {
        family: OsFamily::Debian,
        ids: &["debian", "ubuntu"],
        packages: PackageManager::Apt,
        nginx_user: "www-data",
        nginx_modules: "/etc/nginx/modules-enabled/*.conf",
        stream_module: Some("libnginx-mod-stream"),
        nginx_stop: Some("-/sbin/start-stop-daemon --quiet --stop --retry QUIT/5 --pidfile {pid}"),
        nftables_since: Some(KeepalivedFeature::DebianNftables),
        releases: &[
            ("debian", "11", version(2, 1, 5), version(1, 18, 0)),
            ("debian", "12", version(2, 2, 7), version(1, 22, 1)),
            ("debian", "13", version(2, 3, 3), version(1, 26, 3)),
            ("ubuntu", "20.04", version(2, 0, 19), version(1, 18, 0)),
            ("ubuntu", "22.04", version(2, 2, 4), version(1, 18, 0)),
            ("ubuntu", "24.04", version(2, 2, 8), version(1, 24, 0)),
        ],
    },
    Distribution {
        family: OsFamily::Redhat,
        ids: &["rhel", "fedora", "centos"],
        packages: PackageManager::Dnf,
        nginx_user: "nginx",
        nginx_modules: "/usr/share/nginx/modules/*.conf",
        stream_module: None,
        nginx_stop: None,
        nftables_since: None,
        releases: &[],
    },
];

impl OsFamily {
    /// The family's row.
    pub fn distribution(self) -> &'static Distribution {
        match self {
            Self::Debian => &DISTRIBUTIONS[0],
            Self::Redhat => &DISTRIBUTIONS[1],
        }
    }
}

impl Distribution {
    /// The one that a host has; `None` for one that is of no family here.
    pub fn of(os: &OsRelease) -> Option<&'static Self> {
        let is_like = |row: &&Self| {
            let mut words = std::iter::once(os.id.as_str()).chain(os.id_like.split(' '));
            words.any(|word| row.ids.contains(&word))
        };
        DISTRIBUTIONS.iter().find(is_like)
    }

    /// True for a package that brings nginx's stream module, whichever distribution it is of.
    pub fn is_stream_module(package: &str) -> bool {
        DISTRIBUTIONS
            .iter()
            .any(|row| row.stream_module == Some(package))
    }

    /// The versions of keepalived and nginx that a release packages; for hosts where neither is installed and
    /// the package manager's lists are empty, as on a fresh image.
    pub fn packaged(&self, id: &str, version_id: &str) -> Option<(Version, Version)> {
        let mut releases = self.releases.iter();
        let found = releases.find(|release| (release.0, release.1) == (id, version_id));
        found.map(|release| (release.2, release.3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_recognised_by_its_own_name_or_by_what_it_derives_from() {
        let family = |id: &str, like: &str| {
            let os = OsRelease {
                id: id.to_owned(),
                version_id: String::new(),
                id_like: like.to_owned(),
            };
            Distribution::of(&os).map(|row| row.family)
        };
        assert_eq!(family("debian", ""), Some(OsFamily::Debian));
        assert_eq!(family("pop", "ubuntu debian"), Some(OsFamily::Debian));
        assert_eq!(
            family("rocky", "rhel centos fedora"),
            Some(OsFamily::Redhat)
        );
        assert_eq!(family("alpine", ""), None);
    }

    #[test]
    fn every_family_has_its_own_row() {
        for row in &DISTRIBUTIONS {
            assert_eq!(row.family.distribution().family, row.family);
        }
    }
}
