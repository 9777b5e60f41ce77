//! A cluster and a node's facts to the files of that node.

mod types;

pub use types::{ConfigId, FileRole, RenderedFile, RenderedNode};
