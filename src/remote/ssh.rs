//! The system's OpenSSH, multiplexed over one connection per node, so that `ssh_config(5)`, agents,
//! jump hosts and host-key checks work as on the command line.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session, Stdio};
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};

use super::master::launch;
use super::sudo::{self, SudoPassword, SudoRefusal};
use super::{Call, Connector, Exchange, Host, Output, RemoteError, SshOptions};
use crate::model::{Login, Node, NodeName};

/// More than any host's answer: many times the size of all managed files and a few generations.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// How long to retry when sshd refuses another session: with `MaxSessions 1` the previous session
/// may only just have ended, or another may still be running.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);

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
            session,
        }))
    }
}

/// A started program and its streams.
struct Started<'a> {
    child: Child<&'a Session>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// An open connection.
struct SshHost {
    node: NodeName,
    login: Login,
    sudo_password: Option<SudoPassword>,
    session: Session,
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

    /// Runs the call. If sudo turns out to need a password, it is tried again with the password.
    async fn run_as_root(&self, call: &Call<'_>) -> Result<Output, RemoteError> {
        if self.login == Login::Root {
            return self.run_in_time(call, Escalation::None).await;
        }
        let Some(source) = &self.sudo_password else {
            return self.run_in_time(call, Escalation::Quiet).await;
        };
        let failed = |reason| RemoteError::SudoPassword {
            node: self.node.clone(),
            reason,
        };
        let known = source.ready().await.transpose().map_err(failed)?;
        let password = if let Some(password) = known {
            password
        } else {
            let output = self.run_in_time(call, Escalation::Quiet).await?;
            // sudo ran nothing, so nothing runs twice.
            let wants_it = output.stdout.is_empty()
                && SudoRefusal::of(&String::from_utf8_lossy(&output.stderr))
                    == Some(SudoRefusal::PasswordNeeded);
            if !wants_it {
                return Ok(output);
            }
            source.get().await.map_err(failed)?
        };
        self.run_in_time(call, Escalation::Asking(&password)).await
    }

    async fn run_in_time(
        &self,
        call: &Call<'_>,
        escalation: Escalation<'_>,
    ) -> Result<Output, RemoteError> {
        let ended = tokio::time::timeout(call.timeout, self.run_unbounded(call, &escalation)).await;
        ended.unwrap_or_else(|_| {
            Err(RemoteError::TimedOut {
                node: self.node.clone(),
                label: call.label.to_owned(),
                timeout: call.timeout,
            })
        })
    }

    async fn spawn(
        &self,
        call: &Call<'_>,
        escalation: &Escalation<'_>,
    ) -> Result<Started<'_>, RemoteError> {
        let escalate = match escalation {
            Escalation::None => &[],
            Escalation::Quiet => sudo::QUIET,
            Escalation::Asking(_) => sudo::ASKING,
        };
        let argv: Vec<&str> = escalate.iter().chain(&call.argv).copied().collect();
        let until = Instant::now() + SESSION_PATIENCE;
        let mut child = loop {
            match self.open(&argv).await {
                Ok(child) => break child,
                // The refused session started nothing.
                Err(error) if is_refused(&error) => {
                    if Instant::now() >= until {
                        return Err(RemoteError::NoSession {
                            node: self.node.clone(),
                            label: call.label.to_owned(),
                        });
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(_) => return Err(self.disconnected(call.label)),
            }
        };
        let streams = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(self.disconnected(call.label));
        };
        Ok(Started {
            child,
            stdin,
            stdout,
            stderr,
        })
    }

    async fn open(&self, argv: &[&str]) -> Result<Child<&'_ Session>, openssh::Error> {
        let (program, arguments) = argv.split_first().unwrap_or((&"true", &[]));
        let mut command = self.session.command(*program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().await
    }

    async fn run_unbounded(
        &self,
        call: &Call<'_>,
        escalation: &Escalation<'_>,
    ) -> Result<Output, RemoteError> {
        let Started {
            child,
            mut stdin,
            stdout,
            mut stderr,
        } = self.spawn(call, escalation).await?;
        let talk = async {
            let mut said = Vec::new();
            let mut begun = true;
            if let Escalation::Asking(password) = escalation {
                let let_in = sudo::let_in(&mut stdin, &mut stderr, password, call.ready).await;
                (begun, said) = let_in.map_err(|_| self.disconnected(call.label))?;
            }
            let feed = async move {
                if begun {
                    // If the program exits early, writing fails. Its answer tells why.
                    let _ = stdin.write_all(call.stdin).await;
                }
                let _ = stdin.shutdown().await;
                Ok(())
            };
            let ((), rest) = tokio::try_join!(feed, self.read(call.label, stderr))?;
            said.extend(rest);
            Ok::<_, RemoteError>(said)
        };
        // End as soon as one stream exceeds its limit: the other might never end.
        let (stderr, stdout) = tokio::try_join!(talk, self.read(call.label, stdout))?;
        let code = match child.wait().await {
            Ok(status) => status.code(),
            // 127 also reports a missing program, such as sudo. The output tells which one.
            Err(openssh::Error::Remote(_)) => Some(127),
            Err(_) => return Err(self.disconnected(call.label)),
        };
        Ok(Output {
            code,
            stdout,
            stderr,
        })
    }

    async fn converse_unbounded(
        &self,
        call: &Call<'_>,
        count: usize,
    ) -> Result<Vec<Exchange>, RemoteError> {
        let mut started = self.spawn(call, &Escalation::None).await?;
        let lost = |_| self.disconnected(call.label);
        started.stdin.write_all(call.stdin).await.map_err(lost)?;
        let limit = LINE_LIMIT.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX));
        let mut answers = BufReader::new(started.stdout.take(limit)).lines();
        let mut exchanges = Vec::new();
        for _ in 0..count {
            let asked = Instant::now();
            started.stdin.write_all(b"\n").await.map_err(lost)?;
            let line = answers.next_line().await.map_err(lost)?;
            exchanges.push(Exchange {
                asked,
                answered: Instant::now(),
                line: line.ok_or_else(|| self.disconnected(call.label))?,
            });
        }
        drop((started.stdin, started.stderr));
        // It exits at the end of its input, and its exit status does not matter.
        let _ = started.child.wait().await;
        Ok(exchanges)
    }

    async fn read(
        &self,
        label: &str,
        from: impl AsyncRead + Unpin,
    ) -> Result<Vec<u8>, RemoteError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(ANSWER_LIMIT).unwrap_or(u64::MAX);
        let read = from.take(limit).read_to_end(&mut bytes).await;
        read.map_err(|_| self.disconnected(label))?;
        if bytes.len() >= ANSWER_LIMIT {
            return Err(RemoteError::TooMuch {
                node: self.node.clone(),
                label: label.to_owned(),
                limit: ANSWER_LIMIT,
            });
        }
        Ok(bytes)
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

    async fn run(&self, call: Call<'_>) -> Result<Output, RemoteError> {
        let started = Instant::now();
        let output = self.run_as_root(&call).await;
        let code = output.as_ref().ok().and_then(|output| output.code);
        tracing::debug!(node = %self.node, call = call.label, elapsed = ?started.elapsed(), code, "remote program ended");
        output
    }

    async fn converse(&self, call: Call<'_>, count: usize) -> Result<Vec<Exchange>, RemoteError> {
        let ended = tokio::time::timeout(call.timeout, self.converse_unbounded(&call, count)).await;
        ended.unwrap_or_else(|_| {
            Err(RemoteError::TimedOut {
                node: self.node.clone(),
                label: call.label.to_owned(),
                timeout: call.timeout,
            })
        })
    }

    async fn close(self: Box<Self>) {
        // Failing to close a lost connection is fine.
        let _ = self.session.close().await;
    }
}
