//! `docs/templates.md` matches the registry. `UPDATE=1` rewrites it.

#[test]
fn the_page_about_templates_is_not_stale() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/templates.md");
    let wanted = hactl::render::templates_markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/templates.md is stale: UPDATE=1 cargo test --test render"
    );
}
