//! The services that hactl manages on a node: one row each, which plan, host program, templates and
//! reports share.

mod keepalived;
mod nginx;
mod registry;
mod row;
mod template;

pub use registry::{add, all, ids, of};
pub use row::ManagedUnit;
pub use template::{TemplateSpec, VariantMode};
