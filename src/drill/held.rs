//! Connections that are kept open, as browsers and other proxies do, with a request at intervals.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::clock::Clock;
use super::http::Target;
use super::probe::PATIENCE;
use super::record::Held;

/// No answer that is read to its end is longer.
const BODY_LIMIT: u64 = 1 << 20;

/// One client: asks every `interval` over a connection that it keeps, and connects anew when that
/// breaks.
pub(super) async fn hold(
    target: Target,
    interval: Duration,
    begin_after: Duration,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) -> Held {
    let mut seen = Held {
        connections: 1,
        ..Held::default()
    };
    let mut connection = None;
    let mut waits_since: Option<Duration> = None;
    let begin = tokio::time::Instant::now() + begin_after;
    let mut ticks = tokio::time::interval_at(begin, interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return seen,
        }
        let since = *waits_since.get_or_insert_with(|| clock.elapsed());
        let was_open = connection.is_some();
        let answer = tokio::time::timeout(PATIENCE, ask(&target, &mut connection)).await;
        seen.requests += 1;
        if matches!(answer, Ok(Ok(()))) {
            let waited = clock.elapsed().saturating_sub(since);
            seen.longest_ms = seen.longest_ms.max(waited.as_secs_f64() * 1000.0);
            waits_since = None;
        } else {
            seen.lost += 1;
            seen.broken += usize::from(was_open);
            connection = None;
        }
    }
}

/// One request over `connection`, which is opened where there is none, and closed as its server wants.
async fn ask(target: &Target, connection: &mut Option<TcpStream>) -> io::Result<()> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => target.connect(None).await?,
    };
    let mut rest = Vec::new();
    let head = target.ask(&mut stream, true, &mut rest).await?;
    if head.status >= 500 {
        return Err(io::Error::other("the server failed"));
    }
    let Some(length) = head.length.filter(|length| *length <= BODY_LIMIT) else {
        // Where the answer ends only its connection could tell: the next request takes a new one.
        return Ok(());
    };
    let read = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    let mut missing = stream.take(length.saturating_sub(read));
    tokio::io::copy(&mut missing, &mut tokio::io::sink()).await?;
    if missing.limit() > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !head.closes {
        *connection = Some(missing.into_inner());
    }
    Ok(())
}

/// What all clients saw together.
pub(super) fn sum(clients: impl IntoIterator<Item = Held>) -> Held {
    clients.into_iter().fold(Held::default(), |all, one| Held {
        connections: all.connections + one.connections,
        broken: all.broken + one.broken,
        requests: all.requests + one.requests,
        lost: all.lost + one.lost,
        longest_ms: all.longest_ms.max(one.longest_ms),
    })
}
