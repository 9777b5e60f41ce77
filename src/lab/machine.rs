//! Nodes: their disks, their boots, and the wait for both systemd and sshd to be ready.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::addressing::{self, ROUTER_FRONT};
use super::cgroup::Cgroup;
use super::error::{LabError, ToolError};
use super::image::Images;
use super::names::{self, Names, node_name};
use super::netns::within;
use super::processes;
use super::release::Release;
use super::spec::LabSpec;
use super::tool::{command_for, run, tail};
use super::{inventory_text, mounts, platform, ssh};

/// Keeps a machine running; every lab has a copy of it in its folder.
pub(super) const SCRIPT: &str = include_str!("scripts/machine.sh");
/// How long a boot may take; a second is usual, a busy machine with many labs needs more.
const BOOT_PATIENCE: Duration = Duration::from_mins(1);
const SSH_PORT: u16 = 22;

/// Mounts a node's disk and writes what makes it this node.
pub(super) fn make_disk(
    names: &Names,
    spec: &LabSpec,
    images: &Images,
    node: &str,
) -> Result<(), LabError> {
    let paths = names.node(node);
    mounts::mount_overlay(&images.layers(spec.release_of(node), spec.image), &paths)?;
    let etc = paths.root().join("etc");
    if spec.release_of(node).reboots_through_logind() {
        let mask = etc.join("systemd/system/systemd-logind.service");
        fs::remove_file(&mask).map_err(LabError::file("remove", &mask))?;
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid")
        .map_err(LabError::file("read", "/proc/sys/kernel/random/uuid"))?;
    let files = [
        ("machine-id", format!("{}\n", id.trim().replace('-', ""))),
        ("hostname", format!("{node}\n")),
        ("hosts", inventory_text::hosts(spec)),
    ];
    for (name, text) in files {
        let path = etc.join(name);
        fs::write(&path, text).map_err(LabError::file("write", &path))?;
    }
    ssh::install(names, spec, node)
}

/// A machine that has been started and is not known to be ready.
#[derive(Debug)]
pub(super) struct Booting {
    pub(super) node: String,
    index: u8,
    started: Instant,
    ready: UnixDatagram,
}

/// Starts a node's machine, as a process that outlives this one.
pub(super) fn start(names: &Names, index: u8, release: Release) -> Result<Booting, LabError> {
    let node = node_name(index);
    let paths = names.node(&node);
    let netns = names.netns(&node);
    let addresses = addressing::node(index);
    let started = Instant::now();

    // An abstract address: nothing to clean up, and no limit on the lab folder's path length.
    let address = format!("hactl-lab/{netns}/{}", std::process::id());
    let doing = || LabError::tool(format!("start node `{node}`"));
    let not_started = |source| ToolError::NotStarted {
        program: "machine".to_owned(),
        source,
    };
    let ready =
        platform::abstract_socket(&address).map_err(|source| doing()(not_started(source)))?;

    let cgroup = Cgroup::of_member(names, &node);
    cgroup.make(&["keeper", "machine"])?;
    let console = paths.console();
    let log = File::options()
        .create(true)
        .append(true)
        .open(&console)
        .map_err(LabError::file("write", &console))?;
    let second = log.try_clone().map_err(LabError::file("write", &console))?;
    let mut machine = command_for(names, "setsid");
    machine
        .args(["--fork", "sh"])
        .arg(names.machine_script())
        .arg(&netns)
        .current_dir("/")
        .env("NOTIFY_SOCKET", format!("@{address}"))
        .env("NODE", &node)
        .env("MACHINE", &netns)
        .env("NETNS", &netns)
        .env("SWITCH", names.netns(names::SWITCH))
        .env("PORT", &node)
        .env("MAC", addresses.mac())
        .env("ADDRESS", addresses.cidr4())
        .env("ADDRESS6", addresses.cidr6())
        .env("GATEWAY", ROUTER_FRONT.v4.to_string())
        .env("GATEWAY6", ROUTER_FRONT.v6.to_string())
        .env("ROOT", paths.root())
        .env("CUT", paths.cut())
        .env("CGROUPS", cgroup.words())
        .env(
            "UNIFIED",
            if release.needs_unified_cgroups() {
                "1"
            } else {
                ""
            },
        )
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(second);
    // `setsid --fork` returns at once: the machine belongs to nobody and outlives the lab's starter.
    let status = machine
        .status()
        .map_err(|source| doing()(not_started(source)))?;
    if !status.success() {
        let command = "setsid".to_owned();
        return Err(doing()(ToolError::Failed {
            command,
            status,
            said: String::new(),
        }));
    }
    Ok(Booting {
        node,
        index,
        started,
        ready,
    })
}

impl Booting {
    /// Waits until systemd has finished its start and sshd answers; tells how long that took.
    pub(super) fn wait(self, names: &Names) -> Result<Duration, LabError> {
        let deadline = self.started + BOOT_PATIENCE;
        if !self.systemd_is_ready(names, deadline) {
            return Err(self.not_ready(names, "systemd has not finished its start"));
        }
        let address = SocketAddr::new(IpAddr::V4(addressing::node(self.index).v4), SSH_PORT);
        let cut = names.node(&self.node).cut().exists();
        let controller = names.netns(names::CONTROLLER);
        // A node whose cable is cut boots like any other; only nobody hears of it.
        if !cut && !within(&controller, || answers_ssh(address, deadline))? {
            return Err(self.not_ready(names, "sshd does not answer"));
        }
        Ok(self.started.elapsed())
    }

    fn systemd_is_ready(&self, names: &Names, deadline: Instant) -> bool {
        let cgroup = Cgroup::of_member(names, &self.node);
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let _ = self
                .ready
                .set_read_timeout(Some(left.min(Duration::from_secs(1))));
            match self.ready.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if text.lines().any(|line| line == "READY=1") {
                        return true;
                    }
                }
                // Nothing to wait for if the machine has already ended.
                Err(_) if cgroup.processes().is_empty() => return false,
                Err(_) => {}
            }
        }
    }

    fn not_ready(&self, names: &Names, missing: &'static str) -> LabError {
        let console = names.node(&self.node).console();
        let said = fs::read(&console).unwrap_or_default();
        LabError::NodeNotReady {
            node: self.node.clone(),
            waited: self.started.elapsed(),
            missing,
            console,
            tail: tail(&String::from_utf8_lossy(&said)),
        }
    }
}

/// Waits for the first line that an SSH server says.
fn answers_ssh(address: SocketAddr, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        if greeting(address).is_ok_and(|line| line.starts_with("SSH-")) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

fn greeting(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    // Answered, it logs a closed connection; unanswered, an error that somebody would wonder about.
    stream.write_all(b"SSH-2.0-hactl-lab\r\n")?;
    Ok(line)
}

/// The process id of a node's service manager, if the node is on.
pub(super) fn leader(names: &Names, node: &str) -> Option<u32> {
    let mut found = Cgroup::of_member(names, node).processes();
    found.retain(|&pid| processes::is_machine_leader(pid));
    found.first().copied()
}

/// Takes a node's power away: it falls silent at once, and nothing of it is written or said after.
pub(super) fn power_off(names: &Names, node: &str) -> Vec<u32> {
    // The port goes first, so that no dying process gets a last word out. If the machine has just
    // ended on its own, the port is gone already.
    let switch = names.netns(names::SWITCH);
    let _ = run(command_for(names, "ip").args(["-n", &switch, "link", "delete", node]));
    let left = Cgroup::of_member(names, node).kill_and_remove();
    super::netns::remove(&names.netns(node));
    left
}
