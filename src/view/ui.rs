//! Output streams, colours, and write errors.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressDrawTarget};

use super::error_report::ErrorReport;
use crate::model::is_harmful;

/// Format of standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Human-readable text.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON object per line: events as they happen, then the report.
    Ndjson,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Output options from the command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct UiOptions {
    pub format: Format,
    pub color: ColorChoice,
    /// Suppresses progress and status.
    pub quiet: bool,
    /// Logs go to standard error, so progress comes as lines between them instead of as bars.
    pub logs: bool,
}

impl UiOptions {
    /// Finds `--color` on a command line that could not be parsed.
    pub fn before_parsing(arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self::default();
        let mut words = arguments.peekable();
        while let Some(word) = words.next() {
            let value = match word.strip_prefix("--color") {
                Some("") => words.peek().map_or("", String::as_str),
                Some(rest) => rest.trim_start_matches('='),
                None => continue,
            };
            options.color = ColorChoice::from_str(value, true).unwrap_or_default();
        }
        options
    }
}

#[derive(Debug)]
struct Inner {
    format: Format,
    quiet: bool,
    colours: Colours,
    /// `None` unless progress bars are drawn.
    bars: Option<MultiProgress>,
    lost: Mutex<Option<io::Error>>,
    /// Captures all output instead of writing it.
    captured: Option<Mutex<String>>,
}

#[derive(Debug)]
struct Colours {
    out: bool,
    err: bool,
}

/// Writes all output. Clones share one screen.
#[derive(Debug, Clone)]
pub struct Ui(Arc<Inner>);

impl Ui {
    /// Writes to the standard streams of this process.
    pub fn new(options: &UiOptions) -> Self {
        let err_is_terminal = io::stderr().is_terminal();
        let draws_bars = err_is_terminal && !options.quiet && !options.logs && !is_dumb();
        Self(Arc::new(Inner {
            format: options.format,
            quiet: options.quiet,
            colours: Colours {
                out: is_coloured(options.color, io::stdout().is_terminal()),
                err: is_coloured(options.color, err_is_terminal),
            },
            bars: draws_bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            lost: Mutex::new(None),
            captured: None,
        }))
    }

    /// For tests: captures all output, with colours and before control characters are escaped.
    pub fn captured(format: Format) -> Self {
        Self(Arc::new(Inner {
            format,
            quiet: false,
            colours: Colours {
                out: true,
                err: true,
            },
            bars: None,
            lost: Mutex::new(None),
            captured: Some(Mutex::default()),
        }))
    }

    /// Everything that a [`Ui::captured`] has captured.
    pub fn what_was_captured(&self) -> String {
        let captured = self.0.captured.as_ref();
        captured.map_or_else(String::new, |text| {
            text.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    /// True when `text` was captured instead of written.
    fn is_kept(&self, text: &str) -> bool {
        let Some(captured) = &self.0.captured else {
            return false;
        };
        let mut captured = captured.lock().unwrap_or_else(PoisonError::into_inner);
        captured.push_str(text);
        true
    }

    /// Runs `work` with the progress bars hidden.
    fn between_bars<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0.bars {
            Some(bars) => bars.suspend(work),
            None => work(),
        }
    }

    pub fn format(&self) -> Format {
        self.0.format
    }

    /// True when the user can be prompted.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    pub(super) fn bars(&self) -> Option<&MultiProgress> {
        self.0.bars.as_ref()
    }

    /// Whether standard output has colours.
    pub fn colours_out(&self) -> bool {
        self.0.colours.out
    }

    /// Whether standard error has colours.
    pub(super) fn colours_err(&self) -> bool {
        self.0.colours.err
    }

    /// Whether this terminal can show more than ASCII.
    pub(super) fn is_unicode() -> bool {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }

    /// Writes data to standard output.
    pub fn data(&self, text: &str) {
        if self.is_kept(text) {
            return;
        }
        let text = plain_unless(self.0.colours.out, text);
        let result = self.between_bars(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match result {
            Ok(()) => {}
            // The reader of a pipe may close it early. What hactl does to hosts must still run to its end.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => self.lose(error),
        }
    }

    /// Remembers the first write error for [`Ui::finish`].
    pub(super) fn lose(&self, error: io::Error) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.get_or_insert(error);
    }

    /// Writes the outcome of a verb: to standard output, or to standard error if it failed.
    pub(super) fn end(&self, text: &str, exit_code: u8) {
        if exit_code == 0 {
            self.data(text);
        } else {
            self.raw_error(text);
        }
    }

    /// Writes progress or status to standard error, unless `--quiet` is given.
    pub fn status(&self, text: &str) {
        if !self.0.quiet {
            self.raw_error(text);
        }
    }

    /// Writes to standard error. Write errors are ignored: they must not stop a change.
    pub fn raw_error(&self, text: &str) {
        if self.is_kept(text) {
            return;
        }
        let text = plain_unless(self.0.colours.err, text);
        self.between_bars(|| {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        });
    }

    pub fn complain(&self, complaint: &ErrorReport) {
        self.raw_error(&complaint.text(Self::is_unicode()));
    }

    /// The first error in writing data, if any.
    pub fn finish(&self) -> io::Result<()> {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.take().map_or(Ok(()), Err)
    }

    /// A writer to standard error for logs.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }
}

/// Writes logs to standard error without disturbing the progress bars.
#[derive(Debug, Clone)]
pub struct LogWriter(Ui);

impl LogWriter {
    pub fn is_coloured(&self) -> bool {
        self.0.colours_err()
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.raw_error(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn is_coloured(choice: ColorChoice, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            is_terminal && !no_color && !is_dumb()
        }
    }
}

/// Removes colours unless `coloured`, and escapes everything else that a terminal would interpret. Text from
/// hosts is sanitised where it is read. This is the second line of defence.
fn plain_unless(coloured: bool, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_harmful) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let colour = colour_at(rest);
        if coloured {
            shown.push_str(&rest[..colour]);
        }
        rest = &rest[colour..];
        if colour == 0
            && let Some(c) = rest.chars().next()
        {
            shown.extend(c.escape_default());
            rest = &rest[c.len_utf8()..];
        }
    }
    shown + rest
}

/// Length in bytes of a sequence at the start that sets a colour or a weight, such as `ESC [ 1 ; 31 m`, else 0.
fn colour_at(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let is_parameter = |c: char| c.is_ascii_digit() || c == ';';
    match parameters.find(|c| !is_parameter(c)) {
        Some(end) if parameters[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colours_passes_and_those_only_where_they_shall() {
        let text =
            "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2J\u{1b}]0;x\u{7} \u{9b}m\u{202e}\r\n\ttab \u{1b}[5";
        assert_eq!(
            plain_unless(false, text),
            "red \\u{1b}[2J\\u{1b}]0;x\\u{7} \\u{9b}m\\u{202e}\\r\n\ttab \\u{1b}[5"
        );
        assert_eq!(
            plain_unless(true, text),
            "\u{1b}[1;31mred\u{1b}[0m \\u{1b}[2J\\u{1b}]0;x\\u{7} \\u{9b}m\\u{202e}\\r\n\ttab \\u{1b}[5"
        );
    }
}
