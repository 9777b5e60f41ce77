//! Untrusted text from hosts, files and other programs. It must not be able to control a terminal
//! or make a reader see anything but its real content.

use std::fmt::Write as _;

/// Whether a terminal would interpret the character, or it reorders, breaks or hides text: control
/// characters (C0, DEL and C1) except newline and tab, Unicode's bidirectional controls, line and
/// paragraph separators, annotations and tags, and characters without a width.
pub fn is_harmful(c: char) -> bool {
    let hides = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    hides || c.is_control() && !matches!(c, '\n' | '\t')
}

/// `text` with every harmful character as a readable escape, such as `\u{1b}`.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// `text` truncated to `limit` characters, with `...` if it was longer.
pub fn clipped(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A JSON document with harmful characters as JSON escapes, which keeps its meaning. JSON itself
/// requires escapes only for C0.
pub fn harmless_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_can_be_read() {
        assert_eq!(
            harmless("a\u{1b}]0;x\u{7}b\rc\u{9b}31m\u{7f}\u{202e}d\te\n\u{e9}"),
            r"a\u{1b}]0;x\u{7}b\rc\u{9b}31m\u{7f}\u{202e}d".to_owned() + "\te\n\u{e9}"
        );
        assert_eq!(clipped("\u{e9}\u{e9}\u{e9}", 2), "\u{e9}\u{e9}...");
        assert_eq!(clipped("\u{e9}\u{e9}", 2), "\u{e9}\u{e9}");
    }

    proptest! {
        #[test]
        fn no_text_stays_harmful(text in any::<String>()) {
            prop_assert!(!harmless(&text).chars().any(is_harmful));
        }

        #[test]
        fn json_means_the_same_without_them(text in any::<String>(), more in "[\u{7f}-\u{9f}\u{2028}-\u{202e}\u{e0001}\u{1b}\"]{0,9}") {
            let value = serde_json::json!({ text.clone(): more });
            let shown = harmless_json(&format!("{value:#}"));
            prop_assert!(!shown.chars().any(is_harmful), "{}", shown);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
