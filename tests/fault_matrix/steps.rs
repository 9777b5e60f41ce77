//! The steps of a change, as hactl takes them: read from a change without a fault, so that a new one
//! appears here automatically.

/// On which node a step is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Who {
    /// The one that is activated and confirmed first.
    First,
    /// One of the others.
    Other,
    /// Any of them.
    Any,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Step {
    /// As a node's log has it.
    pub(crate) token: String,
    pub(crate) who: Who,
}

impl Step {
    /// As the table calls it.
    pub(crate) fn name(&self) -> String {
        match self.who {
            Who::First => format!("{}, first node", self.token),
            Who::Other => format!("{}, another node", self.token),
            Who::Any => self.token.clone(),
        }
    }
}

/// The steps of a change, from those that the node took which is activated first.
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

/// One more of a kind whose first ones are steps: a question that is repeated for as long as an election
/// takes, another file. The look before the change goes on beside its first steps, and has no place among
/// them.
fn is_one_of_many(token: &str) -> bool {
    if token == "reach" {
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

/// One list of both, in their order.
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
