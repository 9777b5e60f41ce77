//! Whether snippets are read as keepalived reads them.

use super::*;

fn lines(scope: Scope, text: &str) -> Vec<(usize, Meaning<'_>)> {
    let path = InventoryPath::root();
    let snippet = Snippet { path, scope, text };
    snippet
        .lines()
        .into_iter()
        .map(|line| (line.number, line.meaning))
        .collect()
}

fn keyword_at(number: usize, name: &str, depth: usize) -> (usize, Meaning<'_>) {
    (number, Meaning::Keyword { name, depth })
}

#[test]
fn keywords_are_told_from_items_and_comments() {
    let text = "\
# priority 1
garp_master_refresh 10 ! not { a block
track_interface {
    eth1
    eth2 weight 5
}
authentication {
    auth_type PASS
}";
    let expected = vec![
        keyword_at(2, "garp_master_refresh", 0),
        keyword_at(3, "track_interface", 0),
        keyword_at(7, "authentication", 0),
        keyword_at(8, "auth_type", 1),
    ];
    assert_eq!(lines(Scope::Instance, text), expected);
}

#[test]
fn what_is_quoted_or_the_preprocessors_is_left_alone() {
    let text = "\
notify_stop \"/bin/sh -c 'test -d / && { true; } # }'\"
include /etc/keepalived/local.conf
$ADDRESS=10.0.0.101
@lb1 dont_track_primary
@^lb1 debug 4";
    let expected = vec![
        keyword_at(1, "notify_stop", 0),
        keyword_at(4, "dont_track_primary", 0),
        keyword_at(5, "debug", 0),
    ];
    assert_eq!(lines(Scope::Instance, text), expected);
}

/// Tried with 2.2.7: "Unknown keyword 'gohper'".
#[test]
fn no_line_goes_on_in_the_next_one() {
    let text = "notify_deleted /bin/true \\\n    gohper";
    let expected = [
        keyword_at(1, "notify_deleted", 0),
        keyword_at(2, "gohper", 0),
    ];
    assert_eq!(lines(Scope::Instance, text), expected);
}

#[test]
fn a_brace_may_stand_on_the_next_line() {
    let text = "track_interface\n{\n    eth1\n}";
    let expected = [keyword_at(1, "track_interface", 0)];
    assert_eq!(lines(Scope::Instance, text), expected);
}

#[test]
fn braces_out_of_place_are_found() {
    for (text, expected) in [
        ("a { b }", vec![(1, Meaning::InlineBlock)]),
        ("a { b", vec![(1, Meaning::InlineBlock)]),
        (
            "a {\nb }",
            vec![
                keyword_at(1, "a", 0),
                (2, Meaning::InlineBlock),
                (1, Meaning::Unclosed),
            ],
        ),
        ("}", vec![(1, Meaning::Unopened)]),
        (
            "a {\n}\n}",
            vec![keyword_at(1, "a", 0), (3, Meaning::Unopened)],
        ),
        ("a {", vec![keyword_at(1, "a", 0), (1, Meaning::Unclosed)]),
    ] {
        assert_eq!(lines(Scope::Root, text), expected, "{text}");
    }
}

#[test]
fn track_file_holds_keywords_where_it_is_defined_and_names_where_it_is_used() {
    let text = "track_file {\n    mine weight 5\n}";
    assert_eq!(
        lines(Scope::Instance, text),
        [keyword_at(1, "track_file", 0)]
    );
    let text = "track_file mine {\n    file /run/mine\n}";
    let expected = [keyword_at(1, "track_file", 0), keyword_at(2, "file", 1)];
    assert_eq!(lines(Scope::Root, text), expected);
}
