//! Turns YAML text into a cluster, or into all of its errors with their places.
//!
//! There are three layers, which depend on each other in one direction: `raw` is what was typed (a tree in which
//! every value has a place, and the declared keys), `resolve` is what it means (references, conflicts, defaults),
//! and [`crate::model::Cluster`] is the result. No layer stops at the first error.
//!
//! This module reads no files and prints nothing. It does not know about hosts, about templates, or about rules
//! that compare valid settings (`check`). What the model cannot express is an error here. What it can express but
//! is unwise is left to `check`.

mod error;
mod key;
mod load;
mod raw;
mod reference;
mod resolve;
mod schema;
mod source;
mod starter;

pub use error::{InventoryError, InventoryErrors};
pub use key::{Key, keys_called, nearest_key};
pub use load::{Inventory, load, load_bytes, load_with_profile};
pub use reference::reference;
pub use schema::schema;
pub use source::{Place, Source};
pub use starter::{StarterNode, StarterOptions, starter};
