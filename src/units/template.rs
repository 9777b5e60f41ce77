//! What a template is called, where its file goes, and what it is for.

use crate::model::FileRole;

/// How a file's permission bits are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariantMode {
    /// Always these.
    Fixed(u32),
    /// `0600` when the file holds a secret, `0644` otherwise.
    PrivateWithSecret,
}

/// One template and the file that it makes.
#[derive(Debug, Clone, Copy)]
pub struct TemplateSpec {
    /// Its name, as `--templates` takes it (a file of this name, with or without `.tera`).
    pub name: &'static str,
    /// Where its file goes.
    pub path: &'static str,
    /// Where it goes instead beside a main file of somebody else's, which includes it.
    pub beside: Option<&'static str>,
    /// What its file is for.
    pub role: FileRole,
    /// The file's permission bits.
    pub mode: VariantMode,
    /// One sentence for the documentation.
    pub purpose: &'static str,
    /// The template as it comes with hactl.
    pub source: &'static str,
}
