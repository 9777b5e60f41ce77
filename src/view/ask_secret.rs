//! Prompts for a secret with echo turned off.

use std::io;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::ui::Ui;

/// Keeps the terminal's echo off until dropped.
struct Silent(Termios);

impl Silent {
    fn new() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

impl Ui {
    /// `None` when echo cannot be turned off, nothing was typed, or the user pressed Ctrl-C.
    pub fn ask_secret(
        &self,
        question: &str,
        is_stopped: &dyn Fn() -> bool,
    ) -> Option<SecretString> {
        let silent = Silent::new()?;
        let typed = self.ask_line(question, is_stopped);
        drop(silent);
        self.raw_error("\n");
        typed
            .map(|line| line.trim_end_matches(['\r', '\n']).to_owned())
            .filter(|line| !line.is_empty())
            .map(SecretString::from)
    }
}
