//! Skipping tests visibly.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Prints that the running test is skipped, and why. In CI that is a failure.
pub(crate) fn skip(reason: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "in CI no test may be skipped: {reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // libtest captures `eprintln!` of tests that pass, and a skipped test passes.
    let line = format!("skipped {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Makes sure that `program` exists, if necessary by installing its Debian package.
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
    // If the package lists are old or missing, update them and retry once.
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
