//! What keepalived has from which release on, by its own history.

use super::version::Version;

/// Something that not every keepalived has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepalivedFeature {
    /// The right VRRPv3 checksum for every unicast peer.
    UnicastChecksums,
    /// `track_file`, by which nginx's death is known at once; `vrrp_track_file` at first.
    TrackFile,
    /// `no_track` of a virtual route.
    RouteNoTrack,
    /// `-t`. An earlier one calls it an invalid option and ends with 0.
    ConfigTest,
    /// The block is called `track_file`; what it was called before is deprecated.
    TrackFileName,
    /// `max_auto_priority`.
    MaxAutoPriority,
    /// Debian builds it with nftables and without iptables, and then `vrrp_iptables` is an error which keeps it from
    /// starting.
    DebianNftables,
    /// `reload_check_config`.
    ReloadCheck,
    /// Today's exit codes of `-t`, which are one higher than before.
    TestCodes,
    /// `down_timer_adverts`.
    DownTimerAdverts,
    /// Parts of a second in the interval and the timeout of a `vrrp_script`; before, they are an error.
    DecimalScriptTimes,
    /// A list of VIPs that differs from one's own is only logged; before, such an advert is refused.
    ToleratesOtherVips,
}

impl KeepalivedFeature {
    /// The first release that has it.
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

    /// True where that release has it.
    pub fn is_in(self, version: Version) -> bool {
        version >= self.since()
    }
}
