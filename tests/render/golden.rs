//! Golden cases: an inventory and a node's rendered files. `UPDATE=1` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cases;
use hactl::render::{Templates, render};

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

#[test]
fn every_case_renders_to_its_files() {
    let update = std::env::var_os("UPDATE").is_some();
    let templates = Templates::embedded().unwrap();
    let mut differences = Vec::new();
    for case in cases::all() {
        let secrets = case.secrets(
            "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n",
        );
        for name in &case.nodes {
            let node = case.cluster.node(name).unwrap();
            let rendered = render(&case.cluster, node, &case.facts, &secrets, &templates)
                .unwrap_or_else(|error| panic!("{}: {error}", case.folder.display()));
            let folder = case.folder.join(name.as_str());
            let mut expected = files_below(&folder);
            let mut modes = String::new();
            for file in &rendered.files {
                modes.extend([format!("{:04o} {}\n", file.mode, file.path)]);
                let path = folder.join(file.path.as_str().trim_start_matches('/'));
                compare(&path, &file.content, update, &mut differences);
                expected.remove(&path);
            }
            let path = folder.join("modes.txt");
            compare(&path, modes.as_bytes(), update, &mut differences);
            expected.remove(&path);
            for stale in expected {
                if update {
                    fs::remove_file(&stale).unwrap();
                } else {
                    differences.push(format!("{} is no longer rendered", stale.display()));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{}\n(UPDATE=1 cargo test --test render, and look at the diff)",
        differences.join("\n")
    );
}

/// Compares `path` with `content`, or with `update` writes it.
fn compare(path: &Path, content: &[u8], update: bool, differences: &mut Vec<String>) {
    if update {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        return;
    }
    let old = fs::read(path).unwrap_or_default();
    if old != content {
        let (old, new) = (
            String::from_utf8_lossy(&old),
            String::from_utf8_lossy(content),
        );
        let diff = similar::TextDiff::from_lines(&*old, &*new);
        differences.push(format!(
            "{}:\n{}",
            path.display(),
            diff.unified_diff().context_radius(2)
        ));
    }
}
