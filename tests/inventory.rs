//! Inventories as operators write them: good ones mean what they should, and each bad one gets
//! every mistake reported with its place and a remedy.

use std::path::{Path, PathBuf};

use hactl::inventory::{self, Inventory, InventoryErrors};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn shipped(name: &str) -> Inventory {
    let bytes = std::fs::read(project("inventories").join(name)).expect("the file exists");
    match inventory::load_bytes(name, &bytes) {
        Ok(inventory) => inventory,
        Err(errors) => panic!("{}", rendered(&errors)),
    }
}

/// A report as it looks in a plain log: 80 columns, ASCII, no colour.
fn rendered(diagnostic: &dyn Diagnostic) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(80);
    handler.render_report(&mut text, diagnostic).expect("a String takes it all");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn errors_of(name: &str, bytes: &[u8]) -> InventoryErrors {
    match inventory::load_bytes(name, bytes) {
        Ok(_) => panic!("{name} has no errors"),
        Err(errors) => errors,
    }
}

#[test]
fn the_twelve_lines_mean_what_an_expert_would_choose() {
    insta::assert_debug_snapshot!(shipped("small.yml").cluster);
}

#[test]
fn the_guides_inventory_means_the_guides_cluster() {
    insta::assert_debug_snapshot!(shipped("guide.yml").cluster);
}

#[test]
fn the_full_inventory_means_what_it_says() {
    insta::assert_debug_snapshot!(shipped("full.yml").cluster);
}

#[test]
fn every_malformed_inventory_is_explained() {
    let mut count = 0;
    insta::glob!("inventories/malformed/*.yml", |path| {
        count += 1;
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let bytes = std::fs::read(path).expect("the file exists");
        insta::assert_snapshot!(rendered(&errors_of(name, &bytes)));
    });
    assert!(count >= 40, "{count} malformed inventories");
}

/// Compares a generated file with what is committed, or refreshes it with `UPDATE=1`.
fn assert_fresh(path: &str, expected: &str) {
    let file = project(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is stale: UPDATE=1 cargo test --test inventory");
}

#[test]
fn the_committed_schema_is_fresh() {
    let schema = serde_json::to_string_pretty(&inventory::schema()).expect("it is JSON");
    assert_fresh("schema/inventory.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_committed_reference_is_fresh() {
    let first = std::fs::read_to_string(project("inventories/small.yml")).expect("it exists");
    assert_fresh("docs/inventory.md", &inventory::reference(&inventory::schema(), &first));
}
