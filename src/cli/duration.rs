//! Times as people type them: `60s`, `2m`, `1m30s`, `500ms`.

use std::time::Duration;

/// Reads a time; a bare number is refused, since nobody knows what it counts.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let shape = || "it must be a time such as 500ms, 60s, 2m, 1m30s or 12h".to_owned();
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(shape());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(shape)?;
        let number: u64 = rest[..digits].parse().map_err(|_| shape())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(shape()),
        };
        let part = number.checked_mul(factor).ok_or_else(shape)?;
        total = total
            .checked_add(Duration::from_millis(part))
            .ok_or_else(shape)?;
        rest = &rest[letters..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_type_them() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("60s", 60_000),
            ("2m", 120_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_unit_or_makes_no_sense_is_refused() {
        for text in [
            "",
            "60",
            "s",
            "60 s",
            "-1s",
            "1.5s",
            "1d",
            "99999999999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
