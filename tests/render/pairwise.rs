//! Pairwise combinations: each value of a dimension occurs together with each value of every other
//! dimension.

use std::collections::BTreeSet;

/// Rows of value indices for dimensions of these `sizes` that cover every pair of values. Greedy
/// and deterministic.
pub(crate) fn rows(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut open: BTreeSet<[usize; 4]> = BTreeSet::new();
    for a in 0..sizes.len() {
        for b in a + 1..sizes.len() {
            for x in 0..sizes[a] {
                open.extend((0..sizes[b]).map(|y| [a, x, b, y]));
            }
        }
    }
    let mut rows = Vec::new();
    while let Some(&[a, x, b, y]) = open.iter().next() {
        let mut row: Vec<Option<usize>> = vec![None; sizes.len()];
        row[a] = Some(x);
        row[b] = Some(y);
        for dimension in 0..sizes.len() {
            if row[dimension].is_some() {
                continue;
            }
            let gain = |value: usize| {
                (0..sizes.len())
                    .filter(|other| {
                        let Some(chosen) = row[*other] else {
                            return false;
                        };
                        let pair = if *other < dimension {
                            [*other, chosen, dimension, value]
                        } else {
                            [dimension, value, *other, chosen]
                        };
                        open.contains(&pair)
                    })
                    .count()
            };
            // Break ties differently in each row.
            let start = rows.len() % sizes[dimension];
            let best = (0..sizes[dimension])
                .map(|step| (start + step) % sizes[dimension])
                .rev()
                .max_by_key(|value| gain(*value))
                .unwrap_or(0);
            row[dimension] = Some(best);
        }
        let row: Vec<usize> = row.into_iter().map(|value| value.unwrap_or(0)).collect();
        for a in 0..sizes.len() {
            for b in a + 1..sizes.len() {
                open.remove(&[a, row[a], b, row[b]]);
            }
        }
        rows.push(row);
    }
    rows
}
