//! From probes to what a person wants to know.

use std::time::Duration;

use super::probe::Probe;

/// What users saw of a fault.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Measurement {
    /// Requests in all.
    pub probes: usize,
    /// Requests that failed.
    pub lost: usize,
    /// From the beginning of the first lost request to the beginning of the first after it that was
    /// answered; `None` when none was lost.
    pub outage: Option<Duration>,
    /// The service had come back by the end.
    pub recovered: bool,
    /// The slowest request that was answered.
    pub slowest: Duration,
}

/// Judges `probes`, which are in the order of their beginning.
pub fn measure(probes: &[Probe]) -> Measurement {
    let first_lost = probes.iter().position(|probe| !probe.ok);
    let last_lost = probes.iter().rposition(|probe| !probe.ok);
    let outage = first_lost.zip(last_lost).map(|(first, last)| {
        // Several short gaps count as one long one: a user who tries twice meets both.
        let end = probes
            .get(last + 1)
            .map_or(probes[last].at + probes[last].took, |probe| probe.at);
        end.saturating_sub(probes[first].at)
    });
    Measurement {
        probes: probes.len(),
        lost: probes.iter().filter(|probe| !probe.ok).count(),
        outage,
        recovered: probes.last().is_some_and(|probe| probe.ok),
        slowest: probes
            .iter()
            .filter(|probe| probe.ok)
            .map(|probe| probe.took)
            .max()
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(pattern: &str) -> Vec<Probe> {
        let probe = |(index, mark): (usize, char)| Probe {
            at: Duration::from_millis(5 * index as u64),
            took: Duration::from_millis(1),
            ok: mark == '.',
        };
        pattern.chars().enumerate().map(probe).collect()
    }

    #[test]
    fn an_outage_is_from_the_first_lost_to_the_first_good_after_the_last_lost() {
        assert_eq!(measure(&probes("......")).outage, None);
        let one = measure(&probes("..xxx..."));
        assert_eq!((one.lost, one.outage), (3, Some(Duration::from_millis(15))));
        let two = measure(&probes("..x.x.."));
        assert_eq!((two.lost, two.outage), (2, Some(Duration::from_millis(15))));
        assert!(!measure(&probes("..xx")).recovered);
    }
}
