//! Durations as written in inventories and on the command line.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Parses `50ms`, `1.5s`, `1m30s`, `2d` or `0`. `None` if it is not a duration, lacks its unit or
/// is finer than a millisecond. Saturates on overflow.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(unit_at.unwrap_or(rest.len()));
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, tail) = tail.split_at(unit_end.unwrap_or(tail.len()));
        total = total.saturating_add(milliseconds(number, unit)?);
        rest = tail;
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

fn milliseconds(number: &str, unit: &str) -> Option<u64> {
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => DAY,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.len() > 9 || fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = fraction.parse::<u64>().ok()? * factor;
    let is_whole = fraction.is_multiple_of(parts);
    is_whole.then_some(whole.parse::<u64>().ok()? * factor + fraction / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("50ms", Some(50)),
            ("1.5s", Some(1500)),
            ("1m30s", Some(90_000)),
            ("0.25s", Some(250)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("40.95s", Some(40_950)),
            ("60s", Some(60_000)),
            ("1w", None),
            (" 60s", None),
            ("", None),
            ("1", None),
            ("ms", None),
            (".5s", None),
            ("1.s", None),
            ("1 s", None),
            ("-1s", None),
            ("1e3s", None),
            ("0.0001s", None),
            ("0.5ms", None),
            ("1sec", None),
            ("9999999999s", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }
}
