//! The sources as the import tests see them: without comments, strings and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file below `src/`.
pub(crate) struct Source {
    /// Its path below `src/`, such as `plan/build.rs`.
    pub(crate) path: String,
    /// Its code, with comments, strings and tests blanked out.
    pub(crate) code: String,
}

impl Source {
    /// The top-level module that it belongs to.
    pub(crate) fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// The depth of its module below the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }

    /// Every path that starts with one of `roots`, split at `::`, such as `crate::model::Node` from
    /// `use crate::{model::{Node, …}, …}`.
    pub(crate) fn paths(&self, roots: &[&str]) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for root in roots {
            let start = format!("{root}::");
            for (at, _) in self.code.match_indices(&start) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| is_word(c) || c == ':') {
                    continue;
                }
                let mut rest = &self.code[at + start.len()..];
                let mut own = Vec::new();
                read_tree(&mut rest, &mut vec![(*root).to_owned()], &mut own);
                found.extend(own);
            }
        }
        found
    }

    /// Whether a chain of `super` leads past the file's own module to the crate's root.
    pub(crate) fn climbs_out(&self) -> bool {
        let chain = vec!["super::"; self.depth()].concat();
        self.code.contains(&chain)
    }

    /// Whether `word` occurs as a whole word.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.code.match_indices(word).any(|(at, _)| {
            let before = self.code[..at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            let ends = word.chars().next_back().is_some_and(is_word);
            let is_longer = ends && after.is_some_and(is_word);
            !(is_longer || before.is_some_and(|c| is_word(c) || c == '.'))
        })
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads the rest of a path, or of a `use` tree, after `a::`.
fn read_tree(rest: &mut &str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    *rest = rest.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        *rest = inside;
        loop {
            *rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if rest.is_empty() {
                return;
            }
            if let Some(after) = rest.strip_prefix('}') {
                *rest = after;
                return;
            }
            let before = rest.len();
            read_tree(rest, path, found);
            if let Some(renamed) = rest.trim_start().strip_prefix("as ") {
                let end = renamed.find([',', '}']).unwrap_or(renamed.len());
                *rest = &renamed[end..];
            }
            if rest.len() == before {
                return;
            }
        }
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    path.push(word.to_owned());
    let below = rest.trim_start().strip_prefix("::");
    match below {
        Some(below) if below.trim_start().starts_with(|c| is_word(c) || c == '{') => {
            *rest = below;
            read_tree(rest, path, found);
        }
        _ => found.push(path.clone()),
    }
    path.pop();
}

/// All files in `src/`, except those that only tests include.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut of_tests = BTreeSet::new();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut code = blank(&text);
        for module in without_tests(&mut code) {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let dir = file.parent().unwrap();
            let below = if matches!(stem, "mod" | "lib" | "main") {
                dir.to_owned()
            } else {
                dir.join(stem)
            };
            of_tests.insert(below.join(&module));
            of_tests.insert(below.join(format!("{module}.rs")));
        }
        found.push((file, code));
    }
    let is_test = |file: &Path| {
        // Test modules beside the tested file, included by `#[path]`.
        let is_named_so = file.to_string_lossy().ends_with("_tests.rs");
        is_named_so || of_tests.iter().any(|of_test| file.starts_with(of_test))
    };
    found
        .into_iter()
        .filter(|(file, _)| !is_test(file))
        .map(|(file, code)| Source {
            path: file.strip_prefix(&root).unwrap().display().to_string(),
            code,
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code with comments and literals blanked out.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_text(rest, &code) {
            length
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of a raw string such as `r#"…"#` that starts here.
fn raw_text(rest: &str, before: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?;
    if before
        .chars()
        .next_back()
        .is_some_and(|c| is_word(c) && c != 'b')
    {
        return None;
    }
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let length = body.find(&end).unwrap_or(body.len());
    Some(1 + count + 1 + length + end.len())
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal such as `'"'`, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let body = &rest[1..];
    if let Some(escaped) = body.strip_prefix('\\') {
        return escaped[1..].find('\'').map_or(0, |end| end + 4);
    }
    let Some(c) = body.chars().next() else {
        return 0;
    };
    if body[c.len_utf8()..].starts_with('\'') {
        c.len_utf8() + 2
    } else {
        0
    }
}

/// Removes every item under `#[cfg(test)]`, and returns the names of its external modules.
fn without_tests(code: &mut String) -> Vec<String> {
    const MARK: &str = "#[cfg(test)]";
    let mut modules = Vec::new();
    while let Some(at) = code.find(MARK) {
        let item = &code[at..];
        let end = end_of_item(&item[MARK.len()..]) + MARK.len();
        let text = item[MARK.len()..end].trim();
        let named = text
            .split("mod ")
            .nth(1)
            .and_then(|name| name.strip_suffix(';'));
        modules.extend(named.map(|name| name.trim().to_owned()));
        code.replace_range(at..at + end, "");
    }
    modules
}

/// The end of the item that starts here: its `;` or its closing brace.
fn end_of_item(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let code = r#"
        // crate::comment::No
        use crate::{model::{Node, names as n}, plan::Plan};
        const TEXT: &str = "crate::text::No"; const C: char = '"';
        fn f<'a>(x: &'a crate::agent::Agent) { crate::render::render(x); let _ = 'x'; }
        #[cfg(test)]
        mod tests { use crate::tests::No; }
        #[cfg(test)]
        mod others;
    "#;
    let mut code = blank(code);
    assert_eq!(without_tests(&mut code), ["others"]);
    let source = Source {
        path: "x/mod.rs".to_owned(),
        code,
    };
    let paths = source.paths(&["crate"]);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "crate::model::Node",
            "crate::model::names",
            "crate::plan::Plan",
            "crate::agent::Agent",
            "crate::render::render"
        ]
    );
}
