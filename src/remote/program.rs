//! A program that stays on a host and answers one call after another.

use std::sync::Arc;
use std::time::Duration;

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};

/// More than any host's answer: many times the size of all managed files and a few generations.
pub(super) const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// How long to wait for the standard error of a failed call, which may arrive after its answer.
const STDERR_GRACE: Duration = Duration::from_millis(100);

/// Starts the line that ends an answer.
const ANSWERED: &str = "answered\t";

/// A call as the program reads it: a line with the number of its arguments and the size of its input in bytes, a line
/// for each argument, and the input. The program writes its answer, an empty line, and then the line `answered`, the
/// first argument and the call's exit code, with tabs between them.
pub fn request(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{} {}\n", arguments.len(), input.len()).into_bytes();
    for argument in arguments {
        // A line feed would end it early. The host shows what it cannot print like this, too.
        bytes.extend(
            argument
                .bytes()
                .map(|byte| if byte == b'\n' { b'?' } else { byte }),
        );
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(input);
    bytes
}

/// A started program, in a session of its own.
pub(super) struct RunningProgram {
    pub(super) child: Child<Arc<Session>>,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
    pub(super) stderr: ChildStderr,
}

/// How a call ended.
pub(super) enum Answered {
    /// With its exit code. The program is ready for the next call.
    Completely(Option<i32>),
    /// With its exit code, but the program is out of step and must not be called again.
    OutOfStep(Option<i32>),
    /// The program ended first.
    ProgramEnded,
    /// The answer or the program's standard error exceeds the limit.
    TooMuch,
}

impl RunningProgram {
    /// Sends `bytes`, a call of `verb`, and reads one answer. What the program writes is added to `answer` and `said`.
    pub(super) async fn call(
        &mut self,
        verb: &str,
        bytes: &[u8],
        answer: &mut Vec<u8>,
        said: &mut Vec<u8>,
    ) -> std::io::Result<Answered> {
        let Self {
            stdin,
            stdout,
            stderr,
            ..
        } = self;
        let send = async {
            // If the program exits early, writing fails. Its answer tells why.
            let _ = stdin.write_all(bytes).await;
            let _ = stdin.flush().await;
            std::future::pending::<()>().await;
        };
        // End as soon as one stream exceeds its limit: the other might never end.
        let answered = tokio::select! {
            answered = read_answer(stdout, verb, answer) => answered?,
            flooded = read_flood(stderr, said) => flooded?,
            () = send => Answered::ProgramEnded,
        };
        if matches!(answered, Answered::Completely(code) if code != Some(0)) {
            let _ = tokio::time::timeout(STDERR_GRACE, read_flood(stderr, said)).await;
        }
        Ok(answered)
    }

    /// Reads what it has left to say after its end, and returns its exit code.
    pub(super) async fn end(mut self, said: &mut Vec<u8>) -> std::io::Result<Ended> {
        drop((self.stdin, self.stdout));
        let limit = u64::try_from(ANSWER_LIMIT).unwrap_or(u64::MAX);
        (&mut self.stderr).take(limit).read_to_end(said).await?;
        if said.len() >= ANSWER_LIMIT {
            return Ok(Ended::TooMuch);
        }
        Ok(match self.child.wait().await {
            Ok(status) => Ended::With(status.code()),
            // 127 also reports a missing program, such as sudo. The output tells which one.
            Err(openssh::Error::Remote(_)) => Ended::With(Some(127)),
            Err(_) => Ended::Disconnected,
        })
    }
}

/// How a program ended.
pub(super) enum Ended {
    With(Option<i32>),
    Disconnected,
    TooMuch,
}

async fn read_answer(
    stdout: &mut BufReader<ChildStdout>,
    verb: &str,
    answer: &mut Vec<u8>,
) -> std::io::Result<Answered> {
    loop {
        let start = answer.len();
        let left = u64::try_from(ANSWER_LIMIT - start).unwrap_or(u64::MAX);
        let read = (&mut *stdout).take(left).read_until(b'\n', answer).await?;
        if answer.len() >= ANSWER_LIMIT {
            return Ok(Answered::TooMuch);
        }
        if read == 0 {
            return Ok(Answered::ProgramEnded);
        }
        if let Some((called, code)) = end_of_answer(&answer[start..]) {
            let is_in_step = called == verb.as_bytes() && stdout.buffer().is_empty();
            // The empty line goes, too.
            answer.truncate(start.saturating_sub(1));
            return Ok(if is_in_step {
                Answered::Completely(code)
            } else {
                Answered::OutOfStep(code)
            });
        }
    }
}

/// The verb and the code in the line that ends an answer. `None` for any other line.
fn end_of_answer(line: &[u8]) -> Option<(&[u8], Option<i32>)> {
    let line = line
        .strip_prefix(ANSWERED.as_bytes())?
        .strip_suffix(b"\n")?;
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let code = std::str::from_utf8(&line[tab + 1..]).ok()?;
    Some((&line[..tab], code.parse().ok()))
}

/// Returns only when `said` has reached its limit, or reading fails.
async fn read_flood(
    stderr: &mut (impl AsyncRead + Unpin),
    said: &mut Vec<u8>,
) -> std::io::Result<Answered> {
    loop {
        if stderr.read_buf(said).await? == 0 {
            std::future::pending::<()>().await;
        }
        if said.len() >= ANSWER_LIMIT {
            return Ok(Answered::TooMuch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_line_for_each_argument() {
        assert_eq!(
            request(&["unlock", "tx"], b"in\n"),
            b"2 3\nunlock\ntx\nin\n"
        );
        assert_eq!(
            request(&["revert", "two\nlines"], b""),
            b"2 0\nrevert\ntwo?lines\n"
        );
    }

    #[test]
    fn the_line_that_ends_an_answer_has_the_exit_code() {
        let lock = &b"lock"[..];
        assert_eq!(end_of_answer(b"answered\tlock\t1\n"), Some((lock, Some(1))));
        assert_eq!(end_of_answer(b"answered\tlock\t?\n"), Some((lock, None)));
        assert_eq!(end_of_answer(b"answered\tlock\t1"), None, "it is cut short");
        assert_eq!(end_of_answer(b"end\n"), None);
    }
}
