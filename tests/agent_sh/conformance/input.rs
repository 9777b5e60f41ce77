//! The inputs that a host can get during a change, and their effect in the model.

use crate::host_model::{Answer, Host, Stage};

use super::site::Seen;

/// The answer of a peer when queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Confirmed,
    Denied,
    /// It is up, but nothing listens there.
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
    /// A whole activation. `works` tells whether its verification succeeds.
    Activate {
        works: bool,
    },
    Confirm,
    /// Opens the change for confirmation.
    Offer,
    /// Closes it for confirmation.
    Withdraw,
    Revert,
    /// The timer fires, and peers say nothing new.
    Expire,
    /// A peer queries the host.
    AnswerPeer,
    /// The timer fires, and peers answer one after the other, one round of queries apart.
    Hear(Vec<(usize, Peer)>),
    /// Power is lost and returns.
    Boot,
    /// An input whose call is killed before the step of this number.
    Killed(Box<Input>, usize),
}

impl Input {
    /// Whether the input usually ends a change.
    pub(super) fn is_deciding(&self) -> bool {
        matches!(self, Self::Confirm | Self::Revert)
            || matches!(self, Self::Hear(heard) if heard.len() > 1)
    }
}

/// All inputs that are possible in the host's current state.
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
    // A host that is not querying receives no answers. One that was active until now may receive
    // both at once.
    let may_ask = matches!(host.stage, Stage::Active | Stage::Offered | Stage::Asking);
    let is_asking = may_ask && seen.is_armed && host.open != 0;
    if is_asking {
        inputs.extend(peers.concat().into_iter().map(|one| Input::Hear(vec![one])));
        // A peer that denied keeps doing so until it can have learned of a confirmation.
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
    /// The approximate number of steps of the call. Later kills happen after its end.
    fn steps(&self) -> usize {
        match self {
            Self::Activate { .. } => 60,
            Self::Boot => 15,
            _ => 30,
        }
    }
}

/// The states and answers that the model allows after the input. The answer is `None` if nobody
/// receives one. A killed program has done everything, nothing, or something that the model
/// considers half done.
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
        // It was killed after it had written its timer or its unit for the next boot, and before it had
        // written its journal. There is nothing to undo then, and these remove what was staged.
        Input::Expire | Input::Boot if host.stage == Stage::Staged => {
            if *input == Input::Boot {
                next.boot(is_armed);
            }
            let mut old = next;
            old.stage = Stage::Old;
            return vec![(next, None), (old, None)];
        }
        Input::Expire => {
            next.expire();
            // It was killed after all answers had arrived, and gets the same ones again.
            if next.stage == Stage::Asking && next.open == 0 {
                next.stage = Stage::Old;
            }
            None
        }
        Input::Hear(heard) => {
            next.expire();
            // A peer that refuses connections may be rebooting, so the host waits for it.
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
