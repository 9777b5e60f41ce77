//! One run as a drawing: a lane per node, the requests that clients lost, and the events.

use crate::drill::{DrillEventKind, DrillReport, DrillRun, Span};
use crate::model::NodeName;

use super::markup::{Element, el};
use super::words;

/// Dimensions in SVG user units. One unit is at least a pixel on screen.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const USERS: f64 = 40.0;
const PHASES: f64 = 34.0;
const LANE: f64 = 78.0;
const BAR: f64 = 26.0;
const AXIS: f64 = 34.0;
/// Upper bound for the width of a character.
const LETTER: f64 = 9.0;

/// The part of a run that is drawn, in milliseconds since the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    from: f64,
    to: f64,
}

impl View {
    pub(super) fn whole(run: &DrillRun) -> Self {
        Self {
            from: run.begin_ms,
            to: run.end_ms.max(run.begin_ms + 1.0),
        }
    }

    /// A close-up from the fault to the recovery. `None` unless the run is much longer than that.
    pub(super) fn close(run: &DrillRun) -> Option<Self> {
        let taken = run.timeline.iter().find(|event| {
            event.at_ms > 0.0
                && event.what == DrillEventKind::Owns
                && event.node.as_ref() != Some(&run.from)
        });
        let back = run.new.gaps.first().map(|gap| gap.at_ms + gap.length_ms);
        let phases = run
            .phases
            .map(|all| all.detection_ms + all.election_ms + all.announcement_ms);
        let ends = taken
            .map(|event| event.at_ms)
            .into_iter()
            .chain(back)
            .chain(phases);
        let end = ends.reduce(f64::max)?.max(10.0) * 1.25;
        (end < (run.end_ms - run.begin_ms) / 3.0).then_some(Self {
            from: -0.15 * end,
            to: end,
        })
    }

    fn x(self, at: f64) -> f64 {
        let share = (at.clamp(self.from, self.to) - self.from) / (self.to - self.from);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn shows(self, at: f64) -> bool {
        (self.from..=self.to).contains(&at)
    }

    /// Round times for the axis, five to ten of them.
    fn ticks(self) -> Vec<f64> {
        let rough = (self.to - self.from) / 8.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let mut tick = (self.from / step).ceil() * step;
        let mut ticks = Vec::new();
        while tick <= self.to && ticks.len() < 20 {
            // Adding zero turns -0.0 into 0.0.
            ticks.push(tick + 0.0);
            tick += step;
        }
        ticks
    }
}

/// The lanes, from top to bottom.
struct Layout<'a> {
    report: &'a DrillReport,
    run: &'a DrillRun,
    view: View,
}

/// `id` makes the ids of the elements unique on the page.
pub(super) fn timeline(report: &DrillReport, run: &DrillRun, view: View, id: &str) -> Element {
    let layout = Layout { report, run, view };
    let height = layout.bottom() + AXIS;
    let (title, desc) = (format!("{id}-title"), format!("{id}-desc"));
    let svg = el("svg")
        .class("timeline")
        .attr("viewBox", format!("0 0 {WIDTH} {height}"))
        .attr("role", "img")
        .attr("aria-labelledby", format!("{title} {desc}"))
        .child(el("title").attr("id", title).text(format!(
            "{} on {}, run {}: {} to {}",
            run.drill.spec().name,
            run.node,
            run.repeat,
            words::exactly(view.from.round()),
            words::exactly(view.to.round())
        )))
        .child(el("desc").attr("id", desc).text(described(run)))
        .children(layout.axis())
        .children(layout.users())
        .children(layout.phases());
    let nodes = (0..report.nodes.len()).map(|index| layout.lane(index));
    svg.children(nodes)
        .children(layout.takeovers())
        .children(layout.marks())
}

/// Text alternative to the drawing.
fn described(run: &DrillRun) -> String {
    let lost = match run.new.lost {
        0 => "No request was lost".to_owned(),
        lost => format!(
            "{lost} requests were lost, users were cut off for {}",
            words::milliseconds(run.outage_ms())
        ),
    };
    format!("{}. {lost}.", words::way(run))
}

impl Layout<'_> {
    fn has_phases(&self) -> bool {
        // In a wide view they would be a hairline.
        let all = |run: &DrillRun| {
            run.phases
                .map(|all| all.detection_ms + all.election_ms + all.announcement_ms)
        };
        all(self.run).is_some_and(|all| self.view.x(all) - self.view.x(0.0) > 40.0)
    }

    /// Where the nodes' lanes begin.
    fn nodes_top(&self) -> f64 {
        TOP + USERS + if self.has_phases() { PHASES } else { 0.0 }
    }

    fn lane_top(&self, index: usize) -> f64 {
        let index = u32::try_from(index).unwrap_or_default();
        self.nodes_top() + LANE * f64::from(index)
    }

    fn bottom(&self) -> f64 {
        self.lane_top(self.report.nodes.len())
    }

    fn axis(&self) -> Vec<Element> {
        let bottom = self.bottom();
        let tick = |at: f64| {
            let x = self.view.x(at);
            [
                line("grid", (x, TOP), (x, bottom)),
                text(
                    "tick",
                    x.min(WIDTH - 34.0),
                    bottom + 22.0,
                    words::exactly(at),
                )
                .attr("text-anchor", "middle"),
            ]
        };
        self.view.ticks().into_iter().flat_map(tick).collect()
    }

    fn users(&self) -> Vec<Element> {
        let mut drawn = vec![text("label", 4.0, TOP + 25.0, "users")];
        let (left, right) = (self.view.x(self.view.from), self.view.x(self.view.to));
        drawn.push(rect("served", left, TOP + 7.0, right - left, BAR));
        for gap in &self.run.new.gaps {
            let span = (gap.at_ms, gap.at_ms + gap.length_ms);
            let Some((x, width)) = self.place(span) else {
                continue;
            };
            let told = format!(
                "{} lost for {}",
                gap.lost,
                words::milliseconds(gap.length_ms)
            );
            drawn.push(rect("lost", x, TOP + 7.0, width, BAR).child(el("title").text(&told)));
            drawn.extend(bars_across(x, width, TOP + 7.0));
            let fits = [told, format!("{} lost", gap.lost)]
                .into_iter()
                .find(|text| letters(text) + 8.0 < width);
            drawn.extend(fits.map(|fits| text("on-lost", x + 4.0, TOP + 26.0, fits)));
        }
        drawn
    }

    fn phases(&self) -> Vec<Element> {
        let (Some(phases), true) = (self.run.phases, self.has_phases()) else {
            return Vec::new();
        };
        let top = TOP + USERS;
        let mut drawn = vec![text("label", 4.0, top + 20.0, "phases")];
        let mut from = 0.0;
        for (name, length) in [
            ("detection", phases.detection_ms),
            ("election", phases.election_ms),
            ("announcement", phases.announcement_ms),
        ] {
            let Some((x, width)) = self.place((from, from + length)) else {
                from += length;
                continue;
            };
            let told = format!("{name} {}", words::milliseconds(length));
            drawn
                .push(rect("phase", x, top + 4.0, width, BAR - 4.0).child(el("title").text(&told)));
            let fits = [told, name.to_owned()];
            let fits = fits.into_iter().find(|text| letters(text) + 6.0 < width);
            drawn.extend(fits.map(|fits| text("on-phase", x + 4.0, top + 20.0, fits)));
            from += length;
        }
        drawn
    }

    fn lane(&self, index: usize) -> Element {
        let node = &self.report.nodes[index];
        let top = self.lane_top(index);
        let spans = self.run.spans(node);
        let mut lane = el("g")
            .child(line("between", (0.0, top), (WIDTH, top)))
            .child(text("label", 4.0, top + 24.0, short(node)).child(el("title").text(node)));
        for (class, name, spans) in [
            ("owns", "VIP", &spans.owns),
            ("silent", "nginx silent", &spans.silent),
            ("cut", "cut off", &spans.cut),
        ] {
            for (x, width) in spans.iter().filter_map(|span| self.place(*span)) {
                // Outages go below the VIP's bar, so that both are visible.
                let (y, height) = match class {
                    "owns" => (top + 6.0, BAR),
                    "silent" => (top + 35.0, 17.0),
                    _ => (top + 38.0, 17.0),
                };
                lane = lane.child(rect(class, x, y, width, height).child(el("title").text(name)));
                if letters(name) + 8.0 < width {
                    let (class, y) = match class {
                        "owns" => ("on-owns", top + 25.0),
                        _ => ("on-trouble", y + 14.0),
                    };
                    lane = lane.child(text(class, x + 5.0, y, name));
                }
            }
        }
        lane.children(self.states(node, top))
    }

    /// keepalived's state changes, labelled where there is room.
    fn states(&self, node: &NodeName, top: f64) -> Vec<Element> {
        let mut drawn = Vec::new();
        let mut free = LEFT;
        for event in &self.run.timeline {
            let DrillEventKind::State { state } = &event.what else {
                continue;
            };
            if event.node.as_ref() != Some(node) || !self.view.shows(event.at_ms) {
                continue;
            }
            let x = self.view.x(event.at_ms);
            drawn.push(line("state", (x, top + 54.0), (x, top + 72.0)).child(
                el("title").text(format!("{state} at {}", words::milliseconds(event.at_ms))),
            ));
            if x >= free && x + letters(state) < WIDTH {
                drawn.push(text("state-name", x + 4.0, top + 69.0, state));
                free = x + letters(state) + 8.0;
            }
        }
        drawn
    }

    /// An arrow from each old owner of the VIP to the new one.
    fn takeovers(&self) -> Vec<Element> {
        let index = |node: &NodeName| self.report.nodes.iter().position(|own| own == node);
        let mut owner = index(&self.run.from);
        let mut drawn = Vec::new();
        for event in &self.run.timeline {
            let taker = event.node.as_ref().and_then(index);
            if event.what != DrillEventKind::Owns || taker == owner || taker.is_none() {
                continue;
            }
            if let (Some(from), Some(to), true) = (owner, taker, self.view.shows(event.at_ms)) {
                let x = self.view.x(event.at_ms);
                let (start, end) = (self.lane_top(from), self.lane_top(to));
                let (start, end, back) = if from < to {
                    (start + 6.0 + BAR, end + 6.0, -7.0)
                } else {
                    (start + 6.0, end + 6.0 + BAR, 7.0)
                };
                drawn.push(line("takeover", (x, start), (x, end)));
                let tip = format!("M{x:.1} {end:.1} l-5 {back} h10 z");
                drawn.push(el("path").class("tip").attr("d", tip));
            }
            owner = taker;
        }
        drawn
    }

    /// The injection and the end of the fault.
    fn marks(&self) -> Vec<Element> {
        let mut drawn = Vec::new();
        let mut free = 0.0;
        for event in &self.run.timeline {
            let (class, name, sign) = match event.what {
                DrillEventKind::Fault { .. } => ("fault", "fault", "▼"),
                DrillEventKind::Healed => ("healed", "healed", "▲"),
                _ => continue,
            };
            if !self.view.shows(event.at_ms) {
                continue;
            }
            let x = self.view.x(event.at_ms);
            drawn.push(line(class, (x, TOP - 6.0), (x, self.bottom())));
            let told = format!("{sign} {name}");
            let start = (x - 6.0).min(WIDTH - letters(&told));
            if start >= free {
                free = start + letters(&told) + 4.0;
                drawn.push(text(class, start, TOP - 12.0, told));
            }
        }
        drawn
    }

    /// Position and width of a span, at least as wide as the eye can see. `None` outside the view.
    fn place(&self, span: Span) -> Option<(f64, f64)> {
        if span.1 < self.view.from || span.0 > self.view.to {
            return None;
        }
        let x = self.view.x(span.0);
        Some((x, (self.view.x(span.1) - x).max(2.0)))
    }
}

/// Upper bound for the width of `text`.
fn letters(text: &str) -> f64 {
    let count = u32::try_from(text.chars().count()).unwrap_or_default();
    LETTER * f64::from(count)
}

/// The node's name, shortened to fit left of the lanes.
fn short(node: &NodeName) -> String {
    let name = node.as_str();
    if name.len() <= 7 {
        return name.to_owned();
    }
    name.chars().take(6).chain(['…']).collect()
}

fn rect(class: &'static str, x: f64, y: f64, width: f64, height: f64) -> Element {
    el("rect")
        .class(class)
        .attr("x", format!("{x:.1}"))
        .attr("y", format!("{y:.1}"))
        .attr("width", format!("{width:.1}"))
        .attr("height", format!("{height:.1}"))
}

fn line(class: &'static str, from: (f64, f64), to: (f64, f64)) -> Element {
    el("line")
        .class(class)
        .attr("x1", format!("{:.1}", from.0))
        .attr("y1", format!("{:.1}", from.1))
        .attr("x2", format!("{:.1}", to.0))
        .attr("y2", format!("{:.1}", to.1))
}

fn text(class: &'static str, x: f64, y: f64, text: impl std::fmt::Display) -> Element {
    el("text")
        .class(class)
        .attr("x", format!("{x:.1}"))
        .attr("y", format!("{y:.1}"))
        .text(text)
}

/// Hatching that tells the bar apart without colour.
fn bars_across(x: f64, width: f64, y: f64) -> Option<Element> {
    use std::fmt::Write as _;
    let mut path = String::new();
    let mut at = x;
    while at + 5.0 < x + width {
        // Writing to a String cannot fail.
        let _ = write!(path, "M{at:.1} {:.1} l5 {:.1} ", y + BAR, -BAR);
        at += 9.0;
    }
    (!path.is_empty()).then(|| el("path").class("hatch").attr("d", path.trim_end()))
}
