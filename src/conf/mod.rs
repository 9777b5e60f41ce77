//! What the daemons' configuration files say, whoever wrote them: one reader for keepalived's language and one
//! for nginx's, by their own rules, with typed values on top.
//!
//! Any text is read to its end, in time that grows with its length, and never refused: whether a daemon
//! would take it is the daemon's test to tell. Nothing here knows the inventory, or where a text comes from.

mod files;
pub mod keepalived;
pub mod nginx;
#[cfg(test)]
mod rendered_tests;

pub use files::{File, Files};
