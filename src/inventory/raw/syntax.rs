//! Explains errors of the parser, with hints.

use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use crate::inventory::error::Diagnostic;

/// Turns a parser error into one with a hint.
pub(super) fn explain(error: &ScanError, text: &str) -> Diagnostic {
    let span = culprit(error, text);
    let (message, help) = words(error.kind());
    Diagnostic::at(&span, message).help(help)
}

/// The character at which the parser stopped, or the last visible one at the end of the text.
fn culprit(error: &ScanError, text: &str) -> Range<usize> {
    let offset = error.marker().byte_offset().unwrap_or(text.len());
    let before = text.get(..offset).unwrap_or(text);
    let is_behind_tab = format!("{:?}", error.kind()).starts_with("Tab") && before.ends_with('\t');
    let offset = if is_behind_tab { offset - 1 } else { offset };
    let rest = text.get(offset..).unwrap_or_default();
    match rest.chars().next() {
        Some(c) if !c.is_whitespace() || c == '\t' => offset..offset + c.len_utf8(),
        _ => {
            let end = text.get(..offset).unwrap_or(text).trim_end().len();
            let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
            end - last..end
        }
    }
}

fn words(kind: &ErrorKind) -> (String, String) {
    const INDENT: &str = "start the keys of one mapping in the same column, and indent what belongs to a key further, with spaces";
    let (message, help) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => (
            "a tab where YAML requires spaces",
            "indent with spaces; most editors can replace tabs automatically",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            let close = if *open == '[' { ']' } else { '}' };
            return (
                format!("this `{open}` is never closed"),
                format!("add the missing `{close}`"),
            );
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (
                format!("`{close}` closes what `{open}` opened"),
                "close brackets in the order in which they were opened".to_owned(),
            );
        }
        ErrorKind::UnclosedQuotedScalar => (
            "this quote is never closed",
            "add the closing quote; inside single quotes one is written '' and inside double quotes \\\"",
        ),
        ErrorKind::RecursionLimitExceeded => (
            "values nest more than 32 levels deep",
            "an inventory needs about eight; check for brackets that are never closed",
        ),
        ErrorKind::UnexpectedCharacter { .. } => (
            "a text can't start with this character",
            "put the text in quotes",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "a key without its colon",
            "write `key: value`, with a space after the colon",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a colon that does not belong here",
            "put a text that holds `: ` in quotes, or check the indentation of the line",
        ),
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            ("the indentation matches no line above it", INDENT)
        }
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::BlockSequenceEntryNotAllowed => {
            ("a list item or a key in the wrong place", INDENT)
        }
        ErrorKind::BlockEntryInFlowCollection => (
            "a list item inside brackets that are still open",
            "close the bracket on a line above, with `]` or `}`",
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => (
            "a comma or a closing bracket is missing before this",
            "separate items by `, `; a text that holds any of `,[]{}` needs quotes",
        ),
        ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => {
            ("the file ends inside brackets", "add the closing bracket")
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "an unknown escape in a text in double quotes",
            "write a backslash as \\\\, or use single quotes, in which it needs no escape",
        ),
        other => {
            return (
                format!("not YAML: {other}"),
                "check quotes, brackets and indentation on this line and the one above".to_owned(),
            );
        }
    };
    (message.to_owned(), help.to_owned())
}
