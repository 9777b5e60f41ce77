//! Statements and their blocks.

use std::time::Duration;

/// A statement: its words, and the statements between its braces.
pub(super) struct Statement {
    pub(super) words: Vec<String>,
    /// The original text.
    pub(super) text: String,
    /// Index of its file among those that were read.
    pub(super) file: usize,
    pub(super) block: Vec<Statement>,
    /// Stands for lines that were not read: those of a missing file, or of a sequence.
    pub(super) is_gap: bool,
}

impl Statement {
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The first parameter.
    pub(super) fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The first parameter, parsed.
    pub(super) fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        self.value()?.parse().ok()
    }

    /// The first parameter as decimal seconds.
    pub(super) fn time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.parsed()?).ok()
    }

    /// True unless the first parameter turns it off.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.value(), Some("off" | "false" | "no"))
    }

    /// This statement and all those in its block, recursively.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let next = open.pop()?;
            open.extend(next.block.iter().rev());
            Some(next)
        })
    }
}

/// Deeper than any block of keepalived's. Statements in deeper blocks are attributed to the deepest one.
const MAX_DEPTH: usize = 16;

/// The statements so far, without recursion: how deeply a file nests its blocks is beyond our control.
pub(super) struct Blocks {
    /// The statements of each open block, the outermost first.
    open: Vec<Vec<Statement>>,
    too_deep: usize,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self {
            open: vec![Vec::new()],
            too_deep: 0,
        }
    }

    pub(super) fn push(&mut self, statement: Statement) {
        if let Some(own) = self.open.last_mut() {
            own.push(statement);
        }
    }

    /// Opens a block, which belongs to the last statement.
    pub(super) fn open(&mut self) {
        if self.open.len() < MAX_DEPTH {
            self.open.push(Vec::new());
        } else {
            self.too_deep += 1;
        }
    }

    /// Closes a block. Unbalanced braces are ignored.
    pub(super) fn close(&mut self) {
        if let Some(left) = self.too_deep.checked_sub(1) {
            self.too_deep = left;
        } else if self.open.len() > 1 {
            let block = self.open.pop().unwrap_or_default();
            if let Some(owner) = self.open.last_mut().and_then(|own| own.last_mut()) {
                owner.block.extend(block);
            }
        }
    }

    /// All statements. Blocks that are still open end with the text.
    pub(super) fn finish(mut self) -> Vec<Statement> {
        while self.open.len() > 1 {
            self.close();
        }
        self.open.pop().unwrap_or_default()
    }
}
