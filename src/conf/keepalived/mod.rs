//! A reader for keepalived.conf, by the rules of its `lib/parser.c` (2.0 to 2.4, measured with 2.2.7).

mod block;
mod conf;
mod definitions;
mod global;
mod instance;
mod line;
mod reader;
#[cfg(test)]
mod tests;

pub use conf::{Conf, Script};
pub use global::Global;
pub use instance::{Auth, Instance, Password, Preemption};
pub use line::{Condition, Kind, Line, Piece, is_space, lines, pieces};
