//! Prompts on the terminal, which Ctrl-C cancels.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::ui::Ui;

/// How often to check for Ctrl-C while waiting for an answer.
const POLL: Duration = Duration::from_millis(50);

impl Ui {
    /// True only for `y` or `yes`. End of input counts as no.
    pub(super) fn ask(&self, question: &str, is_stopped: &dyn Fn() -> bool) -> bool {
        let Some(line) = self.ask_line(question, is_stopped) else {
            self.raw_error("\n");
            return false;
        };
        if line.is_empty() {
            self.raw_error("\n");
        }
        let answer = line.trim().to_ascii_lowercase();
        answer == "y" || answer == "yes"
    }

    /// Reads one line: empty at the end of input, `None` after Ctrl-C.
    pub(super) fn ask_line(&self, question: &str, is_stopped: &dyn Fn() -> bool) -> Option<String> {
        self.raw_error(question);
        // A blocking read from a terminal cannot be cancelled, so it runs in a thread that Ctrl-C abandons.
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            let _ = sender.send(line);
        });
        loop {
            match answers.recv_timeout(POLL) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Timeout) if !is_stopped() => {}
                Err(_) => return None,
            }
        }
    }
}
