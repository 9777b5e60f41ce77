//! `hactl lab demo`: the commands of a first day with hactl, run in a lab.
//!
//! Here are only the steps and their reasons. Running them is the lab's part, and showing them the view's.

use crate::lab::{Image, LabSpec};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DemoStep {
    /// A command, as a user would type it.
    Run {
        /// Why, in one line.
        why: &'static str,
        /// hactl's arguments. One that begins with `LAB/` is a file in the lab's folder.
        args: &'static [&'static str],
    },
    /// An edit of the inventory.
    Edit {
        /// Why, in one line.
        why: &'static str,
        /// The text to look for.
        from: &'static str,
        /// What replaces it.
        to: &'static str,
    },
}

/// Stands for the lab's folder in an argument.
pub(super) const IN_LAB: &str = "LAB/";

/// Default name of the demo's lab.
pub(super) const DEMO_LAB: &str = "demo";

/// The demo's lab: nginx and keepalived are installed, as on most hosts that hactl takes over.
pub fn demo_spec(name: &str) -> LabSpec {
    LabSpec {
        image: Image::Installed,
        ..LabSpec::new(name)
    }
}

/// The demo's steps, in order.
pub const DEMO: &[DemoStep] = &[
    DemoStep::Run {
        why: "What would hactl do to these three hosts?",
        args: &["plan", "--no-diff", "--out", "LAB/first.plan"],
    },
    DemoStep::Run {
        why: "Do it: staged, tested on the hosts, activated one by one, proven.",
        args: &["apply", "--yes", "LAB/first.plan"],
    },
    DemoStep::Run {
        why: "Who owns the VIP, and what runs where?",
        args: &["status"],
    },
    DemoStep::Edit {
        why: "Now one backend gets twice the share.",
        from: "192.168.1.10:8080,",
        to: "{ address: \"192.168.1.10:8080\", weight: 2 },",
    },
    DemoStep::Run {
        why: "What does that change, and does it interrupt anything?",
        args: &["plan", "--out", "LAB/second.plan"],
    },
    DemoStep::Run {
        why: "Apply it: the VIP's owner goes last, nobody is cut off.",
        args: &["apply", "--yes", "LAB/second.plan"],
    },
    DemoStep::Run {
        why: "Kill nginx on the VIP's owner, and measure what users see.",
        args: &["failover-test", "--drill", "nginx-kill", "--yes"],
    },
    DemoStep::Run {
        why: "The change was a mistake? Take it back.",
        args: &["rollback", "--yes"],
    },
];

/// The inventory with a step's edit. `None` if it does not contain `from`.
pub fn edited(inventory: &str, from: &str, to: &str) -> Option<String> {
    inventory
        .contains(from)
        .then(|| inventory.replacen(from, to, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_fits_the_inventory_that_a_lab_writes() {
        let servers = "servers: [192.168.1.10:8080, 192.168.1.11:8080]";
        for step in DEMO {
            if let DemoStep::Edit { from, to, .. } = step {
                let text = edited(servers, from, to).unwrap();
                assert!(text.contains("weight: 2"), "{text}");
            }
        }
    }
}
