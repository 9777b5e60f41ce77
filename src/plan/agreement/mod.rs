//! Whether nodes with the old configuration and nodes with the new one still accept each other's adverts.
//!
//! What a node sends is compared with what it will send, per virtual router, in everything by which a peer judges
//! an advert (rule KA053). Virtual routers are matched as peers see them, by interface, family and virtual router
//! ID, then by the VIPs that they share. Instance names never leave a host, so they do not matter.

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
