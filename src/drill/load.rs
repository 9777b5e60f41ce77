//! The load of a drill, on a separate thread so that nothing else in hactl delays it.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::future::{join, join_all};
use tokio::sync::watch;

use super::clock::Clock;
use super::download::{Download, download};
use super::held::{hold, sum};
use super::http::Target;
use super::probe::{LastLost, Probe, probe};
use super::record::Held;

/// The load to generate.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What new connections request. The drill is judged by them.
    pub new: Target,
    /// A second path, requested by as many new connections.
    pub beside: Option<Target>,
    /// Interval between new connections, per path.
    pub interval: Duration,
    /// What persistent connections request.
    pub held: Target,
    /// Number of persistent connections.
    pub held_connections: u32,
    /// Interval between requests on each of them.
    pub held_interval: Duration,
    /// What to download.
    pub download: Option<Target>,
    /// Number of parallel downloads.
    pub downloads: u32,
}

/// The results of the load.
#[derive(Debug, Clone, Default)]
pub struct LoadLog {
    /// New connections.
    pub new: Vec<Probe>,
    /// New connections to the second path.
    pub beside: Vec<Probe>,
    /// Persistent connections.
    pub held: Held,
    /// Downloads that started.
    pub downloads: Vec<Download>,
}

/// A running load.
pub struct Load {
    clock: Clock,
    last_lost: LastLost,
    stop: watch::Sender<bool>,
    thread: JoinHandle<io::Result<LoadLog>>,
}

impl Load {
    /// Starts the load.
    pub fn start(spec: LoadSpec, clock: Clock) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let last_lost = LastLost::default();
        let noted = last_lost.clone();
        let thread = thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                Ok(runtime.block_on(run(spec, clock, noted, stopped)))
            })?;
        Ok(Self {
            clock,
            last_lost,
            stop,
            thread,
        })
    }

    /// Time since a new connection was last known to have failed.
    pub fn quiet_for(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.last_lost.at())
    }

    /// Stops the load, waits for requests in flight, and returns the results.
    pub async fn stop(self) -> io::Result<LoadLog> {
        // If there is no receiver, the thread has already ended.
        let _ = self.stop.send(true);
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await;
        match joined {
            Ok(Ok(log)) => log,
            _ => Err(io::Error::other("the load's thread has died")),
        }
    }
}

async fn run(
    spec: LoadSpec,
    clock: Clock,
    last_lost: LastLost,
    stop: watch::Receiver<bool>,
) -> LoadLog {
    let new = tokio::spawn(probe(
        spec.new,
        spec.interval,
        clock,
        last_lost,
        stop.clone(),
    ));
    let beside = spec.beside.map(|target| {
        tokio::spawn(probe(
            target,
            spec.interval,
            clock,
            LastLost::default(),
            stop.clone(),
        ))
    });
    let held: Vec<_> = (0..spec.held_connections)
        .map(|index| {
            // Spread evenly, so that they do not all send at once.
            let begin_after = spec.held_interval * index / spec.held_connections;
            let (target, stop) = (spec.held.clone(), stop.clone());
            tokio::spawn(hold(target, spec.held_interval, begin_after, clock, stop))
        })
        .collect();
    let downloads: Vec<_> = (0..spec.downloads)
        .filter_map(|_| spec.download.clone())
        .map(|target| tokio::spawn(download(target, clock, stop.clone())))
        .collect();
    let ((new, held), downloads) = join(join(new, join_all(held)), join_all(downloads)).await;
    let beside = match beside {
        Some(task) => task.await.unwrap_or_default(),
        None => Vec::new(),
    };
    LoadLog {
        new: new.unwrap_or_default(),
        beside,
        held: sum(held.into_iter().flatten()),
        downloads: downloads.into_iter().flatten().flatten().collect(),
    }
}
