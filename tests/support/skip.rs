//! Skipping a test in plain sight.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Says that the running test is skipped, and why. In CI that is a failure.
pub(crate) fn skip(reason: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "in CI no test may be skipped: {reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // libtest hides what `eprintln!` says in a test that passes, and a skipped one does.
    let line = format!("skipped {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Makes sure that `program` is there, where its Debian package may be installed; the error is why not.
pub(crate) fn ensure(program: &str, package: &str) -> Result<(), String> {
    let is_there = || Command::new(program).arg("--version").output().is_ok();
    if is_there() {
        return Ok(());
    }
    if !nix::unistd::Uid::effective().is_root() {
        return Err(format!(
            "{program} is missing, and installing it needs root"
        ));
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("{program} is missing, and apt-get too"));
    }
    let apt = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(["--yes", "-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
    };
    let install = ["install", "--no-install-recommends", package];
    // Where the lists are old or empty, they are fetched, and it is tried once more.
    let mut last = apt(&install);
    if !is_there() {
        last = apt(&["update"]).and_then(|_| apt(&install));
    }
    match last {
        _ if is_there() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().last().unwrap_or_default();
            Err(format!(
                "{program} is missing and cannot be installed: {line}"
            ))
        }
        Err(error) => Err(format!("{program} is missing and apt-get failed: {error}")),
    }
}
