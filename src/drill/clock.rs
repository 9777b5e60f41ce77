//! One clock for everything that is measured: the operator's monotonic one. Hosts' clocks are brought
//! to it by an estimate of how far they are off.

use std::time::{Duration, Instant, SystemTime};

/// The operator's clock. Its zero is when it was started; nobody sets it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    /// Seconds since the epoch at its zero, by the clock on the wall.
    epoch: f64,
}

impl Clock {
    /// Starts it.
    pub fn start() -> Self {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            started: Instant::now(),
            epoch: epoch.unwrap_or_default().as_secs_f64(),
        }
    }

    /// A moment as the time since its zero.
    pub fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.started)
    }

    /// The time since its zero.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// One look at a host's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockReading {
    /// When it was asked for.
    pub asked: Duration,
    /// When the answer was there.
    pub answered: Duration,
    /// Seconds since the epoch, by the host.
    pub host: f64,
}

/// How a host's clock stands to the operator's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostClock {
    /// The host's seconds since the epoch at the zero of the operator's clock.
    zero: f64,
    /// Its seconds ahead of the operator's clock on the wall.
    pub offset: f64,
    /// The estimate is no further off than this, in seconds: half of the fastest round trip.
    pub error: f64,
}

impl HostClock {
    /// The best estimate from several readings; `None` from none.
    pub fn estimate(clock: &Clock, readings: &[ClockReading]) -> Option<Self> {
        let trip = |reading: &ClockReading| reading.answered.saturating_sub(reading.asked);
        let best = readings.iter().min_by_key(|reading| trip(reading))?;
        let error = trip(best).as_secs_f64() / 2.0;
        // The host looked at its clock at some time between; the middle is the least wrong.
        let zero = best.host - (best.asked.as_secs_f64() + error);
        Some(Self {
            zero,
            offset: zero - clock.epoch,
            error,
        })
    }

    /// A host's time on the operator's clock, in seconds since its zero.
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
        // A host that is 5 s ahead: asked at 100 ms, its answer took 4 ms.
        let readings = [reading(50, 90, 5.055), reading(100, 104, 5.102)];
        let host = HostClock::estimate(&clock, &readings).unwrap();
        assert!((host.offset - 5.0).abs() < 1e-5, "{host:?}");
        assert!((host.error - 0.002).abs() < 1e-9, "{host:?}");
        let at = host.to_operator(clock.epoch + 5.25);
        assert!((at - 0.25).abs() < 1e-5, "{at}");
        assert_eq!(HostClock::estimate(&clock, &[]), None);
    }
}
