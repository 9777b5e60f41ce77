//! How a family's table is written down, and the tables put together.

use crate::check::rule::Rule;

/// Declares a family of rules: a documented static each, and the family's table.
macro_rules! rules {
    ($table:ident: $($id:ident {
        $severity:ident, [$($when:ident),+], $coverage:expr,
        title: $title:literal,
        reason: $reason:literal,
        fix: $fix:literal $(,)?
    })+) => {
        $(
            #[doc = concat!("The rule ", stringify!($id), ".")]
            pub static $id: $crate::check::rule::Rule = $crate::check::rule::Rule {
                id: stringify!($id),
                severity: $crate::check::finding::Severity::$severity,
                when: &[$($crate::check::rule::When::$when),+],
                coverage: $coverage,
                title: $title,
                reason: $reason,
                fix: $fix,
            };
        )+
        pub(super) static $table: &[&$crate::check::rule::Rule] = &[$(&$id),+];
    };
}

/// All rules, by id.
pub fn rules() -> Vec<&'static Rule> {
    let families = [
        super::elections::ELECTIONS,
        super::keepalived::KEEPALIVED,
        super::nginx::NGINX,
        super::operation::OPERATION,
    ];
    let mut rules: Vec<_> = families.concat();
    rules.sort_by_key(|rule| rule.id);
    rules
}
