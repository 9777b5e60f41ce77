//! Sets up tracing: to standard error with `-v`, and to a file.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::Instant;

use camino::Utf8Path;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::error::CliError;
use crate::view::LogWriter;

/// What is logged at each verbosity: hactl's actions, then their details, then its libraries too.
fn filter(verbosity: u8) -> Targets {
    match verbosity {
        0 => Targets::new(),
        1 => Targets::new().with_target("hactl", LevelFilter::DEBUG),
        2 => Targets::new().with_target("hactl", LevelFilter::TRACE),
        _ => Targets::new()
            .with_target("hactl", LevelFilter::TRACE)
            .with_default(LevelFilter::DEBUG),
    }
}

/// Seconds since hactl was started, which is what a user who waits for it wants to know.
struct SinceStart(Instant);

impl FormatTime for SinceStart {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:7.3}s", self.0.elapsed().as_secs_f64())
    }
}

/// Starts logging. `console` shares standard error with the view.
pub(super) fn start(
    verbosity: u8,
    file: Option<&Utf8Path>,
    console: LogWriter,
) -> Result<(), CliError> {
    let to_console = (verbosity > 0).then(|| {
        fmt::layer()
            .with_ansi(console.is_coloured())
            .with_target(verbosity > 2)
            .with_timer(SinceStart(Instant::now()))
            .with_writer(console)
            .with_filter(filter(verbosity))
    });
    let to_file = match file {
        None => None,
        Some(path) => {
            let file = File::options()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .map_err(|cause| CliError::Machine {
                    message: format!("cannot write the log file {path}"),
                    cause,
                })?;
            let layer = fmt::layer()
                .json()
                .with_writer(Arc::new(file))
                .with_filter(filter(3));
            Some(layer)
        }
    };
    // Only tests start logging twice in one process. The first subscriber stays.
    let _ = tracing_subscriber::registry()
        .with(to_console)
        .with(to_file)
        .try_init();
    Ok(())
}
