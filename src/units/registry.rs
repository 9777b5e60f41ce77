//! The registry of units.

use std::sync::OnceLock;

use super::row::ManagedUnit;
use super::{keepalived, nginx};
use crate::model::UnitId;

static FURTHER: OnceLock<ManagedUnit> = OnceLock::new();

/// All units, in the order in which a change reaches them. keepalived is last, since its
/// configuration decides who owns the VIPs.
pub fn all() -> impl Iterator<Item = &'static ManagedUnit> {
    let further = FURTHER.get();
    std::iter::once(&nginx::UNIT)
        .chain(further)
        .chain(std::iter::once(&keepalived::UNIT))
}

/// The ids, in the same order.
pub fn ids() -> impl Iterator<Item = UnitId> {
    all().map(|unit| unit.id)
}

pub fn of(id: UnitId) -> Option<&'static ManagedUnit> {
    all().find(|unit| unit.id == id)
}

/// Adds a row to this process's registry. Returns false if one was added before.
///
/// For tests, which prove with it that another unit needs nothing but its row.
#[doc(hidden)]
pub fn add(unit: ManagedUnit) -> bool {
    FURTHER.set(unit).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileRole, HostPath};

    #[test]
    fn a_unit_loads_what_lies_in_its_folder_but_no_scripts() {
        let loads = |id, role, path| of(id).unwrap().loads(role, &HostPath::new(path).unwrap());
        let conf = "/etc/nginx/nginx.conf";
        assert!(loads(UnitId::NGINX, FileRole::NginxConf, conf));
        let key = "/etc/nginx/hactl/tls/a.key";
        assert!(loads(UnitId::NGINX, FileRole::TlsKey, key));
        let other = "/etc/nginx.d/other.conf";
        assert!(!loads(UnitId::NGINX, FileRole::Other, other));
        assert!(!loads(UnitId::KEEPALIVED, FileRole::NginxConf, conf));
        let script = "/etc/keepalived/notify.sh";
        assert!(!loads(UnitId::KEEPALIVED, FileRole::NotifyScript, script));
    }

    #[test]
    fn the_elections_unit_is_the_last_one() {
        assert_eq!(ids().last(), Some(UnitId::KEEPALIVED));
    }
}
