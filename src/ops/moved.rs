//! In what a plan differs from the one that was saved, as data and in words.

use std::fmt::{Display, Formatter, Result};

/// In what a plan differs from the one that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It is of another cluster.
    Cluster {
        /// The saved one's.
        was: String,
    },
    /// Another version of hactl made it.
    Hactl {
        /// That version.
        was: String,
        /// This one.
        is: String,
    },
    /// The inventory is another one.
    Inventory,
    /// The templates are others.
    Templates,
    /// It is for other nodes.
    Nodes {
        /// Those of the saved plan.
        were: Vec<String>,
    },
    /// The nodes would be changed in another way.
    Order {
        /// How.
        now: String,
    },
    /// Nodes are different.
    Hosts {
        /// Which.
        nodes: Vec<String>,
        /// How.
        how: Difference,
    },
}

/// In what a node differs from what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Another generation is live.
    Generation {
        /// The one that was.
        was: Option<u64>,
        /// The one that is.
        is: Option<u64>,
    },
    /// Files were changed.
    Files(Vec<String>),
    /// Kernel settings were changed.
    Kernel(Vec<String>),
    /// It is another host, or has other programs.
    Fact {
        /// What.
        name: String,
        /// As it was.
        was: String,
        /// As it is.
        is: String,
    },
    /// Something else would happen to a daemon.
    Unit {
        /// Which.
        name: String,
        /// What would have happened.
        was: String,
        /// What would happen.
        is: String,
    },
    /// Other things would stop being served.
    Stops(Vec<String>),
    /// It would get something else, for no cause that is known: a secret.
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
                write!(f, "to be done to {name}: {}, not {}", words(is), words(was))
            }
            Self::Stops(names) => write!(f, "it stops serving other things: {}", some(names)),
            Self::Wanted => f.write_str("it would get other contents, such as a new secret"),
        }
    }
}
