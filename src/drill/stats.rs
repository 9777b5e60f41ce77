//! Statistics over several runs of a drill.

use serde::Serialize;

use super::kind::Drill;
use super::record::{DrillReport, DrillRun, Phases, Predicted};

/// Median, best and worst of several values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub best: f64,
    /// The largest.
    pub worst: f64,
}

impl Spread {
    /// `None` if there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: median_of_sorted(&values)?,
            best: *values.first()?,
            worst: *values.last()?,
        })
    }
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median_of_sorted(values: &[f64]) -> Option<f64> {
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(upper, values[values.len() / 2 - 1]))
}

/// The verdict on a drill, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No violation, within the budget, and the service came back.
    Passed,
    /// Users were cut off for longer than the budget.
    OverBudget,
    /// An invariant was violated.
    Violated,
    /// The service was still down when the watch ended.
    NotRecovered,
}

impl DrillRun {
    /// The longest period in which every request was lost, in milliseconds. 0 if none was lost.
    pub fn outage_ms(&self) -> f64 {
        self.new.outage_ms().unwrap_or_default()
    }

    pub fn verdict(&self) -> Verdict {
        if !self.new.recovered {
            Verdict::NotRecovered
        } else if !self.violations.is_empty() {
            Verdict::Violated
        } else if self
            .budget_ms
            .is_some_and(|budget| self.outage_ms() > budget)
        {
            Verdict::OverBudget
        } else {
            Verdict::Passed
        }
    }
}

impl DrillReport {
    /// The verdict of the worst run. `Passed` if there are none.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.runs.iter().map(DrillRun::verdict);
        verdicts.max().unwrap_or(Verdict::Passed)
    }
}

/// A bucket of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Bucket {
    /// Lower bound in milliseconds, inclusive.
    pub from_ms: f64,
    /// Upper bound in milliseconds, exclusive. `None` for the last bucket.
    pub to_ms: Option<f64>,
    /// Number of runs.
    pub runs: usize,
}

/// The measured outage compared with the predicted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PredictionResult {
    /// All runs were within the prediction.
    Within,
    /// No run took longer, and some were shorter.
    Sooner,
    /// Some runs took longer.
    Later,
}

/// Requests to another path than the one by which a drill is judged.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BesideStats {
    /// The path of the first run.
    pub path: String,
    /// Outages of its users, in milliseconds.
    pub outage_ms: Spread,
    /// Requests lost per run.
    pub lost: Spread,
}

impl BesideStats {
    fn of(runs: &[&DrillRun]) -> Option<Self> {
        let all = || runs.iter().filter_map(|run| run.beside.as_ref());
        let outages = all().map(|beside| beside.requests.outage_ms().unwrap_or_default());
        Some(Self {
            path: all().next()?.path.clone(),
            outage_ms: Spread::of(outages)?,
            lost: Spread::of(all().map(|beside| whole(beside.requests.lost)))?,
        })
    }
}

/// Statistics of all runs of one drill.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DrillStats {
    /// The drill.
    pub drill: Drill,
    /// Number of runs.
    pub runs: usize,
    /// Number of runs in which the service came back.
    pub recovered: usize,
    /// Outages, in milliseconds. A run without a lost request counts as 0.
    pub outage_ms: Spread,
    /// Requests lost per run.
    pub lost: Spread,
    /// Number of requests in all runs.
    pub requests: usize,
    /// Number of runs in which no request was lost.
    pub clean: usize,
    /// The same for requests to a second path, if there were any.
    pub beside: Option<BesideStats>,
    /// Number of persistent connections in all runs.
    pub held: usize,
    /// Number of those that broke.
    pub held_broken: usize,
    /// Number of downloads in progress in all runs.
    pub downloads: usize,
    /// Number of those that did not complete.
    pub downloads_broken: usize,
    /// Medians of the phases, over runs in which the VIP moved.
    pub phases: Option<Phases>,
    /// Time from the end of the fault until the VIP is on its final owner, in milliseconds.
    pub back_ms: Option<Spread>,
    /// The predicted outage, over all runs.
    pub predicted: Option<Predicted>,
    /// The measured outage compared with the prediction.
    pub against: Option<PredictionResult>,
    /// The tightest budget, in milliseconds.
    pub budget_ms: Option<f64>,
    /// Number of violations in all runs.
    pub violations: usize,
    /// Verdict of the worst run.
    pub verdict: Verdict,
    /// Histogram of the outages. Empty for fewer than [`DrillStats::ENOUGH`] runs.
    pub histogram: Vec<Bucket>,
}

impl DrillStats {
    /// Minimum number of runs for a meaningful distribution.
    pub const ENOUGH: usize = 5;

    /// One for each drill of `report`, in the order of their first runs.
    pub fn of(report: &DrillReport) -> Vec<Self> {
        let mut drills: Vec<Drill> = Vec::new();
        for run in &report.runs {
            if !drills.contains(&run.drill) {
                drills.push(run.drill);
            }
        }
        let runs = |drill| report.runs.iter().filter(move |run| run.drill == drill);
        drills
            .into_iter()
            .filter_map(|drill| Self::of_runs(drill, &runs(drill).collect::<Vec<_>>(), report))
            .collect()
    }

    fn of_runs(drill: Drill, runs: &[&DrillRun], report: &DrillReport) -> Option<Self> {
        let outages: Vec<f64> = runs.iter().map(|run| run.outage_ms()).collect();
        let outage_ms = Spread::of(outages.iter().copied())?;
        let predicted = predicted(runs);
        let sum = |count: fn(&DrillRun) -> usize| runs.iter().map(|run| count(run)).sum();
        Some(Self {
            drill,
            runs: runs.len(),
            recovered: runs.iter().filter(|run| run.new.recovered).count(),
            outage_ms,
            lost: Spread::of(runs.iter().map(|run| whole(run.new.lost)))?,
            requests: sum(|run| run.new.count),
            clean: runs.iter().filter(|run| run.new.lost == 0).count(),
            beside: BesideStats::of(runs),
            held: sum(|run| run.held.connections),
            held_broken: sum(|run| run.held.broken),
            downloads: sum(|run| run.downloads.map_or(0, |all| all.under_way)),
            downloads_broken: sum(|run| run.downloads.map_or(0, |all| all.broken)),
            phases: phases(runs),
            back_ms: Spread::of(runs.iter().filter_map(|run| run.back_ms)),
            predicted,
            against: predicted
                .map(|predicted| against(predicted, outage_ms, report.probe_interval_ms)),
            budget_ms: runs.iter().filter_map(|run| run.budget_ms).reduce(f64::min),
            violations: sum(|run| run.violations.len()),
            verdict: runs.iter().map(|run| run.verdict()).max()?,
            histogram: if outages.len() < Self::ENOUGH {
                Vec::new()
            } else {
                histogram(&outages)
            },
        })
    }
}

/// A drill's counts are far below the limit of exact floats.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn whole(count: usize) -> f64 {
    count as f64
}

fn phases(runs: &[&DrillRun]) -> Option<Phases> {
    let median = |phase: fn(&Phases) -> f64| {
        Spread::of(runs.iter().filter_map(|run| run.phases.as_ref().map(phase)))
            .map(|spread| spread.median)
    };
    Some(Phases {
        detection_ms: median(|phases| phases.detection_ms)?,
        election_ms: median(|phases| phases.election_ms)?,
        announcement_ms: median(|phases| phases.announcement_ms)?,
    })
}

fn predicted(runs: &[&DrillRun]) -> Option<Predicted> {
    let all = || runs.iter().filter_map(|run| run.predicted);
    Some(Predicted {
        earliest_ms: all().map(|one| one.earliest_ms).reduce(f64::min)?,
        latest_ms: all().map(|one| one.latest_ms).reduce(f64::max)?,
    })
}

/// The predictions cover timers only. This is what daemons, kernels and ARP caches add on a machine that is not
/// overloaded, in milliseconds.
pub const MEASUREMENT_OVERHEAD_MS: f64 = 30.0;

/// A measured outage runs from one request to another, so it can be off by one interval either way.
fn against(predicted: Predicted, measured: Spread, interval_ms: f64) -> PredictionResult {
    if measured.worst > predicted.latest_ms + MEASUREMENT_OVERHEAD_MS + interval_ms {
        PredictionResult::Later
    } else if measured.best < predicted.earliest_ms - interval_ms {
        PredictionResult::Sooner
    } else {
        PredictionResult::Within
    }
}

/// Lower bounds of the buckets, in milliseconds. The first bucket is for no loss at all.
const SCALE: [f64; 14] = [
    0.0, 1e-9, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0,
    20_000.0,
];

/// The buckets from the first with a run to the last.
fn histogram(outages: &[f64]) -> Vec<Bucket> {
    let bucket = |index: usize| {
        let (from_ms, to_ms) = (SCALE[index], SCALE.get(index + 1).copied());
        let is_in = |outage: &&f64| **outage >= from_ms && to_ms.is_none_or(|to| **outage < to);
        Bucket {
            from_ms: from_ms.round(),
            to_ms: to_ms.map(f64::round),
            runs: outages.iter().filter(is_in).count(),
        }
    };
    let all: Vec<Bucket> = (0..SCALE.len()).map(bucket).collect();
    let has_runs = |bucket: &Bucket| bucket.runs > 0;
    let first = all.iter().position(has_runs).unwrap_or(0);
    let last = all.iter().rposition(has_runs).map_or(0, |last| last + 1);
    all[first..last.max(first)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[]), None);
        let of = |median, best, worst| {
            Some(Spread {
                median,
                best,
                worst,
            })
        };
        assert_eq!(spread(&[3.0]), of(3.0, 3.0, 3.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0]), of(4.0, 1.0, 9.0));
        assert_eq!(spread(&[9.0, 1.0, 4.0, 5.0]), of(4.5, 1.0, 9.0));
        assert_eq!(spread(&[f64::NAN, 2.0]), of(2.0, 2.0, 2.0));
    }

    #[test]
    fn buckets_hold_every_run_once() {
        let buckets = histogram(&[0.0, 0.0, 4.9, 5.0, 12.0, 60_000.0]);
        let counts: Vec<_> = buckets.iter().map(|bucket| bucket.runs).collect();
        assert_eq!(counts.iter().sum::<usize>(), 6);
        assert_eq!(&counts[..4], [2, 1, 1, 1]);
        let ends: Vec<_> = buckets.iter().map(|one| (one.from_ms, one.to_ms)).collect();
        assert_eq!(ends[0], (0.0, Some(0.0)), "no loss at all");
        assert_eq!(ends[1], (0.0, Some(5.0)));
        assert_eq!(ends.last(), Some(&(20_000.0, None)));
    }

    #[test]
    fn the_worst_run_is_the_drills_verdict() {
        let mut report = samples::report();
        let stats = DrillStats::of(&report);
        assert_eq!(stats[0].verdict, Verdict::Passed);
        assert_eq!(
            report.verdict(),
            DrillStats::of(&report)
                .iter()
                .map(|one| one.verdict)
                .max()
                .unwrap()
        );
        report.runs[2].budget_ms = Some(report.runs[2].outage_ms() - 1.0);
        assert_eq!(DrillStats::of(&report)[0].verdict, Verdict::OverBudget);
        report.runs[1].new.recovered = false;
        assert_eq!(DrillStats::of(&report)[0].verdict, Verdict::NotRecovered);
        report.runs.clear();
        assert_eq!(report.verdict(), Verdict::Passed);
    }

    #[test]
    fn what_is_predicted_is_held_against_what_was_measured_within_one_request() {
        let predicted = Predicted {
            earliest_ms: 10.0,
            latest_ms: 60.0,
        };
        let against = |best, worst| {
            let measured = Spread {
                median: 20.0,
                best,
                worst,
            };
            against(predicted, measured, 5.0)
        };
        assert_eq!(against(5.0, 95.0), PredictionResult::Within);
        assert_eq!(against(4.9, 95.0), PredictionResult::Sooner);
        assert_eq!(against(0.0, 95.1), PredictionResult::Later);
    }

    #[test]
    fn sample_as_numbers() {
        insta::assert_json_snapshot!(DrillStats::of(&samples::report()));
    }
}
