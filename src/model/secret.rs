//! Secrets by reference: the inventory says where a secret comes from, and only the edge fetches
//! it. Nothing that is serialised or printed can contain its value.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use secrecy::SecretString;

/// The source of a secret. Printing it shows the source, never the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// An environment variable on the controller.
    Env(String),
    /// A file next to the inventory, or an absolute path. No other user may be able to read it.
    File(Utf8PathBuf),
    /// A program and its arguments. The secret is its standard output, without a final newline.
    Command(Vec<String>),
}

/// The values of one inventory's secrets, fetched once.
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
    pub fn insert(&mut self, reference: SecretRef, value: SecretString) {
        self.0.insert(reference, value);
    }

    pub fn get(&self, reference: &SecretRef) -> Result<&SecretString, MissingSecret> {
        self.0.get(reference).ok_or_else(|| MissingSecret {
            reference: reference.clone(),
        })
    }
}
