//! `$NAME=VALUE` definitions, and the expansion of `$NAME` and `${NAME}`.

use std::collections::BTreeMap;

use super::line::is_name;

/// Maximum length of a line after expansion, in bytes, and maximum number of expansions: values may refer to each
/// other, or to themselves. keepalived's own lines have at most 1024 bytes.
const MAX_LINE: usize = 4096;
const MAX_SUBSTITUTIONS: usize = 64;
/// Maximum number of bytes from expansion in all lines.
const MAX_TEXT: usize = 4 << 20;

pub(super) struct Definitions {
    values: BTreeMap<String, String>,
    /// Bytes that expansion may still produce.
    left: usize,
    /// The definition that continues in the next line.
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

    /// A value that ends with a backslash continues in the next line.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        let (value, goes_on) = continued(value);
        self.values.insert(name.to_owned(), value.to_owned());
        self.open = goes_on.then(|| name.to_owned());
    }

    /// True if the line continues a definition.
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
        // An empty line ends it, without a meaning of its own.
        true
    }

    /// Expands the variables in a line, into several lines if a value has them. `None` if the result is too large.
    pub(super) fn expanded(&mut self, line: &str) -> Option<String> {
        let mut made = 0;
        let text =
            (self.left > 0 && line.len() <= MAX_LINE).then(|| self.replaced(line, &mut made));
        self.left = self.left.saturating_sub(made);
        text?
    }

    /// Adds the length of the values to `made`, and at least 16 bytes for each.
    fn replaced(&self, line: &str, made: &mut usize) -> Option<String> {
        let mut text = String::new();
        let mut left = MAX_SUBSTITUTIONS;
        // The parts still to expand, the next one last: values may contain variables themselves.
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

    /// The value of the variable at the start of `text`, and the rest. Without braces, its name ends at a blank, a
    /// comma, a closing parenthesis or the end of the line (`find_definition`).
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

/// The text without a trailing backslash, and whether there was one.
fn continued(text: &str) -> (&str, bool) {
    match text.strip_suffix('\\') {
        Some(text) => (text.trim_end_matches([' ', '\t']), true),
        None => (text, false),
    }
}
