//! The steps of a change. They are recorded from an undisturbed change, so that new steps are
//! included automatically.

/// The node on which a step is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    /// The node that is activated and confirmed first.
    First,
    /// Any other node.
    Other,
    /// Any node.
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Step {
    /// Its name in a node's log.
    pub(crate) token: String,
    pub(crate) who: Who,
}

impl Step {
    /// Its name in the table.
    pub(crate) fn name(&self) -> String {
        match self.who {
            Who::First => format!("{}, first node", self.token),
            Who::Other => format!("{}, another node", self.token),
            Who::Any => self.token.clone(),
        }
    }
}

/// The steps of a change, from the log of the node that is activated first.
pub(crate) fn steps(taken: Vec<String>) -> Vec<Step> {
    let is_of_the_decision = |token: &str| matches!(token, "connect again" | "confirm");
    let mut steps = Vec::new();
    let mut others = Vec::new();
    for token in taken {
        if is_one_of_many(&token) {
            continue;
        }
        if is_of_the_decision(&token) {
            steps.push(Step {
                token: token.clone(),
                who: Who::First,
            });
            others.push(Step {
                token,
                who: Who::Other,
            });
        } else {
            if token == "unlock" {
                steps.append(&mut others);
            }
            steps.push(Step {
                token,
                who: Who::Any,
            });
        }
    }
    assert!(others.is_empty(), "a change ends with its unlocking");
    steps
}

/// Repetitions of a step that is already listed, such as a query that is repeated during an
/// election, or another file. The looks before the change overlap with the first steps, so they have no
/// place among them.
fn is_one_of_many(token: &str) -> bool {
    if matches!(token, "reach" | "glance") {
        return true;
    }
    let Some((kind, number)) = token.rsplit_once(' ') else {
        return false;
    };
    let Ok(number) = number.parse::<u32>() else {
        return false;
    };
    match kind {
        "observe" | "prove" | "prove: reach" | "activate: unit" => true,
        "activate: file" => number > 2,
        _ => false,
    }
}

/// One list of both, in order.
pub(crate) fn union(one: &[Step], other: &[Step]) -> Vec<Step> {
    let mut all = one.to_vec();
    for (index, step) in other.iter().enumerate() {
        if !all.contains(step) {
            let mut before = other[..index].iter().rev();
            let place = before.find_map(|step| all.iter().position(|own| own == step));
            all.insert(place.map_or(0, |place| place + 1), step.clone());
        }
    }
    all
}
