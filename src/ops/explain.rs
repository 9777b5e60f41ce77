//! What a rule or a key of the inventory means.

use crate::check::{Rule, rules};
use crate::inventory::{Key, keys_called, nearest_key};

/// What is called by a name.
pub enum Meaning {
    Rule(&'static Rule),
    /// Several keys may share a name.
    Keys(Vec<Key>),
}

/// What `asked` means, or else the name that it was probably meant to be.
pub fn explain(asked: &str) -> Result<Meaning, Option<String>> {
    let is_it = |rule: &&'static Rule| rule.id.eq_ignore_ascii_case(asked);
    if let Some(rule) = rules().into_iter().find(is_it) {
        return Ok(Meaning::Rule(rule));
    }
    match keys_called(asked) {
        keys if keys.is_empty() => Err(nearest_key(asked)),
        keys => Ok(Meaning::Keys(keys)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained() {
        for rule in rules() {
            let found = explain(&rule.id.to_lowercase());
            assert!(matches!(found, Ok(Meaning::Rule(own)) if own == rule));
        }
    }

    #[test]
    fn what_is_mistyped_has_a_neighbour_and_what_is_unknown_none() {
        let near = explain("vrrp.failovr").err().flatten();
        assert_eq!(near.as_deref(), Some("vrrp.failover"));
        assert!(matches!(explain("the weather"), Err(None)));
    }
}
