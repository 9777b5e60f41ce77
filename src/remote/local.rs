//! Running programs on the operator's machine.

use std::process::{Command, Stdio};

/// The standard output of `argv`, run without the environment variables `withheld`. The error tells
/// what went wrong, but never contains output.
pub fn local_output(argv: &[String], withheld: &[String]) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("it names no program")?;
    let mut command = Command::new(program);
    for name in withheld {
        command.env_remove(name);
    }
    let output = command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("{program} printed something that is not UTF-8"))
}

/// The environment variables passed on by `local_answer`. Any other could hold a secret, whatever
/// its name.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "XDG_CONFIG_HOME"];

/// The standard output of `argv`, or `None` if it cannot be run or fails. Discards its standard
/// error, and passes on almost nothing of hactl's environment.
pub fn local_answer(argv: &[&str]) -> Option<String> {
    let (program, args) = argv.split_first()?;
    let passed_on = PASSED_ON.map(|name| Some((name, std::env::var_os(name)?)));
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .envs(passed_on.into_iter().flatten())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}
