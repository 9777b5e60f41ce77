//! Renders a cluster and the facts of a node into the files of that node.
//!
//! This module is pure: templates come in as text, files go out as bytes, and the same input always gives the same
//! bytes (no clock, no random numbers, no hash map order). Templates see only the typed views of `view`, whose
//! values are already escaped for the syntax that they end up in. This module does not know about hosts, their
//! current files, or the effect of a change on a service.

mod convert;
mod docs;
mod engine;
mod error;
mod registry;
mod templates;
mod types;
mod view;

pub use crate::model::{
    EscapeError, keepalived_word, nginx_quoted, nginx_text, nginx_variables, sh_quoted,
    systemd_argument,
};
pub use docs::templates_markdown;
pub use engine::render;
pub use error::{RenderError, TemplateError};
pub use registry::templates;
pub use templates::Templates;
pub use types::{ConfigId, ConfigIds, RenderedFile, RenderedNode};
