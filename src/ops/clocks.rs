//! Reads hosts' clocks.

use crate::agent::{Agent, AgentError, ClockAnswer};
use crate::drill::{Clock, ClockReading, HostClock};

/// Enough readings that one of them had a short round trip.
const READINGS: usize = 30;

/// The relation of a host's clock to `clock`. `None` if the host told no time.
pub(super) async fn read_clock(
    agent: &Agent,
    clock: &Clock,
) -> Result<Option<HostClock>, AgentError> {
    let answers = agent.clock(READINGS).await?;
    let reading = |answer: &ClockAnswer| ClockReading {
        asked: clock.at(answer.asked),
        answered: clock.at(answer.answered),
        host: answer.host,
    };
    let readings: Vec<ClockReading> = answers.iter().map(reading).collect();
    Ok(HostClock::estimate(clock, &readings))
}
