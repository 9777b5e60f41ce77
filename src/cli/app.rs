//! The context that every command runs in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::Utf8PathBuf;

use super::error::CliError;
use super::logging;
use super::stop::Stop;
use crate::view::Ui;

pub(super) struct App {
    pub(super) ui: Ui,
    /// Set when the user wants to stop.
    pub(super) stop: Arc<AtomicBool>,
    runtime: tokio::runtime::Runtime,
}

impl App {
    pub(super) fn start(
        verbosity: u8,
        log_file: Option<&Utf8PathBuf>,
        ui: Ui,
    ) -> Result<Self, CliError> {
        logging::start(
            verbosity,
            log_file.map(Utf8PathBuf::as_path),
            ui.log_writer(),
        )?;
        let runtime = tokio::runtime::Runtime::new().map_err(|cause| CliError::Machine {
            message: "cannot start".to_owned(),
            cause,
        })?;
        Ok(Self {
            ui,
            stop: Arc::new(AtomicBool::new(false)),
            runtime,
        })
    }

    /// From now on, Ctrl-C and the other termination signals no longer end the process at once. A command that never
    /// calls this dies of them, like any program that only reads files.
    pub(super) fn listen(&self) -> Result<Stop, CliError> {
        let _inside = self.runtime.enter();
        Stop::listen(Arc::clone(&self.stop))
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs a read-only operation. Ctrl-C ends it.
    pub(super) fn look<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CliError> {
        let stop = self.listen()?;
        self.runtime.block_on(stop.look(work))?.map_err(Into::into)
    }

    /// Runs an operation that changes hosts. Ctrl-C asks it to stop, and a second Ctrl-C abandons it.
    pub(super) fn change<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        told: impl Fn(),
    ) -> Result<T, CliError> {
        let stop = self.listen()?;
        self.runtime
            .block_on(stop.change(work, told))?
            .map_err(Into::into)
    }
}
