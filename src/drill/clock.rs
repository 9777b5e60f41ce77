//! One clock for all measurements: the operator's monotonic one. Times of hosts are converted by an estimate of their
//! clocks' offsets.

use std::time::{Duration, Instant, SystemTime};

/// The operator's clock. It is monotonic, and zero when started.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    /// Wall-clock time at zero, in seconds since the epoch.
    epoch: f64,
}

impl Clock {
    pub fn start() -> Self {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            started: Instant::now(),
            epoch: epoch.unwrap_or_default().as_secs_f64(),
        }
    }

    /// A point in time, relative to zero.
    pub fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.started)
    }

    /// Time since zero.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// One reading of a host's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockReading {
    /// When it was requested.
    pub asked: Duration,
    /// When the answer arrived.
    pub answered: Duration,
    /// The host's time, in seconds since the epoch.
    pub host: f64,
}

/// The relation of a host's clock to the operator's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostClock {
    /// The host's time at the operator's zero, in seconds since the epoch.
    zero: f64,
    /// Seconds that the host is ahead of the operator's wall clock.
    pub offset: f64,
    /// Bound of the estimate's error, in seconds: half of the fastest round trip.
    pub error: f64,
}

impl HostClock {
    /// The best estimate from several readings. `None` if there are none.
    pub fn estimate(clock: &Clock, readings: &[ClockReading]) -> Option<Self> {
        let trip = |reading: &ClockReading| reading.answered.saturating_sub(reading.asked);
        let best = readings.iter().min_by_key(|reading| trip(reading))?;
        let error = trip(best).as_secs_f64() / 2.0;
        // The host read its clock somewhere in between. The middle minimises the error.
        let zero = best.host - (best.asked.as_secs_f64() + error);
        Some(Self {
            zero,
            offset: zero - clock.epoch,
            error,
        })
    }

    /// A host's time on the operator's clock, in seconds since zero.
    pub fn to_operator(&self, host: f64) -> f64 {
        host - self.zero
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_round_trip_tells_best() {
        let clock = Clock::start();
        let millis = Duration::from_millis;
        let reading = |asked, answered, host| ClockReading {
            asked: millis(asked),
            answered: millis(answered),
            host: clock.epoch + host,
        };
        // A host that is 5 s ahead: requested at 100 ms, with a round trip of 4 ms.
        let readings = [reading(50, 90, 5.055), reading(100, 104, 5.102)];
        let host = HostClock::estimate(&clock, &readings).unwrap();
        assert!((host.offset - 5.0).abs() < 1e-5, "{host:?}");
        assert!((host.error - 0.002).abs() < 1e-9, "{host:?}");
        let at = host.to_operator(clock.epoch + 5.25);
        assert!((at - 0.25).abs() < 1e-5, "{at}");
        assert_eq!(HostClock::estimate(&clock, &[]), None);
    }
}
