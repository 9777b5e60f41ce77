//! Parses raw keepalived snippets line by line, as keepalived does.

use crate::check::keywords::{Scope, keyword};
use crate::check::places;
use crate::conf::keepalived::{self as conf, Kind, Piece};
use crate::model::{Cluster, InventoryPath, Version};

/// Blocks that contain items, such as addresses and names, instead of keywords.
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
    /// The block into which hactl inserts it.
    pub(super) scope: Scope,
    text: &'a str,
}

/// A significant line of a snippet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Line number in the snippet, from 1.
    pub(super) number: usize,
    /// The text without comment.
    pub(super) text: &'a str,
    pub(super) meaning: Meaning<'a>,
}

/// What a line means to keepalived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// A keyword, and the number of the snippet's own blocks around it.
    Keyword {
        /// The keyword.
        name: &'a str,
        /// How many blocks of the snippet are open.
        depth: usize,
    },
    /// A brace next to something that keepalived reads only on a line of its own.
    InlineBlock,
    /// A `}` without its `{`.
    Unopened,
    /// A `{` that nothing closes, reported at the line with the brace.
    Unclosed,
}

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
    /// The lines that rules look at, without those of the preprocessor.
    pub(super) fn lines(&self) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        // The open blocks: number and text of the opening line, and whether the block contains items.
        let mut open: Vec<(usize, &'a str, bool)> = Vec::new();
        // The keyword whose brace may stand on the next line.
        let mut last = "";
        for line in conf::lines(self.text) {
            let (number, text) = (line.number, line.text);
            let Kind::Statement(statement) = line.kind else {
                continue;
            };
            let mut push = |meaning| {
                lines.push(Line {
                    number,
                    text,
                    meaning,
                });
            };
            let opens = match *conf::pieces(statement) {
                [Piece::Close] => {
                    if open.pop().is_none() {
                        push(Meaning::Unopened);
                    }
                    continue;
                }
                [Piece::Open] => true,
                [Piece::Text(text), ref brace @ ..] if matches!(brace, [] | [Piece::Open]) => {
                    last = text.split(conf::is_space).next().unwrap_or_default();
                    if !open.last().is_some_and(|(_, _, items)| *items) {
                        let depth = open.len();
                        push(Meaning::Keyword { name: last, depth });
                    }
                    !brace.is_empty()
                }
                _ => {
                    push(Meaning::InlineBlock);
                    continue;
                }
            };
            if opens {
                open.push((number, text, self.holds_items(last, open.len())));
            }
        }
        lines.extend(open.into_iter().map(|(number, text, _)| Line {
            number,
            text,
            meaning: Meaning::Unclosed,
        }));
        lines
    }

    /// `track_file` contains names in an instance, and keywords where it is defined.
    fn holds_items(&self, name: &str, depth: usize) -> bool {
        let defines = self.scope == Scope::Root && depth == 0;
        ITEM_BLOCKS.contains(&name) || name == "track_file" && !defines
    }

    /// Keywords newer than `version`, each once, with their first release.
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

#[cfg(test)]
#[path = "snippet_tests.rs"]
mod tests;
