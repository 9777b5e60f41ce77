//! The requirements that a lab has of its host.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::unistd::Uid;

use super::error::LabError;
use super::event::LabEvent;
use super::tool::{command, run_streaming};

/// Programs and files that a lab uses, each with its Debian package.
const NEEDED: [(&str, &str); 12] = [
    ("debootstrap", "debootstrap"),
    ("gpgv", "gpgv"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
    ),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("chroot", "coreutils"),
];

/// Enough for over a hundred machines.
const INOTIFY_INSTANCES: u32 = 1024;
/// Search these folders whatever the caller's `PATH` is.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Fails unless the platform and the user can run labs at all.
pub(super) fn check_platform() -> Result<(), LabError> {
    if !cfg!(target_os = "linux") {
        return Err(LabError::NotLinux {
            os: std::env::consts::OS,
        });
    }
    let uid = Uid::effective();
    if !uid.is_root() {
        return Err(LabError::NotRoot { uid: uid.as_raw() });
    }
    Ok(())
}

/// Installs missing packages with the host's apt.
pub(super) fn install_missing(events: &mut dyn FnMut(LabEvent)) -> Result<(), LabError> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    events(LabEvent::PrerequisitesMissing {
        packages: packages.clone(),
    });
    let failed = |source| LabError::Prerequisites {
        packages: packages.clone(),
        source,
    };
    let apt_get = |arguments: &[&str]| {
        let mut apt_get = command("apt-get");
        // Several labs may start installing at once. The lock timeout makes them wait for each
        // other.
        apt_get
            .args(["--yes", "-o", "DPkg::Lock::Timeout=300"])
            .args(arguments);
        apt_get
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        run_streaming(&mut apt_get, &mut |_| {})
    };
    apt_get(&["update"]).map_err(failed)?;
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(&packages);
    apt_get(&install).map_err(failed)?;
    events(LabEvent::PrerequisitesInstalled {
        packages,
        took: started.elapsed(),
    });
    Ok(())
}

/// Raises the one limit that many machines run into. Each systemd uses about six inotify instances;
/// at the kernel's default of 128, the boot of about the twentieth machine would fail without
/// saying why.
pub(super) fn raise_limits(events: &mut dyn FnMut(LabEvent)) {
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let limit = fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    // In some containers it cannot be raised. A lab of the usual size works regardless.
    if let Some(from) = limit.filter(|&limit| limit < INOTIFY_INSTANCES)
        && fs::write(path, INOTIFY_INSTANCES.to_string()).is_ok()
    {
        let (sysctl, to) = ("fs.inotify.max_user_instances", INOTIFY_INSTANCES);
        events(LabEvent::LimitRaised { sysctl, from, to });
    }
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = NEEDED
        .iter()
        .filter(|(file, _)| {
            !FOLDERS
                .iter()
                .any(|folder| Path::new(folder).join(file).exists())
        })
        .map(|&(_, package)| package)
        .collect();
    packages.dedup();
    packages
}
