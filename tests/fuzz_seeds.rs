//! Runs the bodies of the fuzz targets on the committed seeds: inventories and host answers, both
//! real ones and ones that exposed a bug. docs/reliability.md tells how to fuzz.
#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::panic::AssertUnwindSafe;
use std::path::Path;

fn over(folders: &[&str], body: impl Fn(&[u8])) {
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| body(&bytes)));
            assert!(ended.is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count > 0, "no seeds in {}", folder.display());
    }
}

#[test]
fn inventories() {
    let folders = [
        "fuzz/seeds/inventory",
        "inventories",
        "tests/inventories/malformed",
    ];
    over(&folders, bodies::inventory);
}

#[test]
fn answers_of_hosts() {
    over(&["fuzz/seeds/answer"], bodies::answer);
}
