//! Raw keepalived snippets (KA004, KA005, KA007, KA008). These rules do not interpret a snippet. They catch what
//! keepalived would silently ignore.

use super::snippet::{self, Line, Meaning, Snippet};
use crate::check::keywords::{Scope, keyword, nearest};
use crate::check::rule::Finding;
use crate::model::Cluster;

rules! { RULES:
KA004 {
    Error, [Inventory(snippets)],
    title: "a block on one line in a raw snippet",
    reason: "keepalived reads line by line. 1.3.5 and 1.3.9 silently ignore `virtual_ipaddress { 10.0.0.100/24 }`, and later releases read it only in places.",
    fix: "put the opening brace at the end of its line, each item on a line, and the closing brace on its own",
}
KA005 {
    Error, [Inventory(snippets)],
    title: "a keyword in a raw snippet that keepalived does not know there",
    reason: "keepalived ignores an unknown keyword and uses its default: `priorty 100` means priority 100 on all nodes (measured).",
    fix: "correct the keyword, or move it to the snippet where it belongs",
}
KA007 {
    Error, [Inventory(snippets)],
    title: "a raw snippet sets what hactl renders",
    reason: "keepalived silently uses one of the two values, so hactl's rules and simulation may describe a configuration that is not the one running.",
    fix: "use the inventory's own setting",
}
KA008 {
    Error, [Inventory(snippets)],
    title: "unbalanced braces in a raw snippet",
    reason: "The snippet would swallow, or end, the block around it.",
    fix: "close every `{` with a `}` on its own line",
}
}

/// What hactl renders in `global_defs`.
const RENDERED_GLOBAL: [&str; 11] = [
    "enable_script_security",
    "max_auto_priority",
    "reload_check_config",
    "router_id",
    "script_user",
    "smtp_helo_name",
    "vrrp_garp_master_refresh",
    "vrrp_iptables",
    "vrrp_priority",
    "vrrp_strict",
    "vrrp_version",
];

/// What hactl renders in each `vrrp_instance`.
const RENDERED_INSTANCE: [&str; 19] = [
    "advert_int",
    "auth_hmac",
    "authentication",
    "interface",
    "nopreempt",
    "notify_backup",
    "notify_fault",
    "notify_master",
    "preempt",
    "preempt_delay",
    "priority",
    "state",
    "strict_mode",
    "unicast_peer",
    "unicast_src_ip",
    "version",
    "virtual_ipaddress",
    "virtual_router_id",
    "virtual_routes",
];

fn snippets(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for snippet in snippet::of(cluster) {
        for line in snippet.lines() {
            findings.extend(look_at(cluster, &snippet, &line));
        }
    }
}

fn look_at(cluster: &Cluster, snippet: &Snippet<'_>, line: &Line<'_>) -> Option<Finding> {
    let Line {
        number,
        text,
        meaning,
    } = line;
    let finding = |rule, message| Finding::new(rule, snippet.path.clone(), message);
    match *meaning {
        Meaning::InlineBlock => {
            let message =
                format!("line {number}, `{text}`: old keepalived reads no block on one line");
            Some(finding(&KA004, message))
        }
        Meaning::Unopened => {
            let message = format!("line {number}: a `}}` that closes nothing in this snippet");
            Some(finding(&KA008, message).fix("remove it"))
        }
        Meaning::Unclosed => {
            let message = format!("line {number}, `{text}`: nothing closes this block");
            Some(finding(&KA008, message))
        }
        Meaning::Keyword { name, depth } => {
            let scope = (depth == 0).then_some(snippet.scope);
            unknown(name, scope)
                .map(|(problem, fix)| {
                    let message = format!("line {number}, `{text}`: {problem}");
                    finding(&KA005, message).fix(fix)
                })
                .or_else(|| {
                    let renders = rendered(cluster, name, scope, text)?;
                    let message = format!("line {number}, `{text}`: {renders}");
                    Some(finding(&KA007, message))
                })
        }
    }
}

/// What is wrong with `name` at `scope`, and the fix. No scope means a block inside the snippet.
fn unknown(name: &str, scope: Option<Scope>) -> Option<(String, String)> {
    let Some(known) = keyword(name) else {
        let fix = match nearest(name) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "correct or remove it; keepalived.conf(5) lists the keywords".to_owned(),
        };
        return Some((
            format!("keepalived knows no keyword `{name}` and would ignore it"),
            fix,
        ));
    };
    let scope = scope?;
    if known.scopes.contains(&scope) {
        return None;
    }
    let places: Vec<_> = known.scopes.iter().map(|scope| scope.label()).collect();
    let place = places.join(" or ");
    let problem = format!(
        "`{name}` stands {place}; {} keepalived ignores it",
        scope.label()
    );
    Some((problem, format!("move it to where it belongs, {place}")))
}

/// Says that hactl renders `name` itself, if it does so at `scope`.
fn rendered(cluster: &Cluster, name: &str, scope: Option<Scope>, text: &str) -> Option<String> {
    let scope = scope?;
    let keywords: &[&str] = match scope {
        Scope::Global => &RENDERED_GLOBAL,
        Scope::Instance => &RENDERED_INSTANCE,
        Scope::Root | Scope::Other => &[],
    };
    if keywords.contains(&name) {
        return Some(format!("hactl renders `{name}` {} itself", scope.label()));
    }
    // At the top level, the user may define other instances, but not one of hactl's.
    let named = text.trim_end_matches('{').split_whitespace().nth(1);
    let is_ours = cluster
        .instances
        .iter()
        .any(|ours| Some(ours.name.as_str()) == named);
    (name == "vrrp_instance" && is_ours).then(|| "hactl renders this instance itself".to_owned())
}
