//! What can go wrong with a lab. Each message says what failed, where, why, and what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

/// Why an operation on a lab failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    /// Labs are made of Linux namespaces.
    #[error(
        "a lab needs Linux, and this is {os}: run hactl on a Linux machine or in a Linux virtual \
         machine"
    )]
    NotLinux {
        /// What this is instead.
        os: &'static str,
    },

    /// Namespaces, mounts and machines are root's.
    #[error("a lab needs root, and this is user {uid}: run it again with sudo")]
    NotRoot {
        /// Who asked.
        uid: u32,
    },

    /// The specification can't be carried out.
    #[error("the lab's {field} `{value}` is invalid: {rule}")]
    Spec {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        rule: &'static str,
    },

    /// There is one by that name.
    #[error(
        "lab `{name}` is already up ({dir}): use it, remove it with `hactl lab down --name {name}`, or \
         choose another name",
        dir = dir.display()
    )]
    AlreadyUp {
        /// The name.
        name: String,
        /// Its folder.
        dir: PathBuf,
    },

    /// There is none by that name.
    #[error(
        "there is no lab `{name}`; {}: make it with `hactl lab up {name}`",
        known_labs(known)
    )]
    NotFound {
        /// The name.
        name: String,
        /// The labs that exist.
        known: Vec<String>,
    },

    /// Somebody is starting or removing it at this moment.
    #[error(
        "lab `{name}` is being started or removed by another process: wait for it, then try again"
    )]
    Busy {
        /// The name.
        name: String,
    },

    /// The lab has no such machine.
    #[error("lab `{lab}` has no {kind} `{name}`: it has {known}")]
    NoSuchMember {
        /// The lab.
        lab: String,
        /// `node` or `backend`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },

    /// The machine is off.
    #[error("node `{node}` of lab `{lab}` is off: boot it first")]
    NodeOff {
        /// The lab.
        lab: String,
        /// The node.
        node: String,
    },

    /// The machine is on.
    #[error("node `{node}` of lab `{lab}` is already on: power it off first")]
    NodeOn {
        /// The lab.
        lab: String,
        /// The node.
        node: String,
    },

    /// A machine did not come up.
    #[error(
        "node `{node}` was not ready {waited:?} after its start: {missing}. The end of its console \
         ({console}):\n{tail}",
        console = console.display()
    )]
    NodeNotReady {
        /// The node.
        node: String,
        /// How long was waited.
        waited: Duration,
        /// What has not happened.
        missing: &'static str,
        /// Where its console goes.
        console: PathBuf,
        /// The last lines of it.
        tail: String,
    },

    /// A backend did not come up.
    #[error(
        "backend `{backend}` did not answer {waited:?} after its start. The end of its log ({log}):\
         \n{tail}",
        log = log.display()
    )]
    BackendNotReady {
        /// The backend.
        backend: String,
        /// How long was waited.
        waited: Duration,
        /// Where its messages go.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },

    /// What a lab needs could not be installed.
    #[error(
        "cannot install {} on this machine: {source}. Install them by hand, then try again",
        packages.join(", ")
    )]
    Prerequisites {
        /// Debian package names.
        packages: Vec<&'static str>,
        /// Why.
        source: ToolError,
    },

    /// Neither apt nor the caller names a mirror.
    #[error(
        "this machine's apt configuration names no Debian mirror for `{suite}`: name one with \
         --mirror"
    )]
    NoMirror {
        /// The suite that is needed.
        suite: &'static str,
    },

    /// An image could not be built.
    #[error(
        "cannot build the lab's image in {folder}: {source}. Everything it said is in {log}; check \
         the mirror and the space on the disk, then try again",
        folder = folder.display(), log = log.display()
    )]
    Image {
        /// Where it was to be kept.
        folder: PathBuf,
        /// What the build said.
        log: PathBuf,
        /// Why.
        source: ToolError,
    },

    /// A node's disk could not be mounted.
    #[error(
        "cannot mount a disk at {path}: {source}. Overlays need a disk of their own below them \
         (ext4, xfs, tmpfs): point HACTL_LAB_DIR to one",
        path = path.display()
    )]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file or folder could not be read or written.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// What is known of a lab is not readable.
    #[error(
        "{path} does not describe a lab: {reason}. Remove the lab with `hactl lab down --name`",
        path = path.display()
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },

    /// A program failed.
    #[error("cannot {doing}: {source}")]
    Tool {
        /// What was tried, as a verb phrase.
        doing: String,
        /// Why.
        source: ToolError,
    },

    /// A network namespace could not be entered.
    #[error(
        "cannot enter network namespace `{netns}`: {source}. `hactl lab status` tells what is up"
    )]
    Netns {
        /// Its name.
        netns: String,
        /// Why.
        source: io::Error,
    },

    /// Something of a lab would not go.
    #[error(
        "lab `{name}` is not entirely gone, left are: {}. Run `hactl lab down --name {name}` again",
        left.join("; ")
    )]
    Remains {
        /// The lab.
        name: String,
        /// What is left.
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

/// Why a program that the lab started failed.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("`{program}` could not be started ({source})")]
    NotStarted {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It said no.
    #[error("`{command}` ended with {status}{}", said_suffix(said))]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
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
