//! The boundary to a host, as traits: implemented by OpenSSH, and by a fake for tests.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::RemoteError;
use crate::model::{Node, NodeName};

/// A program that answers calls over its standard input and output, in the way that [`request`] describes.
///
/// [`request`]: super::request
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Starts it, as an argument list without any shell.
    pub argv: &'a [&'a str],
    /// Its text, which it reads from standard input before any call.
    pub text: &'a [u8],
    /// The line that it writes to standard error as soon as it starts reading.
    pub ready: &'a str,
}

/// A call of a program.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub program: Program<'a>,
    pub arguments: Vec<&'a str>,
    /// Its input. The only way that secrets travel.
    pub input: &'a [u8],
    /// Its name in logs, such as `observe`.
    pub label: &'a str,
    pub timeout: Duration,
}

/// The result of a call.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code: over 128 if a signal killed the call, `None` if one killed the program.
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

    /// Calls a program as root. It is started for the first call and stays for the next one. Calls in
    /// parallel each have a program of their own.
    async fn call(&self, call: Call<'_>) -> Result<Output, RemoteError>;

    /// Runs a program as the login user, without root. It answers each line with one line, and
    /// receives `count` empty lines, each sent after the previous one was answered. Not every
    /// implementation supports this.
    async fn converse(
        &self,
        _argv: &[&str],
        label: &str,
        _timeout: Duration,
        _count: usize,
    ) -> Result<Vec<Exchange>, RemoteError> {
        Err(RemoteError::Disconnected {
            node: self.node().clone(),
            label: label.to_owned(),
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
