//! The key by which the nodes of a change authenticate each other.

use secrecy::{ExposeSecret, SecretString};

use super::script::hex;

/// The length of a key in bytes, beyond brute force.
const LENGTH: usize = 32;

/// The key of one change. Nodes receive it on standard input, keep it readable by root alone, and
/// never send it to each other. It is deleted with the change.
#[derive(Debug, Clone)]
pub struct PeerKey(SecretString);

/// The operating system provided no random bytes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot get random bytes from the operating system: {reason}")]
pub struct NoRandomness {
    reason: String,
}

pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness {
        reason: error.to_string(),
    })?;
    Ok(bytes)
}

impl PeerKey {
    pub fn random() -> Result<Self, NoRandomness> {
        let bytes: [u8; LENGTH] = random_bytes()?;
        Ok(Self(SecretString::from(hex(&bytes))))
    }

    /// Its hexadecimal digits, only for the stream to a host.
    pub(super) fn digits(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_show_nothing() {
        let (one, other) = (PeerKey::random().unwrap(), PeerKey::random().unwrap());
        assert_ne!(one.digits(), other.digits());
        assert_eq!(one.digits().len(), 2 * LENGTH);
        assert!(!format!("{one:?}").contains(one.digits()));
    }
}
