//! One host: running programs on it, with their input and output.
//!
//! This module knows how to reach a host, but not what is done there.

mod error;
#[cfg(test)]
pub(crate) mod fake;
mod host;
mod local;
mod master;
mod program;
mod ssh;
mod ssh_options;
mod sudo;

pub use error::RemoteError;
pub use host::{Call, Connector, Exchange, Host, Output, Program};
pub use local::{local_answer, local_output};
pub use program::request;
pub use ssh::SshConnector;
pub use ssh_options::SshOptions;
pub use sudo::{PasswordSource, SudoPassword, SudoRefusal};
