//! Errors of the lab. Each message says what failed, where, why, and what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    #[error(
        "a lab needs Linux, and this is {os}: run hactl on a Linux machine or in a Linux virtual \
         machine"
    )]
    NotLinux {
        /// This operating system.
        os: &'static str,
    },

    /// Namespaces, mounts and containers need root.
    #[error("a lab needs root, and this is user {uid}: run it again with sudo")]
    NotRoot {
        /// The effective user id.
        uid: u32,
    },

    /// The lab's specification is invalid.
    #[error("the lab's {field} `{value}` is invalid: {rule}")]
    Spec {
        field: &'static str,
        value: String,
        /// The rule that the value breaks, as a sentence that starts with "it".
        rule: &'static str,
    },

    /// A lab of this name exists.
    #[error(
        "lab `{name}` is already up ({dir}): use it, remove it with `hactl lab down --name {name}`, or \
         choose another name",
        dir = dir.display()
    )]
    AlreadyUp {
        name: String,
        /// The lab's folder.
        dir: PathBuf,
    },

    /// No lab of this name exists.
    #[error(
        "there is no lab `{name}`; {}: make it with `hactl lab up {name}`",
        known_labs(known)
    )]
    NotFound {
        name: String,
        /// The existing labs.
        known: Vec<String>,
    },

    /// Another process is starting or removing the lab.
    #[error(
        "lab `{name}` is being started or removed by another process: wait for it, then try again"
    )]
    Busy {
        /// The lab's name.
        name: String,
    },

    #[error("lab `{lab}` has no {kind} `{name}`: it has {known}")]
    NoSuchMember {
        lab: String,
        /// `node` or `backend`.
        kind: &'static str,
        name: String,
        /// The members that exist, as prose.
        known: String,
    },

    #[error("node `{node}` of lab `{lab}` is off: boot it first")]
    NodeOff {
        lab: String,
        /// The node that is off.
        node: String,
    },

    #[error("node `{node}` of lab `{lab}` is already on: power it off first")]
    NodeOn {
        lab: String,
        /// The running node.
        node: String,
    },

    /// The machine did not finish booting.
    #[error(
        "node `{node}` was not ready {waited:?} after its start: {missing}. The end of its console \
         ({console}):\n{tail}",
        console = console.display()
    )]
    NodeNotReady {
        node: String,
        waited: Duration,
        /// The step that did not complete.
        missing: &'static str,
        /// The console log.
        console: PathBuf,
        /// The end of the console log.
        tail: String,
    },

    /// The backend did not accept connections.
    #[error(
        "backend `{backend}` did not answer {waited:?} after its start. The end of its log ({log}):\
         \n{tail}",
        log = log.display()
    )]
    BackendNotReady {
        backend: String,
        waited: Duration,
        log: PathBuf,
        tail: String,
    },

    /// The packages a lab needs could not be installed.
    #[error(
        "cannot install {} on this machine: {source}. Install them by hand, then try again",
        packages.join(", ")
    )]
    Prerequisites {
        /// Debian package names.
        packages: Vec<&'static str>,
        source: ToolError,
    },

    /// Neither apt's configuration nor the caller names a mirror.
    #[error(
        "this machine's apt configuration names no Debian mirror for `{suite}`: name one with \
         --mirror"
    )]
    NoMirror {
        /// The Debian suite.
        suite: &'static str,
    },

    #[error(
        "cannot build the lab's image in {folder}: {source}. Everything it said is in {log}; check \
         the mirror and the space on the disk, then try again",
        folder = folder.display(), log = log.display()
    )]
    Image {
        /// Its place in the cache.
        folder: PathBuf,
        /// The output of the build.
        log: PathBuf,
        source: ToolError,
    },

    #[error(
        "cannot mount a disk at {path}: {source}. Overlays need a disk of their own below them \
         (ext4, xfs, tmpfs): point HACTL_LAB_DIR to one",
        path = path.display()
    )]
    Mount {
        /// The mount point.
        path: PathBuf,
        source: io::Error,
    },

    #[error("cannot {doing} {path}: {source}", path = path.display())]
    File {
        /// The attempted action, as a verb.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    /// `lab.json` cannot be parsed.
    #[error(
        "{path} does not describe a lab: {reason}. Remove the lab with `hactl lab down --name`",
        path = path.display()
    )]
    Record {
        /// The lab's record file.
        path: PathBuf,
        reason: String,
    },

    #[error("cannot {doing}: {source}")]
    Tool {
        /// The attempted action, as a verb phrase.
        doing: String,
        source: ToolError,
    },

    #[error(
        "cannot enter network namespace `{netns}`: {source}. `hactl lab status` tells what is up"
    )]
    Netns {
        /// The namespace's name.
        netns: String,
        source: io::Error,
    },

    /// Parts of a lab could not be removed.
    #[error(
        "lab `{name}` is not completely removed; left over: {}. Run `hactl lab down --name {name}` again",
        left.join("; ")
    )]
    Remains {
        name: String,
        /// The remaining parts.
        left: Vec<String>,
    },
}

impl LabError {
    /// For use with `map_err`.
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }

    /// For use with `map_err`.
    pub(super) fn tool(doing: impl Into<String>) -> impl FnOnce(ToolError) -> Self {
        let doing = doing.into();
        move |source| Self::Tool { doing, source }
    }
}

fn known_labs(known: &[String]) -> String {
    if known.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    }
}

#[derive(Debug, Error)]
pub enum ToolError {
    #[error("`{program}` could not be started ({source})")]
    NotStarted {
        /// The program's name or path.
        program: String,
        source: io::Error,
    },
    /// It exited with a failure.
    #[error("`{command}` ended with {status}{}", said_suffix(said))]
    Failed {
        command: String,
        status: ExitStatus,
        /// The end of its stderr.
        said: String,
    },
}

fn said_suffix(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(", saying: {said}")
    }
}
