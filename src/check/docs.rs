//! `docs/rules.md`, written from the table of rules.

use std::fmt::Write as _;

use super::registry::rules;
use super::rule::{Coverage, Rule, When};

const HEAD: &str = "\
# Rules

Every rule that hactl checks. This page is written from the table in `src/check/registry/`; a test
fails when it is stale (`UPDATE=1 cargo test --test check_docs` writes it).

`when` says which command checks it first: `check` needs the inventory alone, `plan` looks at the hosts
before anything changes, and `status` and the proof of every `apply` look at the running cluster. Some
mistakes cannot happen, because hactl renders the files; they are listed for completeness.

An **error** will fail, or fail over wrongly. A **warning** works, but not as well or as safely as it
should. A **note** states the price of a choice.

";

/// The whole page.
pub fn rules_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| rule | severity | when | what |\n|---|---|---|---|\n");
    for rule in rules() {
        let anchor = rule.id.to_lowercase();
        let when = when(rule);
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| [{}](#{anchor}) | {} | {when} | {} |",
            rule.id, rule.severity, rule.title
        );
    }
    for rule in rules() {
        section(&mut page, rule);
    }
    page
}

fn when(rule: &Rule) -> String {
    let mut commands: Vec<&str> = Vec::new();
    for command in rule.when.iter().flat_map(|when| when.commands()) {
        if !commands.contains(command) {
            commands.push(command);
        }
    }
    commands.join(", ")
}

fn section(page: &mut String, rule: &Rule) {
    let kept = match rule.coverage {
        Coverage::Checked if rule.when == [When::Inventory] => {
            "Checked: from the inventory alone".to_owned()
        }
        Coverage::Checked => {
            "Checked: from the inventory, and what a host or a secret adds to it".to_owned()
        }
        Coverage::CannotHappen(why) => format!("Cannot happen: {why}"),
        Coverage::Observed(what) => format!("Needs: a look at {what}"),
    };
    let _ = write!(
        page,
        "\n## {}\n\n**{}** ({}, {})\n\n{}\n\n- {kept}.\n- What to do: {}.\n",
        rule.id,
        capitalised(rule.title),
        rule.severity,
        when(rule),
        rule.reason,
        rule.fix
    );
}

/// As a sentence begins; but a keyword or a program's name is written as it is typed.
fn capitalised(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if first.contains('_') || ["keepalived", "nginx"].contains(&first) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
