//! YAML text to a cluster, or all of its errors with their places.
//!
//! Three layers, one way: `raw` is what was typed (a tree in which every value knows its place, and
//! the keys declared over it), `resolve` is what it means (references, conflicts, defaults), and
//! [`crate::model::Cluster`] is the result. No layer stops at the first mistake.
//!
//! This module reads no file and prints nothing; it knows nothing of hosts, of rules that weigh one
//! valid setting against another (`check`), or of templates. What can't be written in the model is
//! refused here; what can be, but is unwise, is left to `check`.

mod error;
mod load;
mod raw;
mod reference;
mod resolve;
mod schema;
mod source;
mod starter;

pub use error::{InventoryError, InventoryErrors};
pub use load::{Inventory, load, load_bytes, load_with_profile};
pub use reference::reference;
pub use schema::schema;
pub use source::{Place, Source};
pub use starter::{StarterNode, StarterOptions, starter};
