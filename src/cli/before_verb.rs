//! `hactl -i FILE plan`: accepts options before the command that they belong to.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Moves options of `shared` that precede the verb behind it, where clap checks whether the verb accepts them.
/// Everything else stays in place.
pub(super) fn move_behind(
    root: &Command,
    shared: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut sorted: Vec<OsString> = arguments.next().into_iter().collect();
    let mut moved = Vec::new();
    let mut command = root;
    while command.has_subcommands() {
        let Some(argument) = arguments.next() else {
            break;
        };
        let text = argument.to_string_lossy().into_owned();
        if text == "--" || !text.starts_with('-') || text == "-" {
            sorted.push(argument);
            match command.find_subcommand(&text) {
                Some(verb) => command = verb,
                None => break,
            }
            continue;
        }
        let option = Typed::new(&text, root, shared);
        let place = if option.is_shared {
            &mut moved
        } else {
            &mut sorted
        };
        place.push(argument);
        if option.wants_value {
            place.extend(arguments.next());
        }
    }
    // Without a verb, they are dropped: clap then reports that the verb is missing.
    if !std::ptr::eq(command, root) {
        sorted.extend(moved);
    }
    sorted.extend(arguments);
    sorted
}

/// An option as typed.
struct Typed {
    is_shared: bool,
    /// True if its value is the next argument.
    wants_value: bool,
}

impl Typed {
    fn new(text: &str, root: &Command, shared: &Command) -> Self {
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long
                .split_once('=')
                .map_or((long, None), |(name, value)| (name, Some(value)));
            let is_it = |arg: &&Arg| arg.get_long() == Some(name);
            let own = shared.get_arguments().find(is_it);
            let arg = own.or_else(|| root.get_arguments().find(is_it));
            return Self {
                is_shared: own.is_some(),
                wants_value: value.is_none() && arg.is_some_and(takes_value),
            };
        }
        // Short options may be combined, and the last one may have its value attached.
        let mut is_shared = false;
        let mut letters = text.chars().skip(1);
        while let Some(letter) = letters.next() {
            let is_it = |arg: &&Arg| arg.get_short() == Some(letter);
            let own = shared.get_arguments().find(is_it);
            is_shared |= own.is_some();
            let arg = own.or_else(|| root.get_arguments().find(is_it));
            if arg.is_some_and(takes_value) {
                return Self {
                    is_shared,
                    wants_value: letters.next().is_none(),
                };
            }
        }
        Self {
            is_shared,
            wants_value: false,
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Cli;
    use crate::cli::options::shared;

    fn sorted(line: &str) -> String {
        let mut root = Cli::command();
        root.build();
        let words = line.split(' ').map(OsString::from);
        let sorted = move_behind(&root, &shared(), words);
        let words: Vec<String> = sorted
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn shared_options_move_behind_the_verb_and_the_rest_stays() {
        for (typed, meant) in [
            ("hactl -i a.yml plan", "hactl plan -i a.yml"),
            (
                "hactl -ia.yml plan --no-diff",
                "hactl plan -ia.yml --no-diff",
            ),
            (
                "hactl --inventory=a.yml --limit lb1 -q plan",
                "hactl -q plan --inventory=a.yml --limit lb1",
            ),
            ("hactl -vyi a.yml apply", "hactl apply -vyi a.yml"),
            ("hactl -i a.yml lock show", "hactl lock show -i a.yml"),
            ("hactl lock -i a.yml show", "hactl lock show -i a.yml"),
            (
                "hactl --format json -y apply p",
                "hactl --format json apply -y p",
            ),
            ("hactl --limit lb1 man", "hactl man --limit lb1"),
            ("hactl plan -i a.yml", "hactl plan -i a.yml"),
            (
                "hactl lab exec -- ls -i plan",
                "hactl lab exec -- ls -i plan",
            ),
            ("hactl -i plan apply", "hactl apply -i plan"),
            (
                "hactl --color never --bogus plan",
                "hactl --color never --bogus plan",
            ),
            ("hactl -i a.yml nonsense plan", "hactl nonsense plan"),
            ("hactl -i a.yml", "hactl"),
            ("hactl -- plan", "hactl -- plan"),
            ("hactl", "hactl"),
        ] {
            assert_eq!(sorted(typed), meant, "{typed}");
        }
    }
}
