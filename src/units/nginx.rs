//! nginx's row in the registry.

use super::row::ManagedUnit;
use super::template::{TemplateSpec, VariantMode};
use crate::model::{FileRole, UnitId};

pub(super) const UNIT: ManagedUnit = ManagedUnit {
    id: UnitId::NGINX,
    program: "nginx",
    test_command: "nginx -t",
    // `-V` also prints the build options, which tell whether nginx has the stream module.
    version_option: "-V",
    folder: "/etc/nginx",
    conf: TemplateSpec {
        name: "nginx.conf",
        path: "/etc/nginx/nginx.conf",
        beside: Some("/etc/nginx/conf.d/hactl.conf"),
        role: FileRole::NginxConf,
        mode: VariantMode::Fixed(0o644),
        purpose: "nginx's whole configuration, the status server on loopback included; beside others, \
                  what their `http` block includes.",
        source: include_str!("../../templates/nginx.conf.tera"),
    },
    host_functions: include_str!("nginx.sh"),
};
