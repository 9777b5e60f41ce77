//! A path or a secret of the model's, for what is rendered.

use secrecy::ExposeSecret as _;

use super::error::RenderError;
use crate::model::{HostPath, SecretRef, Secrets};

/// A path of hactl's own choice.
pub(crate) fn host_path(text: &str) -> Result<HostPath, RenderError> {
    HostPath::new(text)
        .map_err(|error| RenderError::unsupported(text, error.to_string(), "report this as a bug"))
}

/// The secret text behind `reference`.
pub(crate) fn secret<'a>(
    secrets: &'a Secrets,
    reference: &SecretRef,
) -> Result<&'a str, RenderError> {
    Ok(secrets.get(reference)?.expose_secret())
}
