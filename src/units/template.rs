//! A template: its name, its destination and its purpose.

use crate::model::FileRole;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariantMode {
    /// Always this mode.
    Fixed(u32),
    /// `0600` if the file contains a secret, `0644` otherwise.
    PrivateWithSecret,
}

#[derive(Debug, Clone, Copy)]
pub struct TemplateSpec {
    /// Its name for `--templates`, which takes a file of this name with or without `.tera`.
    pub name: &'static str,
    /// The destination of its file.
    pub path: &'static str,
    /// The destination if hactl does not own the main file, which then includes this one.
    pub beside: Option<&'static str>,
    /// The role of its file.
    pub role: FileRole,
    /// The file's permission bits.
    pub mode: VariantMode,
    /// A sentence for the documentation.
    pub purpose: &'static str,
    /// The embedded template.
    pub source: &'static str,
}
