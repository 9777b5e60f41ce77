//! Statements and the blocks that follow them.

use std::time::Duration;

/// A statement: its words, and what stands between its braces.
pub(super) struct Statement {
    pub(super) words: Vec<String>,
    /// As it was written.
    pub(super) text: String,
    /// The file that has it, by its place among those that were read.
    pub(super) file: usize,
    pub(super) block: Vec<Statement>,
    /// It stands for lines that were not read: those of a file, or of a sequence.
    pub(super) is_gap: bool,
}

impl Statement {
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its first parameter.
    pub(super) fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// Its first parameter as its kind of value.
    pub(super) fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        self.value()?.parse().ok()
    }

    /// Its parameter as decimal seconds.
    pub(super) fn time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.parsed()?).ok()
    }

    /// True unless its parameter says no.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.value(), Some("off" | "false" | "no"))
    }

    /// Itself and everything below it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let next = open.pop()?;
            open.extend(next.block.iter().rev());
            Some(next)
        })
    }
}

/// Deeper than any block that keepalived knows; what is in a deeper one belongs to the last that counts.
const MAX_DEPTH: usize = 16;

/// The statements so far, without recursion: how deep a stranger's file goes is not ours to choose.
pub(super) struct Blocks {
    /// Those of each block that is open, the outermost first.
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

    /// A block begins, which belongs to the last statement.
    pub(super) fn open(&mut self) {
        if self.open.len() < MAX_DEPTH {
            self.open.push(Vec::new());
        } else {
            self.too_deep += 1;
        }
    }

    /// A block ends. One that has not begun is left.
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

    /// All of them; what is still open ends with the text.
    pub(super) fn finish(mut self) -> Vec<Statement> {
        while self.open.len() > 1 {
            self.close();
        }
        self.open.pop().unwrap_or_default()
    }
}
