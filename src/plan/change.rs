//! What happens on a node, one change at a time.

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
    /// It comes into being.
    Create,
    /// Its content changes.
    Modify,
    /// Only its mode or owner changes.
    Permissions,
    /// It goes.
    Delete,
}

/// One file's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where.
    pub path: HostPath,
    /// What it is for, as the manifest names it.
    pub role: FileRole,
    /// What happens to it.
    pub action: FileAction,
    /// Why.
    pub cause: Cause,
    /// A unified diff, secrets masked; empty when nothing of the content may be shown or changes.
    pub diff: String,
    /// Mode and owner before and after, where they change; before, it may also be a link.
    pub permissions: Option<(String, String)>,
}

/// One kernel setting's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlChange {
    /// The key.
    pub key: String,
    /// What the kernel uses now; `None` where it has no such key.
    pub kernel: Option<String>,
    /// What it is to use.
    pub wanted: String,
    /// Why.
    pub cause: Cause,
}

/// One service's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitChange {
    /// Which.
    pub unit: UnitId,
    /// What happens to it.
    pub action: UnitAction,
    /// Why, as a clause.
    pub reason: String,
}

/// One thing that happens on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A package is installed, with what it needs.
    Install(String),
    /// The packages that hactl installed are removed (generation 0).
    RemovePackages,
    /// A file changes.
    File(FileChange),
    /// A kernel setting changes.
    Sysctl(SysctlChange),
    /// The generation's record of who belongs to the cluster changes.
    Members,
    /// Something happens to a service.
    Unit(UnitChange),
}

/// What a change is of.
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

/// A change as others see it: all kinds have the same fields.
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
