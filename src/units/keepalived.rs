//! keepalived's row in the registry.

use super::row::ManagedUnit;
use super::template::{TemplateSpec, VariantMode};
use crate::model::{FileRole, UnitId};

pub(super) const UNIT: ManagedUnit = ManagedUnit {
    id: UnitId::KEEPALIVED,
    program: "keepalived",
    test_command: "keepalived -t",
    version_option: "-v",
    folder: "/etc/keepalived",
    conf: TemplateSpec {
        name: "keepalived.conf",
        path: "/etc/keepalived/keepalived.conf",
        beside: Some("/etc/keepalived/conf.d/hactl.conf"),
        role: FileRole::KeepalivedConf,
        mode: VariantMode::PrivateWithSecret,
        purpose: "keepalived's whole configuration; beside others, what its own file includes.",
        source: include_str!("../../templates/keepalived.conf.tera"),
    },
    host_functions: include_str!("keepalived.sh"),
};
