//! Compares drills with earlier ones.
//!
//! The outages of one drill scatter, so a difference of two medians means little on its own. It counts if 95 of 100
//! resamplings of both sets of runs differ in the same direction (a bootstrap of the difference of medians), and by
//! more than two request intervals. Fewer than five runs on a side get no verdict.

use serde::Serialize;

use super::kind::Drill;
use super::record::{DrillReport, DrillRun};
use super::stats::{DrillStats, Spread, median_of_sorted};
use crate::model::NodeName;

/// How a drill's outage has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Shorter than before.
    Shorter,
    /// No difference beyond the scatter.
    Same,
    /// Longer than before.
    Longer,
    /// Too few runs for a verdict.
    TooFew,
}

/// One drill, compared with earlier runs.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DrillTrend {
    /// The drill.
    pub drill: Drill,
    /// Number of earlier runs.
    pub runs_then: usize,
    /// Number of current runs.
    pub runs_now: usize,
    /// Earlier outages, in milliseconds.
    pub then_ms: Spread,
    /// Current outages, in milliseconds.
    pub now_ms: Spread,
    /// The verdict.
    pub trend: Trend,
}

/// Two reports compared.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Comparison {
    /// When the earlier drills were started.
    pub since: String,
    /// Other differences between the reports, which may be the cause.
    pub differs: Vec<String>,
    /// Drills that are in both reports, in the order of the current one.
    pub drills: Vec<DrillTrend>,
    /// Drills that are only in the current report.
    pub only_now: Vec<Drill>,
}

impl Comparison {
    /// Compares `now` with `then`.
    pub fn of(then: &DrillReport, now: &DrillReport) -> Self {
        let resolution = then.probe_interval_ms.max(now.probe_interval_ms);
        let (mut drills, mut only_now) = (Vec::new(), Vec::new());
        for stats in DrillStats::of(now) {
            let before = outages(then, stats.drill);
            let after = outages(now, stats.drill);
            let Some(then_ms) = Spread::of(before.iter().copied()) else {
                only_now.push(stats.drill);
                continue;
            };
            drills.push(DrillTrend {
                drill: stats.drill,
                runs_then: before.len(),
                runs_now: after.len(),
                then_ms,
                now_ms: stats.outage_ms,
                trend: trend(&before, &after, resolution),
            });
        }
        Self {
            since: then.started.clone(),
            differs: differs(then, now),
            drills,
            only_now,
        }
    }
}

fn outages(report: &DrillReport, drill: Drill) -> Vec<f64> {
    let runs = report.runs.iter().filter(|run| run.drill == drill);
    runs.map(DrillRun::outage_ms).collect()
}

fn differs(then: &DrillReport, now: &DrillReport) -> Vec<String> {
    let mut differs = Vec::new();
    let mut say = |what: &str, then: String, now: String| {
        if then != now {
            differs.push(format!("{what}: {then} then, {now} now"));
        }
    };
    let list = |report: &DrillReport| {
        let names: Vec<&str> = report.nodes.iter().map(NodeName::as_str).collect();
        names.join(" ")
    };
    let interval = |milliseconds: f64| format!("{milliseconds} ms");
    say("cluster", then.cluster.clone(), now.cluster.clone());
    say("nodes", list(then), list(now));
    say("profile", then.profile.clone(), now.profile.clone());
    say(
        "advert interval",
        interval(then.advert_ms),
        interval(now.advert_ms),
    );
    say(
        "missed adverts before a takeover",
        then.down_timer_adverts.to_string(),
        now.down_timer_adverts.to_string(),
    );
    say(
        "a request every",
        interval(then.probe_interval_ms),
        interval(now.probe_interval_ms),
    );
    say("hactl", then.hactl.clone(), now.hactl.clone());
    differs
}

/// Number of resamplings of the two sets of runs.
const RESAMPLINGS: usize = 2000;

fn trend(then: &[f64], now: &[f64], resolution_ms: f64) -> Trend {
    if then.len().min(now.len()) < DrillStats::ENOUGH {
        return Trend::TooFew;
    }
    // A fixed seed: the same runs always get the same verdict.
    let mut dice = SplitMix64(0x9e37_79b9_7f4a_7c15);
    let mut differences: Vec<f64> = (0..RESAMPLINGS)
        .map(|_| dice.median(now) - dice.median(then))
        .collect();
    differences.sort_by(f64::total_cmp);
    let tail = RESAMPLINGS / 40;
    let (low, high) = (differences[tail], differences[RESAMPLINGS - 1 - tail]);
    let middle = differences[RESAMPLINGS / 2];
    // Each end of an outage is known to within one request.
    if low > 0.0 && middle > 2.0 * resolution_ms {
        Trend::Longer
    } else if high < 0.0 && middle < -2.0 * resolution_ms {
        Trend::Shorter
    } else {
        Trend::Same
    }
}

/// `SplitMix64`. The numbers need a good distribution and need not be unpredictable.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// The median of a bootstrap sample of `values`.
    fn median(&mut self, values: &[f64]) -> f64 {
        let count = values.len() as u64;
        let mut drawn: Vec<f64> = (0..count)
            // The remainder is less than the length.
            .map(|_| values[usize::try_from(self.next() % count).unwrap_or_default()])
            .collect();
        drawn.sort_by(f64::total_cmp);
        median_of_sorted(&drawn).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_difference_beyond_the_scatter_is_one_and_scatter_is_none() {
        let around = |middle: f64| [-9.0, -4.0, -1.0, 0.0, 2.0, 5.0, 8.0].map(|off| middle + off);
        assert_eq!(trend(&around(100.0), &around(101.0), 1.0), Trend::Same);
        assert_eq!(trend(&around(100.0), &around(150.0), 1.0), Trend::Longer);
        assert_eq!(trend(&around(150.0), &around(100.0), 1.0), Trend::Shorter);
        // A difference below two requests is within the resolution.
        assert_eq!(trend(&[10.0; 7], &[18.0; 7], 5.0), Trend::Same);
        assert_eq!(trend(&[10.0; 7], &[21.0; 7], 5.0), Trend::Longer);
        assert_eq!(trend(&[10.0; 4], &[900.0; 20], 5.0), Trend::TooFew);
    }

    /// Two samples of one distribution are rarely reported as different.
    #[test]
    fn chance_is_seldom_taken_for_a_trend() {
        let mut dice = SplitMix64(7);
        let mut draw = |count: usize| -> Vec<f64> {
            // Between 20 and 420, denser near 20.
            let one = |bits: u64| {
                20.0 + 400.0 * (f64::from(u16::try_from(bits % 1000).unwrap()) / 1000.0).powi(3)
            };
            (0..count).map(|_| one(dice.next())).collect()
        };
        let alarms = (0..50)
            .filter(|_| trend(&draw(20), &draw(20), 1.0) != Trend::Same)
            .count();
        assert!(alarms <= 6, "{alarms} of 50");
    }

    #[test]
    fn what_else_differs_is_said() {
        let then = samples::report();
        let mut now = then.clone();
        assert_eq!(Comparison::of(&then, &now).differs, Vec::<String>::new());
        now.profile = "wan".to_owned();
        now.advert_ms = 1000.0;
        assert_eq!(
            Comparison::of(&then, &now).differs,
            [
                "profile: fast then, wan now",
                "advert interval: 20 ms then, 1000 ms now"
            ]
        );
        let mut before = then;
        before.runs.clear();
        let comparison = Comparison::of(&before, &now);
        assert_eq!(comparison.drills, []);
        assert_eq!(comparison.only_now[0], now.runs[0].drill);
    }
}
