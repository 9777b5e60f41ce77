//! What a host answered, read as what was asked. Whatever it sent, it is data from a stranger:
//! `reply` bounds it and makes it harmless, and here it becomes types.

use std::collections::BTreeMap;

use super::error::AgentError;
use super::fault::FaultState;
use super::manifest::{Manifest, generation_number};
use super::observation::{Deadline, Journal, LockInfo, Observation};
use super::observe::observation;
use super::reach::{self, Announced, Reach, ReachQuestion};
use super::reply::{self, Record};
use super::script::READS;
use crate::model::{HostPath, NodeName, clipped};
use crate::remote::SudoRefusal;

/// The most generations of a host that are read.
const MAX_GENERATIONS: usize = 1000;
/// The most problems of an undo that are told.
const MAX_PROBLEMS: usize = 100;

/// What a daemon's own test said of the staged files.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TestResult {
    /// `nginx` or `keepalived`.
    pub program: String,
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub output: String,
}

/// A whole answer that tells of no failure.
pub struct Answer(Vec<Record>);

impl Answer {
    /// Reads what the call `label` on `node` wrote to its standard output; its standard error, which
    /// must be harmless already, explains an answer that is none.
    pub fn read(
        node: &NodeName,
        label: &str,
        stdout: &[u8],
        stderr: &str,
    ) -> Result<Self, AgentError> {
        let problem = match reply::parse(stdout) {
            Ok(records) => return refuse_failure(node, records).map(Self),
            Err(problem) => problem,
        };
        // Once the program has begun, sudo has let it in. Where it has not, sudo may quote the whole call.
        let (refusal, words) = match stderr.split_once(&format!("{READS}\n")) {
            Some((_, since)) => (None, one_line(since)),
            None => (SudoRefusal::of(stderr), one_line(stderr)),
        };
        Err(match refusal {
            Some(refusal) => AgentError::NotRoot {
                node: node.clone(),
                refusal,
                detail: refusal.words().map_or(words, str::to_owned),
            },
            None => AgentError::Protocol {
                node: node.clone(),
                label: label.to_owned(),
                detail: format!("{problem}; {words}"),
            },
        })
    }

    /// The records of one tag, in order.
    pub(super) fn of(&self, tag: &str) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(move |record| record.tag == tag)
    }

    /// The answer to `observe` on `node`.
    pub fn observation(&self, node: &NodeName) -> Observation {
        observation(node, &self.0)
    }

    /// The answer of `node` to `reach`, asked this.
    pub fn reach(&self, node: &NodeName, question: &ReachQuestion) -> Reach {
        reach::reach(node, question, self.0.iter())
    }

    /// The answer to `announce`.
    pub fn announced(&self) -> Vec<Announced> {
        reach::announced(self.of("announced"))
    }

    /// The answer to `validate` and `validate-staged`.
    pub fn tests(&self) -> Vec<TestResult> {
        let result = |record: &Record| TestResult {
            program: record.field(0).to_owned(),
            code: record.field(1).parse().unwrap_or(-1),
            output: record.words(),
        };
        self.of("tested").map(result).collect()
    }

    /// The answer to `lock`: a change that was interrupted there.
    pub fn journal(&self) -> Option<Journal> {
        self.of("journal").next().map(Journal::read)
    }

    /// The answer to `offer`: when the host undoes the change.
    pub fn offered(&self) -> Deadline {
        let offered = self.of("offered").next();
        let left = offered.and_then(|record| record.field(0).parse().ok());
        Deadline::after(left.unwrap_or_default())
    }

    /// The answer to `withdraw`: whether the change is confirmed there.
    pub fn is_settled_new(&self) -> bool {
        let settled = self.of("settled").next();
        settled.is_some_and(|record| record.field(0) == "new")
    }

    /// The answer to `prepare`: the packages that are new.
    pub fn packages(&self) -> Vec<String> {
        let packages = self.of("package");
        packages.map(|record| record.field(0).to_owned()).collect()
    }

    /// The answer to `fault`, `heal` and `fault-state`.
    pub fn fault_state(&self) -> FaultState {
        FaultState::from_records(&self.0)
    }

    /// The answer to `history`: the manifests of all generations, and the live one's number.
    pub fn history(&self) -> (Vec<Manifest>, Option<u64>) {
        let generations = self.of("generation").take(MAX_GENERATIONS);
        let live = self.of("live").next();
        (
            generations
                .map(|record| Manifest::parse(&record.body_text()))
                .collect(),
            live.and_then(|record| generation_number(record.field(0))),
        )
    }

    /// The answer to `generation`: its manifest, and the contents of its files.
    pub fn generation(self) -> (Manifest, BTreeMap<HostPath, Vec<u8>>) {
        let mut manifest = Manifest::default();
        let mut contents = BTreeMap::new();
        for record in self.0 {
            match record.tag.as_str() {
                "generation" => manifest = Manifest::parse(&record.body_text()),
                "content" => {
                    if let Ok(path) = HostPath::new(record.field(0)) {
                        contents.insert(path, record.body.unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
        (manifest, contents)
    }
}

/// Turns a `fail` record into the error that it is.
fn refuse_failure(node: &NodeName, records: Vec<Record>) -> Result<Vec<Record>, AgentError> {
    let Some(failure) = records.iter().find(|record| record.tag == "fail") else {
        return Ok(records);
    };
    let (node, field) = (node.clone(), |index| failure.field(index).to_owned());
    if failure.field(0) == "locked" {
        let uptime = failure.field(1).parse().unwrap_or_default();
        let lock = LockInfo::read(&failure.body_text(), uptime, failure.field(2));
        return Err(AgentError::Locked {
            node,
            lock: Box::new(lock),
        });
    }
    let problems = records.iter().filter(|record| record.tag == "problem");
    let mut detail: Vec<String> = problems
        .take(MAX_PROBLEMS)
        .map(|record| record.field(1).to_owned())
        .collect();
    detail.push(failure.words().trim().to_owned());
    detail.retain(|line| !line.is_empty());
    Err(AgentError::Failed {
        node,
        code: field(0),
        message: field(1),
        detail: detail.join("\n"),
    })
}

/// The last line that says anything.
fn one_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    clipped(line.unwrap_or("no reason given").trim(), 1000)
}
