//! Diffs that show no secret.

use sha2::{Digest, Sha256};
use similar::TextDiff;

/// Masks secrets. The fingerprint that stands for one is keyed, so that it tells "changed" from
/// "the same" within one run and nothing to anybody else.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
}

impl Redactor {
    /// A redactor with a key that nobody else knows.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn fingerprint(&self, secret: &[u8]) -> String {
        // The key is fixed-length and comes first: no two inputs run together.
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(secret)
            .finalize();
        let [a, b, c, d] = [0, 1, 2, 3].map(|index| digest[index]);
        format!("<secret {a:02x}{b:02x}{c:02x}{d:02x}>")
    }

    /// `content` as it may be shown.
    pub(super) fn shown(&self, role: &str, content: &[u8]) -> String {
        if role == "tls_key" {
            return format!("{}\n", self.fingerprint(content));
        }
        let Ok(text) = std::str::from_utf8(content) else {
            return format!("<{} bytes that are no text>\n", content.len());
        };
        if text.contains("PRIVATE KEY-----") {
            return format!("{}\n", self.fingerprint(content));
        }
        text.split_inclusive('\n')
            .map(|line| self.shown_line(line))
            .collect()
    }

    /// Masks what follows a keyword that introduces a secret: keepalived's `auth_pass` and `auth_hmac`.
    fn shown_line(&self, line: &str) -> String {
        let body = line.trim_end_matches('\n');
        let trimmed = body.trim_start();
        let keyword = ["auth_pass", "auth_hmac", "password"]
            .into_iter()
            .find(|keyword| {
                trimmed
                    .strip_prefix(keyword)
                    .is_some_and(|rest| rest.starts_with(char::is_whitespace))
            });
        let Some(keyword) = keyword else {
            return harmless(line);
        };
        let indent = &body[..body.len() - trimmed.len()];
        let secret = trimmed[keyword.len()..].trim();
        let end = &line[body.len()..];
        format!(
            "{indent}{keyword} {}{end}",
            self.fingerprint(secret.as_bytes())
        )
    }

    /// A unified diff from `before` to `after`, empty when they look the same.
    pub(super) fn diff(&self, role: &str, before: &[u8], after: &[u8]) -> String {
        let (before, after) = (self.shown(role, before), self.shown(role, after));
        TextDiff::from_lines(&before, &after)
            .unified_diff()
            .context_radius(3)
            .to_string()
    }
}

/// A file on a host may hold anything; nothing of it may command the terminal.
fn harmless(line: &str) -> String {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    line.chars()
        .map(|c| if is_harmful(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_password_shows_as_changed_and_not_as_itself() {
        let redactor = Redactor::new([7; 32]);
        let diff = redactor.diff(
            "keepalived_conf",
            b"authentication {\n    auth_pass hunter1\n}\n",
            b"authentication {\n    auth_pass hunter2\n}\n",
        );
        assert!(!diff.contains("hunter"), "{diff}");
        assert_eq!(diff.matches("<secret ").count(), 2, "{diff}");
    }

    #[test]
    fn a_key_is_never_shown() {
        let redactor = Redactor::new([7; 32]);
        let diff = redactor.diff("tls_key", b"", b"-----BEGIN PRIVATE KEY-----\nabc\n");
        assert!(!diff.contains("abc"), "{diff}");
    }

    #[test]
    fn the_same_secret_is_no_change() {
        let redactor = Redactor::new([7; 32]);
        assert_eq!(
            redactor.diff("keepalived_conf", b"auth_pass x\n", b"auth_pass   x\n"),
            ""
        );
    }
}
