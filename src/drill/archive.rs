//! Stores results: a folder per cluster, a file per invocation.

use std::fs::{self, DirBuilder};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::record::DrillReport;
use crate::model::ClusterName;

/// The saved results of one cluster.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: Utf8PathBuf,
}

/// Why a record cannot be saved or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or folder cannot be used.
    #[error("cannot {verb} {path}")]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is not a record of drills.
    #[error("{path} is not a record of drills: {why}")]
    NoRecord {
        path: Utf8PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It was written by another version of hactl.
    #[error(
        "{path} has format {found}, and this hactl reads format {}",
        DrillReport::FORMAT
    )]
    UnknownFormat {
        path: Utf8PathBuf,
        /// The format.
        found: u64,
    },
}

/// Size limit of a record, in bytes.
const LARGEST: u64 = 64 << 20;

impl Archive {
    /// Number of records to keep. The oldest are deleted.
    pub const KEPT: usize = 200;

    /// The archive of `cluster` in hactl's state folder.
    pub fn new(state: &Utf8Path, cluster: &ClusterName) -> Self {
        Self {
            folder: state.join("drills").join(cluster.as_str()),
        }
    }

    /// hactl's state folder according to `XDG_STATE_HOME` and `HOME`. `None` if neither is usable.
    pub fn state_folder(xdg: Option<&str>, home: Option<&str>) -> Option<Utf8PathBuf> {
        // The XDG Base Directory Specification says to ignore relative paths.
        let absolute = |path: &str| Some(Utf8PathBuf::from(path)).filter(|path| path.is_absolute());
        let state = xdg
            .and_then(absolute)
            .or_else(|| Some(home.and_then(absolute)?.join(".local/state")))?;
        Some(state.join("hactl"))
    }

    /// Saves `report` and returns its path. The file is readable by its owner only, and written atomically.
    pub fn keep(&self, report: &DrillReport) -> Result<Utf8PathBuf, ArchiveError> {
        let failed = |source| ArchiveError::Io {
            verb: "write",
            path: self.folder.clone(),
            source,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.folder).map_err(failed)?;
        let text = serde_json::to_vec(report).map_err(|error| failed(error.into()))?;
        let path = self
            .write(&file_stem(&report.started), &text)
            .map_err(failed)?;
        self.forget_old();
        Ok(path)
    }

    /// Writes a new file. Two invocations within a second get different names.
    fn write(&self, stem: &str, text: &[u8]) -> io::Result<Utf8PathBuf> {
        // tempfile creates files that only their owner can read or write.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        for number in 1.. {
            let name = match number {
                1 => format!("{stem}.json"),
                number => format!("{stem}.{number}.json"),
            };
            let path = self.folder.join(name);
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    file = error.file;
                }
                Err(error) => return Err(error.error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Deletes the oldest records. Failing to do so is not an error.
    fn forget_old(&self) {
        let Ok(kept) = self.list() else { return };
        for path in kept.iter().rev().skip(Self::KEPT) {
            let _ = fs::remove_file(path);
        }
    }

    /// The saved records, the oldest first.
    pub fn list(&self) -> Result<Vec<Utf8PathBuf>, ArchiveError> {
        let failed = |source| ArchiveError::Io {
            verb: "read",
            path: self.folder.clone(),
            source,
        };
        let entries = match self.folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut kept = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.into_path();
            if path.extension() == Some("json") {
                kept.push(path);
            }
        }
        kept.sort_by_cached_key(|path| order(path));
        Ok(kept)
    }

    /// The latest record, if any.
    pub fn last(&self) -> Result<Option<DrillReport>, ArchiveError> {
        let last = self.list()?.pop();
        last.map(|last| Self::read(&last)).transpose()
    }

    /// The latest record that was started before `started`.
    pub fn last_before(&self, started: &str) -> Result<Option<DrillReport>, ArchiveError> {
        let stem = file_stem(started);
        let mut kept = self.list()?;
        kept.retain(|path| order(path).0 < stem);
        kept.pop().map(|last| Self::read(&last)).transpose()
    }

    /// Reads a record from a file: a saved one, or the output of `hactl failover-test --format json`.
    pub fn read(path: &Utf8Path) -> Result<DrillReport, ArchiveError> {
        let failed = |source| ArchiveError::Io {
            verb: "read",
            path: path.to_owned(),
            source,
        };
        let mut text = Vec::new();
        let file = fs::File::open(path).map_err(failed)?;
        file.take(LARGEST + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
        let no_record = |why: String| ArchiveError::NoRecord {
            path: path.to_owned(),
            why,
        };
        if text.len() as u64 > LARGEST {
            return Err(no_record(format!(
                "it is larger than {} MiB",
                LARGEST >> 20
            )));
        }
        let mut json: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| no_record(error.to_string()))?;
        if let Some(report) = json.get_mut("report") {
            json = report.take();
        }
        match json.get("format").and_then(serde_json::Value::as_u64) {
            None => return Err(no_record("it names no format".to_owned())),
            Some(found) if found != u64::from(DrillReport::FORMAT) => {
                return Err(ArchiveError::UnknownFormat {
                    path: path.to_owned(),
                    found,
                });
            }
            Some(_) => {}
        }
        serde_json::from_value(json).map_err(|error| no_record(error.to_string()))
    }
}

impl ArchiveError {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => {
                "check its owner and mode, or name another folder with XDG_STATE_HOME"
            }
            Self::NoRecord { .. } => {
                "name a file that `hactl failover-test` saved, or printed with --format json"
            }
            Self::UnknownFormat { .. } => "read it with the version of hactl that wrote it",
        }
    }
}

/// A time as a file name: anything but letters and digits becomes a hyphen.
fn file_stem(started: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let stem: String = started.chars().take(40).map(keep).collect();
    if stem.is_empty() {
        "unknown".to_owned()
    } else {
        stem
    }
}

/// Sorts by time, then by number, so that 10 follows 2.
fn order(path: &Utf8Path) -> (String, u32) {
    let stem = path.file_stem().unwrap_or_default();
    match stem.split_once('.') {
        Some((stem, number)) => (stem.to_owned(), number.parse().unwrap_or(1)),
        None => (stem.to_owned(), 1),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::samples;
    use super::*;

    fn archive() -> (tempfile::TempDir, Archive) {
        let folder = tempfile::tempdir().unwrap();
        let state = Utf8PathBuf::from_path_buf(folder.path().join("state")).unwrap();
        let archive = Archive::new(&state, &ClusterName::new("web").unwrap());
        (folder, archive)
    }

    fn mode(path: &Utf8Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_kept_comes_back_and_is_its_owners_alone() {
        let (_folder, archive) = archive();
        assert_eq!(archive.last().unwrap(), None);
        let report = samples::report();
        let path = archive.keep(&report).unwrap();
        assert!(
            path.ends_with("drills/web/2026-03-01T09-30-00Z.json"),
            "{path}"
        );
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(archive.last().unwrap().as_ref(), Some(&report));
        assert_eq!(archive.last_before(&report.started).unwrap(), None);
        let later = archive.last_before("2026-03-01T09:30:01Z").unwrap();
        assert_eq!(later.as_ref(), Some(&report));
        assert_eq!(archive.list().unwrap(), [path], "and nothing beside it");
    }

    #[test]
    fn the_last_one_is_the_last_also_within_one_second() {
        let (_folder, archive) = archive();
        let mut report = samples::report();
        for profile in 1..=11 {
            report.profile = profile.to_string();
            archive.keep(&report).unwrap();
        }
        assert_eq!(archive.last().unwrap().unwrap().profile, "11");
    }

    #[test]
    fn the_oldest_go() {
        let (_folder, archive) = archive();
        let mut report = samples::report();
        report.runs.clear();
        for day in 0..Archive::KEPT + 3 {
            report.started = format!("2026-03-01T09:30:00.{day:04}Z");
            archive.keep(&report).unwrap();
        }
        let kept = archive.list().unwrap();
        assert_eq!(kept.len(), Archive::KEPT);
        assert!(
            kept[0].ends_with("2026-03-01T09-30-00-0003Z.json"),
            "{}",
            kept[0]
        );
    }

    #[test]
    fn what_is_no_record_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("x.json")).unwrap();
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            let error = Archive::read(&path).unwrap_err();
            format!("{error}").replace(path.as_str(), "x.json")
        };
        assert_eq!(
            refused("{\"format\": 2, \"later\": true}"),
            "x.json has format 2, and this hactl reads format 1"
        );
        assert_eq!(
            refused("{\"report\": {\"format\": 7}}"),
            "x.json has format 7, and this hactl reads format 1"
        );
        assert_eq!(
            refused("[]"),
            "x.json is not a record of drills: it names no format"
        );
        let cut = serde_json::to_string(&samples::report()).unwrap();
        assert!(
            refused(&cut[..cut.len() / 2]).starts_with("x.json is not a record of drills: EOF")
        );
        assert_eq!(
            refused("{\"format\": 1}"),
            "x.json is not a record of drills: missing field `hactl`"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(Archive::read(&path), Err(ArchiveError::Io { .. })));
    }

    #[test]
    fn what_was_printed_as_json_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("x.json")).unwrap();
        let printed =
            serde_json::json!({"format": 1, "verb": "failover-test", "report": samples::report()});
        fs::write(&path, printed.to_string()).unwrap();
        assert_eq!(Archive::read(&path).unwrap(), samples::report());
    }

    #[test]
    fn the_folder_is_as_xdg_says() {
        let folder = |xdg, home| Archive::state_folder(xdg, home).map(Utf8PathBuf::into_string);
        assert_eq!(folder(Some("/s"), Some("/h")).unwrap(), "/s/hactl");
        assert_eq!(folder(None, Some("/h")).unwrap(), "/h/.local/state/hactl");
        assert_eq!(
            folder(Some("s"), Some("/h")).unwrap(),
            "/h/.local/state/hactl"
        );
        assert_eq!(folder(Some(""), None), None);
    }
}
