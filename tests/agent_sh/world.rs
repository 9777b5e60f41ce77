//! An isolated world for the host's program: its own root, sysctls and clocks, stubs in place of
//! services, and any of three shells as its `/bin/sh`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output as Exit, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use async_trait::async_trait;
use hactl::agent::{Agent, agent_script};
use hactl::model::NodeName;
use hactl::remote::{Call, Host, Output, RemoteError, request};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The shells that a host may have as its `/bin/sh`.
#[derive(Clone, Copy)]
pub(crate) enum Shell {
    Dash,
    Bash,
    Busybox,
}

impl Shell {
    fn path(self) -> &'static str {
        match self {
            Self::Dash => "/usr/bin/dash",
            Self::Bash => "/usr/bin/bash",
            Self::Busybox => "/usr/bin/busybox",
        }
    }
}

/// External programs whose calls count as steps of the host's program: all those that change
/// anything.
const COUNTED: [&str; 13] = [
    "cat", "chmod", "chown", "cp", "find", "ln", "mkdir", "mktemp", "mv", "rm", "rmdir", "sync",
    "dd",
];

/// Whether the program cannot run in a world of its own. Prints the reason.
fn skipped() -> bool {
    let reason = if !cfg!(target_os = "linux") {
        "the host's program needs Linux"
    } else if !nix::unistd::Uid::effective().is_root() {
        "mount namespaces need root"
    } else {
        return false;
    };
    crate::skip::skip(reason);
    true
}

/// The packages that the tests need.
pub(crate) const PROGRAMS: [&str; 7] = [
    "dash",
    "bash",
    "busybox",
    "shellcheck",
    "nftables",
    "iptables",
    "python3",
];

/// Installs missing packages. A package's program has the package's name, except for nftables'.
pub(crate) fn ensure(packages: &[&str]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let is_missing = |name: &&&str| {
            let program = if **name == "nftables" { "nft" } else { **name };
            let exists = |dir: &str| Path::new(dir).join(program).exists();
            !exists("/usr/bin") && !exists("/usr/sbin")
        };
        let missing: Vec<&&str> = packages.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            let mut command = Command::new("apt-get");
            command.args(["install", "-y", "--no-install-recommends"]);
            assert!(command.args(missing).status().unwrap().success());
        }
    });
}

/// How many tests may have worlds at the same time: most are CPU-bound, and their timeouts are
/// about a second.
static TURNS: Semaphore = Semaphore::const_new(3);

/// Waits for a test's turn, which ends when the permit is dropped.
pub(crate) async fn turn() -> SemaphorePermit<'static> {
    TURNS.acquire().await.unwrap()
}

/// One world. It ends when this value is dropped, and with the test's process at the latest.
pub(crate) struct World {
    root: PathBuf,
    holder: Child,
    pid: u32,
    shell: Shell,
    /// Set while callers hang up without reading the answer.
    deaf: Arc<AtomicBool>,
    _dir: tempfile::TempDir,
}

impl World {
    /// A bare host with that shell, or `None` if that is not possible here.
    pub(crate) fn new(shell: Shell) -> Option<Self> {
        if skipped() {
            return None;
        }
        ensure(&PROGRAMS);
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        furnish(&root);
        let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent_sh/stubs/world.sh");
        let mut holder = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh"])
            .arg(setup)
            .args([&root, Path::new(shell.path())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let pid = line.trim().parse().unwrap();
        Some(Self {
            root,
            holder,
            pid,
            shell,
            deaf: Arc::default(),
            _dir: dir,
        })
    }

    /// A fresh world with the same shell.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.shell).unwrap()
    }

    /// The steps at which the program is killed under this shell. With `HACTL_EVERY_STEP=1` the
    /// three shells together cover every step, and a third of them otherwise.
    pub(crate) fn steps_to_kill_at(&self) -> impl Iterator<Item = usize> {
        let every = std::env::var_os("HACTL_EVERY_STEP").is_some();
        let apart = if every { 1 } else { 3 };
        let first = match self.shell {
            Shell::Dash => 1,
            Shell::Bash => 1 + apart,
            Shell::Busybox => 1 + 2 * apart,
        };
        (first..).step_by(3 * apart)
    }

    /// The test's path to a path inside the world.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let inside = self.root.join(path.trim_start_matches('/'));
        PathBuf::from(format!("/proc/{}/root{}", self.pid, inside.display()))
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// Runs a bash command as root in the world.
    pub(crate) fn sh(&self, text: &str) -> String {
        let exit = self.enter(&["/usr/bin/bash", "-c", text]).output().unwrap();
        assert!(exit.status.success(), "{text}: {exit:?}");
        String::from_utf8(exit.stdout).unwrap()
    }

    fn enter(&self, argv: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--pid", "--net", "--target"])
            .arg(self.pid.to_string())
            .args(["setsid", "--wait", "chroot"])
            .arg(&self.root)
            .args(["env", "-i"])
            .args(argv);
        command
    }

    /// The typed side of the program, connected to this world.
    pub(crate) fn agent(&self) -> Agent {
        Agent::new(Box::new(WorldHost {
            node: NodeName::new("lb1").unwrap(),
            root: self.root.clone(),
            pid: self.pid,
            deaf: Arc::clone(&self.deaf),
        }))
    }

    /// Sets whether callers hang up without reading answers.
    pub(crate) fn be_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::Relaxed);
    }

    /// The program's answer to a call with any payload, even one that hactl would never send.
    pub(crate) fn raw(&self, argv: &[&str], payload: &[u8]) -> String {
        self.raw_of(agent_script(), argv, payload)
    }

    /// The same with a different program text.
    pub(crate) fn raw_of(&self, script: String, argv: &[&str], payload: &[u8]) -> String {
        let length = script.len().to_string();
        let bootstrap =
            r#"script=$(dd bs="$1" count=1 iflag=fullblock 2>/dev/null); shift; eval "$script""#;
        let mut words = vec!["/bin/sh", "-c", bootstrap, "hactl-agent", &length];
        words.extend(argv);
        let mut stdin = script.into_bytes();
        stdin.extend_from_slice(payload);
        let exit = feed(self.enter(&words), &stdin);
        String::from_utf8(exit.stdout).unwrap()
    }

    /// Runs the revert timer's command.
    pub(crate) fn timer(&self, verb: &str, tx: &str) -> Exit {
        let kept = self.path("/var/lib/hactl/agent");
        if !kept.exists() {
            return feed(self.enter(&["/usr/bin/true"]), b"");
        }
        feed(
            self.enter(&["/bin/sh", "/var/lib/hactl/agent", verb, tx]),
            b"",
        )
    }

    /// The answer of the node at `address` about the change, as the program reports it.
    pub(crate) fn ask_peer(&self, tx: &str, address: &str) -> String {
        let agent = "/var/lib/hactl/agent";
        let argv = ["/usr/bin/bash", agent, "ask-peer", tx, address];
        String::from_utf8(feed(self.enter(&argv), b"").stdout).unwrap()
    }

    /// Starts what the peer socket starts for a connection.
    pub(crate) fn answer_peer(&self, tx: &str) -> Child {
        let mut command = self.enter(&["/bin/sh", "/var/lib/hactl/agent", "peer", tx]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Listens for queries of peers on an address of this world's loopback interface.
    pub(crate) fn listen(&self, address: &str) -> TcpListener {
        self.sh("ip link set lo up");
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.pid)).unwrap();
        let address = address.to_owned();
        // Network namespaces are per thread, but a socket keeps the one that it was opened in.
        let inside = std::thread::spawn(move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind((address, 112)).unwrap()
        });
        inside.join().unwrap()
    }

    /// Kills the following calls before their `step`th step. 0 disables this.
    pub(crate) fn kill_at(&self, step: usize) {
        let _ = fs::remove_file(self.path("/run/kill-at"));
        if step == 0 {
            return;
        }
        let _ = fs::remove_file(self.path("/run/killed"));
        self.write("/run/count", "0\n");
        self.write("/run/kill-at", format!("{step}\n"));
    }

    /// Whether a call since `kill_at` reached that step.
    pub(crate) fn was_killed(&self) -> bool {
        self.exists("/run/killed")
    }

    /// The number of steps since `kill_at`. `usize::MAX` if a call was killed by other means while
    /// it wrote the count.
    pub(crate) fn steps(&self) -> usize {
        self.read("/run/count").trim().parse().unwrap_or(usize::MAX)
    }

    /// Every path below `path` with type, owner, mode and content, but without times.
    pub(crate) fn snapshot(&self, path: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let top = self.path(path);
        look(&top, &top, &mut found);
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The holder exits at the end of its input, and its PID namespace goes with it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn look(top: &Path, path: &Path, found: &mut BTreeMap<String, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        fs::read_link(path).unwrap().display().to_string()
    } else if meta.is_file() {
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    } else {
        String::new()
    };
    let name = path.strip_prefix(top).unwrap().display().to_string();
    let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
    found.insert(name, format!("{mode:o} {uid}:{gid} {content}"));
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            look(top, &entry.unwrap().path(), found);
        }
    }
}

/// Creates the folders and files of a bare host.
fn furnish(root: &Path) {
    for dir in [
        "etc/systemd/system",
        "etc/nginx",
        "etc/keepalived",
        "usr",
        "var/lib",
        "var/log/nginx",
        "run/units",
        "proc",
        "dev",
        "mnt",
        "tmp",
        "root",
        "stubs",
        "kernel/net/core",
        "kernel/net/ipv4",
        "sys",
    ] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for file in ["passwd", "group"] {
        fs::copy(Path::new("/etc").join(file), root.join("etc").join(file)).unwrap();
    }
    for (file, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ("kernel/boot_id", "first-boot\n"),
        ("kernel/uptime", "1000.00 900.00\n"),
        ("kernel/net/core/somaxconn", "4096\n"),
        ("kernel/net/ipv4/tcp_fin_timeout", "60\n"),
        ("kernel/net/ipv4/ip_local_reserved_ports", "\n"),
    ] {
        fs::write(root.join(file), text).unwrap();
    }
    let stubs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent_sh/stubs");
    for entry in fs::read_dir(stubs).unwrap() {
        let entry = entry.unwrap();
        let to = root.join("stubs").join(entry.file_name());
        fs::copy(entry.path(), &to).unwrap();
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in COUNTED {
        symlink("wrapper", root.join("stubs").join(name)).unwrap();
    }
}

fn feed(mut command: Command, stdin: &[u8]) -> Exit {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program that exits early closes its input, as does one that is killed.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let exit = child.wait_with_output().unwrap();
    writer.join().unwrap();
    exit
}

struct WorldHost {
    node: NodeName,
    root: PathBuf,
    pid: u32,
    deaf: Arc<AtomicBool>,
}

#[async_trait]
impl Host for WorldHost {
    fn node(&self) -> &NodeName {
        &self.node
    }

    async fn call(&self, call: Call<'_>) -> Result<Output, RemoteError> {
        let mut stdin = call.program.text.to_vec();
        stdin.extend(request(&call.arguments, call.input));
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--pid", "--net", "--target"])
            .arg(self.pid.to_string())
            .args(["setsid", "--wait", "chroot"])
            .arg(&self.root)
            .args(["env", "-i"])
            .args(call.program.argv);
        let exit = if self.deaf.load(Ordering::Relaxed) {
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let _ = child.stdin.take().unwrap().write_all(&stdin);
            // Close the connection as soon as the program has started.
            let mut greeting = [0; 14];
            child
                .stdout
                .take()
                .unwrap()
                .read_exact(&mut greeting)
                .unwrap();
            child.wait_with_output().unwrap()
        } else {
            feed(command, &stdin)
        };
        Ok(Output {
            code: exit.status.code(),
            stdout: exit.stdout,
            stderr: exit.stderr,
        })
    }

    async fn close(self: Box<Self>) {}
}
