//! Labs for tests: skipped where they are not possible, limited in number, and removed with the
//! test.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is test code"
)]
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::ops::Deref;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hactl::lab::{Lab, LabEvent, LabSpec, Owner};

#[path = "skip.rs"]
pub(crate) mod skip;

/// The number of test labs that may be up at once on a machine, over all test processes. With more
/// than this on two cores, tests spend more time waiting for each other than for timers.
const SLOTS: usize = 4;

/// The right to have labs up. The kernel releases it when the holder dies.
pub(crate) struct Slots {
    _files: Vec<File>,
}

/// A lab that is taken down on drop, even if the test panics. If the test process is killed, the
/// start of the next lab removes it.
pub(crate) struct TestLab {
    lab: Lab,
    // Held while the lab is up. `None` for a lab that shares another one's slot.
    _slot: Option<Slots>,
}

impl TestLab {
    /// A specification with a unique name, owned by this process.
    pub(crate) fn spec() -> LabSpec {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut spec = LabSpec::new(format!("t-{}-{count}", std::process::id()));
        spec.owner = Owner::this_process();
        spec
    }

    /// A lab, or `None` with a printed reason if labs are not possible here. In CI that is a
    /// failure.
    pub(crate) fn up(spec: &LabSpec) -> Option<Self> {
        Self::up_with(spec, slot)
    }

    /// Like [`Self::up`], but no other lab is up at the same time. For tests that measure times or
    /// count lost requests: with booting machines of another lab on two cores, some runs had a held
    /// request time out or a new one reset.
    pub(crate) fn up_quietly(spec: &LabSpec) -> Option<Self> {
        Self::up_with(spec, all_slots)
    }

    fn up_with(spec: &LabSpec, slots: fn() -> Slots) -> Option<Self> {
        if skipped() {
            return None;
        }
        let slot = slots();
        Some(Self {
            lab: up(spec),
            _slot: Some(slot),
        })
    }

    /// A second lab for the same test. It uses the first one's slot, to avoid a deadlock.
    pub(crate) fn up_beside(_first: &Self, spec: &LabSpec) -> Self {
        Self {
            lab: up(spec),
            _slot: None,
        }
    }

    /// One of several labs of a test that holds a slot for all of them.
    pub(crate) fn up_in(_slot: &Slots, spec: &LabSpec) -> Self {
        Self {
            lab: up(spec),
            _slot: None,
        }
    }

    /// The stdout of a program on the controller. Panics if it fails.
    pub(crate) fn on_controller(&self, program: &str, arguments: &[&str]) -> String {
        text(self.lab.controller(program).args(arguments))
    }

    /// The stdout of a program on a node. Panics if it fails.
    pub(crate) fn on_node(&self, node: &str, program: &str, arguments: &[&str]) -> String {
        text(self.lab.node(node, program).unwrap().args(arguments))
    }

    /// An SSH client with the lab's configuration, about to run a command on a node.
    pub(crate) fn ssh(&self, node: &str, command: &str) -> Command {
        let mut ssh = self.lab.controller("ssh");
        ssh.arg("-F")
            .arg(self.lab.ssh_config_path())
            .args(["-o", "BatchMode=yes", node, command]);
        ssh
    }
}

impl Deref for TestLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if let Err(error) = self.lab.down() {
            eprintln!("{error}");
        }
    }
}

/// The stdout of a command. Panics with its output if it fails.
pub(crate) fn text(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout.into_owned()
}

/// Whether labs are not possible here. Prints the reason.
pub(crate) fn skipped() -> bool {
    let reason = if !cfg!(target_os = "linux") {
        "labs need Linux"
    } else if !nix::unistd::Uid::effective().is_root() {
        "labs need root"
    } else {
        return false;
    };
    skip::skip(reason);
    true
}

fn up(spec: &LabSpec) -> Lab {
    Lab::up(spec, &mut |event| match event {
        LabEvent::ImageProgress { .. } => {}
        event => eprintln!("{event:?}"),
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Waits for one of the machine's slots.
pub(crate) fn slot() -> Slots {
    slots(1)
}

/// Waits for all of the machine's slots.
pub(crate) fn all_slots() -> Slots {
    slots(SLOTS)
}

fn slots(count: usize) -> Slots {
    let folder = std::env::temp_dir().join("hactl-test-labs");
    fs::create_dir_all(&folder).unwrap();
    // Only one test at a time collects slots. Otherwise two tests that each hold some would
    // deadlock, and tests that need one slot would starve those that need many.
    let queue = File::create(folder.join("queue")).unwrap();
    queue.lock().unwrap();
    let mut free: Vec<File> = (0..SLOTS)
        .map(|index| File::create(folder.join(index.to_string())).unwrap())
        .collect();
    let mut files = Vec::new();
    while files.len() < count {
        for _ in 0..free.len() {
            let file = free.remove(0);
            if files.len() < count && file.try_lock().is_ok() {
                files.push(file);
            } else {
                free.push(file);
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    Slots { _files: files }
}

/// Waits for a condition. Panics after five minutes.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_mins(5),
            "waited too long for {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asserts that a lab left nothing behind, by searching for its name.
pub(crate) fn assert_nothing_left(name: &str) {
    let mark = format!("hactl.{name}.");
    let lines = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let entries = |path: &str| -> HashSet<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    for folder in ["/run/netns", "/run/systemd/nspawn/propagate"] {
        let left: Vec<_> = entries(folder)
            .into_iter()
            .filter(|entry| entry.starts_with(&mark))
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
    let mounts = lines("/proc/self/mountinfo");
    let folder = format!("/var/lib/hactl-lab/{name}");
    assert!(
        !mounts.contains(&mark) && !mounts.contains(&format!("{folder}/")),
        "{mounts}"
    );
    for path in [folder, format!("/var/lib/hactl-lab/.{name}.lock")] {
        assert!(!fs::exists(&path).unwrap(), "{path}");
    }
    for root in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    ] {
        let path = format!("{root}/hactl-lab/hactl.{name}");
        assert!(!fs::exists(&path).unwrap(), "{path}");
    }
    wait_for("the last of its processes", || {
        let ours = |pid: &String| {
            let said = lines(&format!("/proc/{pid}/cmdline"));
            let group = lines(&format!("/proc/{pid}/cgroup"));
            said.contains(&mark) || group.contains(&format!("hactl.{name}/"))
        };
        // A zombie is gone except for its PID.
        let dead = |pid: &String| lines(&format!("/proc/{pid}/stat")).contains(") Z ");
        let mut pids = entries("/proc")
            .into_iter()
            .filter(|it| it.parse::<u32>().is_ok());
        !pids.any(|pid| ours(&pid) && !dead(&pid))
    });
}
