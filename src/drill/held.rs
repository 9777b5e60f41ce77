//! Persistent connections, like those of browsers and other proxies, with a request at intervals.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::clock::Clock;
use super::http::Target;
use super::probe::PATIENCE;
use super::record::Held;

/// Size limit of a response that is read to its end, in bytes.
const BODY_LIMIT: u64 = 1 << 20;

/// One client: sends a request every `interval` over a persistent connection, and reconnects if that breaks.
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

/// One request over `connection`, which is opened if necessary, and closed if the server says so.
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
        // Only the end of the connection would delimit this response, so the next request opens a new one.
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

/// The totals of all clients.
pub(super) fn sum(clients: impl IntoIterator<Item = Held>) -> Held {
    clients.into_iter().fold(Held::default(), |all, one| Held {
        connections: all.connections + one.connections,
        broken: all.broken + one.broken,
        requests: all.requests + one.requests,
        lost: all.lost + one.lost,
        longest_ms: all.longest_ms.max(one.longest_ms),
    })
}
