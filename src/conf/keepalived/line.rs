//! Parses lines: comments, conditions, preprocessor directives, braces and words.

/// A line without its comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Line number, from 1.
    pub number: usize,
    /// The line without comments.
    pub text: &'a str,
    /// The hosts that it applies to. `None` means all.
    pub condition: Option<Condition<'a>>,
    /// What the line is, apart from its condition.
    pub kind: Kind<'a>,
}

/// `@lb1` or `@^lb1` at the start of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition<'a> {
    /// keepalived's `config-id`: the first label of the host name, unless `-i` sets it.
    pub config_id: &'a str,
    /// True if it applies to all other hosts.
    pub is_negated: bool,
}

/// How the preprocessor treats a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    Blank,
    /// `include PATTERN`, including variants with a letter for strictness.
    Include(&'a str),
    /// `$NAME=VALUE`. A value that ends with a backslash continues in the next line.
    Definition {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// `~SEQ(…)` and `~LST(…)`: one line per value of a variable.
    Sequence,
    /// Keywords and braces.
    Statement(&'a str),
}

/// A part of a line. keepalived treats a brace as if it were on a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A keyword and its parameters, or an item of a list.
    Text(&'a str),
    /// `{`
    Open,
    /// `}`
    Close,
}

pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let numbered = text.split('\n').zip(1..);
    numbered.map(|(line, number)| Line::of(line, number))
}

impl<'a> Line<'a> {
    pub(super) fn of(line: &'a str, number: usize) -> Self {
        let text = without_comment(line).trim_matches(is_space);
        let (condition, rest) = conditional(text);
        let kind = if rest.is_empty() {
            Kind::Blank
        } else if let Some(pattern) = included(rest) {
            Kind::Include(pattern)
        } else if let Some((name, value)) = defined(rest) {
            Kind::Definition { name, value }
        } else if rest.starts_with('~') {
            Kind::Sequence
        } else {
            Kind::Statement(rest)
        };
        Self {
            number,
            text,
            condition,
            kind,
        }
    }
}

/// C's `isspace`.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// The line up to a `#` or `!`. These start a comment anywhere outside double quotes, even within a word
/// (`decomment`). A backslash does not escape them: it is removed when the file is read, and the VRRP process parses
/// the result again (2.2.7).
fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                if !is_quoted && matches!(escaped, Some('#' | '!')) {
                    return line.get(..at).unwrap_or_default();
                }
            }
            '#' | '!' if !is_quoted => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    line
}

/// A condition on its own leaves an empty line.
fn conditional(text: &str) -> (Option<Condition<'_>>, &str) {
    let Some(rest) = text.strip_prefix('@') else {
        return (None, text);
    };
    let (is_negated, rest) = match rest.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (config_id, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let condition = Condition {
        config_id,
        is_negated,
    };
    (Some(condition), rest.trim_start_matches(is_space))
}

fn included(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("include")?;
    let rest = rest.strip_prefix(['r', 'm', 'w', 'b', 'a']).unwrap_or(rest);
    let is_one = rest.starts_with(is_space);
    is_one.then(|| rest.trim_matches(is_space))
}

fn defined(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('$')?.split_once('=')?;
    let name = name.trim_end_matches([' ', '\t']);
    is_name(name).then(|| (name, value.trim_start_matches([' ', '\t'])))
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits a statement at every brace outside double quotes.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_matches(is_space);
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '{' | '}' => {
                let is_open = first == '{';
                found.push(if is_open { Piece::Open } else { Piece::Close });
                rest.get(1..).unwrap_or_default()
            }
            _ => {
                let (own, more) = rest.split_at(brace(rest));
                found.push(Piece::Text(own.trim_end_matches(is_space)));
                more
            }
        };
        rest = rest.trim_start_matches(is_space);
    }
    found
}

/// Position of the first brace outside quotes, or the end if there is none or if a quote is not closed.
fn brace(text: &str) -> usize {
    let mut is_quoted = false;
    let mut found = text.char_indices().filter(|(_, c)| {
        is_quoted ^= *c == '"';
        !is_quoted && matches!(c, '{' | '}')
    });
    found.next().map_or(text.len(), |(at, _)| at)
}

/// The words of a statement. Double quotes turn several words into one, and end a word that they follow. An unclosed
/// quote and everything after it is dropped (`alloc_strvec_r`).
pub(super) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let word;
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((own, more)) = quoted.split_once('"') else {
                break;
            };
            (word, rest) = (own.to_owned(), more);
        } else {
            let end = rest.find(|c| is_space(c) || c == '"');
            let (own, more) = rest.split_at(end.unwrap_or(rest.len()));
            (word, rest) = (own.to_owned(), more);
        }
        found.push(word);
        rest = rest.trim_start_matches(is_space);
    }
    found
}

/// The program that keepalived runs for a `script` or `notify`. Both kinds of quotes count there
/// (`alloc_strvec_quoted_escaped`), and a quoted command may have parameters.
pub(super) fn program(text: &str) -> Option<&str> {
    let (_, command) = text.split_once(is_space)?;
    let command = command.trim_start_matches(|c| is_space(c) || matches!(c, '"' | '\''));
    let end = command.find(|c| is_space(c) || matches!(c, '"' | '\''));
    command.get(..end.unwrap_or(command.len()))
}
