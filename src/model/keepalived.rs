//! The keepalived release that introduced each feature, by its changelog.

use super::version::Version;

/// A feature or behaviour that depends on keepalived's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepalivedFeature {
    /// Correct VRRPv3 checksums for every unicast peer.
    UnicastChecksums,
    /// `track_file`, which detects nginx's exit at once. At first called `vrrp_track_file`.
    TrackFile,
    /// `no_track` of a virtual route.
    RouteNoTrack,
    /// `-t`. Earlier versions call it an invalid option and still exit with 0.
    ConfigTest,
    /// The block is named `track_file`, and `vrrp_track_file` is deprecated.
    TrackFileName,
    /// `max_auto_priority`.
    MaxAutoPriority,
    /// Debian builds it with nftables and without iptables, so that `vrrp_iptables` is an error
    /// that keeps it from starting.
    DebianNftables,
    /// `reload_check_config`.
    ReloadCheck,
    /// Current exit codes of `-t`, one higher than before.
    TestCodes,
    /// `down_timer_adverts`.
    DownTimerAdverts,
    /// Fractional seconds in the interval and timeout of a `vrrp_script`. Before, they are an
    /// error.
    DecimalScriptTimes,
    /// A differing VIP list in an advert is only logged. Before, such an advert is dropped.
    ToleratesOtherVips,
}

impl KeepalivedFeature {
    pub const fn since(self) -> Version {
        match self {
            Self::UnicastChecksums => Version::new(1, 3, 7),
            Self::TrackFile => Version::new(2, 0, 0),
            Self::RouteNoTrack => Version::new(2, 0, 3),
            Self::ConfigTest => Version::new(2, 0, 4),
            Self::TrackFileName | Self::MaxAutoPriority | Self::DebianNftables => {
                Version::new(2, 1, 0)
            }
            Self::ReloadCheck | Self::TestCodes => Version::new(2, 2, 0),
            Self::DownTimerAdverts => Version::new(2, 2, 3),
            Self::DecimalScriptTimes => Version::new(2, 3, 2),
            Self::ToleratesOtherVips => Version::new(2, 3, 3),
        }
    }

    /// Whether keepalived `version` has it.
    pub fn is_in(self, version: Version) -> bool {
        version >= self.since()
    }
}
