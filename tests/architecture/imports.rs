//! The imports among the files of a module, as the compiler resolves them: importing an item that a
//! parent re-exports counts as importing the file that defines it, and so does a path through a
//! module's name.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, is_word};

/// A path, split at `::`.
type Words = Vec<String>;

/// The names that a file's `use` declarations bring into scope.
#[derive(Default)]
struct Names {
    /// The path behind each name.
    named: BTreeMap<String, Words>,
    /// The modules of glob imports (`use a::*`).
    all_of: Vec<Words>,
}

/// Imports among the files of each module: from, to, and the imported items.
pub(crate) type Edges = BTreeMap<(String, String), BTreeSet<String>>;

/// The sources, by module path.
struct Tree<'a> {
    sources: &'a [Source],
    modules: BTreeMap<Words, usize>,
    names: Vec<Names>,
}

/// All imports among files of the same module.
pub(crate) fn edges(sources: &[Source]) -> Edges {
    let tree = Tree::new(sources);
    let mut edges = Edges::new();
    for (file, source) in sources.iter().enumerate() {
        let own = source.words();
        let used = tree.names[file].named.values().cloned();
        let written = (source.chains().into_iter()).filter(|path| tree.leads_out(file, path));
        for path in used.chain(written) {
            let Some(to) = tree.defines(&own, &path) else {
                continue;
            };
            tree.add(&mut edges, file, to, &path);
        }
        for macro_name in source.macros() {
            for (user, _) in sources.iter().enumerate().filter(|(_, other)| {
                other.module() == source.module() && other.has_word(&format!("{macro_name}!"))
            }) {
                tree.add(&mut edges, user, file, &[format!("{macro_name}!")]);
            }
        }
    }
    edges
}

impl<'a> Tree<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let of_module = |(file, source): (usize, &Source)| (source.words(), file);
        Self {
            sources,
            modules: sources.iter().enumerate().map(of_module).collect(),
            names: sources.iter().map(Source::names).collect(),
        }
    }

    fn add(&self, edges: &mut Edges, from: usize, to: usize, path: &[String]) {
        let (from, to) = (&self.sources[from], &self.sources[to]);
        if from.path != to.path && from.module() == to.module() {
            let edge = (from.path.clone(), to.path.clone());
            let item = path.last().cloned().unwrap_or_default();
            edges.entry(edge).or_default().insert(item);
        }
    }

    /// Whether a path in the code of `file` starts at a module. If it starts at an imported item,
    /// the `use` counts already.
    fn leads_out(&self, file: usize, path: &[String]) -> bool {
        let first = path[0].as_str();
        let own = self.sources[file].words();
        let child = [own.clone(), vec![first.to_owned()]].concat();
        let through_name = || {
            let behind = self.names[file].named.get(first)?;
            self.module(&own, behind)
        };
        matches!(first, "crate" | "super" | "self")
            || self.modules.contains_key(&child)
            || through_name().is_some()
    }

    /// The module at `path`, relative to `base`, if it is one.
    fn module(&self, base: &[String], path: &[String]) -> Option<Words> {
        let (module, rest) = self.descend(base, path);
        rest.is_empty().then_some(module)
    }

    /// Descends from `base` along `path` as far as there are modules. Returns the last module and
    /// the rest of the path.
    fn descend<'p>(&self, base: &[String], path: &'p [String]) -> (Words, &'p [String]) {
        let mut at = base.to_vec();
        for (place, word) in path.iter().enumerate() {
            match word.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => {
                    at.pop();
                }
                _ => {
                    at.push(word.clone());
                    if !self.modules.contains_key(&at) {
                        at.pop();
                        return (at, &path[place..]);
                    }
                }
            }
        }
        (at, &[])
    }

    /// The file that defines the item at `path`, seen from the module `base`. `None` for a module,
    /// since only uses of its items count, and for anything outside of these sources.
    fn defines(&self, base: &[String], path: &[String]) -> Option<usize> {
        self.defines_within(base, path, 0)
    }

    fn defines_within(&self, base: &[String], path: &[String], depth: usize) -> Option<usize> {
        const DEEPEST: usize = 16;
        if depth > DEEPEST {
            return None;
        }
        let (module, rest) = self.descend(base, path);
        let Some(item) = rest.first() else {
            // A function may have the same name as its module: `use super::run` imports both.
            let (name, parent) = module.split_last()?;
            let file = *self.modules.get(parent)?;
            let behind = self.names[file].named.get(name)?;
            let is_itself = self.module(parent, behind).is_some_and(|to| to == module);
            return (!is_itself)
                .then(|| self.defines_within(parent, behind, depth + 1))
                .flatten();
        };
        let file = *self.modules.get(&module)?;
        let names = &self.names[file];
        if let Some(behind) = names.named.get(item).filter(|behind| *behind != path) {
            let behind = [behind, &rest[1..]].concat();
            let (to, _) = self.descend(&module, &behind);
            let is_here = self.modules.contains_key(&to);
            return is_here
                .then(|| self.defines_within(&module, &behind, depth + 1))
                .flatten();
        }
        if self.sources[file].declares(item) {
            return Some(file);
        }
        let through_all = names.all_of.iter().find_map(|all_of| {
            let module = self.module(&module, all_of)?;
            let file = *self.modules.get(&module)?;
            // Finding the word suffices, since a macro may declare the item.
            self.sources[file].has_word(item).then_some(file)
        });
        Some(through_all.unwrap_or(file))
    }
}

impl Source {
    /// The path of the file's module, without `crate`.
    fn words(&self) -> Words {
        let path = self.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').map(str::to_owned).collect()
    }

    fn declares(&self, item: &str) -> bool {
        let kinds = ["fn", "struct", "enum", "trait", "type", "const", "static"];
        kinds
            .iter()
            .any(|kind| self.has_word(&format!("{kind} {item}")))
    }

    /// The macros that the file defines.
    fn macros(&self) -> Vec<&str> {
        let after = self.code.split("macro_rules! ").skip(1);
        after
            .filter_map(|code| code.split(|c| !is_word(c)).next())
            .collect()
    }

    /// The `use` declarations in the code, and the rest of the code.
    fn split_uses(&self) -> (Vec<&str>, String) {
        let mut uses = Vec::new();
        let mut others = String::new();
        let mut rest = self.code.as_str();
        while let Some(at) = rest.find("use ") {
            let is_whole = !rest[..at].chars().next_back().is_some_and(is_word);
            let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
            let next = if is_whole { end } else { at + "use ".len() };
            others.push_str(if is_whole { &rest[..at] } else { &rest[..next] });
            if is_whole {
                uses.push(&rest[at + "use ".len()..end]);
            }
            rest = &rest[next..];
        }
        others.push_str(rest);
        (uses, others)
    }

    /// The names that the file's `use` declarations import.
    fn names(&self) -> Names {
        let mut names = Names::default();
        for tree in self.split_uses().0 {
            leaves(tree, &[], &mut names);
        }
        names
    }

    /// The paths in the code outside of `use`, except those in visibilities.
    fn chains(&self) -> Vec<Words> {
        let (_, code) = self.split_uses();
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = code[from..].find("::").map(|at| from + at) {
            let begin = (code[..at].rfind(|c| !is_word(c))).map_or(0, |before| before + 1);
            let length = code[at..].find(|c| !is_word(c) && c != ':');
            let end = length.map_or(code.len(), |length| at + length);
            from = end.max(at + "::".len());
            let is_visibility = code[..begin].ends_with("(in ");
            if begin < at && !is_visibility {
                let words = code[begin..end].split("::").filter(|word| !word.is_empty());
                found.push(words.map(str::to_owned).collect());
            }
        }
        found
    }
}

/// Reads a `use` tree whose path so far is `before`.
fn leaves(tree: &str, before: &[String], names: &mut Names) {
    let words = |path: &str| {
        let path = path.replace(['$', ' ', '\n'], "");
        let own = path.split("::").filter(|word| !word.is_empty());
        let own = own.map(str::to_owned);
        before.iter().cloned().chain(own).collect::<Words>()
    };
    if let Some((path, inside)) = tree.split_once('{') {
        let path = words(path);
        let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
        for part in parts(inside) {
            leaves(part, &path, names);
        }
        return;
    }
    let (path, renamed) = match tree.split_once(" as ") {
        Some((path, name)) => (path, Some(name.trim().to_owned())),
        None => (tree, None),
    };
    let mut path = words(path);
    match path.last().map(String::as_str) {
        Some("*") => {
            path.pop();
            names.all_of.push(path);
            return;
        }
        Some("self") if path.len() > 1 => {
            path.pop();
        }
        _ => {}
    }
    if let Some(name) = renamed.or_else(|| path.last().cloned()) {
        names.named.insert(name, path);
    }
}

/// The elements of a `use` tree's level, between commas.
fn parts(inside: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    inside
        .split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

/// The sets of files that import each other, directly or indirectly.
pub(crate) fn circles(edges: &Edges) -> Vec<BTreeSet<String>> {
    let files: BTreeSet<&String> = edges.keys().flat_map(|(from, to)| [from, to]).collect();
    let reached: BTreeMap<_, _> = (files.iter())
        .map(|file| (*file, reached_from(file, edges)))
        .collect();
    let circle = |file: &&String| {
        let is_mutual = |other: &&String| reached[*other].contains(*file);
        let mates = reached[*file].iter().filter(is_mutual);
        mates.cloned().collect::<BTreeSet<String>>()
    };
    let circles: BTreeSet<_> = files.iter().map(circle).collect();
    circles
        .into_iter()
        .filter(|circle| !circle.is_empty())
        .collect()
}

fn reached_from(file: &str, edges: &Edges) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file.to_owned()];
    while let Some(file) = open.pop() {
        for (_, to) in edges.keys().filter(|(from, _)| *from == file) {
            if reached.insert(to.clone()) {
                open.push(to.clone());
            }
        }
    }
    reached
}

#[test]
fn imports_are_resolved_to_the_file_that_defines_the_item() {
    let source = |path: &str, code: &str| Source {
        path: path.to_owned(),
        code: code.to_owned(),
    };
    let sources = [
        source(
            "a/mod.rs",
            "mod b; mod c; mod d; pub use b::{Bee, deep::*}; pub use c::c; use b::{self as other};
             pub(in crate::a) struct Own; fn f() { other::of_an_alias(); d::direct(); }",
        ),
        source("a/b.rs", "pub struct Bee; use crate::elsewhere::Item;"),
        source(
            "a/b/deep.rs",
            "pub struct Deep; macro_rules! deepen { () => { $crate::a::Own }; }",
        ),
        source(
            "a/c.rs",
            "use super::{Bee as B, Deep, Own}; use super::d; fn c() { d::x(); let _ = Bee::new(); }",
        ),
        source(
            "a/d.rs",
            "use super::c; deepen!(); fn x() -> crate::a::c::Cee { c() }",
        ),
        source("elsewhere.rs", "use crate::a::Bee; pub struct Item;"),
    ];
    let edges = edges(&sources);
    let told: Vec<String> = (edges.iter())
        .map(|((from, to), items)| {
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            format!("{from} -> {to}: {}", items.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "a/b/deep.rs -> a/mod.rs: Own",
            "a/c.rs -> a/b.rs: Bee",
            "a/c.rs -> a/b/deep.rs: Deep",
            "a/c.rs -> a/d.rs: x",
            "a/c.rs -> a/mod.rs: Own",
            "a/d.rs -> a/b/deep.rs: deepen!",
            "a/d.rs -> a/c.rs: Cee, c",
            "a/mod.rs -> a/b.rs: Bee, of_an_alias",
            "a/mod.rs -> a/c.rs: c",
            "a/mod.rs -> a/d.rs: direct",
        ]
    );
    let circle = ["a/b/deep.rs", "a/c.rs", "a/d.rs", "a/mod.rs"];
    assert_eq!(circles(&edges), [circle.map(str::to_owned).into()]);
}
