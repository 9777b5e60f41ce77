//! A cluster and a node's facts to the files of that node.
//!
//! Pure: templates come in as text, files go out as bytes, and the same input gives the same bytes
//! for ever (no clock, no random numbers, no order of a hash map). Templates see only the typed
//! views of `view`, whose values are escaped for the syntax that they land in already. This module
//! knows nothing of hosts, of what is on them now, or of what a change would do to a service.

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
