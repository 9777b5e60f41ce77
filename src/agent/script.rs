//! The program's text, and the stream that sends a file tree to it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::manifest::{Entry, Manifest};
use crate::model::{FileRole, HostPath, UnitId};
use crate::units;

/// The parts of the program, in order.
const PARTS: [&str; 27] = [
    include_str!("sh/10-base.sh"),
    include_str!("sh/20-observe.sh"),
    include_str!("sh/22-serving.sh"),
    include_str!("sh/23-reload.sh"),
    include_str!("sh/24-probes.sh"),
    include_str!("sh/25-trust.sh"),
    include_str!("sh/26-connections.sh"),
    include_str!("sh/27-preflight.sh"),
    include_str!("sh/30-files.sh"),
    include_str!("sh/40-validate.sh"),
    include_str!("sh/50-lock.sh"),
    include_str!("sh/55-prepare.sh"),
    include_str!("sh/56-apt.sh"),
    include_str!("sh/57-dnf.sh"),
    include_str!("sh/60-activate.sh"),
    include_str!("sh/60-fault.sh"),
    include_str!("sh/61-watch.sh"),
    include_str!("sh/62-fault-kinds.sh"),
    include_str!("sh/63-overload.sh"),
    include_str!("sh/64-network.sh"),
    include_str!("sh/65-peers.sh"),
    include_str!("sh/66-reach.sh"),
    include_str!("sh/67-switch.sh"),
    include_str!("sh/68-adverts.sh"),
    include_str!("sh/70-settle.sh"),
    include_str!("sh/75-wait.sh"),
    include_str!("sh/80-history.sh"),
];

/// The entry point, which has to come last.
const MAIN: &str = include_str!("sh/90-main.sh");

/// The whole program, as sent to a host.
pub fn agent_script() -> String {
    let mut text = PARTS.join("\n");
    for unit in units::all() {
        text.push('\n');
        text.push_str(unit.host_functions);
    }
    text.push('\n');
    text.push_str(&rows());
    text.push('\n');
    text.push_str(MAIN);
    text
}

/// The registry of units, as shell code.
fn rows() -> String {
    let names: Vec<&str> = units::ids().map(UnitId::name).collect();
    let services: Vec<String> = units::ids().map(UnitId::service).collect();
    let mut rows = String::new();
    for unit in units::all() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            rows,
            "    {}) program={} version_option={} folder={} ;;",
            unit.id, unit.program, unit.version_option, unit.folder
        );
    }
    format!(
        "# The units, in the order in which a change reaches them.\n\
         units='{}'\n\
         unit_services='{}'\n\n\
         # unit_row UNIT: sets what the registry has of it.\n\
         unit_row() {{\n    case $1 in\n{rows}    esac\n}}\n",
        names.join(" "),
        services.join(" ")
    )
}

/// Reads exactly the program's length from standard input and leaves the rest of the stream to the
/// program. No other shell text ever appears in an argument list.
pub(super) const BOOTSTRAP: &str = r#"echo hactl-agent-reads >&2; script=$(dd bs="$1" count=1 iflag=fullblock 2>/dev/null); shift; eval "$script""#;

/// The first line that the bootstrap writes to standard error.
pub(super) const READS: &str = "hactl-agent-reads";

/// A file of a [`Tree`].
#[derive(Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Its role in the manifest. The manifest's hash is computed from the content.
    pub role: FileRole,
    /// Permission bits.
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// Its destination.
    pub path: HostPath,
    pub content: Vec<u8>,
}

/// Files for a host, with their manifest.
#[derive(Clone)]
pub struct Tree {
    /// The manifest without the files.
    pub manifest: Manifest,
    pub files: Vec<TreeFile>,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl Tree {
    /// The manifest including the files.
    pub fn full_manifest(&self) -> Manifest {
        let mut manifest = self.manifest.clone();
        manifest
            .entries
            .extend(self.files.iter().map(|file| Entry::File {
                role: file.role,
                mode: file.mode,
                owner: file.owner.clone(),
                group: file.group.clone(),
                sha256: sha256_hex(&file.content),
                path: file.path.clone(),
            }));
        manifest
    }

    /// The byte stream that `receive_tree` in the host's program reads.
    pub(super) fn stream(&self) -> Vec<u8> {
        let mut bytes = self.manifest.to_text().into_bytes();
        for file in &self.files {
            let header = format!(
                "file\t{}\t{:04o}\t{}\t{}\t{}\t{}\n{}\n",
                file.role,
                file.mode,
                file.owner,
                file.group,
                sha256_hex(&file.content),
                file.path,
                file.content.len()
            );
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(&file.content);
        }
        bytes.extend_from_slice(b"end\n");
        bytes
    }
}
