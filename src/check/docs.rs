//! Generates `docs/rules.md` from the table of rules.

use std::fmt::Write as _;

use super::registry::rules;
use super::rule::{Check, Rule};

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
        .partition(|rule| !verbs(rule).is_empty());
    for rule in &checked {
        let anchor = rule.id.to_lowercase();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| [{}](#{anchor}) | {} | {} | {} |",
            rule.id,
            rule.severity,
            verbs(rule).join(", "),
            rule.title
        );
    }
    for rule in checked {
        let looks: Vec<&str> = rule.checks().map(looks_at).collect();
        section(&mut page, rule, &format!("Looks at: {}.", looks.join("; ")));
    }
    page.push_str(BY_CONSTRUCTION);
    for rule in by_construction {
        let why = rule.checks().find_map(|check| match check {
            Check::ByConstruction(why) => Some(*why),
            _ => None,
        });
        section(
            &mut page,
            rule,
            &format!("Why not: {}.", why.unwrap_or_default()),
        );
    }
    page
}

/// The verbs that run the rule, in the order in which a user meets them.
fn verbs(rule: &Rule) -> Vec<&'static str> {
    let all = ["check", "plan", "apply", "status"];
    let runs = |verb: &&str| rule.checks().any(|check| check.verbs().contains(verb));
    all.into_iter().filter(runs).collect()
}

fn looks_at(check: &Check) -> &'static str {
    match check {
        Check::Inventory(_) => "the inventory",
        Check::Secrets(_) => "the secrets that the inventory refers to",
        Check::Version(_) => "the version of each node's keepalived",
        Check::Host(_) => "each host",
        Check::Cluster(_) => "the hosts together",
        Check::Running(_) => "the running cluster",
        Check::Plan(_) => "the plan, and the hosts that it is for",
        Check::DaemonTest(_) => "the daemon's own test of the files, on the host",
        Check::Drift(_) => "what runs, against what was applied",
        Check::ByConstruction(_) => "nothing",
    }
}

fn section(page: &mut String, rule: &Rule, how: &str) {
    let verbs = verbs(rule);
    let by = if verbs.is_empty() {
        String::new()
    } else {
        format!(" ({}; {})", rule.severity, verbs.join(", "))
    };
    let _ = write!(
        page,
        "\n## {}\n\n**{}**{by}\n\n{}\n\n- {how}\n- What to do: {}.\n",
        rule.id,
        capitalised(rule.title),
        rule.reason,
        rule.fix
    );
}

/// Capitalises the first letter, but not of a keyword or the name of a program.
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
