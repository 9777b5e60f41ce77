//! Termination signals such as Ctrl-C: the first one asks to stop, the second one insists.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;

/// Counts termination signals.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    count: watch::Receiver<u32>,
}

impl Stop {
    /// Starts listening, which needs the runtime. The first signal sets `flag`.
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

    /// Waits for the signal with this number, counted from 1.
    async fn signalled(&self, number: u32) {
        let mut count = self.count.clone();
        if count.wait_for(|count| *count >= number).await.is_err() {
            // The listener is gone, so no further signal can arrive.
            std::future::pending::<()>().await;
        }
    }

    /// Runs something read-only. The first signal ends it by dropping it, which closes its connections.
    pub(super) async fn look<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        tokio::select! {
            result = work => Ok(result),
            () = self.signalled(1) => Err(CliError::Interrupted),
        }
    }

    /// Runs something that changes hosts. The first signal asks it to stop and calls `told`, the second one drops it.
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
