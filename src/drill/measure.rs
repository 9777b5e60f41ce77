//! Condenses probes and downloads into what is recorded.

use std::time::Duration;

use super::download::Download;
use super::probe::Probe;
use super::record::{Downloads, LostStretch, Millis, Requests};

/// A time on the operator's clock in milliseconds since the fault, which was at `fault`.
fn since(fault: Duration, at: Duration) -> Millis {
    (at.as_secs_f64() - fault.as_secs_f64()) * 1000.0
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Evaluates `probes`, which are ordered by their start. The fault was at `fault`.
pub fn requests(probes: &[Probe], fault: Duration) -> Requests {
    let mut gaps = Vec::new();
    let mut rest = probes;
    while let Some(first) = rest.iter().position(|probe| !probe.ok) {
        let lost = rest[first..].iter().take_while(|probe| !probe.ok).count();
        let after = &rest[first + lost..];
        let last = &rest[first + lost - 1];
        // A gap that is still open lasts until its last request was given up.
        let end = after.first().map_or(last.at + last.took, |probe| probe.at);
        let at = rest[first].at;
        gaps.push(LostStretch {
            at_ms: since(fault, at),
            length_ms: millis(end.saturating_sub(at)),
            lost,
        });
        rest = after;
    }
    let mut took: Vec<Duration> = probes
        .iter()
        .filter(|probe| probe.ok)
        .map(|probe| probe.took)
        .collect();
    took.sort_unstable();
    let at = |index: usize| took.get(index).copied().map_or(0.0, millis);
    Requests {
        count: probes.len(),
        lost: gaps.iter().map(|gap| gap.lost).sum(),
        gaps,
        recovered: probes.last().is_some_and(|probe| probe.ok),
        median_ms: at(took.len() / 2),
        slowest_ms: at(took.len().saturating_sub(1)),
    }
}

/// Counts the downloads that were in progress at the fault. `None` if there were none.
pub fn downloads(all: &[Download], fault: Duration) -> Option<Downloads> {
    let under_way: Vec<_> = all
        .iter()
        .filter(|download| download.began <= fault && download.ended > fault)
        .collect();
    (!under_way.is_empty()).then(|| Downloads {
        under_way: under_way.len(),
        broken: under_way.iter().filter(|download| !download.whole).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pattern: &str) -> Requests {
        let mut at = Duration::ZERO;
        let probe = |mark| {
            at += Duration::from_millis(5);
            Probe {
                at,
                took: Duration::from_millis(1),
                ok: mark == '.',
            }
        };
        let probes: Vec<Probe> = pattern.chars().map(probe).collect();
        requests(&probes, Duration::from_millis(10))
    }

    /// Start, length and number of lost requests of each gap: milliseconds, rounded.
    #[expect(clippy::cast_possible_truncation, reason = "these are small")]
    fn gaps(pattern: &str) -> Vec<(i64, i64, usize)> {
        let whole = |millis: f64| millis.round() as i64;
        let gaps = judged(pattern).gaps.into_iter();
        gaps.map(|gap| (whole(gap.at_ms), whole(gap.length_ms), gap.lost))
            .collect()
    }

    #[test]
    fn a_gap_is_from_its_first_lost_request_to_the_next_good_one() {
        assert_eq!(gaps("......"), []);
        assert_eq!(gaps("..xxx..."), [(5, 15, 3)]);
        assert_eq!(gaps("..xx....x.."), [(5, 10, 2), (35, 5, 1)]);
        assert_eq!(gaps("..xx"), [(5, 6, 2)]);
        assert_eq!(gaps("x..."), [(-5, 5, 1)]);
        assert_eq!(gaps(""), []);
        let open = judged("..xx");
        assert!(!open.recovered);
        assert_eq!((open.count, open.lost), (4, 2));
        assert!(judged("..xxx...").recovered);
    }

    #[test]
    fn only_downloads_that_the_fault_met_count() {
        let download = |began, ended, whole| Download {
            began: Duration::from_secs(began),
            ended: Duration::from_secs(ended),
            whole,
        };
        let all = [
            download(0, 3, true),
            download(0, 9, true),
            download(0, 6, false),
            download(6, 9, true),
        ];
        let met = downloads(&all, Duration::from_secs(5)).unwrap();
        assert_eq!((met.under_way, met.broken), (2, 1));
        assert_eq!(downloads(&all[..1], Duration::from_secs(5)), None);
    }
}
