//! Running external programs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::error::ToolError;
use super::names::Names;

/// The environment variable that marks the processes of a lab.
pub(super) const MARK: &str = "HACTL_LAB_OF";
/// How many lines of a program's output an error quotes.
const TAIL_LINES: usize = 12;

/// A command that is found even if the caller's `PATH` lacks the `sbin` folders, as after a plain
/// `su`.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("PATH", path);
    command
}

/// A command marked as part of a lab, so that removing the lab finds it even if its parent was
/// killed.
pub(super) fn command_for(names: &Names, program: &str) -> Command {
    let mut command = command(program);
    command.env(MARK, names.prefix());
    command
}

pub(super) fn run(command: &mut Command) -> Result<String, ToolError> {
    run_with_input(command, "")
}

/// Runs a program with `input` on its stdin and returns its stdout.
pub(super) fn run_with_input(command: &mut Command, input: &str) -> Result<String, ToolError> {
    command.stdin(if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let not_started = |command: &Command| {
        let program = command.get_program().display().to_string();
        move |source| ToolError::NotStarted { program, source }
    };
    let mut child = command.spawn().map_err(not_started(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If the program exits without reading everything, its exit status tells why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(not_started(command))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ToolError::Failed {
        command: describe(command),
        status: output.status,
        said: tail(&String::from_utf8_lossy(&output.stderr)),
    })
}

/// Runs a program and passes each line of its stdout and stderr to `line`.
pub(super) fn run_streaming(
    command: &mut Command,
    line: &mut dyn FnMut(&str),
) -> Result<(), ToolError> {
    let not_started = |command: &Command| {
        let program = command.get_program().display().to_string();
        move |source| ToolError::NotStarted { program, source }
    };
    let (reader, writer) = std::io::pipe().map_err(not_started(command))?;
    let second = writer.try_clone().map_err(not_started(command))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    let mut child = command.spawn().map_err(not_started(command))?;
    // Close the copies of the writing end that `command` holds, or reading never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut said = Vec::new();
    for text in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        line(&text);
        said.push(text);
        if said.len() > TAIL_LINES {
            said.remove(0);
        }
    }
    let status = child.wait().map_err(not_started(command))?;
    if status.success() {
        return Ok(());
    }
    Err(ToolError::Failed {
        command: describe(command),
        status,
        said: said.join("\n"),
    })
}

pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// A command as typed, with a script among its arguments cut to the first line.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| {
            let word = word.to_string_lossy();
            match word.split_once('\n') {
                Some((first, _)) => format!("'{first} …'"),
                None => word.into_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_the_command_and_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo oh no >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("sh -c") && text.contains('3') && text.contains("oh no"),
            "{text}"
        );
    }

    #[test]
    fn lines_of_both_streams_arrive() {
        let mut lines = Vec::new();
        run_streaming(
            Command::new("sh").args(["-c", "echo a; echo b >&2"]),
            &mut |line| {
                lines.push(line.to_owned());
            },
        )
        .unwrap();
        assert_eq!(lines, ["a", "b"]);
    }
}
