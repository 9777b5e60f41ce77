//! Rejects invalid or malicious text before it reaches the parser.

use std::ops::Range;

use crate::inventory::error::Diagnostic;
use crate::model::is_harmful;

/// Maximum size of an inventory, hundreds of times the usual one.
const MAX_BYTES: usize = 1024 * 1024;
/// Maximum length of a line. Longer ones are accidents, and make a message that quotes them unreadable.
const MAX_LINE: usize = 4096;

/// The text to parse, or an error with the text that may be shown for it.
pub(in crate::inventory) fn decode(bytes: &[u8]) -> Result<&str, (String, Diagnostic)> {
    if bytes.len() > MAX_BYTES {
        return Err((String::new(), too_large(bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if let Some(fault) = long_line(text) {
        return Err((String::new(), fault));
    }
    let is_bad = |(offset, c): &(usize, char)| is_refused_at(text, *offset, *c);
    match text.char_indices().find(is_bad) {
        Some((offset, found)) => Err(refused_character(text, offset, found)),
        None => Ok(text),
    }
}

fn too_large(bytes: usize) -> Diagnostic {
    Diagnostic::unplaced(format!(
        "the file is too large for an inventory: {bytes} bytes; the limit is {MAX_BYTES}"
    ))
    .help("check that this is the file that you mean")
}

/// UTF-16 is named, since editors on other systems save it.
fn not_utf8(bytes: &[u8], offset: usize) -> (String, Diagnostic) {
    let shown = mask(&String::from_utf8_lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "?"));
    if long_line(&shown).is_some() {
        return (
            String::new(),
            Diagnostic::unplaced("the file is not UTF-8 text"),
        );
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let encoding = if is_utf16 { " but UTF-16" } else { "" };
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let fault = Diagnostic::at(
        &(offset..offset + 1),
        format!("the file is not UTF-8{encoding}"),
    )
    .label(format!("the byte 0x{byte:02x}"))
    .help("save the file as UTF-8");
    (shown, fault)
}

fn long_line(text: &str) -> Option<Diagnostic> {
    let (index, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.len() > MAX_LINE)?;
    let message = format!(
        "line {} is {} bytes long; the limit is {MAX_LINE}",
        index + 1,
        line.len()
    );
    Some(
        Diagnostic::unplaced(message).help("break the line; a long text goes in a block after `|`"),
    )
}

/// Characters that a terminal interprets or hides, so that a reader would see a different file than hactl.
pub(super) fn is_refused(c: char) -> bool {
    is_harmful(c) && c != '\r'
}

/// A byte order mark is allowed only at the start.
fn is_refused_at(text: &str, offset: usize, c: char) -> bool {
    is_refused(c) || is_lone_return(text, offset) || (c == '\u{feff}' && offset > 0)
}

fn refused_character(text: &str, offset: usize, found: char) -> (String, Diagnostic) {
    let span: Range<usize> = offset..offset + found.len_utf8();
    let name = match found {
        '\0' => "a NUL byte",
        '\u{1b}' => "an escape character",
        '\r' => "a carriage return without a line feed",
        c if c.is_control() => "a control character",
        _ => "an invisible character",
    };
    let code = u32::from(found);
    let fault = Diagnostic::at(&span, format!("{name} (U+{code:04X}) in the file"))
        .label("shown as '?'")
        .help("remove it; where a text really needs one, write it as an escape in double quotes");
    (mask(text), fault)
}

/// Values after `password:` and the like, up to the end of the line, in a text that cannot be parsed: an error message
/// must not leak them. References in `{ }` may be shown.
pub(in crate::inventory) fn likely_secrets(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for (colon, _) in line.match_indices(':') {
            let key = line[..colon].trim_end_matches(['"', '\'']);
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let key = &key[key.trim_end_matches(is_word).len()..];
            let value = line[colon + 1..].trim();
            let is_value = !value.is_empty() && !value.starts_with('{');
            if is_value && super::suggest::names_a_secret(key, None) && key != "proxy_pass" {
                hidden.push(start + colon + 1..start + line.trim_end().len());
                break;
            }
        }
        start += line.len();
    }
    hidden
}

/// True for a carriage return without a line feed: YAML treats it as the end of a line, while a terminal overwrites
/// the line.
fn is_lone_return(text: &str, offset: usize) -> bool {
    text[offset..].starts_with('\r') && !text[offset + 1..].starts_with('\n')
}

/// Replaces each byte of a refused character with a question mark.
fn mask(text: &str) -> String {
    text.char_indices()
        .map(|(offset, c)| {
            if is_refused_at(text, offset, c) {
                "?".repeat(c.len_utf8())
            } else {
                c.into()
            }
        })
        .collect()
}
