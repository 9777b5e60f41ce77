//! The keepalived.conf in a node's desired state.

use crate::agent::TreeFile;
use crate::model::{FileRole, HostPath};
use crate::plan::desired::Desired;

pub(super) fn keepalived_path(desired: &Desired) -> Option<&HostPath> {
    keepalived_conf(desired).map(|(path, _)| path)
}

pub(super) fn keepalived_conf(desired: &Desired) -> Option<(&HostPath, &[u8])> {
    // Files of generation 0 have no roles.
    let is_conf = |file: &&TreeFile| {
        file.role == FileRole::KeepalivedConf
            || file.path.as_str() == "/etc/keepalived/keepalived.conf"
    };
    let file = desired.tree.files.iter().find(is_conf)?;
    Some((&file.path, &file.content))
}
