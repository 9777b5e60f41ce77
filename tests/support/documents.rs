//! Validates hactl's machine-readable output against its schemas. Fields missing from the schema
//! are errors, so that every field is documented.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

/// A schema by name.
pub(crate) type Schemas = fn(&str) -> Option<Value>;

/// Asserts that `text` consists of documents or lines that match their schemas.
#[track_caller]
pub(crate) fn assert_valid(schemas: Schemas, text: &str) {
    let mut values = 0;
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.unwrap_or_else(|error| panic!("{error}\n{text}"));
        values += 1;
        if value.get("event").is_none() {
            assert_document(schemas, &value);
            continue;
        }
        assert_follows("events", schemas, &value);
        if value["event"] == "report" {
            assert_document(schemas, &value["report"]);
        }
    }
    assert!(values > 0, "nothing was printed");
}

#[track_caller]
fn assert_document(schemas: Schemas, document: &Value) {
    let verb = document["verb"]
        .as_str()
        .unwrap_or_default()
        .replace(' ', "-");
    let name = if schemas(&verb).is_some() {
        verb.as_str()
    } else {
        "failure"
    };
    assert_follows(name, schemas, document);
    if document.get("error").is_some() {
        assert_follows("failure", schemas, document);
    }
}

#[track_caller]
fn assert_follows(name: &str, schemas: Schemas, value: &Value) {
    static MADE: Mutex<Option<HashMap<String, Validator>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = made
        .get_or_insert_default()
        .entry(name.to_owned())
        .or_insert_with(|| {
            let mut schema = schemas(name).unwrap_or_else(|| panic!("no schema {name}"));
            close(&mut schema, Place::Value);
            jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
        });
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    drop(made);
    assert!(
        errors.is_empty(),
        "{name} is not as its schema says:\n{}\n{value:#}",
        errors.join("\n")
    );
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A complete value: the schema must know all of its fields.
    Value,
    /// A part of a schema, to which another one may add fields.
    Part,
}

/// Makes a schema reject unknown fields.
fn close(schema: &mut Value, place: Place) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    for (key, below) in fields.iter_mut() {
        match key.as_str() {
            "properties" => each(below, Place::Value),
            "$defs" => each(below, Place::Part),
            "items" | "additionalProperties" => close(below, Place::Value),
            "oneOf" | "anyOf" | "allOf" | "prefixItems" => {
                let place = if key == "prefixItems" {
                    Place::Value
                } else {
                    Place::Part
                };
                for one in below.as_array_mut().into_iter().flatten() {
                    close(one, place);
                }
            }
            _ => {}
        }
    }
    let says_something = ["properties", "$ref", "oneOf", "anyOf", "allOf"]
        .iter()
        .any(|key| fields.contains_key(*key));
    if place == Place::Value && says_something {
        fields.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

fn each(schemas: &mut Value, place: Place) {
    for (_, one) in schemas.as_object_mut().into_iter().flatten() {
        close(one, place);
    }
}
