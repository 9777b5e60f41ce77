//! Conversion of paths and secrets from the model for rendering.

use secrecy::ExposeSecret as _;

use super::error::RenderError;
use crate::model::{HostPath, SecretRef, Secrets};

/// A path that hactl chooses, so an error is a bug.
pub(crate) fn host_path(text: &str) -> Result<HostPath, RenderError> {
    HostPath::new(text)
        .map_err(|error| RenderError::unsupported(text, error.to_string(), "report this as a bug"))
}

/// The plain text of a secret.
pub(crate) fn secret<'a>(
    secrets: &'a Secrets,
    reference: &SecretRef,
) -> Result<&'a str, RenderError> {
    Ok(secrets.get(reference)?.expose_secret())
}
