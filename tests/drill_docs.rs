//! The tables in `docs/failover.md` match the records under `examples/drills/`.
#![expect(clippy::unwrap_used, reason = "this is test code")]

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use hactl::drill::{Archive, DrillReport};
use hactl::view::drill_tables;

const BEGIN: &str = "<!-- made of examples/drills by tests/drill_docs.rs: begin -->\n";
const END: &str = "<!-- end -->\n";

/// These come first, in this order, and all others follow.
const FIRST: [&str; 5] = ["fast", "standard", "wan", "guide", "guide-no-restart"];

fn root() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sorted(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().into_path()).collect();
    paths.sort();
    paths
}

fn sets() -> Vec<(String, Vec<DrillReport>)> {
    let mut folders = sorted(&root().join("examples/drills"));
    let place = |folder: &Utf8PathBuf| {
        let name = folder.file_name().unwrap();
        FIRST
            .iter()
            .position(|own| *own == name)
            .unwrap_or(FIRST.len())
    };
    folders.sort_by_key(place);
    folders
        .iter()
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let files = sorted(folder).into_iter();
            let records = files.filter(|path| path.extension() == Some("json"));
            (
                folder.file_name().unwrap().to_owned(),
                records.map(|path| Archive::read(&path).unwrap()).collect(),
            )
        })
        .collect()
}

#[test]
fn the_tables_say_what_the_records_say() {
    let path = root().join("docs/failover.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", drill_tables(&sets()));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "docs/failover.md is stale: `UPDATE=1 cargo test --test drill_docs` writes it"
    );
}
