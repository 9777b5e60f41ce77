//! Turns keepalived's files into statements: follows includes, evaluates conditions and expands variables.

use super::block::{Blocks, Statement};
use super::definitions::Definitions;
use super::line::{Condition, Kind, Line, Piece, lines, pieces, words};
use crate::conf::Files;

/// The file that keepalived reads first.
pub(super) const MAIN: &str = "/etc/keepalived/keepalived.conf";
/// Maximum depth of includes. A file may include itself.
const MAX_DEPTH: usize = 16;
/// Maximum number of files that are read, and of statements in all of them.
const MAX_FILES: usize = 1_000;
const MAX_STATEMENTS: usize = 200_000;

/// Everything that is read, in order.
pub(super) struct Read {
    pub(super) statements: Vec<Statement>,
    /// The files, to which statements refer by index.
    pub(super) files: Vec<String>,
}

/// Reads the files as keepalived does on the host `hostname`. Without a name, the lines for all hosts count. Samples
/// from a package are skipped.
pub(super) fn read(files: &Files<'_>, hostname: Option<&str>) -> Read {
    let mut reader = Reader {
        files,
        config_id: hostname.map(|name| name.split('.').next().unwrap_or(name)),
        definitions: Definitions::new(),
        blocks: Blocks::new(),
        read: Vec::new(),
        file: 0,
        statements_left: MAX_STATEMENTS,
        bytes_left: files.budget(),
    };
    reader.file(MAIN, 0);
    Read {
        statements: reader.blocks.finish(),
        files: reader.read,
    }
}

struct Reader<'a> {
    files: &'a Files<'a>,
    config_id: Option<&'a str>,
    definitions: Definitions,
    blocks: Blocks,
    /// The paths of all files that were read.
    read: Vec<String>,
    /// Index of the current file.
    file: usize,
    statements_left: usize,
    bytes_left: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) {
        let files = self.files;
        let file = files.get(path).filter(|file| !file.is_packaged);
        let Some(file) = file else {
            return;
        };
        let left = self.bytes_left.checked_sub(file.text.len());
        let Some(left) = left.filter(|_| self.read.len() < MAX_FILES) else {
            return self.gap();
        };
        self.bytes_left = left;
        let including = self.file;
        self.file = self.read.len();
        self.read.push(path.to_owned());
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        for line in lines(&file.text) {
            if !self.definitions.goes_on(line.text) {
                self.line(&line, dir, depth);
            }
        }
        self.file = including;
    }

    fn line(&mut self, line: &Line<'_>, dir: &str, depth: usize) {
        if line.condition.is_some_and(|own| !self.applies(own)) {
            return;
        }
        let text = match line.kind {
            Kind::Blank => return,
            Kind::Definition { name, value } => return self.definitions.define(name, value),
            Kind::Sequence => return self.gap(),
            Kind::Include(_) | Kind::Statement(_) if !line.text.contains('$') => {
                return self.plain(line, dir, depth);
            }
            Kind::Include(_) => line.text,
            Kind::Statement(text) => text,
        };
        let Some(text) = self.definitions.expanded(text) else {
            return self.gap();
        };
        for part in text.split('\n') {
            let line = Line::of(part, line.number);
            if line.condition.is_none_or(|own| self.applies(own)) {
                self.plain(&line, dir, depth);
            }
        }
    }

    fn applies(&self, condition: Condition<'_>) -> bool {
        let is_own = |own: &str| (own == condition.config_id) != condition.is_negated;
        self.config_id.is_none_or(is_own)
    }

    /// Handles a line whose variables are expanded.
    fn plain(&mut self, line: &Line<'_>, dir: &str, depth: usize) {
        match line.kind {
            Kind::Include(pattern) => self.include(pattern, dir, depth),
            Kind::Statement(text) => self.statements(text),
            Kind::Sequence => self.gap(),
            Kind::Definition { name, value } => self.definitions.define(name, value),
            Kind::Blank => {}
        }
    }

    fn include(&mut self, pattern: &str, dir: &str, depth: usize) {
        let files = self.files;
        let pattern = pattern.trim_matches('"');
        let found = files.matching(pattern, dir);
        if found.is_empty() || depth >= MAX_DEPTH {
            return self.gap();
        }
        for path in found {
            self.file(path, depth + 1);
        }
    }

    fn statements(&mut self, text: &str) {
        for piece in pieces(text) {
            self.statements_left = self.statements_left.saturating_sub(1);
            if self.statements_left == 0 {
                return;
            }
            match piece {
                Piece::Open => self.blocks.open(),
                Piece::Close => self.blocks.close(),
                Piece::Text(text) => self.push(text, false),
            }
        }
    }

    fn gap(&mut self) {
        self.push("", true);
    }

    fn push(&mut self, text: &str, is_gap: bool) {
        self.blocks.push(Statement {
            words: words(text),
            text: text.to_owned(),
            file: self.file,
            block: Vec::new(),
            is_gap,
        });
    }
}
