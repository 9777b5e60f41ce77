//! Errors of an inventory: all of a file's at once, each with its place.

use std::fmt;
use std::ops::Range;

use miette::{LabeledSpan, SourceCode};
use serde::ser::SerializeStruct as _;

use super::source::{Place, Source};

/// Maximum number of errors that are listed. A file with more is most likely not an inventory.
const LISTED: usize = 100;

/// An error without its file, as collected by the parser, the decoder and the resolver.
#[derive(Debug, Clone)]
pub(super) struct Diagnostic {
    message: String,
    labels: Vec<(Range<usize>, Option<String>)>,
    help: Option<String>,
    masked: Option<Range<usize>>,
}

impl Diagnostic {
    /// An error at `span`.
    pub(super) fn at(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            labels: vec![(span.clone(), None)],
            help: None,
            masked: None,
        }
    }

    /// An error in a text that cannot be shown.
    pub(super) fn unplaced(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            labels: Vec::new(),
            help: None,
            masked: None,
        }
    }

    /// Adds a label to the underlined text.
    pub(super) fn label(mut self, text: impl Into<String>) -> Self {
        if let Some((_, label)) = self.labels.first_mut() {
            *label = Some(text.into());
        }
        self
    }

    /// Underlines a second place.
    pub(super) fn also(mut self, span: &Range<usize>, text: impl Into<String>) -> Self {
        // A default has no place of its own and shares its parent's, where one label is enough.
        if self.labels.iter().all(|(known, _)| known != span) {
            self.labels.push((span.clone(), Some(text.into())));
            // Next to a labelled underline, one without a label looks like an accident.
            if let Some((_, label @ None)) = self.labels.first_mut() {
                *label = Some("here".to_owned());
            }
        }
        self
    }

    /// Masks the text `span` wherever the file is quoted.
    pub(super) fn masking(mut self, span: &Range<usize>) -> Self {
        self.masked = Some(span.clone());
        self
    }

    /// Adds a hint.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(super) fn add(&mut self, fault: Diagnostic) {
        self.0.push(fault);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorts the errors by place and attaches them to their file.
    pub(super) fn into_errors(self, source: Source) -> InventoryErrors {
        let mut faults = self.0;
        faults.sort_by_key(|fault| fault.labels.first().map_or(0, |(span, _)| span.start));
        let total = faults.len();
        let hidden: Vec<_> = faults
            .iter()
            .filter_map(|fault| fault.masked.clone())
            .collect();
        let source = source.masking(&hidden);
        let errors = faults
            .into_iter()
            .take(LISTED)
            .map(|fault| InventoryError::new(fault, source.clone()))
            .collect();
        InventoryErrors {
            errors,
            total,
            source,
        }
    }
}

/// An error in an inventory.
#[derive(Debug, Clone)]
pub struct InventoryError {
    message: String,
    labels: Vec<(Place, Option<String>)>,
    help: Option<String>,
    source: Source,
}

impl InventoryError {
    fn new(fault: Diagnostic, source: Source) -> Self {
        let labels = fault
            .labels
            .into_iter()
            .map(|(span, text)| (Place::of(source.text(), &span), text))
            .collect();
        Self {
            message: fault.message,
            labels,
            help: fault.help,
            source,
        }
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The hint.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The place, unless the text cannot be shown.
    pub fn place(&self) -> Option<Place> {
        self.labels.first().map(|(place, _)| *place)
    }

    /// The offending text.
    pub fn offending(&self) -> Option<&str> {
        let place = self.place()?;
        let end = place.offset + place.length;
        self.source.text().get(place.offset..end)
    }
}

impl fmt::Display for InventoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InventoryError {}

impl serde::Serialize for InventoryError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("InventoryError", 5)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("help", &self.help)?;
        fields.serialize_field("file", self.source.name())?;
        fields.serialize_field("place", &self.place())?;
        fields.serialize_field("offending", &self.offending())?;
        fields.end()
    }
}

impl miette::Diagnostic for InventoryError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_deref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        let labels = self
            .labels
            .iter()
            .enumerate()
            .map(|(index, (place, text))| {
                if index == 0 {
                    LabeledSpan::new_primary_with_span(text.clone(), *place)
                } else {
                    LabeledSpan::new_with_span(text.clone(), *place)
                }
            });
        Some(Box::new(labels))
    }
}

/// All errors of an inventory, in the order of the file.
#[derive(Debug, Clone)]
pub struct InventoryErrors {
    errors: Vec<InventoryError>,
    total: usize,
    source: Source,
}

impl InventoryErrors {
    /// The errors in the order of the file, or the first ones if there are very many.
    pub fn errors(&self) -> &[InventoryError] {
        &self.errors
    }

    /// The number of errors, including those beyond [`InventoryErrors::errors`].
    pub fn total(&self) -> usize {
        self.total
    }

    /// The file with the errors.
    pub fn source_file(&self) -> &Source {
        &self.source
    }
}

impl fmt::Display for InventoryErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.total == 1 { "error" } else { "errors" };
        write!(f, "{} has {} {noun}", self.source.name(), self.total)?;
        if self.total > self.errors.len() {
            write!(f, "; these are the first {}", self.errors.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for InventoryErrors {}

impl miette::Diagnostic for InventoryErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(
            self.errors
                .iter()
                .map(|error| error as &dyn miette::Diagnostic),
        ))
    }
}
