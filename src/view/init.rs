//! Prompts and output of `init`.

use std::net::IpAddr;

use dialoguer::Input;
use serde::Serialize;

use super::error_report::placed;
use super::findings::findings_text;
use super::paint;
use super::show::Show;
use super::text::count;
use super::ui::Ui;
use crate::check::{Finding, Severity};
use crate::inventory::{StarterNode, StarterOptions};
use crate::model::{ClusterName, InterfaceName, NodeName, ServerAddress};
use crate::ops::InitReport;
use crate::report::InitBody;

/// The user gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered;

type Answer<T> = Result<T, Unanswered>;

impl Ui {
    /// Asks for everything that a starter inventory needs, and validates each answer.
    pub fn ask_for_inventory(&self) -> Answer<StarterOptions> {
        self.status(
            "A few questions for a first inventory; Enter takes what stands in brackets.\n\n",
        );
        let cluster = ask("The cluster's name", Some("web"), |text| {
            ClusterName::new(text)
                .map(drop)
                .map_err(|error| error.to_string())
        })?;
        let number = ask("How many load balancers", Some("3"), |text| {
            match text.parse::<u8>() {
                Ok(1..=50) => Ok(()),
                _ => Err("it must be a number from 1 to 50".to_owned()),
            }
        })?;
        let interface = ask("Their network interface", Some("eth0"), |text| {
            InterfaceName::new(text)
                .map(drop)
                .map_err(|error| error.to_string())
        })?;
        let mut nodes = Vec::new();
        for index in 1..=number.parse::<u8>().unwrap_or(3) {
            nodes.push(ask_for_node(index, &interface)?);
        }
        let vip = ask("The virtual IP and its prefix length", None, |text| {
            text.parse::<ipnet::IpNet>().map(drop).map_err(|_| {
                "it must be an address and its prefix length, as 10.0.0.100/24".to_owned()
            })
        })?;
        let servers = ask(
            "The servers behind the proxy, ADDRESS:PORT each",
            None,
            |text| {
                let mut wrong = list(text)
                    .into_iter()
                    .filter_map(|server| ServerAddress::new(&server).err());
                wrong.next().map_or(Ok(()), |error| Err(error.to_string()))
            },
        )?;
        Ok(StarterOptions {
            cluster: Some(cluster),
            nodes,
            vip: Some(vip),
            servers: list(&servers),
            ..StarterOptions::default()
        })
    }
}

impl Show for InitReport {
    fn body(&self) -> impl Serialize {
        InitBody {
            path: &self.path,
            findings: placed(&self.findings, &self.inventory.source),
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        ui.data(&init_text(self, Ui::is_unicode()));
    }
}

fn ask_for_node(index: u8, interface: &str) -> Answer<StarterNode> {
    let name = ask(
        &format!("Name of load balancer {index}"),
        Some(&format!("lb{index}")),
        |text| {
            NodeName::new(text)
                .map(drop)
                .map_err(|error| error.to_string())
        },
    )?;
    let address = ask(&format!("Address of {name}"), None, |text| {
        text.parse::<IpAddr>()
            .map(drop)
            .map_err(|_| "it must be an IP address, as 10.0.0.11".to_owned())
    })?;
    Ok(StarterNode {
        name,
        address,
        interface: interface.to_owned(),
    })
}

fn ask(
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> Result<(), String>,
) -> Answer<String> {
    let mut input = Input::<String>::new().with_prompt(question);
    if let Some(default) = default {
        input = input.default(default.to_owned());
    }
    input
        .validate_with(|text: &String| check(text.trim()))
        .interact_text()
        .map(|text| text.trim().to_owned())
        .map_err(|_| Unanswered)
}

fn list(text: &str) -> Vec<String> {
    let words = text.split([',', ' ']).map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn init_text(report: &InitReport, unicode: bool) -> String {
    let cluster = &report.inventory.cluster;
    // Notes need no action, and a new user has enough to read.
    let is_worth_a_word = |finding: &&Finding| finding.severity() > Severity::Note;
    let findings: Vec<Finding> = report
        .findings
        .iter()
        .filter(is_worth_a_word)
        .cloned()
        .collect();
    let findings = findings_text(&findings, Some(&report.inventory.source), unicode);
    format!(
        "{findings}Wrote {}: cluster {}, {}. Next: hactl check, then hactl plan.\n",
        paint::strong(&report.path),
        cluster.name,
        count(cluster.nodes.len(), "node")
    )
}
