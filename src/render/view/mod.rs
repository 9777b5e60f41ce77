//! What the templates see: one typed view per template, each value escaped for its own syntax.

pub(super) mod common;
pub(super) mod keepalived;
pub(super) mod listen;
pub(super) mod location;
pub(super) mod nginx;
pub(super) mod scripts;
pub(super) mod tls;
pub(super) mod units;
pub(super) mod upstream;

pub(super) use common::header;
