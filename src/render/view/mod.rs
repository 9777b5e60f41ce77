//! Variables of the templates: one typed view per template, with every value escaped for its syntax.

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
