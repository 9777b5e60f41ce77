//! How strictly the cluster's versions of keepalived compare adverts.

use crate::agent::Observation;
use crate::model::{KeepalivedFeature, UnitId};

#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Strictness {
    /// Some node's keepalived discards adverts whose list of VIPs differs from its own.
    pub(in crate::plan) compares_addresses: bool,
}

impl Strictness {
    pub(in crate::plan) fn of<'a>(seen: impl Iterator<Item = &'a Observation>) -> Self {
        let refuses = |seen: &Observation| {
            let version = seen.program(UnitId::KEEPALIVED).version();
            version.is_none_or(|it| !KeepalivedFeature::ToleratesOtherVips.is_in(it))
        };
        Self {
            compares_addresses: seen.into_iter().any(refuses),
        }
    }
}
