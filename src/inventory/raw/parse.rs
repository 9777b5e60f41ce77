//! Parses YAML text into a tree, event by event. Continues after duplicate keys, tags and dangling aliases, and stops
//! at the first syntax error, since anything after it is guesswork.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, StructureStyle, Tag};

use super::tree::{Entry, Kind, Node};
use super::{suggest, syntax};
use crate::inventory::error::{Diagnostic, Diagnostics};

/// Maximum nesting depth. An inventory needs eight levels.
const MAX_DEPTH: usize = 32;
/// Maximum number of values after the expansion of aliases: enough for thousands of nodes.
const MAX_VALUES: usize = 50_000;

/// The tree of the document. `None` if it cannot be parsed, which `faults` then explains.
pub(in crate::inventory) fn parse(text: &str, faults: &mut Diagnostics) -> Option<Node> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_comments: false,
        emit_unresolved_aliases: true,
    };
    let mut builder = Builder {
        text,
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        values: 0,
        faults,
    };
    match builder.document() {
        Ok(root) => Some(root),
        Err(fault) => {
            faults.add(*fault);
            None
        }
    }
}

/// The error that stops parsing.
type Stop = Box<Diagnostic>;

type Found<'t> = (Event<'t>, Range<usize>);

struct Builder<'t, 'f, E> {
    text: &'t str,
    events: E,
    anchors: HashMap<usize, Node>,
    values: usize,
    faults: &'f mut Diagnostics,
}

impl<'t, E> Builder<'t, '_, E>
where
    E: Iterator<Item = Result<(Event<'t>, granit_parser::Span), granit_parser::ScanError>>,
{
    fn document(&mut self) -> Result<Node, Stop> {
        let root = loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd => return Err(empty().into()),
                _ => break self.node(event, span)?,
            }
        };
        if root.is_null() {
            return Err(empty().into());
        }
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(..), span) => return Err(second_document(&span).into()),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Found<'t>, Stop> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                let end = self.text.len();
                let range = span.byte_range().unwrap_or(end..end);
                Ok((event, range))
            }
            Some(Err(error)) => Err(Box::new(syntax::explain(&error, self.text))),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Range<usize>) -> Result<Node, Stop> {
        self.spend(1, &span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.refuse_tag(tag.as_deref(), &span) {
                    return Ok(broken(span));
                }
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                let node = Node {
                    kind,
                    span: self.first_line(&span),
                    whole: span,
                };
                Ok(self.keep(anchor, node))
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                let node = self.sequence(style, &span)?;
                Ok(self.keep(anchor, node))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                let node = self.mapping(style, &span)?;
                Ok(self.keep(anchor, node))
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias `*{name}` refers to no anchor before it");
                let help = format!("define `&{name}` above this line, or write the value itself");
                self.faults.add(Diagnostic::at(&span, message).help(help));
                Ok(broken(span))
            }
            _ => Ok(broken(span)),
        }
    }

    fn sequence(&mut self, style: StructureStyle, start: &Range<usize>) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let label = match (style, items.first()) {
                    (StructureStyle::Block, Some(Node { span, .. })) => span.clone(),
                    _ => self.first_line(&(start.start..span.end)),
                };
                return Ok(Node {
                    kind: Kind::Sequence(items),
                    span: label,
                    whole: start.start..span.end,
                });
            }
            items.push(self.node(event, span)?);
        }
    }

    fn mapping(&mut self, style: StructureStyle, start: &Range<usize>) -> Result<Node, Stop> {
        let mut entries = Entries::default();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let label = match (style, &entries.first) {
                    (StructureStyle::Block, Some(first)) => first.clone(),
                    _ => self.first_line(&(start.start..span.end)),
                };
                return Ok(Node {
                    kind: Kind::Mapping(entries.finish()),
                    span: label,
                    whole: start.start..span.end,
                });
            }
            let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let is_block = matches!(
                event,
                Event::SequenceStart(StructureStyle::Block, ..)
                    | Event::MappingStart(StructureStyle::Block, ..)
            );
            let mut value = self.node(event, span)?;
            // A value with no text, or with many lines of it, is best shown by its key.
            if is_block || value.span.is_empty() {
                value.span = key.span.clone();
            }
            entries.add(self.text, key, is_plain, value, self.faults);
        }
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<Node, Stop> {
        let Some(size) = self.anchors.get(&anchor).map(Node::size) else {
            let message = "this alias lies inside the value that it refers to";
            let help = "write the value out; a value can't contain itself";
            self.faults.add(Diagnostic::at(&span, message).help(help));
            return Ok(broken(span));
        };
        // Counted before it is copied, so that aliases of aliases cannot exhaust the memory.
        self.spend(size, &span)?;
        Ok(self
            .anchors
            .get(&anchor)
            .cloned()
            .unwrap_or_else(|| broken(span)))
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn spend(&mut self, values: usize, span: &Range<usize>) -> Result<(), Stop> {
        self.values += values;
        if self.values <= MAX_VALUES {
            return Ok(());
        }
        let message = format!("the inventory holds more than {MAX_VALUES} values");
        let help = "use fewer aliases or fewer values; each use of an alias counts";
        Err(Box::new(Diagnostic::at(span, message).help(help)))
    }

    /// Reports a tag, and masks its value if that may be secret. True if there was one.
    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &Range<usize>) -> bool {
        let Some(tag) = tag else { return false };
        let is_vault = tag.to_string().contains("vault");
        let help = if is_vault {
            "keep secrets out of the file: write `{ command: [ansible-vault, view, FILE] }`, \
             `{ file: PATH }` or `{ env: NAME }` instead"
        } else {
            "remove the tag; every key knows the type of its value"
        };
        let message = format!("unsupported YAML tag `{tag}`");
        let fault = Diagnostic::at(&self.first_line(span), message).help(help);
        self.faults
            .add(if is_vault { fault.masking(span) } else { fault });
        true
    }

    /// `span` up to the end of its first line, without trailing blanks.
    fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        span.start..span.start + line.trim_end().len()
    }
}

/// A mapping under construction: its keys without duplicates, and those merged by `<<`, which do not override them.
#[derive(Default)]
struct Entries {
    typed: Vec<Entry>,
    places: HashMap<String, Range<usize>>,
    merged: Vec<Entry>,
    first: Option<Range<usize>>,
}

impl Entries {
    fn add(
        &mut self,
        text: &str,
        key: Node,
        is_plain: bool,
        value: Node,
        faults: &mut Diagnostics,
    ) {
        if self.first.is_none() {
            let whole = key.span.start..value.span.end.max(key.span.end);
            let is_one_line = text.get(whole.clone()).is_some_and(|t| !t.contains('\n'));
            self.first = Some(if is_one_line { whole } else { key.span.clone() });
        }
        match key.kind {
            Kind::Scalar { text, .. } if is_plain && text == "<<" => self.merge(value, faults),
            Kind::Scalar { text, .. } => self.insert(text, key.span, value, faults),
            Kind::Broken => {}
            Kind::Sequence(_) | Kind::Mapping(_) => {
                let fault = Diagnostic::at(
                    &key.span,
                    "a key must be a word, and this one is a collection",
                )
                .help("a text that starts with `[` or `{` needs quotes, such as \"[::1]:8080\"");
                faults.add(fault);
            }
        }
    }

    fn insert(
        &mut self,
        key: String,
        key_span: Range<usize>,
        value: Node,
        faults: &mut Diagnostics,
    ) {
        if let Some(first) = self.places.get(&key) {
            let fault = Diagnostic::at(&key_span, format!("`{key}` is given twice"))
                .label("again here")
                .also(first, "first here")
                .help("keep one of them");
            let is_secret = suggest::names_a_secret(&key, None);
            faults.add(if is_secret {
                fault.masking(&value.whole)
            } else {
                fault
            });
            return;
        }
        self.places.insert(key.clone(), key_span.clone());
        self.typed.push(Entry {
            key,
            key_span,
            value,
        });
    }

    fn merge(&mut self, value: Node, faults: &mut Diagnostics) {
        match value.kind {
            Kind::Mapping(entries) => self.merged.extend(entries),
            Kind::Sequence(items) => items.into_iter().for_each(|item| self.merge(item, faults)),
            Kind::Broken => {}
            Kind::Scalar { .. } => {
                let fault = Diagnostic::at(
                    &value.span,
                    "`<<` merges mappings, and this is not a mapping",
                )
                .help("give it an alias of a mapping, such as `<<: *defaults`");
                faults.add(fault);
            }
        }
    }

    fn finish(mut self) -> Vec<Entry> {
        for entry in self.merged {
            if !self.places.contains_key(&entry.key) {
                self.places
                    .insert(entry.key.clone(), entry.key_span.clone());
                self.typed.push(entry);
            }
        }
        self.typed
    }
}

fn broken(span: Range<usize>) -> Node {
    Node {
        kind: Kind::Broken,
        span: span.clone(),
        whole: span,
    }
}

fn empty() -> Diagnostic {
    Diagnostic::unplaced("the inventory is empty")
        .help("`hactl init` writes a first one, and docs/inventory.md shows all keys")
}

fn second_document(span: &Range<usize>) -> Diagnostic {
    Diagnostic::at(span, "a second YAML document starts here")
        .help("an inventory is one document: remove the `---`, or split the file")
}
