//! Declares a mapping once: its keys with types, defaults, meaning and examples. The decoder, the JSON Schema and the
//! reference page are derived from it.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value as Json, json};

use super::decode::{Presence, Value};
use super::parse::parse;
use crate::inventory::error::Diagnostics;
use crate::model::InventoryPath;

/// Declares a mapping as a struct of the values that were typed.
///
/// Each key has a description, a name, a type, what happens if it is missing, and an example in YAML. With
/// `short KEY`, a lone value is short for a mapping with only that key.
macro_rules! shape {
    (
        $(#[doc = $about:literal])+
        $name:ident as $definition:literal $(short $short:ident)? {
            $( $(#[doc = $doc:literal])+ $field:ident : $type:ty = $presence:expr, $example:literal; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(in crate::inventory) struct $name {
            typed_keys: Vec<String>,
            $( $(#[doc = $doc])+ pub(in crate::inventory) $field: Option<$crate::inventory::raw::Spanned<$type>>, )+
        }

        impl $crate::inventory::raw::Typed for $name {
            fn has(&self, key: &str) -> bool {
                self.typed_keys.iter().any(|typed| typed == key)
            }
        }

        impl $crate::inventory::raw::Value for $name {
            const NAME: Option<&'static str> = Some($definition);

            fn expected() -> String {
                let short: Option<&str> = None $( .or(Some(stringify!($short))) )?;
                $crate::inventory::raw::shape::expected($definition, short)
            }

            fn decode(
                node: &$crate::inventory::raw::Node,
                path: &$crate::model::InventoryPath,
                faults: &mut $crate::inventory::error::Diagnostics,
            ) -> Option<Self> {
                use $crate::inventory::raw::Presence::{self, *};
                $(
                    let expanded = node.as_short_for(stringify!($short));
                    let node = expanded.as_ref().unwrap_or(node);
                )?
                let known = [$( $crate::inventory::raw::shape::key_name(stringify!($field)) ),+];
                let keys = $crate::inventory::raw::Keys::open::<Self>(node, path, &known, faults)?;
                Some(Self {
                    typed_keys: keys.typed(),
                    $( $field: {
                        let presence: Presence = $presence;
                        let key = $crate::inventory::raw::shape::key_name(stringify!($field));
                        keys.take(key, presence, faults)
                    }, )+
                })
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::inventory::raw::Presence::*;
                let mut object = $crate::inventory::raw::shape::Object::new(concat!($($about, "\n"),+));
                $( object.property::<$type>(
                    generator,
                    $crate::inventory::raw::shape::key_name(stringify!($field)),
                    concat!($($doc, "\n"),+),
                    $presence,
                    $example,
                ); )+
                let object = object.finish();
                $( let object = $crate::inventory::raw::shape::with_short(&object, stringify!($short)); )?
                object
            }
        }
    };
}
pub(super) use shape;

/// A mapping that remembers which keys were typed.
pub(in crate::inventory) trait Typed {
    /// True when `key` was typed, even with an invalid value.
    fn has(&self, key: &str) -> bool;
}

/// The name of a key, which is the field's name without `r#`.
pub(in crate::inventory) fn key_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// What is expected for the mapping `definition`.
pub(in crate::inventory) fn expected(definition: &str, short: Option<&str>) -> String {
    let what = format!("the keys of `{definition}`");
    match short {
        Some(key) => format!("{what} or its `{}` alone", key_name_of(key)),
        None => what,
    }
}

fn key_name_of(field: &str) -> &str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// The JSON Schema of a mapping under construction.
pub(in crate::inventory) struct Object {
    about: String,
    properties: serde_json::Map<String, Json>,
    required: Vec<&'static str>,
}

impl Object {
    pub(in crate::inventory) fn new(about: &str) -> Self {
        Self {
            about: prose(about),
            properties: serde_json::Map::new(),
            required: Vec::new(),
        }
    }

    /// Adds a key.
    pub(in crate::inventory) fn property<T: Value>(
        &mut self,
        generator: &mut SchemaGenerator,
        key: &'static str,
        doc: &str,
        presence: Presence,
        example: &str,
    ) {
        debug_assert!(
            decodes::<T>(example),
            "{key}: the example {example} is wrong"
        );
        let mut schema = subschema::<T>(generator);
        let fields = schema.ensure_object();
        fields.insert("description".to_owned(), prose(doc).into());
        match presence {
            Presence::Required => self.required.push(key),
            Presence::Optional(text) => {
                fields.insert("x-default".to_owned(), text.into());
            }
            Presence::Default(yaml) => {
                debug_assert!(decodes::<T>(yaml), "{key}: the default {yaml} is wrong");
                fields.insert("default".to_owned(), to_json(yaml));
                fields.insert("x-default-yaml".to_owned(), yaml.into());
            }
        }
        fields.insert("examples".to_owned(), json!([to_json(example)]));
        fields.insert("x-example".to_owned(), example.into());
        self.properties.insert(key.to_owned(), schema.to_value());
    }

    pub(in crate::inventory) fn finish(self) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "description": self.about,
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

/// The schema of `object`, or of a lone value for its key `short`.
pub(in crate::inventory) fn with_short(object: &Schema, short: &str) -> Schema {
    let short = key_name_of(short);
    let alone = object.pointer(&format!("/properties/{short}")).cloned();
    let about = object.get("description").cloned();
    schemars::json_schema!({
        "description": about,
        "x-short": short,
        "anyOf": [object, alone],
    })
}

/// The schema of `T`, as a reference if it is a mapping.
pub(in crate::inventory) fn subschema<T: Value>(generator: &mut SchemaGenerator) -> Schema {
    if T::NAME.is_some() {
        generator.subschema_for::<Described<T>>()
    } else {
        T::schema(generator)
    }
}

/// Implements schemars's own trait for `T`, which the model's types cannot do.
pub(in crate::inventory) struct Described<T>(PhantomData<T>);

impl<T: Value> JsonSchema for Described<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.unwrap_or("value").into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// Joins the lines of a doc comment.
fn prose(lines: &str) -> String {
    lines.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True when `yaml` is a valid `T`, which every declared default and example must be.
fn decodes<T: Value>(yaml: &str) -> bool {
    let mut faults = Diagnostics::default();
    let node = parse(yaml, &mut faults);
    node.is_some_and(|node| T::decode(&node, &InventoryPath::root(), &mut faults).is_some())
        && faults.is_empty()
}

/// A declared default or example as JSON.
fn to_json(yaml: &str) -> Json {
    parse(yaml, &mut Diagnostics::default()).map_or(Json::Null, |node| node.to_json())
}
