//! The cached images that machines boot from.
//!
//! An image's folder is named after a hash of all its inputs, so a changed recipe makes a new
//! folder and leaves alone the images in use. An image is built under a lock in a draft folder and
//! renamed into place, so a folder that exists is complete, and concurrent labs build it once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::{LabError, ToolError};
use super::event::{ImageLayer, LabEvent};
use super::names::LabHome;
use super::release::Release;
use super::spec::{Image, LabSpec};
use super::tool::{command, run, run_streaming};

const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,iproute2,sudo,curl,procps,\
                        iputils-arping,nftables,ca-certificates,less";
/// The packages in the machines' own repository.
const CARRIED: &str = "nginx keepalived libnginx-mod-stream";
/// The packages preinstalled in [`Image::Installed`].
const INSTALLED: &str = "nginx keepalived";
const BASE_SCRIPT: &str = include_str!("scripts/base.sh");
const INSTALLED_SCRIPT: &str = include_str!("scripts/installed.sh");
const RHEL_SCRIPT: &str = include_str!("scripts/rhel.sh");
const INSTALLED_RHEL_SCRIPT: &str = include_str!("scripts/installed_rhel.sh");

#[derive(Debug, Clone)]
struct Layers {
    /// Without nginx and keepalived, topmost first.
    bare: Vec<PathBuf>,
    /// The layer that adds them.
    installed: PathBuf,
}

#[derive(Debug, Clone)]
pub(super) struct Images(BTreeMap<Release, Layers>);

impl Images {
    /// The layers of a disk, topmost first. Empty for a release that is not in the lab.
    pub(super) fn layers(&self, release: Release, image: Image) -> Vec<PathBuf> {
        let Some(Layers { bare, installed }) = self.0.get(&release) else {
            return Vec::new();
        };
        match image {
            Image::Bare => bare.clone(),
            Image::Installed => [std::slice::from_ref(installed), &bare[..]].concat(),
        }
    }
}

/// Finds the images in the cache, or builds them.
pub(super) fn ensure(
    home: &LabHome,
    spec: &LabSpec,
    events: &mut dyn FnMut(LabEvent),
) -> Result<Images, LabError> {
    let mut releases: BTreeSet<Release> = spec.other_releases.values().copied().collect();
    releases.insert(spec.release);
    let built = releases
        .into_iter()
        .map(|release| Ok((release, ensure_release(home, spec, release, events)?)));
    built.collect::<Result<_, _>>().map(Images)
}

fn ensure_release(
    home: &LabHome,
    spec: &LabSpec,
    release: Release,
    events: &mut dyn FnMut(LabEvent),
) -> Result<Layers, LabError> {
    let suite = release.suite();
    let key = hash(&[suite, PACKAGES, CARRIED, BASE_SCRIPT]);
    let base = home.cache.join(format!("base-{suite}-{key}"));
    build_once(
        (ImageLayer::Base, release),
        &base,
        Duration::from_mins(2),
        events,
        |draft| {
            let mut build = downloading(BASE_SCRIPT);
            let mirror = mirror_of(spec, suite)?;
            build.arg(draft).args([suite, &mirror, PACKAGES, CARRIED]);
            Ok(build)
        },
    )?;
    let (name, key, bare, script) = match release {
        Release::RhelLike => {
            let key = hash(&[&key, RHEL_SCRIPT]);
            let family = home.cache.join(format!("{release}-{key}"));
            build_once(
                (ImageLayer::Family, release),
                &family,
                Duration::from_secs(15),
                events,
                |draft| {
                    let mut build = downloading(RHEL_SCRIPT);
                    build.arg(&base).arg(draft);
                    build.arg(draft.with_extension("scratch"));
                    build.args([suite, &mirror_of(spec, suite)?]);
                    Ok(build)
                },
            )?;
            (
                release.name(),
                key,
                vec![family, base],
                INSTALLED_RHEL_SCRIPT,
            )
        }
        _ => (suite, key, vec![base], INSTALLED_SCRIPT),
    };

    let key = hash(&[&key, INSTALLED, script]);
    let installed = home.cache.join(format!("installed-{name}-{key}"));
    build_once(
        (ImageLayer::Installed, release),
        &installed,
        Duration::from_secs(5),
        events,
        |draft| {
            let mut build = isolated(script);
            let below: Vec<_> = bare.iter().map(|layer| layer.as_os_str()).collect();
            build
                .arg(below.join(OsStr::new(":")))
                .arg(draft)
                .arg(draft.with_extension("scratch"))
                .arg(INSTALLED);
            Ok(build)
        },
    )?;
    Ok(Layers { bare, installed })
}

fn build_once(
    (layer, release): (ImageLayer, Release),
    folder: &Path,
    usually: Duration,
    events: &mut dyn FnMut(LabEvent),
    recipe: impl FnOnce(&Path) -> Result<Command, LabError>,
) -> Result<(), LabError> {
    if folder.exists() {
        return Ok(());
    }
    let cache = folder.parent().unwrap_or(folder);
    fs::create_dir_all(cache).map_err(LabError::file("create", cache))?;
    let lock_path = folder.with_extension("lock");
    let lock = File::create(&lock_path).map_err(LabError::file("create", &lock_path))?;
    if lock.try_lock().is_err() {
        events(LabEvent::ImageAwaited { layer, release });
        lock.lock().map_err(LabError::file("lock", &lock_path))?;
        if folder.exists() {
            return Ok(());
        }
    }
    let started = Instant::now();
    events(LabEvent::ImageBuilding {
        layer,
        release,
        folder: folder.to_owned(),
        usually,
    });
    let draft = folder.with_extension("draft");
    let scratch = draft.with_extension("scratch");
    // Drafts of a build that was killed. We hold the lock, so nobody else uses them.
    for leftover in [&draft, &scratch] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(LabError::file("remove", leftover))?;
        }
    }
    let log_path = folder.with_extension("log");
    let mut log = open_log(&log_path)?;
    let mut build = recipe(&draft)?;
    run_streaming(&mut build, &mut |line| {
        // The log is only for the operator: failing to write it must not fail the build.
        let _ = writeln!(log, "{line}");
        events(LabEvent::ImageProgress {
            layer,
            line: line.to_owned(),
        });
    })
    .map_err(|source| LabError::Image {
        folder: folder.to_owned(),
        log: log_path,
        source,
    })?;
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(LabError::file("remove", &scratch))?;
    }
    fs::rename(&draft, folder).map_err(LabError::file("create", folder))?;
    events(LabEvent::ImageBuilt {
        layer,
        took: started.elapsed(),
    });
    Ok(())
}

fn open_log(path: &Path) -> Result<File, LabError> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(path)
        .map_err(LabError::file("write", path))
}

/// A recipe that fetches packages.
fn downloading(script: &str) -> Command {
    let mut build = isolated(script);
    if let Some(proxy) = apt_proxy() {
        build.env("http_proxy", proxy);
    }
    build
}

fn mirror_of(spec: &LabSpec, suite: &'static str) -> Result<String, LabError> {
    match &spec.mirror {
        Some(mirror) => Ok(mirror.clone()),
        None => mirror(suite),
    }
}

/// Runs a script in its own mount and PID namespaces, so that all of it dies with hactl, however
/// hactl exits.
fn isolated(script: &str) -> Command {
    let mut build = command("setpriv");
    build
        .args(["--pdeathsig", "KILL"])
        .args(["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"])
        .args(["sh", "-c", script, "hactl-lab"]);
    build
}

fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut text = String::new();
    for byte in hasher.finalize().iter().take(6) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The mirror that apt on this host uses for the suite, or else for any Debian suite.
fn mirror(suite: &'static str) -> Result<String, LabError> {
    let targets = apt_targets(suite).map_err(LabError::tool("ask apt for its mirror"))?;
    pick_mirror(&targets, suite).ok_or(LabError::NoMirror { suite })
}

fn apt_targets(suite: &str) -> Result<String, ToolError> {
    let format = "$(CODENAME) $(LABEL) $(SITE)";
    let ask = || run(command("apt-get").args(["indextargets", "--format", format]));
    let targets = ask()?;
    if pick_mirror(&targets, suite).is_some() {
        return Ok(targets);
    }
    // apt knows a site's label only after an update.
    run(command("apt-get").arg("update"))?;
    ask()
}

fn pick_mirror(targets: &str, suite: &str) -> Option<String> {
    let debian = targets.lines().filter_map(|line| {
        let (codename, rest) = line.split_once(' ')?;
        let (label, site) = rest.rsplit_once(' ')?;
        (label == "Debian").then_some((codename, site))
    });
    let mut any = None;
    for (codename, site) in debian {
        if codename == suite {
            return Some(site.to_owned());
        }
        any.get_or_insert(site);
    }
    any.map(str::to_owned)
}

/// debootstrap does not read apt's proxy configuration.
fn apt_proxy() -> Option<String> {
    let shell = run(command("apt-config").args(["shell", "proxy", "Acquire::http::Proxy"])).ok()?;
    let value = shell.trim().strip_prefix("proxy='")?.strip_suffix('\'')?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suites_own_mirror_is_preferred() {
        let targets = "trixie Debian http://a/debian\nbookworm Debian http://b/debian\n";
        assert_eq!(
            pick_mirror(targets, "bookworm").as_deref(),
            Some("http://b/debian")
        );
    }

    #[test]
    fn any_debian_mirror_has_every_suite() {
        let targets = "x Some Vendor http://v\ntrixie Debian http://a/debian\n";
        assert_eq!(
            pick_mirror(targets, "bookworm").as_deref(),
            Some("http://a/debian")
        );
    }

    #[test]
    fn other_vendors_and_the_security_archive_are_no_mirrors() {
        let targets = "jammy Ubuntu http://u\nbookworm-security Debian-Security http://s\n";
        assert_eq!(pick_mirror(targets, "bookworm"), None);
    }
}
