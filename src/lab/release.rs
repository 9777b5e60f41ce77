//! The releases of Debian that machines can run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A release of Debian. They differ in what hactl has to cope with: the versions of keepalived,
/// nginx and systemd.
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
}

impl Release {
    /// All of them, the oldest first.
    pub const ALL: [Self; 4] = [
        Self::Debian11,
        Self::Debian12,
        Self::Debian13,
        Self::DebianSid,
    ];

    /// Its name in options, such as `debian-12`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian11 => "debian-11",
            Self::Debian12 => "debian-12",
            Self::Debian13 => "debian-13",
            Self::DebianSid => "debian-sid",
        }
    }

    /// True where `reboot` asks logind, and fails where that is masked, as it is in the images.
    pub(super) fn reboots_through_logind(self) -> bool {
        self >= Self::Debian13
    }

    /// True where systemd (258 and later) boots on the unified hierarchy of control groups only, whatever
    /// this machine has.
    pub(super) fn needs_unified_cgroups(self) -> bool {
        self >= Self::DebianSid
    }

    /// Its name on a mirror.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Self::Debian11 => "bullseye",
            Self::Debian12 => "bookworm",
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

/// The text names no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no image `{0}`: expected debian-11, debian-12, debian-13 or debian-sid")]
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
