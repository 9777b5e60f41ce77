//! Generates `docs/rules.md` from the table of rules.

use std::fmt::Write as _;

use super::registry::rules;
use super::rule::Rule;

const HEAD: &str = "\
# Rules

Every rule with a check that runs, and the verbs that run it. This page is written from the rules in
`src/check/families/`; a test fails when it is stale (`UPDATE=1 cargo test --test check_docs` writes it).

An **error** will fail, or fail over wrongly. A **warning** works, but not as well or as safely as it
should. A **note** states the price of a choice.

Every verb that uses the inventory runs the rules of `check` first, and goes no further when one of them is an
error. An error on a host, or in a plan, stops plan and apply before anything is changed. A rule that the running
cluster breaks stops neither, since a change may be the cure; `status` exits with 1.

";

const BY_CONSTRUCTION: &str = "
# By construction

Rules that hactl's own files and actions cannot break, and why. Nothing is checked here.
";

pub fn rules_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| rule | severity | verbs | what |\n|---|---|---|---|\n");
    let (checked, by_construction): (Vec<_>, Vec<_>) = rules()
        .into_iter()
        .partition(|rule| !rule.verbs().is_empty());
    for rule in &checked {
        let anchor = rule.id.to_lowercase();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| [{}](#{anchor}) | {} | {} | {} |",
            rule.id,
            rule.severity,
            rule.verbs().join(", "),
            rule.title
        );
    }
    for rule in checked {
        section(
            &mut page,
            rule,
            &format!("Looks at: {}.", rule.looks_at().join("; ")),
        );
    }
    page.push_str(BY_CONSTRUCTION);
    for rule in by_construction {
        let why = rule.why_not_checked().unwrap_or_default();
        section(&mut page, rule, &format!("Why not: {why}."));
    }
    page
}

fn section(page: &mut String, rule: &Rule, how: &str) {
    let verbs = rule.verbs();
    let by = if verbs.is_empty() {
        String::new()
    } else {
        format!(" ({}; {})", rule.severity, verbs.join(", "))
    };
    let _ = write!(
        page,
        "\n## {}\n\n**{}**{by}\n\n{}\n\n- {how}\n- What to do: {}.\n",
        rule.id,
        rule.heading(),
        rule.reason,
        rule.fix
    );
}
