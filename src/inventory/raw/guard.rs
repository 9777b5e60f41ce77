//! What is refused before a parser sees it: texts that are no text, and texts made to hurt.

use std::ops::Range;

use crate::inventory::error::Fault;
use crate::model::is_harmful;

/// The largest inventory: hundreds of times a usual one.
const MAX_BYTES: usize = 1024 * 1024;
/// The longest line. Longer ones are accidents, and a report that quotes one is unreadable.
const MAX_LINE: usize = 4096;

/// A text that may be parsed, or why not and what may be shown of it.
pub(in crate::inventory) fn decode(bytes: &[u8]) -> Result<&str, (String, Fault)> {
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

fn too_large(bytes: usize) -> Fault {
    Fault::unplaced(format!(
        "the file is too large for an inventory: {bytes} bytes, and at most {MAX_BYTES} are read"
    ))
    .help("check that this is the file that you mean")
}

/// UTF-16 is what editors on other systems save, and worth a name.
fn not_utf8(bytes: &[u8], offset: usize) -> (String, Fault) {
    let shown = mask(&String::from_utf8_lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "?"));
    if long_line(&shown).is_some() {
        return (String::new(), Fault::unplaced("the file is not UTF-8 text"));
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let encoding = if is_utf16 { " but UTF-16" } else { "" };
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let fault = Fault::at(
        &(offset..offset + 1),
        format!("the file is not UTF-8{encoding}"),
    )
    .label(format!("the byte 0x{byte:02x}"))
    .help("save the file as UTF-8");
    (shown, fault)
}

fn long_line(text: &str) -> Option<Fault> {
    let (index, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.len() > MAX_LINE)?;
    let message = format!(
        "line {} is {} bytes long, and at most {MAX_LINE} are read",
        index + 1,
        line.len()
    );
    Some(Fault::unplaced(message).help("break the line; a long text goes in a block after `|`"))
}

/// Characters that a terminal obeys or hides, so that a reader sees another file than hactl does.
pub(super) fn is_refused(c: char) -> bool {
    is_harmful(c) && c != '\r'
}

/// A byte order mark is one at the beginning only.
fn is_refused_at(text: &str, offset: usize, c: char) -> bool {
    is_refused(c) || is_lone_return(text, offset) || (c == '\u{feff}' && offset > 0)
}

fn refused_character(text: &str, offset: usize, found: char) -> (String, Fault) {
    let span: Range<usize> = offset..offset + found.len_utf8();
    let name = match found {
        '\0' => "a NUL byte",
        '\u{1b}' => "an escape character",
        '\r' => "a carriage return without a line feed",
        c if c.is_control() => "a control character",
        _ => "an invisible character",
    };
    let code = u32::from(found);
    let fault = Fault::at(&span, format!("{name} (U+{code:04X}) in the file"))
        .label("shown as '?'")
        .help("remove it; where a text really needs one, write it as an escape in double quotes");
    (mask(text), fault)
}

/// What stands behind `password:` and the like in a text that can't be parsed, up to the end of
/// its line: a report of the broken syntax must not spread it. A reference, in `{ }`, may be seen.
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

/// True for a carriage return that ends no line: YAML takes it for the end of one, and a terminal goes
/// back and writes over the line.
fn is_lone_return(text: &str, offset: usize) -> bool {
    text[offset..].starts_with('\r') && !text[offset + 1..].starts_with('\n')
}

/// `text` with a question mark for each byte that must not reach a terminal.
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
