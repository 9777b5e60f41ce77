//! Diffs with secrets masked.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use similar::TextDiff;

use crate::model::{FileRole, harmless};

/// Maximum number of lines of a file that are compared. The time grows quadratically.
const MAX_LINES: usize = 10_000;

/// Masks secrets with a keyed fingerprint. Within one run it shows whether a secret changed, and it reveals nothing
/// else.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
}

impl Redactor {
    /// `key` must be random and secret.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn fingerprint(&self, secret: &[u8]) -> String {
        // The key has a fixed length and comes first, so no two inputs can collide by concatenation.
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(secret)
            .finalize();
        let [a, b, c, d] = [0, 1, 2, 3].map(|index| digest[index]);
        format!("<secret {a:02x}{b:02x}{c:02x}{d:02x}>")
    }

    /// `content` with secrets masked.
    pub(super) fn shown(&self, role: FileRole, content: &[u8]) -> String {
        if role == FileRole::TlsKey {
            return format!("{}\n", self.fingerprint(content));
        }
        let Ok(text) = std::str::from_utf8(content) else {
            return format!("<{} bytes that are no text>\n", content.len());
        };
        if text.contains("PRIVATE KEY-----") {
            return format!("{}\n", self.fingerprint(content));
        }
        let head = head(text);
        let mut shown: String = head
            .split_inclusive('\n')
            .map(|line| self.shown_line(line))
            .collect();
        if head.len() < text.len() {
            let rest = &text[head.len()..];
            let lines = rest.lines().count();
            let same = self.fingerprint(rest.as_bytes());
            // Writing to a String cannot fail.
            let _ = writeln!(shown, "<{lines} more lines: {same}>");
        }
        shown
    }

    /// Masks everything from a secret's keyword to the end of its line: keepalived's `auth_pass` and `auth_hmac`, even
    /// in a block on a single line.
    fn shown_line(&self, line: &str) -> String {
        let body = line.trim_end_matches(['\n', '\r']);
        let Some((_, end)) = keyword_in(body) else {
            return harmless(line);
        };
        let secret = body[end..].trim();
        let told = harmless(&body[..end]);
        format!(
            "{told} {}{}",
            self.fingerprint(secret.as_bytes()),
            harmless(&line[body.len()..])
        )
    }

    /// A unified diff from `before` to `after`, empty when they look the same.
    pub(super) fn diff(&self, role: FileRole, before: &[u8], after: &[u8]) -> String {
        let (before, after) = (self.shown(role, before), self.shown(role, after));
        TextDiff::from_lines(&before, &after)
            .unified_diff()
            .context_radius(3)
            .to_string()
    }
}

/// The first lines of a file that is too long to compare. Files on a host may have any size.
fn head(text: &str) -> &str {
    let end = text.match_indices('\n').nth(MAX_LINES - 1);
    end.map_or(text, |(end, _)| &text[..=end])
}

/// Start and end of a secret's keyword, as a word of its own.
fn keyword_in(line: &str) -> Option<(usize, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let places = ["auth_pass", "auth_hmac", "password"]
        .into_iter()
        .flat_map(|keyword| {
            let ends = line.match_indices(keyword);
            ends.map(move |(at, _)| (at, at + keyword.len()))
        });
    places
        .filter(|(at, end)| {
            !line[..*at].ends_with(is_word) && line[*end..].starts_with(char::is_whitespace)
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_password_shows_as_changed_and_not_as_itself() {
        let redactor = Redactor::new([7; 32]);
        let diff = redactor.diff(
            FileRole::KeepalivedConf,
            b"authentication {\n    auth_pass hunter1\n}\n",
            b"authentication {\n    auth_pass hunter2\n}\n",
        );
        assert!(!diff.contains("hunter"), "{diff}");
        assert_eq!(diff.matches("<secret ").count(), 2, "{diff}");
    }

    #[test]
    fn a_key_is_never_shown() {
        let redactor = Redactor::new([7; 32]);
        let diff = redactor.diff(FileRole::TlsKey, b"", b"-----BEGIN PRIVATE KEY-----\nabc\n");
        assert!(!diff.contains("abc"), "{diff}");
    }

    #[test]
    fn a_password_in_a_block_on_one_line_is_masked_too() {
        let redactor = Redactor::new([7; 32]);
        for before in [
            "authentication { auth_type PASS; auth_pass hunter1 }\n",
            "x{auth_pass\thunter1}\r\n",
            "# auth_pass hunter1",
            "smtp password hunter1\n",
        ] {
            let diff = redactor.diff(FileRole::KeepalivedConf, before.as_bytes(), b"nothing\n");
            assert!(
                !diff.contains("hunter") && diff.contains("<secret "),
                "{diff}"
            );
        }
    }

    #[test]
    fn what_lies_on_a_host_commands_no_terminal_and_takes_no_hours() {
        let redactor = Redactor::new([7; 32]);
        let escapes = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\u{7f}\r x\n";
        let diff = redactor.diff(FileRole::Other, escapes.as_bytes(), b"x\n");
        assert!(!diff.chars().any(crate::model::is_harmful), "{diff:?}");
        assert!(diff.contains(r"\u{1b}]0;owned\u{7}"), "{diff:?}");

        let lines = |from: usize| -> String {
            let lines = (from..from + 400_000).map(|n| format!("{n}\n"));
            lines.collect()
        };
        let diff = redactor.diff(
            FileRole::Other,
            lines(0).as_bytes(),
            lines(7_000_000).as_bytes(),
        );
        assert!(diff.lines().count() < 3 * MAX_LINES, "{}", diff.len());
        assert!(diff.contains("-<390000 more lines: <secret "), "no mark");
    }

    #[test]
    fn the_same_secret_is_no_change() {
        let redactor = Redactor::new([7; 32]);
        assert_eq!(
            redactor.diff(
                FileRole::KeepalivedConf,
                b"auth_pass x\n",
                b"auth_pass   x\n"
            ),
            ""
        );
    }
}
