//! The changes on a node.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::agent::UnitAction;
use crate::model::{FileRole, HostPath, UnitId};

/// Why something has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// hactl has not managed it on this node before.
    New,
    /// The inventory, the templates or hactl itself changed.
    Inventory,
    /// Somebody changed it on the host since the last apply.
    Hand,
    /// Both.
    InventoryAndHand,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FileAction {
    Create,
    Modify,
    /// Only its mode or owner changes.
    Permissions,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    pub path: HostPath,
    /// Its role in the manifest.
    pub role: FileRole,
    pub action: FileAction,
    pub cause: Cause,
    /// Unified diff with secrets masked. Empty if the content does not change or must not be shown.
    pub diff: String,
    /// Mode and owner before and after, if they change. The first may also describe a link.
    pub permissions: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlChange {
    pub key: String,
    /// The kernel's current value. `None` if the key is missing or unset.
    pub kernel: Option<String>,
    pub wanted: String,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitChange {
    pub unit: UnitId,
    pub action: UnitAction,
    /// Why, as a clause.
    pub reason: String,
}

/// A single change on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Installs a package and its dependencies.
    Install(String),
    /// Removes the packages that hactl installed (generation 0).
    RemovePackages,
    File(FileChange),
    Sysctl(SysctlChange),
    /// Updates the generation's record of the cluster's members.
    Members,
    Unit(UnitChange),
}

/// What a change applies to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Subject<'a> {
    Package { name: &'a str },
    InstalledPackages,
    File { path: &'a HostPath, role: FileRole },
    Sysctl { key: &'a str },
    Members,
    Unit { name: UnitId },
}

/// A change. All kinds have the same fields.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Change")]
struct Row<'a> {
    subject: Subject<'a>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    diff: &'a str,
}

impl<'a> Row<'a> {
    fn new(subject: Subject<'a>, action: &'static str) -> Self {
        Self {
            subject,
            action,
            reason: None,
            before: None,
            after: None,
            diff: "",
        }
    }

    fn of(change: &'a Change) -> Self {
        match change {
            Change::Install(name) => Self::new(Subject::Package { name }, "install"),
            Change::RemovePackages => Self::new(Subject::InstalledPackages, "remove"),
            Change::Members => Self::new(Subject::Members, "record"),
            Change::File(file) => {
                let FileChange { path, role, .. } = file;
                let subject = Subject::File { path, role: *role };
                let permissions = file.permissions.as_ref();
                Self {
                    reason: Some(file.cause.into()),
                    before: permissions.map(|(before, _)| before.as_str()),
                    after: permissions.map(|(_, after)| after.as_str()),
                    diff: &file.diff,
                    ..Self::new(subject, file.action.into())
                }
            }
            Change::Sysctl(sysctl) => Self {
                reason: Some(sysctl.cause.into()),
                before: sysctl.kernel.as_deref(),
                after: Some(&sysctl.wanted),
                ..Self::new(Subject::Sysctl { key: &sysctl.key }, "set")
            },
            Change::Unit(unit) => Self {
                reason: Some(&unit.reason),
                ..Self::new(Subject::Unit { name: unit.unit }, unit.action.word())
            },
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row::of(self).serialize(serializer)
    }
}

impl JsonSchema for Change {
    fn schema_name() -> Cow<'static, str> {
        Row::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Row::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Row::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_changes_have_the_same_fields() {
        let file = FileChange {
            path: HostPath::new("/etc/nginx/nginx.conf").unwrap(),
            role: FileRole::NginxConf,
            action: FileAction::Modify,
            cause: Cause::InventoryAndHand,
            diff: "@@ -1 +1 @@\n-a\n+b\n".to_owned(),
            permissions: Some(("0600 root:root".to_owned(), "0644 root:root".to_owned())),
        };
        let sysctl = SysctlChange {
            key: "net.core.somaxconn".to_owned(),
            kernel: Some("4096".to_owned()),
            wanted: "65535".to_owned(),
            cause: Cause::New,
        };
        let unit = UnitChange {
            unit: UnitId::NGINX,
            action: UnitAction::Reload,
            reason: "its files change".to_owned(),
        };
        insta::assert_json_snapshot!([
            Change::Install("nginx".to_owned()),
            Change::RemovePackages,
            Change::File(file),
            Change::Sysctl(sysctl),
            Change::Members,
            Change::Unit(unit),
        ]);
    }
}
