//! Golden cases: an inventory and a node's rendered files. `UPDATE=1` rewrites them.
//!
//! Scripts and drop-ins differ little between the cases. The first node of one case has them whole, and all
//! others have what differs from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hactl::render::{RenderedNode, Templates, render};

use crate::cases::{self, Case};

/// The case whose first node has its scripts and drop-ins whole.
const WHOLE: &str = "twelve-lines";

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

fn rendered(case: &Case, templates: &Templates) -> Vec<(String, RenderedNode)> {
    let secrets = case.secrets(
        "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n",
    );
    let of_node = |name| {
        let node = case.cluster.node(name).unwrap();
        render(&case.cluster, node, &case.facts, &secrets, templates)
            .unwrap_or_else(|error| panic!("{}: {error}", case.folder.display()))
    };
    let nodes = case.nodes.iter();
    nodes
        .map(|name| (name.to_string(), of_node(name)))
        .collect()
}

/// The scripts and drop-ins of that node.
fn whole_files(cases: &[Case], templates: &Templates) -> BTreeMap<String, String> {
    let case = cases.iter().find(|case| case.folder.ends_with(WHOLE));
    let (_, node) = rendered(case.unwrap(), templates).swap_remove(0);
    let files = node.files.into_iter();
    files
        .filter(|file| file.role.is_script() || file.path.as_str().contains(".service.d/"))
        .map(|file| (file.path.to_string(), file.content))
        .map(|(path, content)| (path, String::from_utf8(content).unwrap()))
        .collect()
}

#[test]
fn every_case_renders_to_its_files() {
    let update = std::env::var_os("UPDATE").is_some();
    let templates = Templates::embedded().unwrap();
    let cases = cases::all();
    let whole = whole_files(&cases, &templates);
    let mut differences = Vec::new();
    for case in &cases {
        for (index, (name, rendered)) in rendered(case, &templates).into_iter().enumerate() {
            let is_whole = index == 0 && case.folder.ends_with(WHOLE);
            let folder = case.folder.join(name);
            let mut expected = files_below(&folder);
            let mut modes = String::new();
            for file in &rendered.files {
                modes.extend([format!("{:04o} {}\n", file.mode, file.path)]);
                let path = folder.join(file.path.as_str().trim_start_matches('/'));
                let shared = whole.get(file.path.as_str()).filter(|_| !is_whole);
                let (path, content) = match shared {
                    Some(shared) => {
                        let own = std::str::from_utf8(&file.content).unwrap();
                        let diff = similar::TextDiff::from_lines(shared.as_str(), own);
                        let diff = diff.unified_diff().context_radius(0).to_string();
                        (path.with_added_extension("diff"), diff.into_bytes())
                    }
                    None => (path, file.content.clone()),
                };
                if shared.is_none() || !content.is_empty() {
                    compare(&path, &content, update, &mut differences);
                    expected.remove(&path);
                }
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
