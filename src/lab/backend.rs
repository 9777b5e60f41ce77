//! Backends: real nginx servers, one per network namespace, sharing one disk.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::addressing::{BACKEND_PORT, backend_socket};
use super::cgroup::Cgroup;
use super::error::{LabError, ToolError};
use super::image::Images;
use super::mounts;
use super::names::{Names, backend_name};
use super::netns::within;
use super::spec::{Image, LabSpec};
use super::tool::{command_for, tail};

/// Runs a backend. Copied into every lab's folder.
pub(super) const SCRIPT: &str = include_str!("scripts/backend.sh");
const PATIENCE: Duration = Duration::from_secs(20);
/// The size of `/big`.
const BIG: u64 = 50 << 20;

/// Creates the disk that the backends share, with one folder per backend.
pub(super) fn make_disks(names: &Names, spec: &LabSpec, images: &Images) -> Result<(), LabError> {
    if spec.backends == 0 {
        return Ok(());
    }
    mounts::mount_overlay(
        &images.layers(spec.release, Image::Installed),
        &names.backends(),
    )?;
    for index in 0..spec.backends {
        let name = backend_name(index);
        let dir = dir(names, &name);
        let www = dir.join("www");
        fs::create_dir_all(&www).map_err(LabError::file("create", &www))?;
        let files = [
            (dir.join("nginx.conf"), configuration(&name)),
            (www.join("index.html"), format!("{name}\n")),
            (www.join("health"), "ok\n".to_owned()),
            // Takes about two seconds at the rate that the configuration sets.
            (www.join("slow"), "slow\n".repeat(600)),
        ];
        for (path, text) in files {
            fs::write(&path, text).map_err(LabError::file("write", path))?;
        }
        let big = www.join("big");
        File::create(&big)
            .and_then(|file| file.set_len(BIG))
            .map_err(LabError::file("write", big))?;
        let permissions = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&dir, permissions).map_err(LabError::file("open up", dir))?;
    }
    Ok(())
}

fn configuration(name: &str) -> String {
    format!(
        "worker_processes 1;
worker_rlimit_nofile 20000;
user www-data;
pid /srv/{name}/nginx.pid;
error_log /srv/{name}/error.log;
events {{ worker_connections 10000; }}
http {{
    log_format lab '$msec $remote_addr $status \"$request\"';
    access_log /srv/{name}/access.log lab;
    default_type text/plain;
    server {{
        listen {BACKEND_PORT} backlog=4096;
        listen [::]:{BACKEND_PORT} backlog=4096;
        root /srv/{name}/www;
        location = /slow {{ limit_rate 1000; }}
    }}
}}
"
    )
}

/// A backend's folder, as a path on the lab's host.
pub(super) fn dir(names: &Names, backend: &str) -> PathBuf {
    names.backends().root().join("srv").join(backend)
}

pub(super) fn requests(names: &Names, backend: &str) -> u64 {
    let log = fs::read(dir(names, backend).join("access.log")).unwrap_or_default();
    log.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

/// Starts a backend, detached from this process.
pub(super) fn start(names: &Names, backend: &str) -> Result<(), LabError> {
    let doing = || LabError::tool(format!("start backend `{backend}`"));
    let cgroup = Cgroup::of_member(names, backend);
    cgroup.make(&[])?;
    let log_path = log_path(names, backend);
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(LabError::file("write", &log_path))?;
    let second = log
        .try_clone()
        .map_err(LabError::file("write", &log_path))?;
    let mut nginx = command_for(names, "setsid");
    nginx
        .args(["--fork", "sh"])
        .arg(names.backend_script())
        .current_dir("/")
        .env("CGROUPS", cgroup.words())
        .env("NETNS", names.netns(backend))
        .env("ROOT", names.backends().root())
        .env("NODE", backend)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(second);
    let started = nginx.status().and_then(|status| {
        if status.success() {
            Ok(())
        } else {
            Err(std::io::Error::other(status.to_string()))
        }
    });
    started.map_err(|source| {
        doing()(ToolError::NotStarted {
            program: "setsid".to_owned(),
            source,
        })
    })
}

/// Waits until a backend accepts connections.
pub(super) fn wait(names: &Names, index: u8) -> Result<(), LabError> {
    let backend = backend_name(index);
    let address = backend_socket(index);
    let started = Instant::now();
    let ready = within(&names.netns(&backend), || {
        while started.elapsed() < PATIENCE {
            if answers(address) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    })?;
    if ready {
        return Ok(());
    }
    let log = log_path(names, &backend);
    let said = fs::read(&log).unwrap_or_default();
    let tail = tail(&String::from_utf8_lossy(&said));
    Err(LabError::BackendNotReady {
        backend,
        waited: started.elapsed(),
        log,
        tail,
    })
}

pub(super) fn is_running(names: &Names, backend: &str) -> bool {
    !Cgroup::of_member(names, backend).processes().is_empty()
}

/// Kills a backend. New connections to it are refused.
pub(super) fn stop(names: &Names, backend: &str) -> Vec<u32> {
    Cgroup::of_member(names, backend).kill_and_remove()
}

fn log_path(names: &Names, backend: &str) -> PathBuf {
    names.backends().dir().join(format!("{backend}.log"))
}

/// Connects only: a request would count in the access log, which counts the clients' requests.
fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
