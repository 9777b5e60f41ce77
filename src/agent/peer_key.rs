//! What the nodes of one change prove to each other that they belong to it.

use secrecy::{ExposeSecret, SecretString};

use super::script::hex;

/// Bytes of a key: more than anybody can try.
const LENGTH: usize = 32;

/// The key of one change. Its nodes get it on standard input, keep it where only root reads, and never
/// send it to each other; it goes with the change.
#[derive(Debug, Clone)]
pub struct PeerKey(SecretString);

/// The operating system has no random bytes to give.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot get random bytes from the operating system: {reason}")]
pub struct NoRandomness {
    reason: String,
}

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness {
        reason: error.to_string(),
    })?;
    Ok(bytes)
}

impl PeerKey {
    /// A fresh key from the operating system.
    pub fn random() -> Result<Self, NoRandomness> {
        let bytes: [u8; LENGTH] = random_bytes()?;
        Ok(Self(SecretString::from(hex(&bytes))))
    }

    /// Its hexadecimal digits, for the stream to a host and for nothing else.
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
