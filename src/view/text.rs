//! Text layout: visible widths, columns, wrapping, lists, times.

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// The width that output is wrapped to.
pub(super) const WIDTH: usize = 80;

/// Columns that `text` takes on screen, not counting colour codes.
pub(super) fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .count()
}

/// Pads `text` with spaces to `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Puts `indent` in front of every non-empty line.
pub(super) fn indent(text: &str, indent: &str) -> String {
    let line = |line: &str| {
        if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("{indent}{line}\n")
        }
    };
    text.lines().map(line).collect()
}

/// `label text`, with `hanging` in front of further lines.
pub(super) fn labelled(label: &str, text: &str, hanging: &str) -> String {
    format!("{label} {}\n", wrap(text, width(label) + 1, hanging))
}

/// Wraps `text` at spaces to [`WIDTH`]. The first line starts in column `used`, the others after `hanging`.
/// Words longer than a line stay whole, so that paths and commands can be copied.
pub(super) fn wrap(text: &str, used: usize, hanging: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start_matches(' ');
        // Wrapped lines keep the indentation of their line.
        let own = &line[..line.len() - words.len()];
        let mut current = String::new();
        for word in phrases(words) {
            let word = word.as_str();
            let before = if lines.is_empty() {
                used
            } else {
                width(hanging)
            };
            if current.is_empty() {
                current = format!("{own}{word}");
            } else if before + width(&current) + 1 + width(word) > WIDTH {
                lines.push(std::mem::replace(&mut current, format!("{own}{word}")));
            } else {
                current.push(' ');
                current.push_str(word);
            }
        }
        lines.push(current);
    }
    lines.join(&format!("\n{hanging}"))
}

/// The words of a line. `hactl` and its verb stay together, so that the command can be copied.
fn phrases(line: &str) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match phrases.last_mut() {
            Some(last) if last.ends_with("hactl") => {
                last.push(' ');
                last.push_str(word);
            }
            _ => phrases.push(word.to_owned()),
        }
    }
    phrases
}

/// Aligns rows in columns, two spaces apart, without trailing spaces.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let mut text = String::new();
    for row in rows {
        // Empty cells at the end of a row, including those with colour codes only, leave no spaces.
        let last = row.iter().rposition(|cell| width(cell) > 0);
        let cells = row
            .iter()
            .zip(&widths)
            .take(last.map_or(0, |last| last + 1));
        let cells: Vec<String> = cells
            .enumerate()
            .map(|(column, (cell, width))| {
                if Some(column) == last {
                    cell.clone()
                } else {
                    pad(cell, *width)
                }
            })
            .collect();
        text.push_str(&cells.join("  "));
        text.push('\n');
    }
    text
}

/// A line of nginx's error log without its time, level and process, which differ on every node.
pub(super) fn without_log_prefix(line: &str) -> &str {
    let is_number = |text: &str, separators: &[char]| {
        text.chars()
            .all(|c| c.is_ascii_digit() || separators.contains(&c))
    };
    let mut words = line.splitn(5, ' ');
    let (Some(date), Some(time), Some(level), Some(process), Some(_)) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return line;
    };
    let has_prefix = is_number(date, &['/'])
        && is_number(time, &[':'])
        && level.starts_with('[')
        && is_number(process, &['#', ':']);
    let start = date.len() + time.len() + 2;
    if !has_prefix {
        return line;
    }
    line.get(start + level.len() + 1 + process.len() + 1..)
        .unwrap_or(line)
}

pub(super) fn lines<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{item}");
    }
    text
}

/// `lb1`, `lb1 and lb2`, `lb1, lb2 and lb3`.
pub(super) fn and<T: Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.to_string(),
        [first @ .., last] => format!("{} and {last}", comma(first)),
    }
}

/// `lb1, lb2, lb3`.
pub(super) fn comma<T: Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// `1 node`, `3 nodes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else if let Some(stem) = noun.strip_suffix("ch") {
        format!("{number} {stem}ches")
    } else {
        format!("{number} {noun}s")
    }
}

/// Whole milliseconds, for JSON.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `340 ms`, `1.2 s`, `2 min 5 s`.
pub(super) fn elapsed(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else if milliseconds < 60_000 {
        format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
    } else {
        let seconds = time.as_secs();
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
