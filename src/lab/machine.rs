//! Nodes: their disks, booting them, and waiting for systemd and sshd.

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

/// Runs a machine. Copied into every lab's folder.
pub(super) const SCRIPT: &str = include_str!("scripts/machine.sh");
/// The limit on a boot. One second is usual, but a busy host with many labs needs more.
const BOOT_PATIENCE: Duration = Duration::from_mins(1);
const SSH_PORT: u16 = 22;

/// Mounts a node's disk and writes the files that make it this node.
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

/// A machine that has been started but may not be ready.
#[derive(Debug)]
pub(super) struct Booting {
    pub(super) node: String,
    index: u8,
    started: Instant,
    ready: UnixDatagram,
}

/// Starts a node's machine, detached from this process.
pub(super) fn start(names: &Names, index: u8, release: Release) -> Result<Booting, LabError> {
    let node = node_name(index);
    let paths = names.node(&node);
    let netns = names.netns(&node);
    let addresses = addressing::node(index);
    let started = Instant::now();

    // An abstract socket: nothing to clean up, and the length of the lab folder's path does not
    // matter.
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
    // `setsid --fork` returns at once, and the machine outlives the process that started the lab.
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
    /// Waits until systemd has finished booting and sshd answers. Returns how long that took.
    pub(super) fn wait(self, names: &Names) -> Result<Duration, LabError> {
        let deadline = self.started + BOOT_PATIENCE;
        if !self.systemd_is_ready(names, deadline) {
            return Err(self.not_ready(names, "systemd has not finished its start"));
        }
        let address = SocketAddr::new(IpAddr::V4(addressing::node(self.index).v4), SSH_PORT);
        let cut = names.node(&self.node).cut().exists();
        let controller = names.netns(names::CONTROLLER);
        // A node with its cable cut boots as usual, but cannot be reached.
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

/// Waits for the SSH server's version string.
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
    // With a reply, sshd logs a closed connection; without one, an error that would mislead a
    // reader.
    stream.write_all(b"SSH-2.0-hactl-lab\r\n")?;
    Ok(line)
}

/// The PID of a node's init, if the node is on.
pub(super) fn leader(names: &Names, node: &str) -> Option<u32> {
    let mut found = Cgroup::of_member(names, node).processes();
    found.retain(|&pid| processes::is_machine_leader(pid));
    found.first().copied()
}

/// Cuts a node's power: it goes silent at once, and nothing is sent or written afterwards.
pub(super) fn power_off(names: &Names, node: &str) -> Vec<u32> {
    // The switch port goes first, so that no dying process can still send a packet. The port is
    // already gone if the machine has just shut itself down.
    let switch = names.netns(names::SWITCH);
    let _ = run(command_for(names, "ip").args(["-n", &switch, "link", "delete", node]));
    let left = Cgroup::of_member(names, node).kill_and_remove();
    super::netns::remove(&names.netns(node));
    left
}
