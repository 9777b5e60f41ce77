//! Scalar values: switches, numbers, durations and sizes. YAML's implicit types (`no` as false, `010` as eight, `1e3`
//! as a float) are not used: the key decides what a word means.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::decode::{Value, mismatch, prefix};
use super::tree::{Kind, Node};
use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::model::{
    AdvertInterval, DownTimerAdverts, InvalidValue, InventoryPath, Priority, VirtualRouterId,
    Weight, parse_duration,
};

/// The text of a scalar, or an error for a list or mapping.
pub(super) fn text<'n, T: Value>(
    node: &'n Node,
    path: &InventoryPath,
    faults: &mut Diagnostics,
) -> Option<&'n str> {
    if let Kind::Scalar { text, .. } = &node.kind {
        return Some(text);
    }
    faults.add(mismatch::<T>(node, path).help(format!("write {}", T::expected())));
    None
}

/// The error for a scalar that its type rejects. `rule` says what is allowed.
pub(super) fn invalid(node: &Node, path: &InventoryPath, what: &str, rule: &str) -> Diagnostic {
    let message = format!("{}{} is not a valid {what}", prefix(path), node.describe());
    Diagnostic::at(&node.span, message).help(format!("write {rule}"))
}

/// Turns an error from the model into one of the inventory.
pub(super) fn checked<T>(
    node: &Node,
    path: &InventoryPath,
    result: Result<T, InvalidValue>,
    faults: &mut Diagnostics,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            faults.add(invalid(node, path, error.what, &error.rule));
            None
        }
    }
}

/// True for a scalar without quotes.
fn is_plain(node: &Node) -> bool {
    matches!(node.kind, Kind::Scalar { plain: true, .. })
}

impl Value for bool {
    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        match text::<Self>(node, path, faults)? {
            "true" if is_plain(node) => return Some(true),
            "false" if is_plain(node) => return Some(false),
            _ => {}
        }
        let Kind::Scalar { text, .. } = &node.kind else {
            return None;
        };
        let advice = match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "y" | "1" => "write `true`, in small letters without quotes",
            "no" | "off" | "false" | "n" | "0" => "write `false`, in small letters without quotes",
            _ => "write `true` or `false`",
        };
        faults.add(mismatch::<Self>(node, path).help(advice));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct Int<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// As an unsigned number. The callers of this have no negative `MIN`.
    pub(in crate::inventory) fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or_default()
    }

    /// As a port or status code.
    pub(in crate::inventory) fn as_u16(self) -> u16 {
        u16::try_from(self.0).unwrap_or_default()
    }
}

impl<const MIN: i64, const MAX: i64> Value for Int<MIN, MAX> {
    fn expected() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let number = integer::<Self>(node, path, faults)?;
        if (MIN..=MAX).contains(&number) {
            return Some(Self(number));
        }
        let message = format!("{}{} is out of range", prefix(path), node.describe());
        let help = format!("write {}", Self::expected());
        faults.add(Diagnostic::at(&node.span, message).help(help));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A plain decimal number. Other notations are rejected with a hint, since tools disagree on them.
fn integer<T: Value>(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<i64> {
    let typed = text::<T>(node, path, faults)?;
    let digits = typed.strip_prefix('-').unwrap_or(typed);
    let is_decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
    if is_plain(node) && is_decimal && !has_leading_zero {
        // More digits than fit are out of range for every key.
        let huge = if typed.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        return Some(typed.parse().unwrap_or(huge));
    }
    let advice = if is_decimal && has_leading_zero {
        format!(
            "write it without the leading zero; some tools read `{}` as octal",
            super::tree::clip(typed)
        )
    } else if is_decimal {
        "remove the quotes".to_owned()
    } else {
        format!("write {} in plain digits", T::expected())
    };
    faults.add(mismatch::<T>(node, path).help(advice));
    None
}

/// Implements [`Value`] for a numeric type of the model.
macro_rules! number {
    ($type:ty, $expected:literal, $min:literal, $max:literal) => {
        impl Value for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
                let number = integer::<Self>(node, path, faults)?;
                checked(node, path, Self::new(number), faults)
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": $min, "maximum": $max })
            }
        }
    };
}

number!(Priority, "a whole number from 1 to 254", 1, 254);
number!(DownTimerAdverts, "a whole number from 1 to 100", 1, 100);
number!(VirtualRouterId, "a whole number from 1 to 255", 1, 255);
number!(Weight, "a whole number from -253 to 253, not 0", -253, 253);

const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A duration of at least `MIN` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct Time<const MIN: u64>(pub(in crate::inventory) Duration);

fn duration<T: Value>(
    node: &Node,
    path: &InventoryPath,
    faults: &mut Diagnostics,
) -> Option<Duration> {
    let typed = text::<T>(node, path, faults)?;
    let is_bare = typed.parse::<f64>().is_ok_and(|number| number >= 0.0);
    let fault = match parse_duration(typed) {
        Some(duration) if duration <= LONGEST => return Some(duration),
        Some(_) => invalid(node, path, "duration", "at most 365d"),
        None if is_bare => {
            let typed = super::tree::clip(typed);
            let help = format!("add a unit: `{typed}s` for seconds, `{typed}ms` for milliseconds");
            invalid(node, path, "duration", "").help(help)
        }
        None => {
            let rule = "a number and its unit, ms, s, m, h or d, such as 50ms, 1.5s or 1m30s";
            invalid(node, path, "duration", rule)
        }
    };
    faults.add(fault);
    None
}

fn duration_schema() -> Schema {
    json_schema!({
        "type": ["string", "integer"],
        "pattern": r"^(0|([0-9]+(\.[0-9]{1,3})?(ms|s|m|h|d))+)$",
        "maximum": 0,
        "x-type": "duration",
    })
}

impl<const MIN: u64> Value for Time<MIN> {
    fn expected() -> String {
        "a duration, such as 50ms, 3s or 1m".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let time = duration::<Self>(node, path, faults)?;
        if time >= Duration::from_millis(MIN) {
            return Some(Self(time));
        }
        faults.add(invalid(
            node,
            path,
            "duration here",
            &format!("at least {MIN}ms"),
        ));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        duration_schema()
    }
}

impl Value for AdvertInterval {
    fn expected() -> String {
        "a duration from 10ms to 40.95s".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let time = duration::<Self>(node, path, faults)?;
        checked(node, path, Self::new(time), faults)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        duration_schema()
    }
}

/// A size in bytes, in nginx's notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) struct Size(pub(in crate::inventory) u64);

impl Value for Size {
    fn expected() -> String {
        "a size, such as 512k, 100m or 1g".to_owned()
    }

    fn decode(node: &Node, path: &InventoryPath, faults: &mut Diagnostics) -> Option<Self> {
        let typed = text::<Self>(node, path, faults)?;
        let digits = typed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &typed[digits.len()..] {
            "" => Some(0),
            "k" | "K" => Some(10),
            "m" | "M" => Some(20),
            "g" | "G" => Some(30),
            _ => None,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| digits.parse::<u64>().ok()).flatten();
        match (number, shift) {
            // nginx keeps sizes in a signed 64-bit number.
            (Some(number), Some(shift)) if number <= (i64::MAX as u64) >> shift => {
                Some(Self(number << shift))
            }
            _ => {
                let rule = "a number of bytes, or one with k, m or g, such as 512k, 100m or 1g";
                faults.add(invalid(node, path, "size", rule));
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+[kKmMgG]?$",
            "minimum": 0,
            "x-type": "size",
        })
    }
}
