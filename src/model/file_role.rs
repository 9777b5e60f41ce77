//! The roles of managed files.

use strum::{Display, EnumString, IntoStaticStr};

/// The role of a managed file, which decides what has to happen after it changed.
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
    /// The check script that keepalived runs against nginx: nothing to do.
    CheckScript,
    /// The notify script that keepalived runs on state changes: nothing to do.
    NotifyScript,
    /// The script that systemd runs before it stops nginx: nothing to do.
    HandOverScript,
    /// The script that systemd runs after keepalived has stopped: nothing to do.
    ReleaseScript,
    /// Kernel settings: apply them, and read them back.
    Sysctl,
    /// A drop-in for nginx.service: `daemon-reload`, plus a restart if a limit changed.
    NginxUnit,
    /// A drop-in for keepalived.service: `daemon-reload`.
    KeepalivedUnit,
    /// The configuration of any other unit: reload that unit.
    UnitConf,
    /// A tmpfiles.d(5) fragment for the folder in /run that the drop-ins write to.
    Tmpfiles,
    /// Not hactl's: files of generation 0, and roles that only a later hactl knows.
    #[serde(other)]
    Other,
}

impl FileRole {
    /// Parses the word that a manifest uses. Unknown words are [`Self::Other`].
    pub fn of_word(word: &str) -> Self {
        word.parse().unwrap_or(Self::Other)
    }

    /// Whether keepalived or systemd runs the file.
    pub fn is_script(self) -> bool {
        matches!(
            self,
            Self::CheckScript | Self::NotifyScript | Self::HandOverScript | Self::ReleaseScript
        )
    }
}
