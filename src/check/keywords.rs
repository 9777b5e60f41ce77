//! keepalived's keywords: their scopes and first releases.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::model::Version;

/// Where a keyword is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Scope {
    /// At the file's top level.
    Root,
    /// In `global_defs`.
    Global,
    /// In `vrrp_instance`.
    Instance,
    /// In any other block.
    Other,
}

impl Scope {
    fn of(word: &str) -> Option<Self> {
        match word {
            "root" => Some(Self::Root),
            "global" => Some(Self::Global),
            "instance" => Some(Self::Instance),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    pub(in crate::check) fn label(self) -> &'static str {
        match self {
            Self::Root => "at the top level",
            Self::Global => "in global_defs",
            Self::Instance => "in vrrp_instance",
            Self::Other => "in a block of its own kind",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Keyword {
    /// The first release that knows it, or 1.3.5, the oldest that hactl supports, for older ones.
    pub(in crate::check) since: Version,
    /// Where it is allowed.
    pub(in crate::check) scopes: Vec<Scope>,
}

/// One line per keyword: its name, first release and scopes. Extracted from the `install_keyword` calls in
/// keepalived's sources, 1.3.5 to 2.4.3.
const TABLE: &str = include_str!("keywords.txt");

static KEYWORDS: LazyLock<BTreeMap<&str, Keyword>> =
    LazyLock::new(|| TABLE.lines().filter_map(parse).collect());

fn parse(line: &'static str) -> Option<(&'static str, Keyword)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let since = words.next()?.parse().ok()?;
    let scopes: Option<Vec<_>> = words.map(Scope::of).collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty())?;
    Some((name, Keyword { since, scopes }))
}

pub(in crate::check) fn keyword(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.get(name)
}

/// The keyword that `name` may be a typo of.
pub(in crate::check) fn nearest(name: &str) -> Option<&'static str> {
    // Below this similarity, a suggestion is more likely to mislead.
    const ALIKE: f64 = 0.85;
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let best = KEYWORDS
        .keys()
        .copied()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeepalivedFeature;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for line in TABLE.lines() {
            assert!(parse(line).is_some(), "{line}");
        }
        assert_eq!(KEYWORDS.len(), TABLE.lines().count());
    }

    #[test]
    fn a_keyword_and_the_feature_that_it_is_have_one_first_release() {
        for (name, feature) in [
            ("track_file", KeepalivedFeature::TrackFile),
            ("max_auto_priority", KeepalivedFeature::MaxAutoPriority),
            ("reload_check_config", KeepalivedFeature::ReloadCheck),
            ("down_timer_adverts", KeepalivedFeature::DownTimerAdverts),
        ] {
            let since = keyword(name).unwrap().since;
            assert_eq!(since, feature.since(), "{name}");
        }
    }

    #[test]
    fn first_releases_are_those_of_the_field_notes() {
        for (name, since) in [
            ("track_file", Version::new(2, 0, 0)),
            ("track_process", Version::new(2, 0, 11)),
            ("vrrp_startup_delay", Version::new(2, 0, 14)),
            ("max_auto_priority", Version::new(2, 1, 0)),
            ("reload_check_config", Version::new(2, 2, 0)),
            ("reload_file", Version::new(2, 2, 0)),
            ("unicast_fault_no_peer", Version::new(2, 2, 5)),
            ("auth_hmac", Version::new(2, 4, 0)),
            ("enable_script_security", Version::new(1, 3, 5)),
        ] {
            assert_eq!(
                keyword(name).map(|keyword| keyword.since),
                Some(since),
                "{name}"
            );
        }
    }

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        assert_eq!(nearest("priorty"), Some("priority"));
        assert_eq!(nearest("xyzzy"), None);
    }
}
