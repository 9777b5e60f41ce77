//! The virtual routers and virtual servers of a keepalived configuration that somebody else may have
//! written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::files::Files;

/// Where keepalived begins to read.
const MAIN: &str = "/etc/keepalived/keepalived.conf";
/// How deep includes go; a file may include itself.
const MAX_DEPTH: usize = 16;
/// The most files that a configuration reads, and lines of all of them.
const MAX_FILES: usize = 1_000;
const MAX_STATEMENTS: usize = 200_000;
/// The most bytes that a word's variables may make of it.
const MAX_WORD: usize = 4096;

/// A `vrrp_instance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Instance {
    pub(in crate::plan) name: String,
    /// The file that has it.
    pub(in crate::plan) file: String,
    /// Its addresses, those in `virtual_ipaddress_excluded` among them.
    pub(in crate::plan) addresses: Vec<IpAddr>,
}

/// What keepalived does with its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Routers {
    pub(super) instances: Vec<Instance>,
    /// IPVS: `10.0.0.50:80`, `fwmark 5`, `group web`.
    pub(super) virtual_servers: Vec<String>,
    /// The first words of what stands in each file that is read.
    pub(super) keywords: BTreeMap<String, BTreeSet<String>>,
}

/// Everything that keepalived has with these files; what a package brought as a sample is left out.
pub(super) fn routers(files: &Files<'_>) -> Routers {
    let mut reader = Reader {
        files,
        variables: BTreeMap::new(),
        blocks: Vec::new(),
        is_named: false,
        file: String::new(),
        found: Routers::default(),
        files_left: MAX_FILES,
        statements_left: MAX_STATEMENTS,
    };
    reader.read(MAIN, 0);
    reader.found
}

enum Block {
    Instance,
    Addresses,
    Other,
}

struct Reader<'a> {
    files: &'a Files<'a>,
    variables: BTreeMap<String, String>,
    blocks: Vec<Block>,
    /// The last line named a block, whose brace is yet to come.
    is_named: bool,
    /// The file that is being read.
    file: String,
    found: Routers,
    files_left: usize,
    statements_left: usize,
}

impl Reader<'_> {
    fn read(&mut self, path: &str, depth: usize) {
        let files = self.files;
        let Some(file) = files
            .get(path)
            .filter(|file| self.files_left > 0 && !file.is_packaged)
        else {
            return;
        };
        self.files_left -= 1;
        path.clone_into(&mut self.file);
        self.found.keywords.entry(path.to_owned()).or_default();
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        for line in file.text.lines() {
            let words = words(line);
            if let [word, ..] = words.as_slice()
                && let Some((name, value)) =
                    word.strip_prefix('$').and_then(|it| it.split_once('='))
            {
                let value = [&[value.to_owned()], &words[1..]].concat().join(" ");
                self.variables.insert(name.to_owned(), value);
                continue;
            }
            let words: Vec<String> = words
                .iter()
                .flat_map(|word| self.substituted(word))
                .collect();
            // `@name` at the start of a line keeps it for hosts that are called so.
            let words = match words.split_first() {
                Some((first, rest)) if first.starts_with('@') => rest,
                _ => &words,
            };
            if let [name, pattern, ..] = words
                && is_include(name)
            {
                if depth < MAX_DEPTH {
                    for path in self.files.matching(pattern, dir) {
                        self.read(path, depth + 1);
                    }
                    path.clone_into(&mut self.file);
                }
                continue;
            }
            self.statements(words);
        }
    }

    fn substituted(&self, word: &str) -> Vec<String> {
        if !word.contains('$') {
            return vec![word.to_owned()];
        }
        let mut text = word.to_owned();
        for (name, value) in self.variables.iter().rev() {
            text = text
                .replace(&format!("${{{name}}}"), value)
                .replace(&format!("${name}"), value);
            // Values may refer to each other: the limit ends a circle. No address is this long.
            if text.len() > MAX_WORD {
                return Vec::new();
            }
        }
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// One line's statements: braces may stand anywhere in it.
    fn statements(&mut self, words: &[String]) {
        for part in words.chunk_by(|before, _| !is_brace(before)) {
            self.statements_left = self.statements_left.saturating_sub(1);
            if self.statements_left == 0 {
                return;
            }
            let (part, brace) = match part.split_last() {
                Some((last, part)) if is_brace(last) => (part, Some(last.as_str())),
                _ => (part, None),
            };
            let was_named = std::mem::take(&mut self.is_named);
            self.statement(part, brace);
            match brace {
                Some("{") if part.is_empty() && !was_named => self.blocks.push(Block::Other),
                Some("}") => {
                    self.blocks.pop();
                }
                _ => {}
            }
        }
    }

    fn statement(&mut self, words: &[String], brace: Option<&str>) {
        let [first, rest @ ..] = words else {
            return;
        };
        let keywords = self.found.keywords.get_mut(&self.file);
        keywords.map(|keywords| keywords.insert(first.clone()));
        let named = rest.first();
        let block = match first.as_str() {
            "vrrp_instance" => {
                self.blocks.clear();
                self.found.instances.push(Instance {
                    name: named.cloned().unwrap_or_default(),
                    file: self.file.clone(),
                    addresses: Vec::new(),
                });
                Some(Block::Instance)
            }
            "virtual_server" => {
                self.blocks.clear();
                self.found.virtual_servers.extend(virtual_server(rest));
                Some(Block::Other)
            }
            "virtual_ipaddress" | "virtual_ipaddress_excluded" => Some(Block::Addresses),
            _ if brace == Some("{") => Some(Block::Other),
            _ => None,
        };
        if let Some(block) = block {
            self.is_named = brace.is_none();
            self.blocks.push(block);
        } else if let ([.., Block::Instance, Block::Addresses], Some(address), Some(instance)) = (
            self.blocks.as_slice(),
            address(first),
            self.found.instances.last_mut(),
        ) {
            instance.addresses.push(address);
        }
    }
}

fn virtual_server(words: &[String]) -> Option<String> {
    match words {
        [kind, what, ..] if matches!(kind.as_str(), "fwmark" | "group") => {
            Some(format!("{kind} {what}"))
        }
        [address, port, ..] => Some(match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{address}:{port}"),
        }),
        _ => None,
    }
}

/// `10.0.0.50/24`, and perhaps nothing behind it.
fn address(word: &str) -> Option<IpAddr> {
    let address = word.split_once('/').map_or(word, |(address, _)| address);
    address.parse().ok()
}

/// `include`, and the forms that say how strict it is (`includer`, `includew`, …).
fn is_include(word: &str) -> bool {
    word.strip_prefix("include")
        .is_some_and(|rest| rest.chars().all(|c| "rmwab".contains(c)))
}

fn is_brace(word: &String) -> bool {
    word == "{" || word == "}"
}

/// The words of a line, without its comment; a brace is a word, also at the end of another one.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    let mut quote = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => word.extend(rest.next()),
            (c, Some(own)) if c == own => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                is_word = true;
            }
            ('!' | '#', None) => break,
            (c, None) if c.is_whitespace() => {
                if is_word || !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            // `${name}` is a part of the word.
            ('{', None) if word.ends_with('$') => {
                word.push('{');
                for c in rest.by_ref() {
                    word.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            ('{' | '}', None) => {
                if is_word || !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
                is_word = false;
                found.push(c.to_string());
            }
            (c, _) => word.push(c),
        }
    }
    if is_word || !word.is_empty() {
        found.push(word);
    }
    found
}
