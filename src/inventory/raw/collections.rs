//! Lists, and mappings whose keys are user-defined names.

use std::ops::Deref;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::decode::{Spanned, Value, mismatch, spanned};
use super::shape::subschema;
use super::tree::{Kind, Node, clip};
use crate::inventory::error::Diagnostics;
use crate::model::InventoryPath;

/// A list, in the order in which it was typed.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct List<T> {
    items: Vec<Spanned<T>>,
    typed: usize,
}

impl<T> List<T> {
    /// Number of items typed, including invalid ones.
    pub(in crate::inventory) fn typed_len(&self) -> usize {
        self.typed
    }

    /// The valid items.
    pub(in crate::inventory) fn into_items(self) -> Vec<Spanned<T>> {
        self.items
    }
}

impl<T> Deref for List<T> {
    type Target = [Spanned<T>];

    fn deref(&self) -> &[Spanned<T>] {
        &self.items
    }
}

impl<T: Value> Value for List<T> {
    fn expected() -> String {
        "a list".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let Kind::Sequence(items) = &node.kind else {
            let help = match &node.kind {
                Kind::Scalar { text, .. } => format!("write a list, even of one: [{}]", clip(text)),
                _ => format!("write a list of {}, each after `- `", T::expected()),
            };
            faults.add(mismatch::<Self>(node, path).help(help));
            return None;
        };
        let read = |(index, item)| spanned(item, path.index(index), ", or remove the item", faults);
        Some(Self {
            items: items.iter().enumerate().filter_map(read).collect(),
            typed: items.len(),
        })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": subschema::<T>(generator) })
    }
}

/// A mapping from names to values, in the order in which they were typed.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct Pairs<K, V> {
    /// The valid pairs.
    pub(in crate::inventory) pairs: Vec<(Spanned<K>, Spanned<V>)>,
    /// All names, including those with invalid values.
    pub(in crate::inventory) names: Vec<String>,
}

impl<K: Value, V: Value> Value for Pairs<K, V> {
    fn expected() -> String {
        "a mapping from names to values".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            let help = format!(
                "write lines of `NAME: VALUE`, where NAME is {}",
                K::expected()
            );
            faults.add(mismatch::<Self>(node, path).help(help));
            return None;
        };
        let mut pairs = Vec::new();
        for entry in entries {
            let path = path.key(&entry.key);
            let key_node = Node {
                kind: Kind::Scalar {
                    text: entry.key.clone(),
                    plain: true,
                },
                span: entry.key_span.clone(),
                whole: entry.key_span.clone(),
            };
            // Decode both before either can fail, so that the errors of both are reported.
            let key = K::decode(&key_node, &path, faults);
            let value = spanned(&entry.value, path.clone(), ", or remove the key", faults);
            if let (Some(key), Some(value)) = (key, value) {
                let key = Spanned {
                    value: key,
                    span: entry.key_span.clone(),
                    path,
                };
                pairs.push((key, value));
            }
        }
        let names = entries.iter().map(|entry| entry.key.clone()).collect();
        Some(Self { pairs, names })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": subschema::<V>(generator) })
    }
}
