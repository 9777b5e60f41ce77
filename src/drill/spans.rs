//! Periods of time in which something holds, and operations on them.

use super::record::Millis;

/// From the first time, inclusive, to the second, exclusive. Infinite if the beginning or the end was not observed.
pub type Span = (Millis, Millis);

/// The periods in which something holds, given whether it holds `initially` and its changes in order. An entry may
/// repeat the current state.
pub(super) fn spans(
    initially: bool,
    changes: impl IntoIterator<Item = (Millis, bool)>,
) -> Vec<Span> {
    let mut since = initially.then_some(f64::NEG_INFINITY);
    let mut spans = Vec::new();
    for (at, holds) in changes {
        match (since, holds) {
            (None, true) => since = Some(at),
            (Some(from), false) => {
                spans.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    spans.extend(since.map(|from| (from, f64::INFINITY)));
    spans
}

/// The intersection.
pub(super) fn both(one: &[Span], other: &[Span]) -> Vec<Span> {
    let pairs = one
        .iter()
        .flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    let mut both: Vec<Span> = pairs.filter(|span| span.0 < span.1).collect();
    both.sort_by(|a, b| a.0.total_cmp(&b.0));
    both
}

/// The union.
pub(super) fn any(all: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut all: Vec<Span> = all.into_iter().collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<Span> = Vec::new();
    for span in all {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

/// The complement of `holds`, which are merged and sorted.
pub(super) fn none(holds: &[Span]) -> Vec<Span> {
    let mut since = f64::NEG_INFINITY;
    let mut none = Vec::new();
    for span in holds {
        if since < span.0 {
            none.push((since, span.0));
        }
        since = span.1;
    }
    if since < f64::INFINITY {
        none.push((since, f64::INFINITY));
    }
    none
}

/// The same periods, extended by `by` at both ends. Shortened if it is negative.
pub(super) fn grown(spans: &[Span], by: f64) -> Vec<Span> {
    let grown = spans.iter().map(|span| (span.0 - by, span.1 + by));
    grown.filter(|span| span.0 < span.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVER: f64 = f64::INFINITY;

    #[test]
    fn statements_that_change_nothing_begin_and_end_nothing() {
        let changes = [(1.0, true), (2.0, false), (3.0, false), (4.0, true)];
        assert_eq!(spans(true, changes), [(-EVER, 2.0), (4.0, EVER)]);
        assert_eq!(spans(false, changes), [(1.0, 2.0), (4.0, EVER)]);
        assert_eq!(spans(false, []), []);
    }

    #[test]
    fn spans_meet_join_and_leave_the_rest() {
        let one = [(0.0, 10.0), (20.0, 30.0)];
        assert_eq!(both(&one, &[(5.0, 25.0)]), [(5.0, 10.0), (20.0, 25.0)]);
        assert_eq!(both(&one, &[(10.0, 20.0)]), []);
        assert_eq!(
            any([(20.0, 30.0), (0.0, 10.0), (10.0, 12.0)]),
            [(0.0, 12.0), (20.0, 30.0)]
        );
        assert_eq!(none(&one), [(-EVER, 0.0), (10.0, 20.0), (30.0, EVER)]);
        assert_eq!(none(&[(-EVER, EVER)]), []);
        assert_eq!(grown(&one, 1.0), [(-1.0, 11.0), (19.0, 31.0)]);
        assert_eq!(grown(&[(0.0, 2.0)], -1.0), []);
    }
}
