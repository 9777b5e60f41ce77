//! Enforces the rules in `docs/architecture.md`. The table of imports is read from that page, so
//! that the page cannot differ from the code.
#![expect(clippy::unwrap_used, reason = "this is test code")]

mod imports;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use source::{Source, sources};

/// The extent of a module's imports from another: everything, or types only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    Types,
}

/// One row of the table.
struct Row {
    module: String,
    imports: BTreeMap<String, Extent>,
}

/// The rows of the table under "Modules".
fn table() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split("\n## Modules\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [module, _, imports] = cells[..] else {
            panic!("a row has three cells: {line}");
        };
        Row {
            module: module.trim_matches('`').to_owned(),
            imports: imports.split(',').filter_map(import).collect(),
        }
    })
    .collect()
}

/// Parses a cell such as `` `agent` (types) `` or `` `model` ``.
fn import(cell: &str) -> Option<(String, Extent)> {
    let mut parts = cell.trim().split('`').skip(1);
    let module = parts.next()?.to_owned();
    let extent = match parts.next()?.trim() {
        "" => Extent::All,
        "(types)" => Extent::Types,
        other => panic!("no extent of an import: {other}"),
    };
    Some((module, extent))
}

/// Types with behaviour or effects, which the table's "types" does not include.
const ACTORS: [&str; 12] = [
    "Agent",
    "Connector",
    "Coordinator",
    "Fleet",
    "Host",
    "Lab",
    "Redactor",
    "Session",
    "SshConnector",
    "Templates",
    "Call",
    "Output",
];

/// Pure functions that count as types.
const PURE: [&str; 1] = ["sha256_hex"];

fn is_type(path: &[String]) -> bool {
    let Some(name) = path.get(2) else {
        return false;
    };
    let is_named_like_one = name.starts_with(|c: char| c.is_ascii_uppercase());
    (is_named_like_one && !ACTORS.contains(&name.as_str())) || PURE.contains(&name.as_str())
}

/// The actual imports of every module, with one place each.
fn real_imports(sources: &[Source]) -> BTreeMap<String, BTreeMap<String, (Extent, String)>> {
    let mut real: BTreeMap<_, BTreeMap<String, (Extent, String)>> = BTreeMap::new();
    for source in sources {
        let own = real.entry(source.module().to_owned()).or_default();
        for path in source.paths(&["crate"]) {
            let Some(from) = path.get(1).filter(|from| **from != source.module()) else {
                continue;
            };
            let place = format!("{}: {}", source.path, path.join("::"));
            let entry = own
                .entry(from.clone())
                .or_insert_with(|| (Extent::Types, place.clone()));
            if !is_type(&path) {
                *entry = (Extent::All, place);
            }
        }
    }
    real
}

#[test]
fn the_table_of_imports_is_true() {
    let sources = sources();
    let mut real = real_imports(&sources);
    real.retain(|module, _| !matches!(module.as_str(), "lib" | "main"));
    let table = table();
    let listed: BTreeSet<&str> = table.iter().map(|row| row.module.as_str()).collect();
    let existing: BTreeSet<&str> = real.keys().map(String::as_str).collect();
    assert_eq!(listed, existing, "the table has a row for every module");
    let mut wrong = Vec::new();
    for row in &table {
        let imports = &real[&row.module];
        for (from, (extent, place)) in imports {
            match row.imports.get(from) {
                None => wrong.push(format!("`{}` may not import `{from}`: {place}", row.module)),
                Some(Extent::Types) if *extent == Extent::All => wrong.push(format!(
                    "`{}` may import types of `{from}` only: {place}",
                    row.module
                )),
                Some(_) => {}
            }
        }
        for (from, listed) in &row.imports {
            match imports.get(from) {
                None => wrong.push(format!(
                    "`{}` does not import `{from}`: the table is stale",
                    row.module
                )),
                // All of model is data, and cli exists to use the view.
                Some(_) if matches!(from.as_str(), "model" | "view") => {}
                Some((Extent::Types, _)) if *listed == Extent::All => wrong.push(format!(
                    "`{}` imports types of `{from}` only: write (types)",
                    row.module
                )),
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The page names only functions that exist, so that readers can follow it.
#[test]
fn the_way_of_an_apply_leads_through_functions_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/way-of-an-apply.md")).unwrap();
    let mut stations = 0;
    for row in page.lines().filter(|line| line.contains("| `src/")) {
        let words: Vec<&str> = row.split('`').collect();
        let [_, file, _, function, _] = words[..] else {
            panic!("a row names a file and a function: {row}");
        };
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let is_sh = Path::new(file).extension().is_some_and(|end| end == "sh");
        let definition = if is_sh {
            format!("\n{function}() {{")
        } else {
            format!("fn {function}")
        };
        let after = text.split(&definition).nth(1);
        let is_there = after.is_some_and(|rest| is_sh || rest.starts_with(['(', '<']));
        assert!(is_there, "{file} has no {function}");
        stations += 1;
    }
    assert!(stations > 15);
}

#[test]
fn imports_point_up_the_table() {
    let table = table();
    for (place, row) in table.iter().enumerate() {
        for from in row.imports.keys() {
            let is_above = table[..place].iter().any(|above| above.module == *from);
            assert!(
                is_above,
                "`{}` imports `{from}`, which is not above it",
                row.module
            );
        }
    }
}

#[test]
fn no_files_of_a_module_import_each_other_in_a_circle() {
    let edges = imports::edges(&sources());
    assert!(edges.len() > 500, "{}", edges.len());
    let mut told = String::new();
    for circle in imports::circles(&edges) {
        told.push_str("\nfiles that import each other:\n");
        for ((from, to), items) in &edges {
            if circle.contains(from) && circle.contains(to) {
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                let is_mutual = edges.contains_key(&(to.clone(), from.clone()));
                let way = if is_mutual { "<->" } else { "->" };
                let items = items.join(", ");
                let _ = writeln!(told, "  {from} {way} {to} ({items})");
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// A module's only imports are its `crate::` paths.
#[test]
fn nobody_climbs_out_of_a_module_by_super() {
    for source in sources() {
        if !matches!(source.module(), "lib" | "main") {
            assert!(
                !source.climbs_out(),
                "{} reaches the crate's root by super",
                source.path
            );
        }
    }
}

#[test]
fn only_view_prints() {
    for source in sources() {
        if source.module() == "view" {
            continue;
        }
        for word in [
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "dbg!",
            "stdout()",
            "stderr()",
        ] {
            assert!(!source.has_word(word), "{} has {word}", source.path);
        }
        let found = source.paths(&["std::io", "tokio::io", "anstream", "io"]);
        let prints = |path: &Vec<String>| {
            matches!(path.last().map(String::as_str), Some("stdout" | "stderr"))
                || path.first().is_some_and(|first| first == "anstream")
        };
        assert_eq!(found.into_iter().find(prints), None, "{}", source.path);
    }
}

/// The lab starts machines, and its verbs start programs in them.
fn may_start_programs(source: &Source) -> bool {
    let of_the_lab = ["ops/lab", "cli/lab"];
    matches!(source.module(), "remote" | "lab")
        || of_the_lab
            .iter()
            .any(|start| source.path.starts_with(start))
}

#[test]
fn only_remote_and_the_lab_start_programs() {
    for source in sources()
        .iter()
        .filter(|source| !may_start_programs(source))
    {
        for path in source.paths(&["std", "tokio", "nix", "openssh", "process"]) {
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let of_process = words.iter().skip_while(|word| **word != "process").nth(1);
            let starts = matches!(of_process, Some(&("Command" | "Stdio" | "Child")))
                || words.contains(&"CommandExt")
                || words[0] == "openssh"
                || matches!(words[..], ["nix", "unistd", name, ..] if name.starts_with("exec") || name == "fork");
            assert!(!starts, "{} has {}", source.path, words.join("::"));
        }
    }
}

/// The only file that opens and closes connections. The work gets them from there.
const SCOPE: &str = "apply/fleet.rs";

#[test]
fn connections_are_made_and_ended_by_their_scope_alone() {
    let uses = |source: &Source| {
        let words = [".connect(", "Agent::new", ".close()", "Agent::close"];
        let used = words.into_iter().filter(|word| source.code.contains(word));
        used.collect::<Vec<_>>()
    };
    let sources = sources();
    // `agent` and `remote` implement connections, and a drill's load connects to a VIP as a client.
    let is_held =
        |source: &&Source| matches!(source.module(), "apply" | "ops" | "report" | "view" | "cli");
    for source in sources.iter().filter(is_held) {
        let expected: &[&str] = match source.path.as_str() {
            SCOPE => &[".connect(", "Agent::new", ".close()", "Agent::close"],
            _ => &[],
        };
        assert_eq!(uses(source), expected, "{}", source.path);
    }
}

#[test]
fn apply_asks_the_plan_and_not_where_it_leads() {
    for source in sources().iter().filter(|it| it.module() == "apply") {
        let asks = source.has_word("Goal") || source.has_word("goal");
        assert!(!asks, "{} asks for the goal", source.path);
    }
}

/// Modules whose results depend only on their arguments.
const PURE_PLACES: [&str; 10] = [
    "health/",
    "conf/",
    "plan/",
    "check/",
    "render/",
    "inventory/resolve/",
    "drill/history.rs",
    "drill/spans.rs",
    "drill/stats.rs",
    "drill/compare.rs",
];

#[test]
fn pure_modules_do_no_io() {
    let is_pure = |source: &&Source| {
        PURE_PLACES
            .iter()
            .any(|place| source.path.starts_with(place))
    };
    let sources = sources();
    let pure: Vec<&Source> = sources.iter().filter(is_pure).collect();
    assert!(pure.len() > 30);
    for source in pure {
        let roots = [
            "std", "tokio", "nix", "openssh", "jiff", "tempfile", "tracing", "fs", "env", "net",
            "time", "process",
        ];
        for path in source.paths(&roots) {
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let is_harmless = match words[..] {
                ["std", "net", name, ..] | ["net", name, ..] => {
                    name.starts_with("Ip") || name == "SocketAddr"
                }
                ["std", "time", name, ..] | ["time", name, ..] => name == "Duration",
                ["std", "fs" | "process" | "env" | "io" | "os" | "thread", ..] => false,
                ["std", ..] => true,
                _ => false,
            };
            assert!(is_harmless, "{} has {}", source.path, words.join("::"));
        }
    }
}

#[test]
fn no_unsafe_code_and_no_unwrap() {
    for source in sources() {
        assert!(!source.has_word("unsafe"), "{} has unsafe", source.path);
        for word in [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err("] {
            assert!(!source.code.contains(word), "{} has {word}", source.path);
        }
    }
}
