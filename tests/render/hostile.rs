//! Hostile text in every scalar of an inventory is either rejected at its place or inert.
//!
//! The fields are discovered rather than listed: another test requires `inventories/full.yml` to
//! use every key of the schema, so new keys are covered here too.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use hactl::check::{Finding, Severity};
use hactl::inventory;
use hactl::model::{Cluster, NodeFacts, SecretRef, Secrets, Tls, harmless_json, is_harmful};
use hactl::render::{RenderError, RenderedNode, Templates, render};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use secrecy::SecretString;
use serde_json::Value;

use crate::daemons::{Stage, available};
use crate::syntax::{self, Shape};
use crate::variants;

const FULL: &str = include_str!("../../inventories/full.yml");

/// Text with special meaning to YAML, nginx, keepalived, shells, systemd, ssh, Tera or a terminal.
fn nasty() -> Vec<String> {
    let mut all: Vec<String> = [
        "a\nb",
        "a\rb",
        "a\0b",
        "\t",
        "a\tb$request",
        "/a%0Ab",
        "/a%09b",
        "/a%ffb",
        "/a%2",
        "a b",
        "a\\",
        "a\"b",
        "a'b",
        "a;b",
        "a{b",
        "x}",
        "x; } server { listen 81; } #",
        "$(reboot)",
        "`reboot`",
        "${x}",
        "${",
        "$5",
        "a#b",
        "!x",
        "-oProxyCommand=reboot",
        "/etc/../etc/shadow",
        "|reboot",
        "a && b",
        "%n",
        "\u{e9}\u{ff1b}\u{201c}",
        "\u{202e}x",
        "\u{200f}x",
        "\u{1b}]0;x\u{7}",
        "\u{9b}2J",
        "\u{7f}",
        "\u{2028}x",
        "{{ x }}{% raw %}",
        "\u{e0041}",
        "<<",
        variants::HOSTILE,
    ]
    .map(str::to_owned)
    .into();
    all.extend([990, 2000, 5000, 1 << 20].map(|length| "a".repeat(length)));
    all.extend([300, 600, 2000].map(|length| "$".repeat(length)));
    all.extend([1999, 2001].map(|length| "\"".repeat(length)));
    all.extend([990, 3990].map(|length| format!("/{}", "a".repeat(length))));
    all
}

/// The JSON pointer of a scalar.
type Pointer = String;

/// All scalars below `value`.
fn places(value: &Value, at: &str, found: &mut Vec<Pointer>) {
    let step = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, &step(name), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

fn full() -> Value {
    serde_saphyr::from_str(FULL).unwrap()
}

/// The document with `text` at `pointer`, and the byte offset of that text.
fn with(pointer: &str, text: &str) -> (String, usize) {
    const MARK: &str = "@@here@@";
    let mut document = full();
    *document.pointer_mut(pointer).unwrap() = Value::String(MARK.to_owned());
    let document = format!("{document:#}");
    let offset = document.find(&format!("\"{MARK}\"")).unwrap();
    let scalar = harmless_json(&Value::String(text.to_owned()).to_string());
    (document.replace(&format!("\"{MARK}\""), &scalar), offset)
}

/// Whether the schema describes the value at `pointer` as an escape hatch.
fn is_verbatim(pointer: &str, schema: &Value) -> bool {
    let key = pointer.rsplit('/').next().unwrap();
    let definitions = schema["$defs"].as_object().unwrap().values();
    let mut descriptions = definitions
        .map(|definition| definition.get("anyOf").map_or(definition, |any| &any[0]))
        .filter_map(|definition| {
            definition["properties"]
                .get(key)?
                .get("description")?
                .as_str()
        });
    let is_raw = pointer.starts_with("/raw/") || key.starts_with("raw");
    let says = descriptions.any(|text| text.contains("verbatim")) || pointer.starts_with("/raw/");
    assert_eq!(
        is_raw, says,
        "{pointer}: an escape hatch must be named as one"
    );
    is_raw
}

fn secrets(cluster: &Cluster) -> Secrets {
    let (certificate, key) = variants::pair();
    let mut secrets = Secrets::default();
    let mut add = |reference: &SecretRef, value: &str| {
        secrets.insert(reference.clone(), SecretString::from(value.to_owned()));
    };
    if let Some(authentication) = &cluster.vrrp.authentication {
        add(&authentication.password, "s3cret/+");
    }
    for site in &cluster.sites {
        if let Some(Tls::Pushed {
            certificate: of_certificate,
            key: of_key,
        }) = &site.tls
        {
            add(of_certificate, certificate);
            add(of_key, key);
        }
    }
    secrets
}

fn rendered(cluster: &Cluster) -> Result<RenderedNode, RenderError> {
    thread_local!(static TEMPLATES: Templates = Templates::embedded().unwrap());
    let facts = NodeFacts::debian_12();
    TEMPLATES.with(|templates| {
        render(
            cluster,
            &cluster.nodes[0],
            &facts,
            &secrets(cluster),
            templates,
        )
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Tree(Vec<Shape>),
    /// The first character of each line.
    Lines(Vec<Option<char>>),
}

/// The shapes of all files, without their names, since those may depend on a value.
fn forms(rendered: &RenderedNode) -> Vec<Form> {
    let of = |file: &hactl::render::RenderedFile| {
        let text = String::from_utf8(file.content.clone()).unwrap();
        let path = file.path.as_str();
        let harmful = text.chars().find(|c| is_harmful(*c));
        assert_eq!(harmful, None, "in {path}");
        let tree = |read: Result<Vec<syntax::Directive>, String>| {
            Form::Tree(syntax::shape(
                &read.unwrap_or_else(|error| panic!("{error}:\n{text}")),
            ))
        };
        if path == "/etc/nginx/nginx.conf" {
            // hactl defines this variable if a text contains a dollar sign.
            let read = syntax::nginx(&text).map(without_dollar);
            tree(read)
        } else if path == "/etc/keepalived/keepalived.conf" {
            tree(syntax::keepalived(&text))
        } else {
            Form::Lines(text.lines().map(|line| line.chars().next()).collect())
        }
    };
    rendered.files.iter().map(of).collect()
}

fn without_dollar(mut directives: Vec<syntax::Directive>) -> Vec<syntax::Directive> {
    directives.retain(|directive| directive.words != ["geo", "$hactl_dollar"]);
    for directive in &mut directives {
        directive.block = directive.block.take().map(without_dollar);
    }
    directives
}

enum Fate {
    Refused,
    /// In no file of this node, or only where it has no effect.
    Inert,
}

/// Asserts that `text` at `pointer` is rejected there or inert.
fn fate(pointer: &str, text: &str) -> Fate {
    let (document, offset) = with(pointer, text);
    let inventory = match inventory::load("full.yml", &document) {
        Ok(inventory) => inventory,
        Err(errors) => {
            assert!(errors.total() > 0);
            let line = document[..offset].matches('\n').count() + 1;
            let start = document[..offset].rfind('\n').map_or(0, |at| at + 1);
            let column = document[start..offset].chars().count() + 1;
            let is_placed = errors.errors().iter().any(|error| match error.place() {
                Some(place) => {
                    (place.line, place.column) == (line, column) || {
                        // Also accepted: an error at a reference to the replaced name, or at the
                        // enclosing item.
                        let words = error.message();
                        [
                            "there is no",
                            "refers",
                            "same",
                            "twice",
                            "already",
                            "no node",
                            "no upstream",
                        ]
                        .iter()
                        .any(|told| words.contains(told))
                    }
                }
                None => {
                    error.message().contains(&format!("line {line} ")) || document.len() > 1 << 20
                }
            });
            let found: Vec<_> = errors
                .errors()
                .iter()
                .map(|error| (error.message().to_owned(), error.place()))
                .collect();
            let shown: String = text.chars().take(60).collect();
            assert!(
                is_placed,
                "{pointer} = {shown:?} at {line}:{column}: {found:?}"
            );
            return Fate::Refused;
        }
    };
    match rendered(&inventory.cluster) {
        Err(error) => {
            let findings = hactl::check::run(&inventory.cluster);
            let is_error = |finding: &Finding| finding.severity() == Severity::Error;
            assert!(
                findings.iter().any(is_error),
                "{pointer} = {text:?} passes check and cannot be rendered: {error}"
            );
            Fate::Refused
        }
        Ok(node) => {
            let forms = forms(&node);
            assert!(
                is_usual(pointer, &forms),
                "{pointer} = {text:?} changed a file's shape"
            );
            Fate::Inert
        }
    }
}

/// All scalars except escape hatches, each key once.
fn fields() -> &'static [Pointer] {
    static FIELDS: OnceLock<Vec<Pointer>> = OnceLock::new();
    FIELDS.get_or_init(find_fields)
}

fn find_fields() -> Vec<Pointer> {
    let schema = serde_json::to_value(inventory::schema()).unwrap();
    let mut fields = Vec::new();
    places(&full(), "", &mut fields);
    let mut known = BTreeSet::new();
    fields.retain(|pointer| {
        let steps: Vec<&str> = pointer.split('/').collect();
        let mut key = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let is_name = index > 0 && steps[index - 1] == "upstreams";
            let is_index = step.bytes().all(|byte| byte.is_ascii_digit());
            key.push(if is_name || is_index { "*" } else { step });
        }
        known.insert(key.join("/")) && !is_verbatim(pointer, &schema)
    });
    assert!(fields.len() > 100, "{}", fields.len());
    fields
}

/// Whether an ordinary value at `pointer` renders to the same shapes: the original value or one of
/// a few others.
fn is_usual(pointer: &str, found: &[Form]) -> bool {
    static OWN: OnceLock<Vec<Form>> = OnceLock::new();
    let forms_of = |document: &str| {
        let inventory = inventory::load("full.yml", document).ok()?;
        Some(forms(&rendered(&inventory.cluster).ok()?))
    };
    if OWN.get_or_init(|| forms_of(FULL).unwrap()) == found {
        return true;
    }
    let others = [
        "harmless",
        "/harmless",
        "harm less",
        "/harm less",
        "harmless.example.org:80",
        "7",
    ];
    others
        .iter()
        .any(|text| forms_of(&with(pointer, text).0).is_some_and(|forms| forms == found))
}

/// Valid values for some fields, which legitimately change what is rendered.
fn has_meaning(text: &str) -> bool {
    matches!(text, "_" | "true" | "-1" | "null")
}

#[test]
fn the_full_inventory_has_every_key() {
    fn visit(value: &Value, schema: &Value, root: &Value, seen: &mut BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/");
            if let Value::Object(fields) = value {
                seen.extend(fields.keys().map(|key| format!("{name}.{key}")));
            }
            visit(value, &root["$defs"][name], root, seen);
        }
        for form in schema["anyOf"].as_array().into_iter().flatten() {
            let is_mapping = form.get("$ref").is_some() || form.get("properties").is_some();
            if is_mapping && value.is_object() || form["type"] == "array" && value.is_array() {
                visit(value, form, root, seen);
            }
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    visit(item, &schema["items"], root, seen);
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    let own = schema["properties"].get(key);
                    visit(
                        value,
                        own.unwrap_or(&schema["additionalProperties"]),
                        root,
                        seen,
                    );
                }
            }
            _ => {}
        }
    }
    let schema = serde_json::to_value(inventory::schema()).unwrap();
    let mut seen = BTreeSet::new();
    visit(&full(), &schema, &schema, &mut seen);
    let mut missing = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let own = definition.get("anyOf").map_or(definition, |any| &any[0]);
        let keys = own["properties"].as_object().unwrap().keys();
        missing.extend(
            keys.map(|key| format!("{name}.{key}"))
                .filter(|key| !seen.contains(key)),
        );
    }
    let keys = schema["properties"].as_object().unwrap().keys();
    missing.extend(
        keys.filter(|key| full().get(key.as_str()).is_none())
            .cloned(),
    );
    assert!(missing.is_empty(), "inventories/full.yml lacks {missing:?}");
}

/// Each text with the fields in which it is inert, and the number of rejections.
type Fates = (Vec<(String, Vec<Pointer>)>, usize);

/// Tries every text of [`nasty`] in every field.
fn fates() -> &'static Fates {
    static FATES: OnceLock<Fates> = OnceLock::new();
    FATES.get_or_init(|| {
        let mut all: Vec<_> = nasty().into_iter().map(|text| (text, Vec::new())).collect();
        let mut refused = 0;
        for pointer in fields() {
            for (text, inert) in &mut all {
                match fate(pointer, text) {
                    Fate::Refused => refused += 1,
                    Fate::Inert => inert.push(pointer.clone()),
                }
            }
        }
        (all, refused)
    })
}

#[test]
fn a_hostile_text_in_any_field_is_refused_in_its_place_or_inert() {
    let (all, refused) = fates();
    let inert: usize = all.iter().map(|(_, inert)| inert.len()).sum();
    println!(
        "{} fields: {refused} refused, {inert} inert",
        fields().len()
    );
    assert!(
        *refused > 1000 && inert > 100,
        "{refused} refused, {inert} inert"
    );
}

proptest! {
    // Failing cases are saved in a file next to this one and tried first from then on.
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_in_any_field_is_refused_in_its_place_or_inert(
        field in any::<prop::sample::Index>(),
        text in prop_oneof![
            any::<String>(),
            "[a-z/;{}$`'\"#\\\\ \n\r\t\u{0}\u{1b}\u{202e}(|&<>!%~*?=-]{1,20}",
            "/[ -~\u{e9}]{0,30}",
        ],
    ) {
        let pointer = field.get(fields());
        if !has_meaning(&text) {
            fate(pointer, &text);
        }
    }
}

#[test]
fn what_is_inert_is_accepted_by_the_real_daemons() {
    if available().is_err() {
        return;
    }
    let mut judged = 0;
    // Unknown variables are only detected by nginx, which hactl asks before it changes anything.
    let is_variable = |text: &str| text.contains("${x}") || text.contains("${nope");
    for (text, inert) in fates().0.iter().filter(|(text, _)| !is_variable(text)) {
        let mut document = full();
        // Paths must exist, and upstream hosts must resolve.
        let is_host = |pointer: &&Pointer| {
            ["/files", "/tls/", "/address", "_log", "/hook"]
                .iter()
                .any(|part| pointer.contains(part))
        };
        for pointer in inert.iter().filter(|pointer| !is_host(pointer)) {
            *document.pointer_mut(pointer).unwrap() = Value::String(text.clone());
        }
        let document = harmless_json(&format!("{document:#}"));
        let Ok(mut inventory) = inventory::load("full.yml", &document) else {
            continue;
        };
        for site in &mut inventory.cluster.sites {
            if let Some(Tls::OnHost { .. }) = site.tls {
                site.tls = Some(variants::on_host());
            }
        }
        let node = rendered(&inventory.cluster).unwrap();
        let stage = Stage::new(&node);
        variants::host_files(&stage);
        let verdict = stage.judge(&inventory.cluster, &inventory.cluster.nodes[0], false);
        let said: String = verdict.said.lines().take(10).collect();
        assert!(verdict.clean, "{text:?} in {inert:?}:\n{said}");
        judged += usize::from(!inert.is_empty());
    }
    println!("{judged} texts before the daemons");
    assert!(judged > 5, "{judged}");
}
