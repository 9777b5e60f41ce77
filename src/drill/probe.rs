//! Asking for a page through the VIP, again and again, each time over a new connection.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The VIP.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The path.
    pub path: String,
    /// The Host header.
    pub host: String,
}

/// One request and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Probe {
    /// When it was begun, since the prober was started.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// It was answered with a status below 500.
    pub ok: bool,
}

/// Probes at a set rate until it is told to stop. No probe waits for an earlier one, so that a gap is
/// seen as it is and not as long as one client's patience.
pub struct Prober {
    started: Instant,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Probe>>,
}

/// A probe that has no answer by then is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Probes at most, whoever forgets to stop it: ten minutes at 5 ms.
const MOST: u32 = 120_000;

impl Prober {
    /// Starts probing, one request every `interval`.
    pub fn start(target: Target, interval: Duration) -> Self {
        let started = Instant::now();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(target, interval, started, stopped));
        Self {
            started,
            stop,
            task,
        }
    }

    /// The time since it was started: the clock of its probes.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Stops, waits for what is under way, and returns all probes in the order they were begun.
    pub async fn stop(self) -> Vec<Probe> {
        // It has ended by itself when nobody listens any more.
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

async fn run(
    target: Target,
    interval: Duration,
    started: Instant,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Probe> {
    let mut under_way = JoinSet::new();
    let mut probes = Vec::new();
    let mut clock = tokio::time::interval(interval);
    for _ in 0..MOST {
        tokio::select! {
            _ = clock.tick() => {}
            _ = &mut stopped => break,
        }
        while let Some(probe) = under_way.try_join_next() {
            probes.extend(probe);
        }
        let target = target.clone();
        under_way.spawn(async move {
            let at = started.elapsed();
            let answer = tokio::time::timeout(PATIENCE, request(&target)).await;
            let ok = matches!(answer, Ok(Ok(status)) if status < 500);
            Probe {
                at,
                took: started.elapsed().saturating_sub(at),
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
async fn request(target: &Target) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(SocketAddr::new(target.address, target.port)).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hactl\r\nConnection: close\r\n\r\n",
        target.path, target.host
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).await?;
    std::str::from_utf8(&head[9..12])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| std::io::Error::other("no HTTP status"))
}
