//! One key of the inventory, from the JSON Schema: what it means, and which keys it has.

use serde_json::Value as Json;

use super::raw::nearest;
use super::reference::{default_of, object, referred, text, type_of};
use super::schema::schema;

/// A key of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Key {
    /// Its path. `NAME` stands for the names that the user chooses.
    pub path: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its default: a value, or words; `required` if there is none.
    pub default: String,
    pub meaning: String,
    pub example: String,
    /// The keys of the mapping that it holds, or of each entry of its list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// The keys that `asked` means: a path such as `vrrp.failover` or `sites[0].listen`, or a key's own name. There may be
/// several of one name.
pub fn keys_called(asked: &str) -> Vec<Key> {
    let asked = without_indices(asked);
    let schema = schema();
    let all = all_keys(&schema);
    let is_it = |path: &str| path == asked || without_names(path) == asked || fits(path, &asked);
    let exact: Vec<Key> = all.iter().filter(|key| is_it(&key.path)).cloned().collect();
    if !exact.is_empty() || asked.contains('.') {
        return exact;
    }
    let is_named = |key: &&Key| key.path.rsplit('.').next() == Some(&asked);
    all.iter().filter(is_named).cloned().collect()
}

/// The path of a key that `asked` was probably meant to be.
pub fn nearest_key(asked: &str) -> Option<String> {
    let keys = all_keys(&schema());
    let paths: Vec<&str> = keys.iter().map(|key| key.path.as_str()).collect();
    nearest(asked, &paths).map(str::to_owned)
}

/// Every key, in the order of the schema, each mapping before its own keys.
fn all_keys(schema: &Json) -> Vec<Key> {
    let mut keys = Vec::new();
    collect(schema, schema, "", &mut keys);
    keys
}

fn collect(schema: &Json, definition: &Json, prefix: &str, keys: &mut Vec<Key>) {
    let Some(mapping) = object(definition) else {
        return;
    };
    let required = mapping.get("required").and_then(Json::as_array);
    let properties = mapping.get("properties").and_then(Json::as_object);
    for (name, value) in properties.into_iter().flatten() {
        let Some(fields) = value.as_object() else {
            continue;
        };
        let is_required = required.is_some_and(|all| all.iter().any(|known| known == name));
        let path = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        let held = held(schema, value);
        let own = held.as_ref().and_then(|held| object(held.definition));
        let own = own.and_then(|own| own.get("properties")?.as_object());
        keys.push(Key {
            path: path.clone(),
            type_name: type_of(value),
            default: default_of(fields, is_required),
            meaning: text(fields, "description").to_owned(),
            example: text(fields, "x-example").to_owned(),
            keys: own
                .map(|own| own.keys().cloned().collect())
                .unwrap_or_default(),
        });
        if let Some(held) = held {
            let path = if held.by_name {
                format!("{path}.NAME")
            } else {
                path
            };
            collect(schema, held.definition, &path, keys);
        }
    }
}

/// The mapping that a key holds.
struct Held<'s> {
    definition: &'s Json,
    /// Whether the key holds several, each under a name of its own.
    by_name: bool,
}

fn held<'s>(schema: &'s Json, value: &'s Json) -> Option<Held<'s>> {
    if let Some(definition) = referred(schema, value) {
        let by_name = false;
        return object(definition).map(|_| Held {
            definition,
            by_name,
        });
    }
    if let Some(items) = value.get("items") {
        return held(schema, items);
    }
    if let Some(values) = value.get("additionalProperties") {
        let held = held(schema, values)?;
        return Some(Held {
            by_name: true,
            ..held
        });
    }
    let forms = value.get("anyOf").and_then(Json::as_array)?;
    forms.iter().find_map(|form| held(schema, form))
}

/// `path` without the indices of lists: `vips[0].address` is `vips.address`.
fn without_indices(path: &str) -> String {
    let segments = path
        .split('.')
        .map(|segment| segment.split('[').next().unwrap_or_default());
    segments.collect::<Vec<_>>().join(".")
}

/// `path` without the names that a user chooses.
fn without_names(path: &str) -> String {
    let segments = path.split('.').filter(|segment| *segment != "NAME");
    segments.collect::<Vec<_>>().join(".")
}

/// Whether `asked` is `path` with names in it.
fn fits(path: &str, asked: &str) -> bool {
    let (path, asked) = (path.split('.'), asked.split('.'));
    path.clone().count() == asked.clone().count()
        && path
            .zip(asked)
            .all(|(own, asked)| own == "NAME" || own == asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(asked: &str) -> Vec<String> {
        keys_called(asked).into_iter().map(|key| key.path).collect()
    }

    #[test]
    fn a_path_is_found_however_it_is_written() {
        assert_eq!(paths("vrrp.failover"), ["vrrp.failover"]);
        assert_eq!(paths("vips[0].address"), ["vips.address"]);
        for asked in [
            "upstreams.backend.servers",
            "upstreams.servers",
            "upstreams.NAME.servers",
        ] {
            assert_eq!(paths(asked), ["upstreams.NAME.servers"], "{asked}");
        }
    }

    #[test]
    fn a_name_alone_means_every_key_of_that_name() {
        assert!(paths("failover").contains(&"vrrp.failover".to_owned()));
        let several = paths("address");
        assert!(several.len() > 1, "{several:?}");
        assert!(several.contains(&"vips.address".to_owned()), "{several:?}");
    }

    #[test]
    fn what_is_no_key_has_neighbours() {
        assert!(paths("vrrp.failovr").is_empty());
        assert_eq!(
            nearest_key("vrrp.failovr").as_deref(),
            Some("vrrp.failover")
        );
    }

    #[test]
    fn every_key_says_what_it_means() {
        for key in all_keys(&schema()) {
            assert!(!key.meaning.is_empty(), "{}", key.path);
        }
    }
}
