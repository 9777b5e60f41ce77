//! The boundary to a host, as traits: the real one is OpenSSH's, a fake one serves tests.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::RemoteError;
use crate::model::{Node, NodeName};

/// One program to run, as a word list: no shell reads it before it runs.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The program and its arguments.
    pub argv: Vec<&'a str>,
    /// What it gets on standard input. Secrets travel here and nowhere else.
    pub stdin: &'a [u8],
    /// The line that it writes to standard error as soon as it reads its standard input.
    pub ready: &'a str,
    /// What to call it in logs, for example `observe`.
    pub label: &'a str,
    /// After this long it is given up.
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// A line that a program answered to an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When it was asked.
    pub asked: Instant,
    /// When the answer was there.
    pub answered: Instant,
    /// The answer, without its end.
    pub line: String,
}

/// An open connection to one host.
#[async_trait]
pub trait Host: Send + Sync {
    /// Whose it is.
    fn node(&self) -> &NodeName;

    /// Runs a program to its end.
    async fn run(&self, call: Call<'_>) -> Result<Output, RemoteError>;

    /// Runs a program as the login user, who need not be root. It answers each line of its input with
    /// one of its own: it gets its input and then `count` empty lines, each after the last one was answered.
    /// Not every host can.
    async fn converse(&self, call: Call<'_>, _count: usize) -> Result<Vec<Exchange>, RemoteError> {
        Err(RemoteError::Disconnected {
            node: self.node().clone(),
            label: call.label.to_owned(),
        })
    }

    /// Ends the connection.
    async fn close(self: Box<Self>);
}

/// Opens connections.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A new connection to `node`; never one that exists already.
    async fn connect(&self, node: &Node) -> Result<Box<dyn Host>, RemoteError>;
}
