//! The YAML document as a tree in which every value has a place in the text.

use std::ops::Range;

use super::guard::is_refused;
use crate::inventory::source::Places;
use crate::model::InventoryPath;

/// A value.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct Node {
    /// What it is.
    pub(in crate::inventory) kind: Kind,
    /// The text to underline: the text of a scalar, the first line of a flow collection, or the key of a value that
    /// spans several lines.
    pub(in crate::inventory) span: Range<usize>,
    /// Its complete text.
    pub(in crate::inventory) whole: Range<usize>,
}

/// The kind of a value.
#[derive(Debug, Clone)]
pub(in crate::inventory) enum Kind {
    /// A number, a word or a text. Its key decides what it means, so it stays as typed.
    Scalar {
        /// The text without escapes.
        text: String,
        /// Typed without quotes.
        plain: bool,
    },
    /// `[a, b]`, or lines with `- `.
    Sequence(Vec<Node>),
    /// `{a: b}`, or lines with `a: b`.
    Mapping(Vec<Entry>),
    /// An error that is already reported.
    Broken,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct Entry {
    /// The key.
    pub(in crate::inventory) key: String,
    /// The place of the key.
    pub(in crate::inventory) key_span: Range<usize>,
    /// The value.
    pub(in crate::inventory) value: Node,
}

impl Node {
    /// True for a missing value, `~` and `null`.
    pub(in crate::inventory) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Names the value in a message.
    pub(in crate::inventory) fn describe(&self) -> String {
        match &self.kind {
            _ if self.is_null() => "nothing".to_owned(),
            Kind::Scalar { text, plain } if *plain => format!("`{}`", clip(text)),
            Kind::Scalar { text, .. } => format!("the quoted text `{}`", clip(text)),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Broken => "something broken".to_owned(),
        }
    }

    /// The number of values in it, including itself.
    pub(in crate::inventory) fn size(&self) -> usize {
        match &self.kind {
            Kind::Scalar { .. } | Kind::Broken => 1,
            Kind::Sequence(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Kind::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.value.size())
                    .sum::<usize>()
            }
        }
    }

    /// The places of this value and of all values in it.
    pub(in crate::inventory) fn places(&self) -> Places {
        let mut places = Places::new();
        self.collect_places(InventoryPath::root(), &mut places);
        places
    }

    fn collect_places(&self, path: InventoryPath, places: &mut Places) {
        match &self.kind {
            Kind::Scalar { .. } | Kind::Broken => {}
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_places(path.index(index), places);
                }
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    entry.value.collect_places(path.key(&entry.key), places);
                }
            }
        }
        places.insert(path, self.span.clone());
    }
}

/// Truncates `text` to one line that fits into a message.
pub(in crate::inventory) fn clip(text: &str) -> String {
    const SHOWN: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    let shown: String = line
        .chars()
        .filter(|c| !is_refused(*c))
        .take(SHOWN)
        .collect();
    if shown.len() < text.len() {
        format!("{shown}...")
    } else {
        shown
    }
}

/// Used by the declared shape.
impl Node {
    /// Moves it and all values in it to `span`, since a default has no place of its own.
    pub(in crate::inventory) fn place_at(&mut self, span: &Range<usize>) {
        self.span = span.clone();
        match &mut self.kind {
            Kind::Scalar { .. } | Kind::Broken => {}
            Kind::Sequence(items) => items.iter_mut().for_each(|item| item.place_at(span)),
            Kind::Mapping(entries) => {
                for entry in entries {
                    entry.key_span = span.clone();
                    entry.value.place_at(span);
                }
            }
        }
    }

    /// Expands a lone scalar to the mapping that it is short for.
    pub(in crate::inventory) fn as_short_for(&self, key: &str) -> Option<Self> {
        let Kind::Scalar { .. } = self.kind else {
            return None;
        };
        let entry = Entry {
            key: key.strip_prefix("r#").unwrap_or(key).to_owned(),
            key_span: self.span.clone(),
            value: self.clone(),
        };
        Some(Self {
            kind: Kind::Mapping(vec![entry]),
            span: self.span.clone(),
            whole: self.whole.clone(),
        })
    }

    /// As JSON, with scalars by YAML's core schema, for the declared defaults and examples.
    pub(in crate::inventory) fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            Kind::Broken => serde_json::Value::Null,
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                text => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
            },
            Kind::Scalar { text, .. } => text.as_str().into(),
            Kind::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Kind::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
