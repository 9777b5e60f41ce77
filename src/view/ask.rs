//! Asking a question that may also be answered by Ctrl-C.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::ui::Ui;

/// How often is looked whether the user has given up.
const POLL: Duration = Duration::from_millis(50);

impl Ui {
    /// Asks; anything but `y` or `yes` is a no, and so is the end of the input.
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

    /// The line that is typed, empty at the end of the input; `None` when the user has given up.
    pub(super) fn ask_line(&self, question: &str, is_stopped: &dyn Fn() -> bool) -> Option<String> {
        self.raw_error(question);
        // A read from a terminal cannot be called off. It is left behind in a thread of its own.
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
