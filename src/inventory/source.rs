//! The text of an inventory, and the places of its values.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::model::InventoryPath;

/// A place in an inventory. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "PlaceInText")]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset in bytes from the start of the text.
    pub offset: usize,
    /// The length in bytes.
    pub length: usize,
}

impl Place {
    pub(super) fn of(text: &str, range: &Range<usize>) -> Self {
        let offset = range.start.min(text.len());
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            offset,
            length: range.len(),
        }
    }
}

impl From<Place> for SourceSpan {
    fn from(place: Place) -> Self {
        (place.offset, place.length).into()
    }
}

/// The bytes of each value that was typed, or of its key if the value spans several lines.
pub(super) type Places = BTreeMap<InventoryPath, Range<usize>>;

/// The file name and text of an inventory. miette quotes it, and it maps the [`InventoryPath`] of a finding to a
/// [`Place`].
#[derive(Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    places: Arc<Places>,
}

impl Source {
    /// A source without places.
    pub(super) fn new(name: &str, text: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            places: Arc::default(),
        }
    }

    #[must_use]
    pub(super) fn with_places(self, places: Places) -> Self {
        Self {
            places: Arc::new(places),
            ..self
        }
    }

    /// Replaces the hidden ranges with asterisks, byte for byte.
    #[must_use]
    pub(super) fn masking(self, hidden: &[Range<usize>]) -> Self {
        if hidden.is_empty() {
            return self;
        }
        let is_hidden = |offset| hidden.iter().any(|range| range.contains(&offset));
        let mask = |(offset, c): (usize, char)| {
            if is_hidden(offset) && c != '\n' {
                "*".repeat(c.len_utf8())
            } else {
                c.into()
            }
        };
        let text: String = self.text.char_indices().map(mask).collect();
        Self {
            text: text.into(),
            ..self
        }
    }

    /// The file name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when the value at `path` was typed, false when it is a default.
    pub fn is_typed(&self, path: &InventoryPath) -> bool {
        self.places.contains_key(path)
    }

    /// The place of `path`, or of its nearest ancestor that was typed.
    pub fn place(&self, path: &InventoryPath) -> Place {
        let mut nearest = Some(path.clone());
        while let Some(candidate) = nearest {
            if let Some(range) = self.places.get(&candidate) {
                return Place::of(&self.text, range);
            }
            nearest = candidate.parent();
        }
        Place::of(&self.text, &(0..0))
    }

    /// [`Source::place`] as a span for miette.
    pub fn span(&self, path: &InventoryPath) -> SourceSpan {
        self.place(path).into()
    }
}

impl fmt::Debug for Source {
    /// Omits the text, which is the whole file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.text;
        let inner = text.read_span(span, context_lines_before, context_lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_string(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            // miette's own count includes the lines above, and would join distant snippets.
            inner.data().split(|byte| *byte == b'\n').count(),
        )))
    }
}
