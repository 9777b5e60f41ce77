//! Overview chart of all drills: measured outages, predicted ranges and budgets.

use crate::drill::DrillStats;

use super::markup::{Element, el};
use super::words;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 180.0;
const RIGHT: f64 = 40.0;
const ROW: f64 = 40.0;
const TOP: f64 = 16.0;

/// Shorter times are drawn at the left end of the scale.
const LEAST_MS: f64 = 1.0;

/// One row per drill, on a logarithmic scale.
pub(super) fn glance(all: &[DrillStats]) -> Element {
    let largest = all.iter().flat_map(|stats| {
        let predicted = stats.predicted.map(|range| range.latest_ms);
        [Some(stats.outage_ms.worst), predicted, stats.budget_ms]
    });
    let largest = largest.flatten().fold(10.0, f64::max);
    let decades = largest.log10().ceil();
    let x = |time: f64| {
        let share = time.max(LEAST_MS).log10() / decades;
        LEFT + share.min(1.0) * (WIDTH - LEFT - RIGHT)
    };
    let rows = u32::try_from(all.len()).unwrap_or_default();
    let bottom = TOP + ROW * f64::from(rows);
    let mut svg = el("svg")
        .attr("viewBox", format!("0 0 {WIDTH} {}", bottom + 34.0))
        .attr("role", "img")
        .attr("aria-labelledby", "glance-title glance-desc")
        .child(el("title").attr("id", "glance-title").text("How long users were cut off"))
        .child(el("desc").attr("id", "glance-desc").text(
            "One row a drill: a line from the best to the worst run, a dot at the median, a box for \
             what was predicted, a mark for the budget. The table has the same figures.",
        ));
    let mut tick = LEAST_MS;
    while tick <= 10_f64.powf(decades) * 1.001 {
        let at = x(tick);
        svg = svg.child(vertical("grid", at, TOP, bottom)).child(
            text("tick", at, bottom + 22.0, &words::exactly(tick)).attr("text-anchor", "middle"),
        );
        tick *= 10.0;
    }
    let mut top = TOP;
    for stats in all {
        svg = svg.children(row(stats, top, x));
        top += ROW;
    }
    svg
}

fn row(stats: &DrillStats, top: f64, x: impl Fn(f64) -> f64) -> Vec<Element> {
    let middle = top + ROW / 2.0;
    let mut drawn = vec![text("label", 4.0, middle + 5.0, stats.drill.spec().name)];
    if let Some(range) = stats.predicted {
        let (from, to) = (x(range.earliest_ms), x(range.latest_ms));
        drawn.push(
            el("rect")
                .class("predicted")
                .attr("x", format!("{from:.1}"))
                .attr("y", format!("{:.1}", middle - 12.0))
                .attr("width", format!("{:.1}", (to - from).max(3.0)))
                .attr("height", 24),
        );
    }
    let spread = stats.outage_ms;
    let (best, worst) = (x(spread.best), x(spread.worst));
    drawn.push(
        el("line")
            .class("measured")
            .attr("x1", format!("{best:.1}"))
            .attr("y1", format!("{middle:.1}"))
            .attr("x2", format!("{worst:.1}"))
            .attr("y2", format!("{middle:.1}")),
    );
    drawn.push(
        el("circle")
            .class("median")
            .attr("cx", format!("{:.1}", x(spread.median)))
            .attr("cy", format!("{middle:.1}"))
            .attr("r", 8),
    );
    if spread.worst <= 0.0 {
        drawn.push(text("tick", worst + 14.0, middle + 5.0, "none lost"));
    }
    if let Some(budget) = stats.budget_ms {
        drawn.push(vertical("budget", x(budget), middle - 15.0, middle + 15.0));
    }
    drawn
}

fn vertical(class: &'static str, x: f64, from: f64, to: f64) -> Element {
    el("line")
        .class(class)
        .attr("x1", format!("{x:.1}"))
        .attr("y1", format!("{from:.1}"))
        .attr("x2", format!("{x:.1}"))
        .attr("y2", format!("{to:.1}"))
}

fn text(class: &'static str, x: f64, y: f64, text: &str) -> Element {
    el("text")
        .class(class)
        .attr("x", format!("{x:.1}"))
        .attr("y", format!("{y:.1}"))
        .text(text)
}
