//! The paths and names of a lab, all derived from its own name.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::LabError;

const DEFAULT_CACHE: &str = "/var/cache/hactl/lab";
const DEFAULT_STATE: &str = "/var/lib/hactl-lab";
/// Machine names contain the lab's name and are limited to 64 characters.
const MAX_NAME: usize = 32;

/// The folders that labs are kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabHome {
    /// Images, kept between labs.
    pub cache: PathBuf,
    /// One folder per lab.
    pub state: PathBuf,
}

impl LabHome {
    /// `HACTL_LAB_CACHE` and `HACTL_LAB_DIR`, or `/var/cache/hactl/lab` and `/var/lib/hactl-lab`.
    pub fn from_env() -> Self {
        let folder = |variable, default: &str| {
            let given = env::var_os(variable).filter(|value| !value.is_empty());
            let path = given.map_or_else(|| PathBuf::from(default), PathBuf::from);
            // Mount options and later processes need an absolute path.
            std::path::absolute(&path).unwrap_or(path)
        };
        Self {
            cache: folder("HACTL_LAB_CACHE", DEFAULT_CACHE),
            state: folder("HACTL_LAB_DIR", DEFAULT_STATE),
        }
    }

    /// The names of the labs that have a folder here, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, LabError> {
        let entries = match self.state.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::file("read the folder", &self.state)(error)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| validate_name(name).is_ok())
            .collect();
        names.sort();
        Ok(names)
    }
}

pub(super) fn validate_name(name: &str) -> Result<(), LabError> {
    let good = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if good {
        return Ok(());
    }
    Err(LabError::Spec {
        field: "name",
        value: name.to_owned(),
        rule: "it must be at most 32 lowercase letters, digits and hyphens, and start with a letter",
    })
}

/// The `index`-th node's name, counted from 0.
pub(super) fn node_name(index: u8) -> String {
    format!("lb{}", u16::from(index) + 1)
}

/// The `index`-th backend's name, counted from 0.
pub(super) fn backend_name(index: u8) -> String {
    format!("b{}", u16::from(index) + 1)
}

/// The switch's network namespace, without the lab's prefix.
pub(super) const SWITCH: &str = "sw";
/// The controller's network namespace, without the lab's prefix.
pub(super) const CONTROLLER: &str = "ctl";

/// One lab's paths and names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) lab: String,
    pub(super) home: LabHome,
    prefix: String,
}

impl Names {
    pub(super) fn new(home: &LabHome, lab: &str) -> Self {
        // Namespaces and control groups are global to the host, so the prefix has to differ between
        // two labs of the same name in different folders.
        let prefix = if home.state == Path::new(DEFAULT_STATE) {
            format!("hactl.{lab}.")
        } else {
            let digest = Sha256::digest(home.state.as_os_str().as_encoded_bytes());
            format!(
                "hactl-{:02x}{:02x}{:02x}.{lab}.",
                digest[0], digest[1], digest[2]
            )
        };
        Self {
            lab: lab.to_owned(),
            home: home.clone(),
            prefix,
        }
    }

    /// The unique prefix of this lab's namespaces and machine names.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The network namespace of a member, which is also its machine name.
    pub(super) fn netns(&self, member: &str) -> String {
        format!("{}{member}", self.prefix)
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.home.state.join(&self.lab)
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.home.state.join(format!(".{}.lock", self.lab))
    }

    pub(super) fn record(&self) -> PathBuf {
        self.dir().join("lab.json")
    }

    pub(super) fn inventory(&self) -> PathBuf {
        self.dir().join("inventory.yml")
    }

    pub(super) fn machine_script(&self) -> PathBuf {
        self.dir().join("machine.sh")
    }

    pub(super) fn backend_script(&self) -> PathBuf {
        self.dir().join("backend.sh")
    }

    pub(super) fn ssh_config(&self) -> PathBuf {
        self.dir().join("ssh_config")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.dir().join("known_hosts")
    }

    pub(super) fn client_key(&self) -> PathBuf {
        self.dir().join("id_ed25519")
    }

    pub(super) fn node(&self, node: &str) -> MemberPaths {
        MemberPaths(self.dir().join("nodes").join(node))
    }

    pub(super) fn backends(&self) -> MemberPaths {
        MemberPaths(self.dir().join("backends"))
    }
}

/// The paths of one machine, or of the disk that the backends share.
#[derive(Debug, Clone)]
pub(super) struct MemberPaths(PathBuf);

impl MemberPaths {
    pub(super) fn dir(&self) -> &Path {
        &self.0
    }

    /// The merged overlay: the disk as the machine sees it.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// The overlay's upper layer: everything the machine has written.
    pub(super) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    /// overlayfs's work directory.
    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// The log of the machine's console.
    pub(super) fn console(&self) -> PathBuf {
        self.0.join("console")
    }

    /// Exists while the machine's cable is cut.
    pub(super) fn cut(&self) -> PathBuf {
        self.0.join("cut")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_not_name_a_machine_are_refused() {
        for good in ["a", "demo", "lab-2", "x0"] {
            assert!(validate_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["", "-a", "a-", "Demo", "a.b", "a/b", "..", "ä", "1a", &long] {
            assert!(validate_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labs_of_one_name_in_two_folders_share_nothing() {
        let home = |state: &str| LabHome {
            cache: "/c".into(),
            state: state.into(),
        };
        let default = Names::new(&home(DEFAULT_STATE), "demo");
        let other = Names::new(&home("/elsewhere"), "demo");
        assert_eq!(default.netns("lb1"), "hactl.demo.lb1");
        assert!(!other.netns("lb1").starts_with(default.prefix()));
        assert!(!default.netns("lb1").starts_with(other.prefix()));
    }

    #[test]
    fn a_lab_whose_name_begins_with_anothers_is_told_apart() {
        let home = LabHome {
            cache: "/c".into(),
            state: DEFAULT_STATE.into(),
        };
        let (short, long) = (Names::new(&home, "a"), Names::new(&home, "a-b"));
        assert!(!long.netns("sw").starts_with(short.prefix()));
    }

    #[test]
    fn the_longest_machine_name_fits() {
        let home = LabHome {
            cache: "/c".into(),
            state: "/elsewhere".into(),
        };
        assert!(Names::new(&home, &"a".repeat(32)).netns("lb9").len() <= 64);
    }
}
