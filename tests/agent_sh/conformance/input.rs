//! What can happen to a host in the middle of a change, and what the model makes of it.

use crate::host_model::{Answer, Host, Stage};

use super::site::Seen;

/// What a peer turns out to be when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Confirmed,
    Denied,
    /// It is up, and nothing there listens.
    Refused,
}

impl Peer {
    fn answer(self) -> Answer {
        match self {
            Self::Confirmed => Answer::Yes,
            Self::Denied | Self::Refused => Answer::No,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// The beginning and the end of an activation; `works` is the host's own proof.
    Activate {
        works: bool,
    },
    Confirm,
    /// A person may confirm now.
    Offer,
    /// Nobody may confirm any more.
    Withdraw,
    Revert,
    /// The timer, with peers that say nothing new.
    Expire,
    /// A peer asks.
    AnswerPeer,
    /// The timer, and peers that answer one after the other, a round of questions apart.
    Hear(Vec<(usize, Peer)>),
    /// The power goes and comes back.
    Boot,
    /// One of them, the program being killed before its step of that number.
    Killed(Box<Input>, usize),
}

impl Input {
    /// True of what usually ends a change.
    pub(super) fn is_deciding(&self) -> bool {
        matches!(self, Self::Confirm | Self::Revert)
            || matches!(self, Self::Hear(heard) if heard.len() > 1)
    }
}

/// Everything that can happen to a host there.
pub(super) fn inputs(
    host: Host,
    seen: &Seen,
    kill_at: impl Iterator<Item = usize>,
    every: bool,
) -> Vec<Input> {
    let mut inputs = vec![
        Input::Activate { works: true },
        Input::Activate { works: false },
        Input::Confirm,
        Input::Offer,
        Input::Withdraw,
        Input::Revert,
        Input::AnswerPeer,
        Input::Boot,
    ];
    if seen.is_armed {
        inputs.push(Input::Expire);
    }
    let answers = [Peer::Confirmed, Peer::Denied, Peer::Refused];
    let peers = [1, 2].map(|peer| answers.map(|answer| (peer, answer)));
    // A host that is not asking hears nobody; one that was active until now may hear both at once.
    let may_ask = matches!(host.stage, Stage::Active | Stage::Offered | Stage::Asking);
    let is_asking = may_ask && seen.is_armed && host.open != 0;
    if is_asking {
        inputs.extend(peers.concat().into_iter().map(|one| Input::Hear(vec![one])));
        // Who has denied keeps to it until it can have heard of a confirmed one.
        let is_open = |peer: usize| host.open & (1 << peer) != 0;
        for (first, then) in [(1, 2), (2, 1)] {
            if is_open(then) {
                let other = |answer| Input::Hear(vec![(first, Peer::Denied), (then, answer)]);
                inputs.extend([Peer::Confirmed, Peer::Denied].map(other));
            }
        }
    }
    let mut killed = vec![
        Input::Activate { works: true },
        Input::Confirm,
        Input::Revert,
        Input::Boot,
    ];
    if seen.is_armed {
        killed.push(Input::Expire);
    }
    if is_asking {
        killed.push(Input::Hear(vec![(1, Peer::Denied), (2, Peer::Denied)]));
        killed.push(Input::Hear(vec![(1, Peer::Confirmed)]));
    }
    for step in kill_at {
        let chosen = killed.iter().filter(|input| every || step < input.steps());
        inputs.extend(chosen.map(|input| Input::Killed(Box::new(input.clone()), step)));
    }
    inputs
}

impl Input {
    /// About as many steps as the call has: later kills come after its end.
    fn steps(&self) -> usize {
        match self {
            Self::Activate { .. } => 60,
            Self::Boot => 15,
            _ => 30,
        }
    }
}

/// Where the model may be after the input, and what it answers; `None` where nobody hears an answer. A
/// program that is killed has done the whole of it, nothing, or what the model calls half done.
pub(super) fn allowed(host: Host, input: &Input, is_armed: bool) -> Vec<(Host, Option<Answer>)> {
    let mut next = host;
    let answer = match input {
        Input::Activate { works } => Some(match next.begin_activation() {
            Answer::Yes => next.end_activation(*works),
            Answer::No => Answer::No,
        }),
        Input::Confirm => Some(next.confirm()),
        Input::Offer => Some(next.offer()),
        Input::Withdraw => Some(next.withdraw()),
        Input::Revert => Some(next.revert()),
        Input::AnswerPeer => Some(next.answer_peer()),
        Input::Expire => {
            next.expire();
            // It was killed when it had heard from everybody: it hears the same again.
            if next.stage == Stage::Asking && next.open == 0 {
                next.stage = Stage::Old;
            }
            None
        }
        Input::Hear(heard) => {
            next.expire();
            // One that listens to nobody is waited for: it may have been restarted.
            let (late, soon): (Vec<_>, Vec<_>) =
                heard.iter().partition(|(_, peer)| *peer == Peer::Refused);
            for (peer, answer) in soon.into_iter().chain(late) {
                next.hear_peer(peer, answer.answer());
            }
            None
        }
        Input::Boot => {
            next.boot(is_armed);
            None
        }
        Input::Killed(call, _) => {
            let whole = allowed(host, call, is_armed);
            let mut all = vec![(host, None)];
            for (end, _) in whole {
                let mut half = end;
                half.stage = Stage::Activating;
                let changes = |stage| matches!(stage, Stage::Active | Stage::Old);
                if changes(end.stage) && end.stage != host.stage {
                    all.push((half, None));
                }
                if matches!(**call, Input::Hear(_)) {
                    let mut asking = end;
                    asking.stage = Stage::Asking;
                    all.push((asking, None));
                }
                all.push((end, None));
            }
            return all;
        }
    };
    vec![(next, answer)]
}
