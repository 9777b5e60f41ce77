//! Typed answers of the host's program. Everything a host sends is untrusted: `reply` limits its
//! size and makes it harmless, and this file turns it into types.

use std::collections::BTreeMap;

use super::adverts::AdvertTest;
use super::change::{Deadline, Journal, LockInfo};
use super::error::AgentError;
use super::fault::FaultState;
use super::manifest::{Manifest, generation_number};
use super::observation::Observation;
use super::observe::{observation, version_in};
use super::reach::{self, Announced, Reach, ReachQuestion};
use super::reply::{self, Record};
use super::script::READS;
use super::switch::Part;
use crate::model::{HostPath, KeepalivedFeature, NodeName, UnitId, Version, clipped};
use crate::remote::SudoRefusal;
use crate::units;

/// The most generations read from one host.
const MAX_GENERATIONS: usize = 1000;
/// The most problems of a rollback that an error lists.
const MAX_PROBLEMS: usize = 100;

/// The result of a daemon's own test of the staged files.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct TestResult {
    /// The unit whose files were tested.
    pub unit: UnitId,
    /// The version of the program that ran the test, or `None` if the host did not report it.
    pub version: Option<Version>,
    /// Its exit code.
    pub code: i32,
    /// Its output.
    pub output: String,
}

/// The meaning of a configuration test's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestVerdict {
    /// The files are valid.
    Accepted,
    /// The program has no configuration test, so nothing is known.
    CannotTest,
    /// It could not run with these files.
    Fatal,
    /// It would run, but ignore what it could not parse.
    RunsWithErrors,
    /// It would run, but disable scripts that fail its security check.
    ScriptSecurity,
    /// The test itself failed.
    TestFailed,
}

impl TestVerdict {
    /// Whether the files pass. hactl treats keepalived's codes for "runs with errors" and "script
    /// security off" as failures.
    pub fn is_passed(self) -> bool {
        matches!(self, Self::Accepted | Self::CannotTest)
    }
}

impl TestResult {
    /// Interprets the exit code according to the program's version (rule KA003).
    pub fn verdict(&self) -> TestVerdict {
        if self.unit != UnitId::KEEPALIVED {
            return match self.code {
                0 => TestVerdict::Accepted,
                _ => TestVerdict::Fatal,
            };
        }
        let lacks = |feature: KeepalivedFeature| {
            let version = self.version;
            version.is_some_and(|version| !feature.is_in(version))
        };
        if lacks(KeepalivedFeature::ConfigTest) {
            return TestVerdict::CannotTest;
        }
        let is_older = lacks(KeepalivedFeature::TestCodes);
        match self.code + i32::from(is_older && self.code != 0) {
            0 => TestVerdict::Accepted,
            4 => TestVerdict::Fatal,
            5 => TestVerdict::RunsWithErrors,
            6 => TestVerdict::ScriptSecurity,
            _ => TestVerdict::TestFailed,
        }
    }
}

/// A complete answer that reports no failure.
pub struct Answer(Vec<Record>);

impl Answer {
    /// Parses the standard output of the call `label` on `node`. Its standard error, which must be
    /// harmless already, explains an incomplete answer.
    pub fn read(
        node: &NodeName,
        label: &str,
        stdout: &[u8],
        stderr: &str,
    ) -> Result<Self, AgentError> {
        let problem = match reply::parse(stdout) {
            Ok(records) => return refuse_failure(node, label, records).map(Self),
            Err(problem) => problem,
        };
        // Once the program has started, sudo has let it in. Before that, sudo may quote the whole
        // call.
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

    pub(super) fn of(&self, tag: &str) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(move |record| record.tag == tag)
    }

    pub fn observation(&self, node: &NodeName) -> Observation {
        observation(node, &self.0)
    }

    /// The answer of `node` to `reach` with this question.
    pub fn reach(&self, node: &NodeName, question: &ReachQuestion) -> Reach {
        reach::reach(node, question, self.0.iter())
    }

    /// The answer to `adverts`.
    pub fn advert_test(&self) -> AdvertTest {
        let mut test = AdvertTest::default();
        self.0.iter().for_each(|record| test.take(record));
        test
    }

    /// The answer to `announce`.
    pub fn announced(&self) -> Vec<Announced> {
        reach::announced(self.of("announced"))
    }

    /// The answer to `validate` or `validate-staged`.
    pub fn tests(&self) -> Vec<TestResult> {
        let result = |record: &Record| {
            Some(TestResult {
                unit: units::ids().find(|unit| unit.name() == record.field(0))?,
                code: record.field(1).parse().unwrap_or(-1),
                version: version_in(record.field(2)),
                output: record.words(),
            })
        };
        self.of("tested").filter_map(result).collect()
    }

    /// The answer to `lock`: an interrupted change on the host, if any.
    pub fn journal(&self) -> Option<Journal> {
        self.of("journal").next().map(Journal::read)
    }

    /// The answer to `offer`: when the host rolls the change back.
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

    /// The answer to `hush`: the node's part in a simultaneous change.
    pub fn part(&self) -> Option<Part> {
        let switch = self.of("switch").next()?;
        match switch.field(0) {
            "keeper" => Some(Part::Keeper),
            "silent" => Some(Part::Silent),
            _ => None,
        }
    }

    /// The answer to `prepare`: newly installed packages.
    pub fn packages(&self) -> Vec<String> {
        let packages = self.of("package");
        packages.map(|record| record.field(0).to_owned()).collect()
    }

    /// The answer to `fault`, `heal` or `fault-state`.
    pub fn fault_state(&self) -> FaultState {
        FaultState::from_records(&self.0)
    }

    /// The answer to `history`: the manifests of all generations, and the number of the live one.
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

/// Converts a `fail` record into an error.
fn refuse_failure(
    node: &NodeName,
    label: &str,
    records: Vec<Record>,
) -> Result<Vec<Record>, AgentError> {
    let Some(failure) = records.iter().find(|record| record.tag == "fail") else {
        return Ok(records);
    };
    let node = node.clone();
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
    let message = failure.field(1).to_owned();
    let Ok(code) = failure.field(0).parse() else {
        let kind = failure.field(0);
        return Err(AgentError::Protocol {
            node,
            label: label.to_owned(),
            detail: format!("it failed by `{kind}`: {message}"),
        });
    };
    Err(AgentError::Failed {
        node,
        code,
        message,
        detail: detail.join("\n"),
    })
}

/// The last line that is not blank.
fn one_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    clipped(line.unwrap_or("no reason given").trim(), 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_keepalived_are_read_by_its_version() {
        use TestVerdict::{
            Accepted, CannotTest, Fatal, RunsWithErrors, ScriptSecurity, TestFailed,
        };
        let table = [
            // Before 2.0.4 it exits with 0 whatever the file contains.
            ("1.3.5", [(0, CannotTest), (1, CannotTest)].as_slice()),
            ("2.0.3", &[(0, CannotTest)]),
            (
                "2.0.10",
                &[
                    (0, Accepted),
                    (3, Fatal),
                    (4, RunsWithErrors),
                    (5, ScriptSecurity),
                    (143, TestFailed),
                ],
            ),
            (
                "2.1.5",
                &[
                    (0, Accepted),
                    (3, Fatal),
                    (4, RunsWithErrors),
                    (5, ScriptSecurity),
                ],
            ),
            (
                "2.2.0",
                &[
                    (0, Accepted),
                    (3, TestFailed),
                    (4, Fatal),
                    (5, RunsWithErrors),
                    (6, ScriptSecurity),
                ],
            ),
            (
                "2.2.7",
                &[(0, Accepted), (5, RunsWithErrors), (143, TestFailed)],
            ),
        ];
        for (version, codes) in table {
            for (code, verdict) in codes {
                let test = TestResult {
                    unit: UnitId::KEEPALIVED,
                    version: version.parse().ok(),
                    code: *code,
                    output: String::new(),
                };
                assert_eq!(
                    test.verdict(),
                    *verdict,
                    "keepalived {version} ended with {code}"
                );
                assert_eq!(
                    test.verdict().is_passed(),
                    matches!(verdict, Accepted | CannotTest)
                );
            }
        }
    }
}
