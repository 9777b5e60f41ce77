//! Generates the reference page of inventories, `docs/inventory.md`, from the JSON Schema.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

const INTRODUCTION: &str = "\
<!-- Generated from schema/inventory.schema.json. Refresh: UPDATE=1 cargo test --test inventory -->

# The inventory

One YAML file says what the cluster should be. Twelve lines make a first one:

```yaml
";

const RULES: &str = "\
```

`hactl init` writes such a file, `inventories/guide.yml` states the cluster of the guide, and
`inventories/full.yml` has every key once. `hactl check` finds every mistake of a file in one go.

How it is read:

- Each key knows the type of its value. Switches are `true` and `false`; `yes`, `no`, `on` and `off` are
  refused rather than guessed, and so are numbers such as `010` or `1e3`.
- Durations are written with their unit, `50ms`, `1.5s` or `1m30s`; sizes as `512k`, `100m` or `1g`.
- A value that starts with `[`, `{`, `*`, `&`, `!`, `%`, `@` or a backtick needs quotes, such as
  `\"[2001:db8::1]:8080\"`.
- Unknown and repeated keys are errors. Anchors, aliases and `<<` work; tags don't.
- The inventory refers to secrets and never contains them.

To run beside what others manage on the same nodes, set `hosts: { nginx: shared, keepalived: shared }`:

- Their nginx.conf stays as it is and must include `/etc/nginx/conf.d/*.conf` in its `http` block, as Debian's and
  Red Hat's do. Their keepalived.conf stays and must contain the line `include /etc/keepalived/conf.d/*.conf`, which
  you add once. hactl's part is `hactl.conf` there; `plan` refuses a file that would not read it.
- `listen: [80]` is port 80 of the virtual IPs, so that their sites and hactl's do not answer for each other. What their
  `http` block sets for all servers applies to hactl's, too, unless the inventory has a key for it.
- hactl's part sets keepalived's `enable_script_security` and its process priority, which apply to the whole daemon.
  If their scripts run without that security, `plan` refuses before anything is changed.
- The units of both daemons get hactl's drop-ins, and the kernel its settings (`sysctl`), as on other nodes.
- To share a file that hactl has replaced, go back first: `hactl rollback --to 0`.

";

pub fn reference(schema: &Json, first_example: &str) -> String {
    let mut page = format!("{INTRODUCTION}{first_example}{RULES}");
    section(&mut page, "inventory", schema);
    for name in in_order_of_mention(schema) {
        if let Some(definition) = schema.pointer(&format!("/$defs/{name}")) {
            section(&mut page, &name, definition);
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// The definitions in the order of their first mention, each followed by those that it mentions.
fn in_order_of_mention(schema: &Json) -> Vec<String> {
    let mut order = Vec::new();
    mention(schema, schema, &mut order);
    order
}

fn mention(schema: &Json, within: &Json, order: &mut Vec<String>) {
    let properties = object(within).and_then(|object| object.get("properties")?.as_object());
    for name in properties
        .into_iter()
        .flat_map(|keys| keys.values())
        .flat_map(references)
    {
        if !order.contains(&name) {
            order.push(name.clone());
            if let Some(definition) = schema.pointer(&format!("/$defs/{name}")) {
                mention(schema, definition, order);
            }
        }
    }
}

/// Every definition that `schema` refers to.
fn references(schema: &Json) -> Vec<String> {
    match schema {
        Json::Object(fields) => {
            let own = fields.get("$ref").and_then(definition_name);
            let inner = fields.values().flat_map(references);
            own.into_iter().chain(inner).collect()
        }
        Json::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The definition that `value` is a reference to.
pub(super) fn referred<'s>(schema: &'s Json, value: &Json) -> Option<&'s Json> {
    let name = definition_name(value.get("$ref")?)?;
    schema.pointer(&format!("/$defs/{name}"))
}

fn definition_name(reference: &Json) -> Option<String> {
    Some(reference.as_str()?.strip_prefix("#/$defs/")?.to_owned())
}

/// The mapping that a definition describes, even if a lone value is allowed in its place.
pub(super) fn object(definition: &Json) -> Option<&Json> {
    if definition.get("properties").is_some() {
        return Some(definition);
    }
    definition.get("anyOf")?.as_array()?.first()
}

fn section(page: &mut String, name: &str, definition: &Json) {
    let about = definition.get("description").and_then(Json::as_str);
    let _ = writeln!(page, "## {name}\n\n{}\n", about.unwrap_or_default());
    if let Some(short) = definition.get("x-short").and_then(Json::as_str) {
        let _ = writeln!(
            page,
            "A lone value is short for a mapping with only `{short}`.\n"
        );
    }
    let Some(object) = object(definition) else {
        return;
    };
    let required = object.get("required").and_then(Json::as_array);
    let is_required =
        |key: &str| required.is_some_and(|keys| keys.iter().any(|known| known == key));
    page.push_str("| key | type | default | meaning | example |\n|---|---|---|---|---|\n");
    let properties = object.get("properties").and_then(Json::as_object);
    for (key, schema) in properties.into_iter().flatten() {
        let Some(fields) = schema.as_object() else {
            continue;
        };
        let _ = writeln!(
            page,
            "| `{key}` | {} | {} | {} | {} |",
            cell(&type_of(schema)),
            cell(&default_of(fields, is_required(key))),
            cell(text(fields, "description")),
            code(text(fields, "x-example")),
        );
    }
    page.push('\n');
}

pub(super) fn text<'j>(fields: &'j Map<String, Json>, key: &str) -> &'j str {
    fields.get(key).and_then(Json::as_str).unwrap_or_default()
}

pub(super) fn default_of(fields: &Map<String, Json>, is_required: bool) -> String {
    if is_required {
        return "required".to_owned();
    }
    match fields.get("x-default-yaml").and_then(Json::as_str) {
        Some("{}") if fields.contains_key("$ref") => "that of each key".to_owned(),
        Some("{}" | "[]" | "''") => "none".to_owned(),
        Some(yaml) => format!("`{yaml}`"),
        None => text(fields, "x-default").to_owned(),
    }
}

/// Describes a type, with links to definitions.
pub(super) fn type_of(schema: &Json) -> String {
    if let Some(name) = schema.get("$ref").and_then(definition_name) {
        return format!("[{name}](#{name})");
    }
    if let Some(words) = schema.get("x-type").and_then(Json::as_str) {
        return words.to_owned();
    }
    if let Some(choices) = schema.get("enum").and_then(Json::as_array) {
        return choices.iter().map(word).collect::<Vec<_>>().join(", ");
    }
    if let Some(forms) = schema.get("anyOf").and_then(Json::as_array) {
        return forms.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return word(only);
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => range(schema),
        Some("array") => schema.get("items").map_or_else(
            || "list".to_owned(),
            |items| format!("list of {}", type_of(items)),
        ),
        Some("object") => schema.get("additionalProperties").map_or_else(
            || "mapping".to_owned(),
            |values| format!("mapping from names to {}", type_of(values)),
        ),
        _ => "text".to_owned(),
    }
}

fn range(schema: &Json) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!("number, {low} to {high}"),
        _ => "whole number".to_owned(),
    }
}

fn word(value: &Json) -> String {
    match value.as_str() {
        Some(text) => format!("`{text}`"),
        None => format!("`{value}`"),
    }
}

/// Escapes text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}
