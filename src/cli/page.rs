//! `docs/cli.md`: the help of every verb, generated from its arguments.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::args::Cli;

/// Width of help texts on this page and in its test.
const WIDTH: usize = 80;

pub fn cli_page() -> String {
    let mut text = String::from(
        "# The command line\n\n\
         What `hactl --help` and `hactl VERB --help` say. Every verb takes the output options of `hactl`,\n\
         too, and its help lists them; they stand here once. Data goes to standard output; progress, status\n\
         and logs go to standard error, so that a pipe gets nothing but data. What an exit code means is in\n\
         [exit-codes.md](exit-codes.md). This page is generated from `src/cli/`.\n",
    );
    for (path, help) in helps(Repeated::Hidden) {
        let _ = write!(text, "\n## {path}\n\n```text\n{help}\n```\n");
    }
    text
}

/// Whether a verb's help includes the options that all verbs share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// Like `hactl VERB --help`.
    Shown,
    /// Like `docs/cli.md`.
    Hidden,
}

/// Every command with its help, as rendered for an 80-column terminal.
pub fn helps(repeated: Repeated) -> Vec<(String, String)> {
    let mut root = Cli::command().term_width(WIDTH);
    root.build();
    let mut found = Vec::new();
    collect(&root, "hactl", repeated, &mut found);
    found
}

fn collect(command: &Command, path: &str, repeated: Repeated, found: &mut Vec<(String, String)>) {
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    found.push((path.to_owned(), lines.join("\n").trim_end().to_owned()));
    for verb in command.get_subcommands() {
        let verb = match repeated {
            Repeated::Shown => verb.clone(),
            Repeated::Hidden => verb.clone().mut_args(|arg| {
                if arg.is_global_set() {
                    arg.hide(true)
                } else {
                    arg
                }
            }),
        };
        let path = format!("{path} {}", verb.get_name());
        collect(&verb, &path, repeated, found);
    }
}
