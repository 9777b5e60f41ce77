//! YAML text to a cluster, or all of its errors with their places.

mod error;
mod load;
mod raw;
mod reference;
mod resolve;
mod schema;
mod source;
mod starter;

pub use error::{InventoryError, InventoryErrors};
pub use load::{Inventory, load, load_bytes};
pub use reference::reference;
pub use schema::schema;
pub use source::{Place, Source};
pub use starter::{StarterNode, StarterOptions, starter};
