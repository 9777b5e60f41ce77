//! How a plan differs from the saved one: data and messages.

use std::fmt::{Display, Formatter, Result};

/// A difference between a plan and the saved one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It is for another cluster.
    Cluster {
        /// The saved plan's cluster.
        was: String,
    },
    /// It was made by another version of hactl.
    Hactl {
        /// The version that made it.
        was: String,
        /// The running version.
        is: String,
    },
    /// The inventory has changed.
    Inventory,
    /// The templates have changed.
    Templates,
    /// It is for other nodes.
    Nodes {
        /// The saved plan's nodes.
        were: Vec<String>,
    },
    /// The nodes would be changed in another order.
    Order {
        /// The current order.
        now: String,
    },
    /// Nodes have changed.
    Hosts {
        /// The nodes.
        nodes: Vec<String>,
        how: Difference,
    },
}

/// A difference between a node and its state in the saved plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Another generation is live.
    Generation {
        /// The generation in the saved plan.
        was: Option<u64>,
        /// The live one.
        is: Option<u64>,
    },
    /// Files have changed.
    Files(Vec<String>),
    /// Kernel settings have changed.
    Kernel(Vec<String>),
    /// It is another host, or has other versions.
    Fact {
        name: String,
        /// The value in the saved plan.
        was: String,
        /// The current value.
        is: String,
    },
    /// The action for a daemon is a different one.
    Unit {
        name: String,
        /// The action in the saved plan.
        was: String,
        /// The current action.
        is: String,
    },
    /// Other things would stop being served.
    Stops(Vec<String>),
    /// It would receive other contents without a known cause, such as a new secret.
    Wanted,
}

/// `a`, `a and b`, `a, b and 3 more`
fn some(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

impl Display for Moved {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Cluster { was } => write!(f, "it is for cluster {was}"),
            Self::Hactl { was, is } => write!(f, "hactl {was} made it, and this is {is}"),
            Self::Inventory => f.write_str("the inventory's text has changed"),
            Self::Templates => f.write_str("the templates have changed"),
            Self::Nodes { were } => write!(f, "it is for other nodes: {}", were.join(", ")),
            Self::Order { now } => write!(f, "nodes would now be changed {now}"),
            Self::Hosts { nodes, how } => write!(f, "{}: {how}", nodes.join(", ")),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let generation = |number: &Option<u64>| {
            number.map_or("none".to_owned(), |number| format!("generation {number}"))
        };
        match self {
            Self::Generation { was, is } => {
                write!(f, "{} is live, not {}", generation(is), generation(was))
            }
            Self::Files(paths) => write!(f, "{} changed", some(paths)),
            Self::Kernel(keys) => write!(f, "the kernel's {} changed", some(keys)),
            Self::Fact { name, was, is } => write!(f, "{name}: {is}, not {was}"),
            Self::Unit { name, was, is } => {
                let words = |word: &str| match word {
                    "none" => "nothing".to_owned(),
                    word => word.to_owned(),
                };
                write!(f, "action on {name}: {}, not {}", words(is), words(was))
            }
            Self::Stops(names) => {
                write!(f, "it would stop serving something else: {}", some(names))
            }
            Self::Wanted => {
                f.write_str("its files would have different contents, such as a new secret")
            }
        }
    }
}
