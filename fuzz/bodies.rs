//! What the fuzz targets do with their bytes. `tests/fuzz_seeds.rs` does the same with the committed
//! seeds, so that what was found once stays mended without a fuzzer.
#![allow(dead_code, reason = "each fuzz target uses its part of this module")]

use std::collections::BTreeMap;
use std::io::Write as _;

use hactl::agent::{AgentError, Answer, Observation};
use hactl::check;
use hactl::inventory::{self, Inventory};
use hactl::model::{NodeFacts, SecretRef, Secrets, harmless, is_harmful};
use hactl::ops::{Basis, HistoryReport, OpsError, PlanFile, Proposal, Recovery, StatusReport};
use hactl::plan::{Change, Desired, Goal, Plan, Redactor, Request, build};
use hactl::render::{RenderedNode, Templates, render};
use hactl::view::{ErrorReport, Format, PlanDetail, Ui};

thread_local!(static TEMPLATES: Templates = Templates::embedded().unwrap());

/// The inventory whose hosts answer.
const INVENTORY: &str = include_str!("../inventories/small.yml");
/// The most nodes of which the elections are simulated: that grows with their number, as it should.
const SIMULATED: usize = 4;

/// An inventory's text: read or refused with places, and then checked, rendered and shown.
pub(crate) fn inventory(bytes: &[u8]) {
    match inventory::load_bytes("inventory.yml", bytes) {
        Ok(inventory) => good_inventory(&inventory),
        Err(errors) => {
            assert!(errors.total() > 0, "refused for no reason");
            for error in errors.errors() {
                let is_placed = error.place().is_some();
                assert_eq!(is_placed, error.offending().is_some(), "{error}");
            }
            complain(&OpsError::Inventory(Box::new(errors)));
        }
    }
}

fn good_inventory(inventory: &Inventory) {
    if inventory.cluster.nodes.len() <= SIMULATED {
        complain(&OpsError::Findings {
            findings: check::run(&inventory.cluster),
            inventory: Box::new(inventory.source.clone()),
        });
    }
    for node in inventory.cluster.nodes.iter().take(1) {
        let facts = NodeFacts::debian_12();
        let secrets = secrets(inventory);
        match rendered(inventory, node, &facts, &secrets) {
            Ok(rendered) => assert!(!rendered.files.is_empty(), "no files"),
            Err(error) => complain(&error),
        }
    }
}

fn rendered(
    inventory: &Inventory,
    node: &hactl::model::Node,
    facts: &NodeFacts,
    secrets: &Secrets,
) -> Result<RenderedNode, OpsError> {
    TEMPLATES.with(|templates| {
        render(&inventory.cluster, node, facts, secrets, templates).map_err(OpsError::Render)
    })
}

fn secrets(inventory: &Inventory) -> Secrets {
    let mut secrets = Secrets::default();
    let references: Vec<SecretRef> = inventory
        .cluster
        .secret_refs()
        .into_iter()
        .cloned()
        .collect();
    for reference in references {
        secrets.insert(reference, "poison".to_owned().into());
    }
    secrets
}

/// What a host sends back, for every call and through every view.
///
/// Where the first byte is odd, the rest is not the answer as it is on the wire but a list of records
/// between bytes 0xff, each with its body behind a byte 0xfe: a fuzzer finds no way through base64.
pub(crate) fn answer(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let mut wire = b"hactl-agent\t1\n".to_vec();
    if first % 2 == 0 {
        wire.extend_from_slice(rest);
    } else {
        for record in rest.split(|byte| *byte == 0xff) {
            let mut parts = record.splitn(2, |byte| *byte == 0xfe);
            let line = parts.next().unwrap_or_default();
            wire.extend(line.iter().filter(|byte| !matches!(byte, b'\n')));
            wire.push(b'\n');
            if let Some(body) = parts.next() {
                let _ = writeln!(wire, " {}", base64(body));
            }
        }
    }
    wire.extend_from_slice(b"\nend\n");
    let said = harmless(&String::from_utf8_lossy(rest));
    answered(&wire, &said);
}

/// Of the whole cluster, one node answers.
fn answered(wire: &[u8], said: &str) {
    thread_local!(static READ: (Inventory, RenderedNode) = {
        let inventory = inventory::load("inventory.yml", INVENTORY).unwrap();
        let node = &inventory.cluster.nodes[0];
        let facts = NodeFacts::debian_12();
        let rendered = rendered(&inventory, node, &facts, &Secrets::default());
        let rendered = rendered.unwrap_or_else(|error| panic!("{error}"));
        (inventory, rendered)
    });
    READ.with(|(inventory, rendered)| {
        let node = &rendered.node;
        for stdout in [wire, wire.get(20..).unwrap_or_default()] {
            if let Err(error) = Answer::read(node, "observe", stdout, said) {
                hosts_failed(error);
            }
        }
        let read = || Answer::read(node, "observe", wire, said).ok();
        let Some(answer) = read() else { return };
        let seen = answer.observation(node);
        if let Err(error) = seen.facts() {
            complain(&OpsError::Unsupported(error));
        }
        let history = answer.history();
        show(|ui| {
            let answers = [(node.clone(), history.0.clone(), history.1)];
            ui.show(
                "history",
                0,
                &HistoryReport::new(inventory.cluster.name.clone(), answers),
            );
        });
        let wanted = Desired::from_rendered(&inventory.cluster, rendered);
        planned(inventory, Goal::Apply, wanted, &seen, &answer);
        let (manifest, contents) = read().map_or_else(Default::default, Answer::generation);
        let contents: BTreeMap<_, _> = contents;
        if let Some(wanted) = Desired::from_generation(node, manifest, contents) {
            planned(inventory, Goal::Rollback { to: 1 }, wanted, &seen, &answer);
        }
    });
}

fn planned(
    inventory: &Inventory,
    goal: Goal,
    wanted: Desired,
    seen: &Observation,
    answer: &Answer,
) {
    let plan = build(Request {
        cluster: inventory.cluster.name.clone(),
        goal,
        addresses: Vec::new(),
        left_out: Vec::new(),
        vips: vec!["10.0.0.100".parse().unwrap()],
        nodes: vec![(wanted, seen.clone())],
        redactor: Redactor::new([7; 32]),
        take_over: None,
    });
    let mut plan: Plan = match plan {
        Ok(plan) => plan,
        Err(error) => return complain(&OpsError::Plan(error)),
    };
    plan.nodes[0].tests = answer.tests();
    let packages = answer.packages().into_iter().map(Change::Install);
    plan.nodes[0].changes.extend(packages);
    let report = StatusReport::new(&inventory.cluster, Some(&plan), std::slice::from_ref(seen));
    show(|ui| ui.show("status", 0, &report));
    show(|ui| {
        let view = ui.clone().follow_change("apply", PlanDetail::Diffs);
        view.show_proposal(&Proposal {
            problems: &[],
            recovery: &Recovery::find(std::slice::from_ref(seen), true),
            plan: &plan,
            notices: &report.notices,
            findings: &[],
            source: &inventory.source,
            is_revised: false,
        });
    });
    let text = inventory.source.text();
    let seen = std::slice::from_ref(seen);
    let basis = TEMPLATES.with(|templates| Basis::of(text, templates, seen));
    let file = PlanFile::new(&plan, &basis);
    assert!(
        file.require(&plan, &basis).is_ok(),
        "a plan is the one that it is"
    );
}

fn hosts_failed(error: AgentError) {
    complain(&OpsError::Hosts {
        errors: vec![error],
    });
}

fn complain(error: &OpsError) {
    show(|ui| ui.fail("fuzz", &ErrorReport::of_ops(error), 1));
}

/// Shows something in both formats: nothing of it may command a terminal, and there must not be more
/// of it than somebody could scroll through.
fn show(what: impl Fn(&Ui)) {
    for format in [Format::Human, Format::Json] {
        let ui = Ui::captured(format);
        what(&ui);
        let text = ui.what_was_captured();
        let rest = without_colours(&text);
        if let Some(found) = rest.chars().find(|c| is_harmful(*c)) {
            panic!("{found:?} is shown: {rest:?}");
        }
    }
}

/// `text` without hactl's own colours.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end {
            Some(end) if part[end..].starts_with('m') => plain.push_str(&part[end + 1..]),
            _ => {
                plain.push_str("\u{1b}[");
                plain.push_str(part);
            }
        }
    }
    plain
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        for digit in 0..4 {
            text.push(if digit <= chunk.len() {
                char::from(DIGITS[word >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_base64() {
        for (bytes, text) in [
            ("", ""),
            ("a", "YQ=="),
            ("ab", "YWI="),
            ("abc", "YWJj"),
            ("abcd", "YWJjZA=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
