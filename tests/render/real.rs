//! Every variant of an inventory, checked by the real nginx, keepalived and shellcheck.
//!
//! Covers all pairs of values of all dimensions. keepalived is also started, since it rejects at
//! startup what `-t` accepts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hactl::model::{Cluster, NodeFacts, Tls, UnitId};
use hactl::render::{RenderError, Templates, render};

use crate::daemons::{Stage, available};
use crate::keepalived_options::KEEPALIVED;
use crate::nginx_options::NGINX;
use crate::variants::Dimension;
use crate::{cases, cluster, pairwise, variants};

struct Variant {
    name: String,
    cluster: Cluster,
}

/// The pairwise combinations of `dimensions`.
fn variants(dimensions: &[Dimension]) -> Vec<Variant> {
    let sizes: Vec<usize> = dimensions.iter().map(|d| d.values.len()).collect();
    pairwise::rows(&sizes)
        .into_iter()
        .map(|row| {
            let mut cluster = cluster::cluster();
            let mut name = Vec::new();
            for (dimension, value) in dimensions.iter().zip(row) {
                let (label, change) = dimension.values[value];
                change(&mut cluster);
                name.push(format!("{}={label}", dimension.name));
            }
            Variant {
                name: name.join(" "),
                cluster,
            }
        })
        .collect()
}

/// Checks the pairwise combinations of `dimensions`, a few at a time, and reports all complaints.
fn judge_all(dimensions: &[Dimension], start: bool) {
    if available().is_err() {
        return;
    }
    let templates = Templates::embedded().unwrap();
    let secrets = variants::secrets();
    let facts = NodeFacts::debian_12();
    let all = variants(dimensions);
    let next = AtomicUsize::new(0);
    let refused = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(variant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let cluster = &variant.cluster;
                    let node = &cluster.nodes[0];
                    let complaint = match render(cluster, node, &facts, &secrets, &templates) {
                        // Rejected with the reason; `promises.rs` tests each of these.
                        Err(RenderError::Unsupported { .. }) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            None
                        }
                        Err(error) => Some(format!("not rendered: {error}\n")),
                        Ok(rendered) => {
                            let stage = Stage::new(&rendered);
                            variants::host_files(&stage);
                            let mut said = String::new();
                            for file in &rendered.files {
                                if file.path.as_path().extension() == Some("sh") {
                                    said.extend(stage.shellcheck(file.path.as_str()));
                                }
                            }
                            let verdict = stage.judge(cluster, node, start);
                            let loaded =
                                format!("loaded {}", rendered.ids.of(UnitId::KEEPALIVED).unwrap());
                            if !verdict.clean || start && !verdict.said.contains(&loaded) {
                                said.push_str(&verdict.said);
                            }
                            (!said.is_empty()).then_some(said)
                        }
                    };
                    if let Some(complaint) = complaint {
                        let mut complaints = complaints.lock().unwrap();
                        complaints.push(format!("{}\n{complaint}", variant.name));
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(
        complaints.is_empty(),
        "{} of {} variants are not clean:\n\n{}",
        complaints.len(),
        all.len(),
        complaints.join("\n")
    );
    let refused = refused.into_inner();
    assert!(
        refused * 5 < all.len(),
        "{refused} of {} are refused",
        all.len()
    );
    println!(
        "{} variants are clean, and {refused} refused",
        all.len() - refused
    );
}

#[test]
fn every_pair_of_keepalived_options_starts_a_real_keepalived_without_a_warning() {
    judge_all(KEEPALIVED, true);
}

#[test]
fn every_pair_of_nginx_options_passes_a_real_nginx_without_a_warning() {
    judge_all(NGINX, false);
}

#[test]
fn every_golden_case_of_this_family_is_clean_on_each_of_its_nodes() {
    if available().is_err() {
        return;
    }
    let templates = Templates::embedded().unwrap();
    let (certificate, key) = variants::pair();
    let mut judged = 0;
    for mut case in cases::all() {
        if case.facts != NodeFacts::debian_12() {
            continue;
        }
        for site in &mut case.cluster.sites {
            if let Some(Tls::OnHost { .. }) = site.tls {
                site.tls = Some(variants::on_host());
            }
        }
        let secrets = case.secrets(certificate, key);
        for node in &case.cluster.nodes {
            let rendered = render(&case.cluster, node, &case.facts, &secrets, &templates).unwrap();
            let stage = Stage::new(&rendered);
            variants::host_files(&stage);
            let verdict = stage.judge(&case.cluster, node, true);
            assert!(
                verdict.clean,
                "{} {}:\n{}",
                case.folder.display(),
                node.name,
                verdict.said
            );
            judged += 1;
        }
    }
    assert!(judged > 10, "only {judged}");
}
