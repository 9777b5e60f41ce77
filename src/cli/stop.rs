//! Ctrl-C and its kin: the first asks, the second insists.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;

/// Counts the signals that ask to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    count: watch::Receiver<u32>,
}

impl Stop {
    /// Listens from now on; needs the runtime. `flag` is set by the first signal.
    pub(super) fn listen(flag: Arc<AtomicBool>) -> Result<Self, CliError> {
        let failed = |cause| CliError::Machine {
            message: "cannot listen for signals".to_owned(),
            cause,
        };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                flag.store(true, Ordering::Relaxed);
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count })
    }

    /// Waits for the signal of this number, counted from 1.
    async fn signalled(&self, number: u32) {
        let mut count = self.count.clone();
        if count.wait_for(|count| *count >= number).await.is_err() {
            // Nobody listens any more: then nobody can ask to stop either.
            std::future::pending::<()>().await;
        }
    }

    /// Runs something that changes nothing: the first signal ends it. What it holds is dropped, so
    /// that its connections close.
    pub(super) async fn look<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        tokio::select! {
            result = work => Ok(result),
            () = self.signalled(1) => Err(CliError::Interrupted),
        }
    }

    /// Runs something that changes hosts: the first signal asks it to stop (`told` says so), the
    /// second drops it.
    pub(super) async fn change<T>(
        &self,
        work: impl Future<Output = T>,
        told: impl Fn(),
    ) -> Result<T, CliError> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return Ok(result),
            () = self.signalled(1) => told(),
        }
        tokio::select! {
            result = work => Ok(result),
            () = self.signalled(2) => Err(CliError::Abandoned),
        }
    }
}
