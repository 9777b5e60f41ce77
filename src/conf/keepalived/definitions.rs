//! `$NAME=VALUE`, and what becomes of a line that has `$NAME` or `${NAME}`.

use std::collections::BTreeMap;

use super::line::is_name;

/// The most bytes that variables may make of a line, and variables in it: values may refer to each other, or
/// to themselves. keepalived's own lines have at most 1024 bytes.
const MAX_LINE: usize = 4096;
const MAX_SUBSTITUTIONS: usize = 64;
/// The most bytes that they may make of all lines.
const MAX_TEXT: usize = 4 << 20;

pub(super) struct Definitions {
    values: BTreeMap<String, String>,
    /// How many bytes variables may still make.
    left: usize,
    /// The one whose value goes on in the next line.
    open: Option<String>,
}

impl Definitions {
    pub(super) fn new() -> Self {
        Self {
            values: BTreeMap::new(),
            left: MAX_TEXT,
            open: None,
        }
    }

    /// A value that ends with a backslash goes on in the next line.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        let (value, goes_on) = continued(value);
        self.values.insert(name.to_owned(), value.to_owned());
        self.open = goes_on.then(|| name.to_owned());
    }

    /// True where the line belongs to a definition above it.
    pub(super) fn goes_on(&mut self, line: &str) -> bool {
        let Some(name) = self.open.take() else {
            return false;
        };
        let (text, goes_on) = continued(line);
        if let Some(value) = self.values.get_mut(&name).filter(|_| !text.is_empty()) {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(text);
        }
        self.open = goes_on.then_some(name);
        // An empty line ends it, and says nothing else.
        true
    }

    /// The line with its variables replaced, by more than one where a value has several; `None` where they make
    /// too much of it.
    pub(super) fn expanded(&mut self, line: &str) -> Option<String> {
        let mut made = 0;
        let text =
            (self.left > 0 && line.len() <= MAX_LINE).then(|| self.replaced(line, &mut made));
        self.left = self.left.saturating_sub(made);
        text?
    }

    /// Adds what the values have to `made`, and each of them at least its name.
    fn replaced(&self, line: &str, made: &mut usize) -> Option<String> {
        let mut text = String::new();
        let mut left = MAX_SUBSTITUTIONS;
        // What is still to be looked at, the next part last: a value may have variables itself.
        let mut parts = vec![line];
        while let Some(part) = parts.pop() {
            let Some((before, after)) = part.split_once('$') else {
                text.push_str(part);
                continue;
            };
            text.push_str(before);
            match self.referred(after) {
                Some((value, _)) if value.len() > MAX_LINE => return None,
                Some((value, rest)) => {
                    left = left.checked_sub(1)?;
                    *made += value.len().max(16);
                    parts.extend([rest, value]);
                }
                None => {
                    text.push('$');
                    parts.push(after);
                }
            }
            if text.len() > MAX_LINE {
                return None;
            }
        }
        (text.len() <= MAX_LINE).then_some(text)
    }

    /// The value of the variable that `text` begins with, and what follows it. Without braces its name ends with a
    /// blank, a comma, a parenthesis or the line (`find_definition`).
    fn referred<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let braced = text.strip_prefix('{');
        let from = braced.unwrap_or(text);
        let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = from.split_at(end.unwrap_or(from.len()));
        let rest = match braced {
            Some(_) => rest.strip_prefix('}')?,
            None if rest.is_empty() || rest.starts_with([' ', '\t', ',', ')']) => rest,
            None => return None,
        };
        let value = self.values.get(name).filter(|_| is_name(name))?;
        Some((value, rest))
    }
}

/// Without its backslash at the end, and whether there was one.
fn continued(text: &str) -> (&str, bool) {
    match text.strip_suffix('\\') {
        Some(text) => (text.trim_end_matches([' ', '\t']), true),
        None => (text, false),
    }
}
