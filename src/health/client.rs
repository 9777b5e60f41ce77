//! What can be expected of the machine that hactl runs on: it is a client, behind networks unknown to hactl.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::problem::Problem;
use crate::agent::{Answered, Reach, Viewpoint};

/// The VIP ports on which a client was served what the owner serves. A client that was not served may be blocked by a
/// firewall, or have another machine with that address in its own network.
#[derive(Debug, Clone, Default)]
pub struct Served {
    doors: BTreeSet<(IpAddr, u16)>,
    /// Problems that the client already had.
    wrong: Vec<Problem>,
}

impl Served {
    /// What the client among `looks` was served, given the problems that `looks` show.
    pub fn of(looks: &[Reach], problems: &[Problem]) -> Self {
        let Some(client) = looks.iter().find(|look| look.from == Viewpoint::Client) else {
            return Self::default();
        };
        let is_wrong = |vip: IpAddr, at: u16| {
            problems.iter().any(|problem| match problem {
                Problem::NotReached { from, port, .. }
                | Problem::OtherGeneration { from, port, .. } => {
                    *from == Viewpoint::Client && problem.vip() == Some(vip) && *port == at
                }
                Problem::WrongHardware { .. } => problem.vip() == Some(vip),
                _ => false,
            })
        };
        let answers = client.vips.iter().flat_map(|(vip, seen)| {
            let answers = seen.answers.iter();
            answers.map(|(port, answered)| (*vip, *port, *answered))
        });
        // A port that only accepts connections may belong to another machine, but then nothing will change there.
        let served = answers.filter(|(vip, port, answered)| {
            let is_owners = match answered {
                Answered::Closed | Answered::Shut => false,
                Answered::Open => true,
                Answered::Http { is_asked_for, .. } => *is_asked_for,
            };
            is_owners && !is_wrong(*vip, *port)
        });
        let is_clients = |problem: &&Problem| {
            matches!(
                problem,
                Problem::WrongHardware {
                    from: Viewpoint::Client,
                    ..
                }
            )
        };
        Self {
            doors: served.map(|(vip, port, _)| (vip, port)).collect(),
            wrong: problems.iter().filter(is_clients).cloned().collect(),
        }
    }

    /// Drops the client's problems that it already had before.
    pub fn judge(&self, problems: &mut Vec<Problem>) {
        problems.retain(|problem| match of_client(problem) {
            Some(door) => self.doors.contains(&door),
            None => !self.wrong.contains(problem),
        });
    }
}

/// Splits off problems that a client may have for reasons of its own, when its earlier state is unknown: it is behind a
/// router, or is served on another port of that VIP.
pub fn split_doubtful(problems: Vec<Problem>, looks: &[Reach]) -> (Vec<Problem>, Vec<Problem>) {
    let served = Served::of(looks, &problems);
    let client = looks.iter().find(|look| look.from == Viewpoint::Client);
    let is_neighbour = |vip: IpAddr| {
        let seen = client.and_then(|client| client.vips.get(&vip));
        seen.is_some_and(|seen| seen.learned.is_some())
    };
    let is_served = |vip: IpAddr| served.doors.iter().any(|(at, _)| *at == vip);
    problems
        .into_iter()
        .partition(|problem| match of_client(problem) {
            Some((vip, _)) => is_neighbour(vip) && !is_served(vip),
            None => true,
        })
}

/// The VIP and port that a client cannot reach.
fn of_client(problem: &Problem) -> Option<(IpAddr, u16)> {
    match problem {
        Problem::NotReached {
            from: Viewpoint::Client,
            vip,
            port,
            ..
        }
        | Problem::OtherGeneration {
            from: Viewpoint::Client,
            vip,
            port,
            ..
        } => Some((*vip, *port)),
        _ => None,
    }
}
