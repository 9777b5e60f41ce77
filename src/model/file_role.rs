//! What each managed file is for.

use strum::{Display, EnumString, IntoStaticStr};

/// What a managed file is for; decides what has to happen after it changed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    serde::Serialize,
    schemars::JsonSchema,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FileRole {
    /// keepalived's configuration: reload keepalived.
    KeepalivedConf,
    /// nginx's configuration: reload nginx.
    NginxConf,
    /// A site's certificate chain: reload nginx.
    TlsCertificate,
    /// A site's private key, never shown: reload nginx.
    TlsKey,
    /// The script that keepalived runs to ask nginx whether it serves: nothing to do.
    CheckScript,
    /// The script that keepalived runs on state changes: nothing to do.
    NotifyScript,
    /// The script that systemd runs before it stops nginx: nothing to do.
    HandOverScript,
    /// The script that systemd runs after keepalived has stopped: nothing to do.
    ReleaseScript,
    /// Kernel settings: apply them, and read them back.
    Sysctl,
    /// A drop-in for nginx.service: `daemon-reload`, and a restart where a limit changed.
    NginxUnit,
    /// A drop-in for keepalived.service: `daemon-reload`.
    KeepalivedUnit,
    /// The configuration of a further unit: reload that unit.
    UnitConf,
    /// A tmpfiles.d(5) fragment: the folder in /run that the drop-ins write to.
    Tmpfiles,
    /// Not hactl's: what generation 0 holds, and what a later hactl may know.
    #[serde(other)]
    Other,
}

impl FileRole {
    /// By the word in a manifest.
    pub fn of_word(word: &str) -> Self {
        word.parse().unwrap_or(Self::Other)
    }

    /// True for what keepalived or systemd runs.
    pub fn is_script(self) -> bool {
        matches!(
            self,
            Self::CheckScript | Self::NotifyScript | Self::HandOverScript | Self::ReleaseScript
        )
    }
}
