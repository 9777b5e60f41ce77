//! `docs/rules.md` matches the table of rules.

use std::path::Path;

#[test]
fn the_page_of_rules_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let expected = hactl::check::rules_page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).expect("docs/rules.md can be written");
    }
    let actual = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "docs/rules.md is stale: `UPDATE=1 cargo test --test check_docs` writes it"
    );
}
