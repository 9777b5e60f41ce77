//! From probes to what a person wants to know.

use std::time::Duration;

use super::probe::Probe;

/// A stretch of time in which every request was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// When its first lost request was begun, since the first probe.
    pub at: Duration,
    /// From then to the beginning of the first request that was answered.
    pub length: Duration,
    /// Requests lost in it.
    pub lost: usize,
}

/// What users saw of a fault.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measurement {
    /// Requests in all.
    pub probes: usize,
    /// Every stretch in which they were lost, in order: one when the VIP leaves, say, and one when it
    /// comes back.
    pub gaps: Vec<Gap>,
    /// The service had come back by the end.
    pub recovered: bool,
    /// The slowest request that was answered.
    pub slowest: Duration,
}

impl Measurement {
    /// Requests that failed.
    pub fn lost(&self) -> usize {
        self.gaps.iter().map(|gap| gap.lost).sum()
    }

    /// The longest gap; `None` when no request was lost.
    pub fn outage(&self) -> Option<Duration> {
        self.gaps.iter().map(|gap| gap.length).max()
    }
}

/// Judges `probes`, which are in the order of their beginning.
pub fn measure(probes: &[Probe]) -> Measurement {
    let mut gaps = Vec::new();
    let mut rest = probes;
    while let Some(first) = rest.iter().position(|probe| !probe.ok) {
        let lost = rest[first..].iter().take_while(|probe| !probe.ok).count();
        let after = &rest[first + lost..];
        let last = &rest[first + lost - 1];
        // A gap that is still open lasts as long as its last request was waited for.
        let end = after.first().map_or(last.at + last.took, |probe| probe.at);
        let at = rest[first].at;
        gaps.push(Gap {
            at,
            length: end.saturating_sub(at),
            lost,
        });
        rest = after;
    }
    Measurement {
        probes: probes.len(),
        gaps,
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
        let mut at = Duration::ZERO;
        let probe = |mark| {
            at += Duration::from_millis(5);
            Probe {
                at,
                took: Duration::from_millis(1),
                ok: mark == '.',
            }
        };
        pattern.chars().map(probe).collect()
    }

    #[test]
    fn a_gap_is_from_its_first_lost_request_to_the_next_good_one() {
        let millis = Duration::from_millis;
        assert_eq!(measure(&probes("......")).outage(), None);
        let one = measure(&probes("..xxx..."));
        assert_eq!((one.lost(), one.outage()), (3, Some(millis(15))));
        let two = measure(&probes("..xx....x.."));
        assert_eq!(
            (two.lost(), two.outage(), two.gaps.len()),
            (3, Some(millis(10)), 2)
        );
        assert_eq!(two.gaps[1].at, millis(45));
        let open = measure(&probes("..xx"));
        assert!(!open.recovered);
        assert_eq!(open.outage(), Some(millis(6)));
        assert_eq!(measure(&[]).gaps, []);
    }
}
