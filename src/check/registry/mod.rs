//! Every rule that hactl knows, in one table made of one file per family.

#[macro_use]
mod table;
mod elections;
mod keepalived;
mod nginx;
mod operation;

pub use elections::*;
pub use keepalived::*;
pub use nginx::*;
pub use operation::*;
pub use table::rules;
