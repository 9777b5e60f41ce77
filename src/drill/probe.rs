//! Probes the VIP with one request after another, each over a new connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::clock::Clock;
use super::http::Target;

/// One request and its result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// When it started.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// Whether it was answered with a status below 500.
    pub ok: bool,
}

/// A probe without an answer by then is lost. Shorter than the second after which TCP retransmits a lost SYN (RFC 6298,
/// section 2): if such a probe counted as answered, the service would seem to have been up when it started.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);
/// Limit of probes if nothing stops them: half an hour at 5 ms.
const MOST: u32 = 360_000;

/// When a request was last known to be lost. Can be read while probes run.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLost(Arc<AtomicU64>);

impl LastLost {
    fn note(&self, at: Duration) {
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }

    /// On the operator's clock. Zero if no request was lost.
    pub(super) fn at(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Sends a request every `interval` until `stop` is set. Returns the probes in the order of their start. No probe waits
/// for an earlier one, so that a gap is measured as it is, not rounded up to a client's timeout.
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
    // A late probe has its own start time. Catching up would bunch the following ones.
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
