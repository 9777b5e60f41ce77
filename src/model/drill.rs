//! The names of drills, for which an inventory sets budgets.

use std::fmt;

use super::names::InvalidValue;

/// The name of a drill. `drill` holds the table of what each one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct DrillName(&'static str);

impl DrillName {
    pub const ALL: [&'static str; 14] = [
        "nginx-kill",
        "nginx-stop",
        "nginx-hang",
        "keepalived-stop",
        "keepalived-kill",
        "link-down",
        "power-off",
        "vrrp-blocked",
        "packet-loss",
        "backend-down",
        "all-backends-down",
        "cascade",
        "flap",
        "overload",
    ];

    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let known = Self::ALL.into_iter().find(|name| *name == text);
        known
            .map(Self)
            .ok_or_else(|| InvalidValue::new("drill", "the name of a drill, such as nginx-kill"))
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for DrillName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
