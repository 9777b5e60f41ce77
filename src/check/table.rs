//! The macro that declares a family of rules.

/// Declares a family of rules: a documented static for each, and the table of the family. Each row has the functions
/// that find violations, or the reason why there can be none.
macro_rules! rules {
    ($table:ident: $($id:ident {
        $severity:ident, [$kind:ident($check:expr) $(, $further_kind:ident($further:expr))*],
        title: $title:literal,
        reason: $reason:literal,
        fix: $fix:literal $(,)?
    })+) => {
        $(
            #[doc = concat!("The rule ", stringify!($id), ".")]
            pub(in crate::check) static $id: $crate::check::rule::Rule = $crate::check::rule::Rule {
                id: stringify!($id),
                severity: $crate::check::rule::Severity::$severity,
                check: $crate::check::rule::Check::$kind($check),
                further: &[$($crate::check::rule::Check::$further_kind($further)),*],
                title: $title,
                reason: $reason,
                fix: $fix,
            };
        )+
        pub(in crate::check) static $table: &[&$crate::check::rule::Rule] = &[$(&$id),+];
    };
}
