//! YAML text to a cluster, or all of its errors with their places.

mod error;
mod load;
mod raw;
mod resolve;
mod source;

pub use error::{InventoryError, InventoryErrors};
pub use load::{Inventory, load, load_bytes};
pub use source::{Place, Source};
