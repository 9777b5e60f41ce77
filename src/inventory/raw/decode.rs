//! Decodes the tree into typed values: the trait that every value of an inventory implements, and access to the keys
//! of a mapping. An error is recorded and decoding continues, so that one run finds all errors.

use std::ops::{Deref, Range};

use schemars::{Schema, SchemaGenerator};

use super::suggest;
use super::tree::{Entry, Kind, Node, clip};
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::model::InventoryPath;

/// A value and its place.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct Spanned<T> {
    /// The value.
    pub(in crate::inventory) value: T,
    /// The text to underline.
    pub(in crate::inventory) span: Range<usize>,
    pub(in crate::inventory) path: InventoryPath,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The type of a key's value.
pub(in crate::inventory) trait Value: Sized + 'static {
    /// The name of its definition in the JSON Schema, for a mapping with keys of its own.
    const NAME: Option<&'static str> = None;

    /// What is expected: completes "expected …".
    fn expected() -> String;

    /// Decodes `node`. `None` means that an error was added.
    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self>;

    /// Its JSON Schema.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// Decodes `node` and keeps its place. `otherwise` completes the hint for a missing value.
pub(in crate::inventory) fn spanned<T: Value>(
    node: &Node,
    path: InventoryPath,
    otherwise: &str,
    faults: &mut Diagnostics,
) -> Option<Spanned<T>> {
    if node.is_null() {
        let fault = Diagnostic::at(&node.span, format!("{path}: has no value"));
        faults.add(fault.help(format!("write {}{otherwise}", T::expected())));
        return None;
    }
    if matches!(node.kind, Kind::Broken) {
        return None;
    }
    let value = T::decode(node, &path, faults)?;
    Some(Spanned {
        value,
        span: node.span.clone(),
        path,
    })
}

/// The error for a value of the wrong type or form.
pub(in crate::inventory) fn mismatch<T: Value>(node: &Node, path: &InventoryPath) -> Diagnostic {
    let expected = T::expected();
    let found = node.describe();
    Diagnostic::at(
        &node.span,
        format!("{}expected {expected}, found {found}", prefix(path)),
    )
}

/// `path: `, or nothing at the root.
pub(in crate::inventory) fn prefix(path: &InventoryPath) -> String {
    if path.steps().is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

/// What happens if a key is missing.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) enum Presence {
    /// An error.
    Required,
    /// The value is derived, as described by the text.
    Optional(&'static str),
    /// The value is this YAML.
    Default(&'static str),
}

/// The keys of a mapping that is being decoded.
pub(in crate::inventory) struct Keys<'t> {
    node: &'t Node,
    entries: &'t [Entry],
    path: &'t InventoryPath,
    meant: Vec<&'static str>,
}

impl<'t> Keys<'t> {
    /// Opens `node`, in which only the keys `known` are allowed.
    pub(in crate::inventory) fn open<T: Value>(
        node: &'t Node,
        path: &'t InventoryPath,
        known: &[&'static str],
        faults: &mut Diagnostics,
    ) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            let help = hint_for_mapping(node, known);
            faults.add(if holds_secrets::<T>() {
                let message = format!("{}expected {}", prefix(path), T::expected());
                Diagnostic::at(&node.span, message)
                    .masking(&node.whole)
                    .help(help)
            } else {
                mismatch::<T>(node, path).help(help)
            });
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let near = suggest::key(&entry.key, known);
                let fault = unknown_key(entry, path, known, near);
                let is_secret = holds_secrets::<T>() || suggest::names_a_secret(&entry.key, near);
                faults.add(if is_secret {
                    fault.masking(&entry.value.whole)
                } else {
                    fault
                });
                meant.extend(near);
            }
        }
        Some(Self {
            node,
            entries,
            path,
            meant,
        })
    }

    /// The keys that were typed, or most likely meant.
    pub(in crate::inventory) fn typed(&self) -> Vec<String> {
        let typed = self.entries.iter().map(|entry| entry.key.as_str());
        typed
            .chain(self.meant.iter().copied())
            .map(str::to_owned)
            .collect()
    }

    /// The value of `key`: typed, or its default.
    pub(in crate::inventory) fn take<T: Value>(
        &self,
        key: &'static str,
        presence: Presence,
        faults: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let path = self.path.key(key);
        if let Some(entry) = self.entries.iter().find(|entry| entry.key == key) {
            let otherwise = match presence {
                Presence::Required => "",
                Presence::Optional(_) | Presence::Default(_) => ", or remove the key",
            };
            return spanned(&entry.value, path, otherwise, faults);
        }
        match presence {
            // The typo is reported already.
            Presence::Required if self.meant.contains(&key) => None,
            Presence::Required => {
                faults.add(self.missing::<T>(key));
                None
            }
            Presence::Optional(_) => None,
            Presence::Default(yaml) => self.default(yaml, path, faults),
        }
    }

    fn missing<T: Value>(&self, key: &str) -> Diagnostic {
        let message = format!("{}the key `{key}` is missing", prefix(self.path));
        Diagnostic::at(&self.node.span, message)
            .help(format!("add `{key}:` with {}", T::expected()))
    }

    fn default<T: Value>(
        &self,
        yaml: &str,
        path: InventoryPath,
        faults: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let mut node = super::parse::parse(yaml, faults)?;
        node.place_at(&self.node.span);
        let value = T::decode(&node, &path, faults)?;
        Some(Spanned {
            value,
            span: self.node.span.clone(),
            path,
        })
    }
}

fn hint_for_mapping(node: &Node, known: &[&str]) -> String {
    let keys = known
        .iter()
        .take(3)
        .copied()
        .collect::<Vec<_>>()
        .join("`, `");
    match &node.kind {
        Kind::Sequence(_) => format!("write keys such as `{keys}` here, without `- `"),
        _ => format!("write keys such as `{keys}` here, indented, or in `{{ }}`"),
    }
}

fn unknown_key(
    entry: &Entry,
    path: &InventoryPath,
    known: &[&'static str],
    near: Option<&'static str>,
) -> Diagnostic {
    let key = clip(&entry.key);
    let message = format!("{}there is no key `{key}`", prefix(path));
    let fault = Diagnostic::at(&entry.key_span, message);
    match near {
        Some(near) => fault
            .label(format!("did you mean `{near}`?"))
            .help(format!("write `{near}`, or remove it")),
        None => fault.help(format!("the keys here are {}", suggest::list(known))),
    }
}

/// True if a misplaced value is most likely a secret.
fn holds_secrets<T: Value>() -> bool {
    matches!(T::NAME, Some("secret" | "authentication"))
}
