//! Differences between families of distributions, one row per family.

use super::keepalived::KeepalivedFeature;
use super::version::Version;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Debian, Ubuntu and their derivatives.
    Debian,
    /// RHEL, `CentOS`, Rocky, Alma, Fedora.
    Redhat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageManager {
    /// APT and dpkg, which hactl drives (`sh/56-apt.sh`).
    Apt,
    /// DNF or YUM, and rpm, which hactl drives (`sh/57-dnf.sh`).
    Dnf,
}

impl PackageManager {
    /// Advice for a host whose package manager does not know the package `program`.
    pub fn hint(self, program: &str) -> String {
        match self {
            Self::Apt => format!("run `apt-get update` on the host, or install {program} there"),
            Self::Dnf => format!(
                "run `dnf makecache` on the host, or enable the repository that has {program}"
            ),
        }
    }
}

/// Fields of os-release(5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`.
    pub id: String,
    /// `VERSION_ID`.
    pub version_id: String,
    /// `ID_LIKE`.
    pub id_like: String,
}

/// The properties of a family.
#[derive(Debug)]
pub struct Distribution {
    pub family: OsFamily,
    /// Values of `ID` or `ID_LIKE` in os-release(5) that identify the family.
    ids: &'static [&'static str],
    pub packages: PackageManager,
    /// The user that nginx's workers run as.
    pub nginx_user: &'static str,
    /// A glob for the files that load nginx's dynamic modules.
    pub nginx_modules: &'static str,
    /// The package of nginx's stream module, where the main package lacks it.
    pub stream_module: Option<&'static str>,
    /// `ExecStop=` in nginx's unit, with `{pid}` for its pid file. `None` where systemd stops nginx
    /// by signal.
    pub nginx_stop: Option<&'static str>,
    /// From this feature's version on, keepalived is built with nftables instead of iptables.
    pub nftables_since: Option<KeepalivedFeature>,
    /// Releases: `ID`, `VERSION_ID`, and their versions of keepalived and nginx.
    releases: &'static [(&'static str, &'static str, Version, Version)],
}

const fn version(major: u32, minor: u32, patch: u32) -> Version {
    Version::new(major, minor, patch)
}

/// One row per family.
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
        stream_module: Some("nginx-mod-stream"),
        nginx_stop: None,
        nftables_since: None,
        releases: &[],
    },
];

impl OsFamily {
    pub fn distribution(self) -> &'static Distribution {
        match self {
            Self::Debian => &DISTRIBUTIONS[0],
            Self::Redhat => &DISTRIBUTIONS[1],
        }
    }
}

impl Distribution {
    /// The family of a host, or `None` if it is not supported.
    pub fn of(os: &OsRelease) -> Option<&'static Self> {
        let is_like = |row: &&Self| {
            let mut words = std::iter::once(os.id.as_str()).chain(os.id_like.split(' '));
            words.any(|word| row.ids.contains(&word))
        };
        DISTRIBUTIONS.iter().find(is_like)
    }

    /// Whether `package` is some distribution's package of nginx's stream module.
    pub fn is_stream_module(package: &str) -> bool {
        DISTRIBUTIONS
            .iter()
            .any(|row| row.stream_module == Some(package))
    }

    /// The versions of keepalived and nginx that a release packages. Used for hosts where neither
    /// is installed and the package lists are empty, as on a fresh image.
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
