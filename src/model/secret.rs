//! Secrets by reference: the inventory says where a secret is, the edge fetches it, and nothing
//! that is serialised or printed can hold its value.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use secrecy::SecretString;

/// Where a secret comes from. Printing one shows the place, never the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// An environment variable of the operator's.
    Env(String),
    /// A file beside the inventory, or an absolute path; readable by nobody else.
    File(Utf8PathBuf),
    /// A program and its arguments; its standard output, less one final newline.
    Command(Vec<String>),
}

/// The values behind the references of one inventory, fetched once, at the edge.
#[derive(Debug, Default, Clone)]
pub struct Secrets(HashMap<SecretRef, SecretString>);

/// A secret that rendering needs was not fetched.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the secret {reference:?} was not fetched")]
pub struct MissingSecret {
    /// The reference without a value.
    pub reference: SecretRef,
}

impl Secrets {
    /// Keeps `value` for `reference`.
    pub fn insert(&mut self, reference: SecretRef, value: SecretString) {
        self.0.insert(reference, value);
    }

    /// The value behind `reference`.
    pub fn get(&self, reference: &SecretRef) -> Result<&SecretString, MissingSecret> {
        self.0.get(reference).ok_or_else(|| MissingSecret {
            reference: reference.clone(),
        })
    }
}
