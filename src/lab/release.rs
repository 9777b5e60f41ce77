//! The releases that machines can run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A release. For hactl, they differ in the versions of keepalived, nginx and systemd, and in their family's packages
/// and paths.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    schemars::JsonSchema,
    Deserialize,
)]
pub enum Release {
    /// bullseye: keepalived 2.1.5, nginx 1.18.0.
    #[serde(rename = "debian-11")]
    Debian11,
    /// bookworm: keepalived 2.2.7, nginx 1.22.1.
    #[default]
    #[serde(rename = "debian-12")]
    Debian12,
    /// trixie: keepalived 2.3.3, nginx 1.26.3.
    #[serde(rename = "debian-13")]
    Debian13,
    /// sid: whatever is newest when its image is built.
    #[serde(rename = "debian-sid")]
    DebianSid,
    /// Calls itself Rocky Linux 9: Debian 12's programs in packages like those of RHEL, with the real rpm and DNF.
    #[serde(rename = "rhel-like")]
    RhelLike,
}

impl Release {
    /// All releases, a family at a time, oldest first.
    pub const ALL: [Self; 5] = [
        Self::Debian11,
        Self::Debian12,
        Self::Debian13,
        Self::DebianSid,
        Self::RhelLike,
    ];

    /// The release's name in options, such as `debian-12`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian11 => "debian-11",
            Self::Debian12 => "debian-12",
            Self::Debian13 => "debian-13",
            Self::DebianSid => "debian-sid",
            Self::RhelLike => "rhel-like",
        }
    }

    /// Whether `reboot` goes through logind, and so fails while logind is masked, as it is in the
    /// images.
    pub(super) fn reboots_through_logind(self) -> bool {
        matches!(self, Self::Debian13 | Self::DebianSid)
    }

    /// Whether systemd boots only on the unified cgroup hierarchy, whatever the host uses: true of
    /// 258 and later.
    pub(super) fn needs_unified_cgroups(self) -> bool {
        self == Self::DebianSid
    }

    /// The codename of the Debian release that it is or is made of, as in a mirror's `dists/`.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Self::Debian11 => "bullseye",
            Self::Debian12 | Self::RhelLike => "bookworm",
            Self::Debian13 => "trixie",
            Self::DebianSid => "sid",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no image `{0}`: expected debian-11, debian-12, debian-13, debian-sid or rhel-like")]
pub struct UnknownRelease(String);

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let mut all = Self::ALL.into_iter();
        all.find(|release| release.name() == text)
            .ok_or_else(|| UnknownRelease(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_and_kept_by_its_name() {
        for release in Release::ALL {
            assert_eq!(release.name().parse(), Ok(release));
            let kept = serde_json::to_value(release).unwrap();
            assert_eq!(kept, release.name(), "lab.json");
        }
        let error = "debian-10".parse::<Release>().unwrap_err().to_string();
        for release in Release::ALL {
            assert!(error.contains(release.name()), "{error}");
        }
    }
}
