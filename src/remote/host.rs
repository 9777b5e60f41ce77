//! The boundary to a host, as traits: implemented by OpenSSH, and by a fake for tests.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::RemoteError;
use crate::model::{Node, NodeName};

/// A program to run, as an argument list without any shell.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The program and its arguments.
    pub argv: Vec<&'a str>,
    /// Its standard input. The only way that secrets travel.
    pub stdin: &'a [u8],
    /// The line that it writes to standard error as soon as it starts reading its standard input.
    pub ready: &'a str,
    /// Its name in logs, such as `observe`.
    pub label: &'a str,
    pub timeout: Duration,
}

/// The result of a program.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code, or `None` if a signal killed it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// A program's one-line answer to an empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When the line was sent.
    pub asked: Instant,
    /// When the answer arrived.
    pub answered: Instant,
    /// The answer, without its line ending.
    pub line: String,
}

/// An open connection to one host.
#[async_trait]
pub trait Host: Send + Sync {
    fn node(&self) -> &NodeName;

    /// Runs a program to its end.
    async fn run(&self, call: Call<'_>) -> Result<Output, RemoteError>;

    /// Runs a program as the login user, without root. The program answers each line with one line.
    /// It receives its standard input, then `count` empty lines, each sent after the previous one
    /// was answered. Not every implementation supports this.
    async fn converse(&self, call: Call<'_>, _count: usize) -> Result<Vec<Exchange>, RemoteError> {
        Err(RemoteError::Disconnected {
            node: self.node().clone(),
            label: call.label.to_owned(),
        })
    }

    async fn close(self: Box<Self>);
}

/// Opens connections.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens a new connection to `node`, and never reuses one.
    async fn connect(&self, node: &Node) -> Result<Box<dyn Host>, RemoteError>;
}
