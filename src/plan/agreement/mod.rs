//! Whether nodes of which some run the old configuration and some the new one still hear each other.
//!
//! What a node sends is compared with what it will send, per virtual router, by everything that a peer
//! judges an advert by (rule KA053). Routers are matched as peers meet them, by interface, family and
//! virtual router ID and then by the VIPs that they share; their names are nobody else's business.

mod change;
mod disagreement;
mod equals;
mod gap;
mod own_file;
mod preferred;
mod router;
mod routers;
mod strictness;
#[cfg(test)]
mod tests;

pub(super) use disagreement::{disagreement, pending_disagreement, without_owner};
pub(super) use equals::refuse_equals;
pub(super) use preferred::preferred;
pub(super) use strictness::Strictness;
