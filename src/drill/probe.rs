//! Asking for a page through the VIP, again and again, each time over a new connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::clock::Clock;
use super::http::Target;

/// One request and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// When it was begun.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// It was answered with a status below 500.
    pub ok: bool,
}

/// A probe that has no answer by then is lost. Shorter than the second after which TCP sends a lost SYN again
/// (RFC 6298, 2): such a probe, answered late, would look as if the service had been there when it was begun.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);
/// Probes at most, whoever forgets to stop it: half an hour at 5 ms.
const MOST: u32 = 360_000;

/// When a request was last known to be lost: what others may look at meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLost(Arc<AtomicU64>);

impl LastLost {
    fn note(&self, at: Duration) {
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }

    /// On the operator's clock; its zero where none was lost.
    pub(super) fn at(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Probes, one request every `interval`, until `stop` says so; all of them in the order they were
/// begun. No probe waits for an earlier one, so that a gap is seen as it is and not as long as one
/// client's patience.
pub(super) async fn probe(
    target: Target,
    interval: Duration,
    clock: Clock,
    last_lost: LastLost,
    mut stop: watch::Receiver<bool>,
) -> Vec<Probe> {
    let mut under_way = JoinSet::new();
    let mut probes = Vec::new();
    let mut ticks = tokio::time::interval(interval);
    // A late probe is told by its time; to catch up would bunch those that follow.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..MOST {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        while let Some(probe) = under_way.try_join_next() {
            probes.extend(probe);
        }
        let (target, last_lost) = (target.clone(), last_lost.clone());
        under_way.spawn(async move {
            let at = clock.elapsed();
            let answer = tokio::time::timeout(PATIENCE, request(&target)).await;
            let ok = matches!(answer, Ok(Ok(status)) if status < 500);
            if !ok {
                last_lost.note(clock.elapsed());
            }
            Probe {
                at,
                took: clock.elapsed().saturating_sub(at),
                ok,
            }
        });
    }
    while let Some(probe) = under_way.join_next().await {
        probes.extend(probe);
    }
    probes.sort_by_key(|probe| probe.at);
    probes
}

/// The status of one request over a new connection.
async fn request(target: &Target) -> io::Result<u16> {
    let mut stream = target.connect(None).await?;
    let head = target.ask(&mut stream, false, &mut Vec::new()).await?;
    Ok(head.status)
}
