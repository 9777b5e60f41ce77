//! Malicious files: the real binary rejects them in bounded memory and time. Both are measured by
//! the kernel, so that a slow or busy machine does not change the result.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// CPU seconds allowed per file, in an unoptimised build.
const CPU: u32 = 30;
/// Memory allowed for any file, including hactl itself, in KiB: three times the actual use.
const MEMORY: i64 = 192 * 1024;
/// Bytes of output allowed per file: at most a hundred errors, each quoting at most 4096 bytes.
const WORDS: usize = 600_000;

/// Valid except for its size: comparisons of each item with each other must not take forever.
fn many_of_everything() -> String {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |text, n| text + "\n" + &line(n))
    };
    let nodes = lines(1500, &|n| {
        format!(
            "  - {{ name: n{n}, address: 10.1.{}.{}, interface: e }}",
            n / 250,
            n % 250 + 1
        )
    });
    let priorities = lines(4000, &|n| format!("      n{n}: {}", n % 254 + 1));
    let vips = lines(1500, &|n| {
        format!("  - {{ address: 10.2.{}.{}/16 }}", n / 250, n % 250 + 1)
    });
    let servers = lines(2000, &|n| format!("      - s{n}.example.org:80"));
    let sites = lines(1000, &|n| {
        format!("  - {{ names: [s{n}.example.org], listen: [80], proxy: u }}")
    });
    let locations = lines(2000, &|n| format!("      - {{ path: /{n}, proxy: u }}"));
    format!(
        "cluster: c\nnodes:{nodes}\nvips:\n  - address: 10.3.0.1/16\n    priorities:{priorities}{vips}\n\
         upstreams:\n  u:\n    servers:{servers}\nsites:{sites}\n  - names: [l]\n    listen: [80]\n    \
         proxy: u\n    locations:{locations}\n"
    )
}

/// Nested aliases, nine references per level.
fn laughs(line: impl Fn(usize, &str) -> String) -> String {
    let aliases = |n: usize| vec![format!("*a{n}"); 9].join(", ");
    (1..30).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, n| {
        text + &line(n, &aliases(n - 1))
    })
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    units.flat_map(to_bytes).collect()
}

/// Malicious files by name.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |text, n| text + &line(n))
    };
    let small = "cluster: web\nnodes:\n";
    let texts = [
        (
            "aliases of aliases",
            laughs(|n, aliases| format!("a{n}: &a{n} [{aliases}]\n")),
        ),
        (
            "merges of merges",
            (1..40).fold("a0: &a0 { k: v }\n".to_owned(), |text, n| {
                let m = n - 1;
                text + &format!(
                    "a{n}: &a{n} {{ <<: [*a{m}, *a{m}, *a{m}], k{n}: [*a{m}, *a{m}] }}\n"
                )
            }),
        ),
        ("merges of many keys", {
            let keys = lines(2000, &|n| format!("  k{n}: 1\n"));
            format!(
                "a: &a\n{keys}{}",
                lines(10_000, &|n| format!("b{n}: {{ <<: *a }}\n"))
            )
        }),
        (
            "aliases as keys",
            format!("a: &a x\n{}", "*a : 1\n".repeat(50_000)),
        ),
        (
            "a value within itself",
            vec!["n: &n [*n]"; 10_000].join("\n"),
        ),
        (
            "many merges",
            format!("a: &a {{ b: c }}\n{}", "d: { <<: *a }\n".repeat(20_000)),
        ),
        ("many keys", lines(100_000, &|n| format!("k{n}: 1\n"))),
        ("deep lists", "[".repeat(500_000)),
        (
            "deep lists that end",
            format!("a: {}{}\n", "[".repeat(2000), "]".repeat(2000)),
        ),
        ("deep mappings", "{a: ".repeat(100_000)),
        (
            "deep mappings, a line each",
            lines(1000, &|n| format!("{}a:\n", " ".repeat(n))),
        ),
        ("deep blocks", "- ".repeat(500_000)),
        ("the same key", "a:\n".repeat(300_000)),
        ("quotes", "\"".repeat(1_000_000)),
        (
            "a line of a megabyte",
            format!("cluster: {}\n", "w".repeat(1_000_000)),
        ),
        (
            "a quoted line of a megabyte",
            format!("cluster: \"{}\"\n", "w".repeat(1_000_000)),
        ),
        (
            "a block of a megabyte",
            format!(
                "cluster: |\n{}",
                "  wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\n".repeat(28_000)
            ),
        ),
        (
            "a folded megabyte",
            format!("cluster: >\n{}", "  w\n".repeat(250_000)),
        ),
        (
            "a key of a megabyte",
            format!("{}: 1\n", "k".repeat(1_000_000)),
        ),
        (
            "many nodes with a key each",
            format!("{small}{}", "  - { name: lb1 }\n".repeat(50_000)),
        ),
        (
            "100,000 empty nodes",
            format!("{small}{}", "  - {}\n".repeat(100_000)),
        ),
        (
            "100,000 nodes that are numbers",
            format!("{small}{}", "  - 1\n".repeat(100_000)),
        ),
        ("many of everything", many_of_everything()),
        ("ten megabytes", "x".repeat(10_000_000)),
        ("question marks", "? ".repeat(1000)),
        ("many question marks", "? \n".repeat(100_000)),
        ("tags", "!!a ".repeat(1000)),
        (
            "a tag on each value",
            format!("a: [{}]\n", "!x y, ".repeat(600)),
        ),
        ("anchors", "&a ".repeat(1000)),
        (
            "many anchors",
            lines(40_000, &|n| format!("k{n}: &a{n} x\n")),
        ),
        ("documents", "---\n".repeat(100_000)),
        ("directives", "%YAML 1.2\n".repeat(50_000)),
        ("comments", "# x\n".repeat(250_000)),
        ("blanks", " ".repeat(1_000_000)),
        ("tabs", "\t".repeat(1_000_000)),
        ("line ends", "\r".repeat(1_000_000)),
        ("byte order marks", "\u{feff}".repeat(300_000)),
        (
            "escapes",
            format!("cluster: \"{}\"\n", "\\x41".repeat(1000)),
        ),
    ];
    let valid = "cluster: web\nnodes: [{ name: lb1, address: 10.0.0.11, interface: eth0 }]\nvips: [{ address: 10.0.0.100/24 }]\n";
    let bytes: [(&str, Vec<u8>); 6] = [
        ("UTF-16, little end first", utf_16(valid, u16::to_le_bytes)),
        ("UTF-16, big end first", utf_16(valid, u16::to_be_bytes)),
        (
            "invalid UTF-8",
            [valid.as_bytes(), &[b'#', 0xc3, 0x28, 0xff, b'\n']].concat(),
        ),
        ("a megabyte of invalid UTF-8", vec![0xff; 1_000_000]),
        (
            "overlong UTF-8",
            [valid.as_bytes(), &[b'#', 0xc0, 0xaf, b'\n']].concat(),
        ),
        ("NULs", vec![0; 1_000_000]),
    ];
    let texts = texts.map(|(name, text)| (name, text.into_bytes()));
    texts.into_iter().chain(bytes).collect()
}

#[test]
fn files_that_are_made_to_hurt_are_refused_in_bounded_memory_and_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inventory.yml");
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("usage")
        .max_rss();
    for (name, bytes) in bombs() {
        let mut written = std::fs::File::create(&file).expect("a file");
        written.write_all(&bytes).expect("it can be written");
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -t {CPU}; exec \"$@\""), "sh"])
            .arg(env!("CARGO_BIN_EXE_hactl"))
            .args(["check", "-i"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("sh");
        let said = String::from_utf8_lossy(&output.stderr);
        let head: String = said.chars().take(300).collect();
        assert_eq!(
            output.status.code(),
            Some(3),
            "{name}: {}\n{head}",
            output.status
        );
        assert!(said.len() < WORDS, "{name}: {} bytes", said.len());
        assert!(
            !said.chars().any(hactl::model::is_harmful),
            "{name}: {head}"
        );
    }
    let most = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("usage")
        .max_rss();
    println!("at most {most} KiB, {before} before");
    assert!(most < MEMORY, "{most} KiB");
}
