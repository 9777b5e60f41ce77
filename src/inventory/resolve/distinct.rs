//! Checks for duplicate values, and for references to unknown names.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::{ClusterKeys, Spanned, nearest};
use crate::model::{NodeName, UpstreamName};

/// Adds an error for each of `values` that equals an earlier one.
pub(super) fn check<'v, T: Display + Eq + Hash + 'v>(
    values: impl Iterator<Item = &'v Spanned<T>>,
    what: &str,
    help: &str,
    faults: &mut Diagnostics,
) {
    let mut seen: HashMap<&T, &Spanned<T>> = HashMap::new();
    for value in values {
        if let Some(first) = seen.get(&value.value) {
            let message = format!("{}: {what} `{}` is given twice", value.path, value.value);
            let fault = Diagnostic::at(&value.span, message)
                .label("again here")
                .also(&first.span, "first here");
            faults.add(fault.help(help));
        } else {
            seen.insert(&value.value, value);
        }
    }
}

/// Adds an error if no node is called `name`.
pub(super) fn node_exists(name: &Spanned<NodeName>, keys: &ClusterKeys, faults: &mut Diagnostics) {
    let Some(nodes) = &keys.nodes else { return };
    // If a name is invalid, which is reported already, it might have been this one.
    let Some(names) = nodes
        .iter()
        .map(|node| node.name.as_ref().map(|name| name.as_str()))
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    if !names.contains(&name.as_str()) {
        faults.add(unknown("node", name, name.as_str(), &names));
    }
}

/// Adds an error if no upstream is called `name`.
pub(super) fn upstream_exists(
    name: &Spanned<UpstreamName>,
    keys: &ClusterKeys,
    faults: &mut Diagnostics,
) {
    let Some(upstreams) = &keys.upstreams else {
        return;
    };
    let names: Vec<_> = upstreams.names.iter().map(String::as_str).collect();
    if !names.contains(&name.as_str()) {
        faults.add(unknown("upstream", name, name.as_str(), &names));
    }
}

fn unknown<T>(what: &str, reference: &Spanned<T>, name: &str, known: &[&str]) -> Diagnostic {
    let message = format!("{}: there is no {what} `{name}`", reference.path);
    let fault = Diagnostic::at(&reference.span, message);
    if let Some(near) = nearest(name, known) {
        return fault.label(format!("did you mean `{near}`?")).help(format!(
            "write `{near}`, or define `{name}` under `{what}s`"
        ));
    }
    let all: Vec<_> = known
        .iter()
        .take(10)
        .map(|name| format!("`{name}`"))
        .collect();
    fault.help(if all.is_empty() {
        format!("define it under `{what}s`")
    } else {
        format!(
            "define it under `{what}s`, or use one of {}",
            all.join(", ")
        )
    })
}
