//! Raw keepalived snippets, read as keepalived reads them: line by line.

use crate::check::keywords::{Scope, keyword};
use crate::check::places;
use crate::model::{Cluster, InventoryPath, Version};

/// Blocks that hold items, addresses and names, rather than keywords.
const ITEM_BLOCKS: [&str; 17] = [
    "group",
    "interface_up_down_delays",
    "linkbeat_interfaces",
    "notification_email",
    "process_names",
    "static_ipaddress",
    "static_routes",
    "static_rules",
    "track_bfd",
    "track_interface",
    "track_process",
    "track_script",
    "unicast_peer",
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "virtual_routes",
    "virtual_rules",
];

/// One raw snippet.
#[derive(Debug)]
pub(super) struct Snippet<'a> {
    /// Its place in the inventory.
    pub(super) path: InventoryPath,
    /// The block that hactl puts it into.
    pub(super) scope: Scope,
    text: &'a str,
}

/// One line of a snippet that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its number in the snippet, from 1.
    pub(super) number: usize,
    /// What it says, without comment.
    pub(super) text: &'a str,
    /// What it means.
    pub(super) meaning: Meaning<'a>,
}

/// What a line means to keepalived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// A keyword and where it stands; `depth` counts the snippet's own blocks around it.
    Keyword {
        /// The keyword.
        name: &'a str,
        /// How many blocks of the snippet are open.
        depth: usize,
    },
    /// A brace and something else that keepalived reads only on a line of its own.
    InlineBlock,
    /// A `}` without its `{`.
    Unopened,
    /// A `{` that nothing closes; the line that opened it.
    Unclosed,
}

/// The snippets that `cluster` has.
pub(super) fn of(cluster: &Cluster) -> Vec<Snippet<'_>> {
    let raw = &cluster.raw;
    let snippets = [
        ("keepalived_global", Scope::Global, &raw.keepalived_global),
        (
            "keepalived_instance",
            Scope::Instance,
            &raw.keepalived_instance,
        ),
        ("keepalived", Scope::Root, &raw.keepalived),
    ];
    let present = snippets.into_iter().filter_map(|(key, scope, text)| {
        let text = text.as_deref()?;
        Some(Snippet {
            path: places::raw(key),
            scope,
            text,
        })
    });
    present.collect()
}

impl<'a> Snippet<'a> {
    /// The lines that matter to a rule.
    pub(super) fn lines(&self) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        // The open blocks: the line that opened each, and whether it holds items.
        let mut open: Vec<(usize, &'a str, bool)> = Vec::new();
        let mut continued = false;
        for (index, raw) in self.text.lines().enumerate() {
            let text = without_comment(raw).trim();
            let was_continued = std::mem::replace(&mut continued, text.ends_with('\\'));
            if text.is_empty() || was_continued || is_directive(text) {
                continue;
            }
            let mut push = |meaning| {
                let number = index + 1;
                lines.push(Line {
                    number,
                    text,
                    meaning,
                });
            };
            let text = without_condition(text);
            let bare = without_quoted(text);
            if text == "}" {
                if open.pop().is_none() {
                    push(Meaning::Unopened);
                }
                continue;
            }
            let opens = bare.ends_with('{');
            let braces = bare.matches(['{', '}']).count();
            if braces > usize::from(opens) {
                push(Meaning::InlineBlock);
                continue;
            }
            let in_items = open.last().is_some_and(|(_, _, items)| *items);
            let name = text.split([' ', '\t', '{']).next().unwrap_or_default();
            if !in_items && !name.is_empty() {
                push(Meaning::Keyword {
                    name,
                    depth: open.len(),
                });
            }
            if opens {
                open.push((index + 1, text, self.holds_items(name, open.len())));
            }
        }
        lines.extend(open.into_iter().map(|(number, text, _)| Line {
            number,
            text,
            meaning: Meaning::Unclosed,
        }));
        lines
    }

    /// `track_file` holds names in an instance, and keywords where it is defined.
    fn holds_items(&self, name: &str, depth: usize) -> bool {
        let defines = self.scope == Scope::Root && depth == 0;
        ITEM_BLOCKS.contains(&name) || name == "track_file" && !defines
    }

    /// The keywords that `version` does not know yet, with their first release, once each.
    pub(super) fn newer_than(&self, version: Version) -> Vec<(&'a str, Version)> {
        let mut newer: Vec<_> = self
            .lines()
            .into_iter()
            .filter_map(|line| match line.meaning {
                Meaning::Keyword { name, .. } => Some((name, keyword(name)?.since)),
                _ => None,
            })
            .filter(|(_, since)| *since > version)
            .collect();
        newer.sort_unstable();
        newer.dedup();
        newer
    }
}

/// Up to a `#` or `!`, which begin a comment outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' | '!' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// `text` with what is quoted left out: braces in there are text.
fn without_quoted(text: &str) -> String {
    let parts = text.split('"').step_by(2);
    parts.collect::<Vec<_>>().join("").trim_end().to_owned()
}

/// `include`, definitions and sequences: keepalived's preprocessor, not its keywords.
fn is_directive(text: &str) -> bool {
    text.starts_with("include") && text != "include_check" || text.starts_with(['$', '~'])
}

/// `@host keyword` is `keyword` on some nodes.
fn without_condition(text: &str) -> &str {
    match text
        .strip_prefix('@')
        .and_then(|rest| rest.split_once([' ', '\t']))
    {
        Some((_, rest)) => rest.trim_start(),
        None => text,
    }
}

#[cfg(test)]
#[path = "snippet_tests.rs"]
mod tests;
