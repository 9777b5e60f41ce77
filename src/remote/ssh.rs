//! The system's OpenSSH, multiplexed over one connection per node, so that `ssh_config(5)`, agents,
//! jump hosts and host-key checks work as on the command line.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openssh::{Child, Session, Stdio};
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::master::launch;
use super::program::{ANSWER_LIMIT, Answered, Ended, RunningProgram, request};
use super::sudo::{self, SudoPassword, SudoRefusal};
use super::{Call, Connector, Exchange, Host, Output, RemoteError, SshOptions};
use crate::model::{Login, Node, NodeName};

/// How long to retry when sshd refuses another session: with `MaxSessions 1` the previous session
/// may only just have ended, or another may still be running.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);
const SESSION_PAUSE: Duration = Duration::from_millis(100);

/// More than any line in a conversation.
const LINE_LIMIT: u64 = 256;

#[derive(Debug, Clone)]
pub struct SshConnector {
    options: SshOptions,
}

impl SshConnector {
    pub fn new(options: SshOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Connector for SshConnector {
    async fn connect(&self, node: &Node) -> Result<Box<dyn Host>, RemoteError> {
        let started = Instant::now();
        let host = &node.ssh.host;
        // ssh's ConnectTimeout does not cover jump hosts, or a server that accepts and then stays
        // silent.
        let patience = self.options.connect_timeout + Duration::from_secs(5);
        let launched = tokio::time::timeout(patience, launch(&self.options, node)).await;
        let session = match launched {
            Ok(Ok(folder)) => Session::new_native_mux(folder),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(RemoteError::Unreachable {
                    node: node.name.clone(),
                    host: host.clone(),
                    detail: format!("no answer within {}s", patience.as_secs()),
                });
            }
        };
        tracing::debug!(node = %node.name, host, elapsed = ?started.elapsed(), "connected");
        Ok(Box::new(SshHost {
            node: node.name.clone(),
            login: node.ssh.login,
            sudo_password: self.options.sudo_password.clone(),
            session: Arc::new(session),
            idle: Mutex::default(),
        }))
    }
}

/// An open connection.
struct SshHost {
    node: NodeName,
    login: Login,
    sudo_password: Option<SudoPassword>,
    session: Arc<Session>,
    /// Programs that wait for the next call.
    idle: Mutex<Vec<RunningProgram>>,
}

/// How to gain root.
enum Escalation<'a> {
    /// The login user is root.
    None,
    /// With sudo, which must not prompt (`-n`).
    Quiet,
    /// With sudo, which may prompt and gets this password.
    Asking(&'a SecretString),
}

impl SshHost {
    fn disconnected(&self, label: &str) -> RemoteError {
        RemoteError::Disconnected {
            node: self.node.clone(),
            label: label.to_owned(),
        }
    }

    fn too_much(&self, label: &str) -> RemoteError {
        RemoteError::TooMuch {
            node: self.node.clone(),
            label: label.to_owned(),
            limit: ANSWER_LIMIT,
        }
    }

    /// A program that waits for a call.
    fn idle(&self) -> Option<RunningProgram> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    async fn call_any(&self, call: &Call<'_>) -> Result<Output, RemoteError> {
        if let Some(program) = self.idle()
            && let Some(output) = self.call_again(program, call).await?
        {
            return Ok(output);
        }
        self.call_first(call).await
    }

    /// Makes a further call of `program`. `None` if that has ended without an answer, and so has done nothing: a call
    /// answers before it acts.
    async fn call_again(
        &self,
        program: RunningProgram,
        call: &Call<'_>,
    ) -> Result<Option<Output>, RemoteError> {
        let bytes = request(&call.arguments, call.input);
        let said = format!("{}\n", call.program.ready).into_bytes();
        let mut answer = Vec::new();
        let exchange = self.exchange(program, call, &bytes, &mut answer, said);
        match self.in_time(call.label, call.timeout, exchange).await {
            Ok(_) | Err(RemoteError::Disconnected { .. }) if answer.is_empty() => Ok(None),
            Ok((code, stderr)) => Ok(Some(Output {
                code,
                stdout: answer,
                stderr,
            })),
            Err(error) => Err(error),
        }
    }

    /// Makes the first call of a program. If sudo turns out to need a password, it is tried again with the password.
    async fn call_first(&self, call: &Call<'_>) -> Result<Output, RemoteError> {
        if self.login == Login::Root {
            return self.call_in_time(call, Escalation::None).await;
        }
        let Some(source) = &self.sudo_password else {
            return self.call_in_time(call, Escalation::Quiet).await;
        };
        let failed = |reason| RemoteError::SudoPassword {
            node: self.node.clone(),
            reason,
        };
        let known = source.ready().await.transpose().map_err(failed)?;
        let password = if let Some(password) = known {
            password
        } else {
            let output = self.call_in_time(call, Escalation::Quiet).await?;
            // sudo ran nothing, so nothing runs twice.
            let wants_it = output.stdout.is_empty()
                && SudoRefusal::of(&String::from_utf8_lossy(&output.stderr))
                    == Some(SudoRefusal::PasswordNeeded);
            if !wants_it {
                return Ok(output);
            }
            source.get().await.map_err(failed)?
        };
        self.call_in_time(call, Escalation::Asking(&password)).await
    }

    /// The time that the operator takes to type the password is not the call's.
    async fn call_in_time(
        &self,
        call: &Call<'_>,
        escalation: Escalation<'_>,
    ) -> Result<Output, RemoteError> {
        let answered = Box::pin(self.start_and_call(call, escalation));
        self.in_time(call.label, call.timeout, answered).await
    }

    async fn start_and_call(
        &self,
        call: &Call<'_>,
        escalation: Escalation<'_>,
    ) -> Result<Output, RemoteError> {
        let escalate = match escalation {
            Escalation::None => &[],
            Escalation::Quiet => sudo::QUIET,
            Escalation::Asking(_) => sudo::ASKING,
        };
        let argv: Vec<&str> = escalate.iter().chain(call.program.argv).copied().collect();
        let until = Instant::now() + SESSION_PATIENCE;
        let mut program = loop {
            match self.start(&argv, call.label).await? {
                Some(program) => break program,
                None if Instant::now() >= until => return Err(self.no_session(call.label)),
                None => tokio::time::sleep(SESSION_PAUSE).await,
            }
            // Perhaps the one program for which there is a session has ended its call.
            if let Some(program) = self.idle()
                && let Some(output) = self.call_again(program, call).await?
            {
                return Ok(output);
            }
        };
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        if let Escalation::Asking(password) = escalation {
            let (stdin, stderr) = (&mut program.stdin, &mut program.stderr);
            let let_in = sudo::let_in(stdin, stderr, password, call.program.ready).await;
            let (begun, lines) = let_in.map_err(|_| self.disconnected(call.label))?;
            said = lines;
            if !begun {
                let (code, stderr) = self.ended(program, call, said).await?;
                return Ok(Output {
                    code,
                    stdout: answer,
                    stderr,
                });
            }
        }
        let mut bytes = call.program.text.to_vec();
        bytes.extend(request(&call.arguments, call.input));
        let exchange = self.exchange(program, call, &bytes, &mut answer, said);
        let (code, stderr) = exchange.await?;
        Ok(Output {
            code,
            stdout: answer,
            stderr,
        })
    }

    /// Starts a program. `None` if sshd refuses a session, which started nothing.
    async fn start(
        &self,
        argv: &[&str],
        label: &str,
    ) -> Result<Option<RunningProgram>, RemoteError> {
        let (name, arguments) = argv.split_first().unwrap_or((&"true", &[]));
        let mut command = Arc::clone(&self.session).arc_command(*name);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child: Child<Arc<Session>> = match command.spawn().await {
            Ok(child) => child,
            Err(error) if is_refused(&error) => return Ok(None),
            Err(_) => return Err(self.disconnected(label)),
        };
        let streams = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(self.disconnected(label));
        };
        Ok(Some(RunningProgram {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            stderr,
        }))
    }

    fn no_session(&self, label: &str) -> RemoteError {
        RemoteError::NoSession {
            node: self.node.clone(),
            label: label.to_owned(),
        }
    }

    /// Sends `bytes` to `program`, and keeps the program for the next call. `said` is what it has written to standard
    /// error so far. Returns the exit code and all of standard error.
    async fn exchange(
        &self,
        mut program: RunningProgram,
        call: &Call<'_>,
        bytes: &[u8],
        answer: &mut Vec<u8>,
        mut said: Vec<u8>,
    ) -> Result<(Option<i32>, Vec<u8>), RemoteError> {
        let verb = call.arguments.first().copied().unwrap_or_default();
        let answered = program.call(verb, bytes, answer, &mut said).await;
        match answered.map_err(|_| self.disconnected(call.label))? {
            Answered::Completely(code) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(program);
                Ok((code, said))
            }
            Answered::OutOfStep(code) => Ok((code, said)),
            Answered::ProgramEnded => self.ended(program, call, said).await,
            Answered::TooMuch => Err(self.too_much(call.label)),
        }
    }

    /// The exit code and the standard error of a program that has ended.
    async fn ended(
        &self,
        program: RunningProgram,
        call: &Call<'_>,
        mut said: Vec<u8>,
    ) -> Result<(Option<i32>, Vec<u8>), RemoteError> {
        let ended = program.end(&mut said).await;
        match ended.map_err(|_| self.disconnected(call.label))? {
            Ended::With(code) => Ok((code, said)),
            Ended::Disconnected => Err(self.disconnected(call.label)),
            Ended::TooMuch => Err(self.too_much(call.label)),
        }
    }

    async fn converse_unbounded(
        &self,
        argv: &[&str],
        label: &str,
        count: usize,
    ) -> Result<Vec<Exchange>, RemoteError> {
        let until = Instant::now() + SESSION_PATIENCE;
        let mut program = loop {
            match self.start(argv, label).await? {
                Some(program) => break program,
                None if Instant::now() >= until => return Err(self.no_session(label)),
                // Where sshd allows one session, the program that waits for a call has it.
                None => drop(self.idle()),
            }
            tokio::time::sleep(SESSION_PAUSE).await;
        };
        let lost = |_| self.disconnected(label);
        let limit = LINE_LIMIT.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX));
        let mut answers = program.stdout.take(limit).lines();
        let mut exchanges = Vec::new();
        for _ in 0..count {
            let asked = Instant::now();
            program.stdin.write_all(b"\n").await.map_err(lost)?;
            let line = answers.next_line().await.map_err(lost)?;
            exchanges.push(Exchange {
                asked,
                answered: Instant::now(),
                line: line.ok_or_else(|| self.disconnected(label))?,
            });
        }
        drop((program.stdin, program.stderr));
        // It exits at the end of its input, and its exit status does not matter.
        let _ = program.child.wait().await;
        Ok(exchanges)
    }

    /// Bounds `work` for the call `label` by `timeout`.
    async fn in_time<R>(
        &self,
        label: &str,
        timeout: Duration,
        work: impl Future<Output = Result<R, RemoteError>>,
    ) -> Result<R, RemoteError> {
        let ended = tokio::time::timeout(timeout, work).await;
        ended.unwrap_or_else(|_| {
            Err(RemoteError::TimedOut {
                node: self.node.clone(),
                label: label.to_owned(),
                timeout,
            })
        })
    }
}

/// Whether sshd refused a session although the connection is open. Only ssh's message tells.
fn is_refused(error: &openssh::Error) -> bool {
    matches!(error, openssh::Error::SshMux(mux) if mux.to_string().contains("Session open refused"))
}

#[async_trait]
impl Host for SshHost {
    fn node(&self) -> &NodeName {
        &self.node
    }

    async fn call(&self, call: Call<'_>) -> Result<Output, RemoteError> {
        let started = Instant::now();
        let output = self.call_any(&call).await;
        let code = output.as_ref().ok().and_then(|output| output.code);
        tracing::debug!(node = %self.node, call = call.label, elapsed = ?started.elapsed(), code, "call ended");
        output
    }

    async fn converse(
        &self,
        argv: &[&str],
        label: &str,
        timeout: Duration,
        count: usize,
    ) -> Result<Vec<Exchange>, RemoteError> {
        let said = self.converse_unbounded(argv, label, count);
        self.in_time(label, timeout, said).await
    }

    async fn close(self: Box<Self>) {
        let Self { session, idle, .. } = *self;
        // They hold the session, and end with their input.
        drop(idle);
        if let Some(session) = Arc::into_inner(session) {
            // Failing to close a lost connection is fine.
            let _ = session.close().await;
        }
    }
}
