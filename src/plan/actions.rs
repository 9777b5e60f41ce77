//! Actions on the services, and the reasons for them.

use super::beside::shares;
use super::change::{FileAction, FileChange, UnitChange};
use super::desired::Desired;
use super::serving::moved_ports;
use crate::agent::{Observation, Program, UnitAction};
use crate::conf::{Files, keepalived};
use crate::model::{FileRole, UnitId};
use crate::render::ConfigId;
use crate::units::{self, ManagedUnit};

/// Actions on the services, in the order in which they are carried out.
pub(super) fn actions(
    seen: &Observation,
    desired: &Desired,
    files: &[FileChange],
) -> Vec<UnitChange> {
    let change = |unit: &ManagedUnit| {
        let (action, reason) = if desired.is_original {
            original_action(unit.id, seen, desired)?
        } else {
            action(unit, seen, desired, files)?
        };
        Some(UnitChange {
            unit: unit.id,
            action,
            reason,
        })
    };
    units::all().filter_map(change).collect()
}

type Action = Option<(UnitAction, String)>;

fn action(
    unit: &ManagedUnit,
    seen: &Observation,
    desired: &Desired,
    files: &[FileChange],
) -> Action {
    let service = seen.service(unit.id);
    if matches!(seen.program(unit.id), Program::Missing { .. }) {
        return Some((UnitAction::Start, "it is not installed yet".to_owned()));
    }
    if !service.is_active() {
        return Some((UnitAction::Start, "it is not running".to_owned()));
    }
    let reload = reload_reason(unit, seen, desired, files);
    let restart = match unit.id {
        UnitId::NGINX => restart_reason(seen, desired, files),
        UnitId::KEEPALIVED => reload.and_then(|_| fatal_reload(seen, desired)),
        _ => None,
    };
    match (restart, reload) {
        (Some(why), _) => Some((UnitAction::Restart, why)),
        (None, Some(why)) => Some((UnitAction::Reload, why.to_owned())),
        (None, None) => None,
    }
}

/// Why a running service has to be reloaded.
fn reload_reason(
    unit: &ManagedUnit,
    seen: &Observation,
    desired: &Desired,
    files: &[FileChange],
) -> Option<&'static str> {
    let wanted = desired.ids.as_ref().and_then(|ids| ids.of(unit.id));
    let service = seen.service(unit.id);
    if files.iter().any(|file| unit.loads(file.role, &file.path)) {
        return Some("its files change");
    }
    if seen.loaded(unit.id) != wanted.map(ConfigId::as_str) {
        return Some("it runs a different configuration");
    }
    if unit.id == UnitId::KEEPALIVED && !seen.unwatched.is_empty() {
        return Some("it no longer watches a file");
    }
    if service.enabled != "enabled" {
        return Some("it would not start at boot");
    }
    let stale = "its unit files changed and need a `systemctl daemon-reload`";
    service.needs_daemon_reload.then_some(stale)
}

/// Generation 0: a daemon that ran before hactl runs as it did then, any other is stopped. A host that is already
/// back there is left alone.
fn original_action(unit: UnitId, seen: &Observation, desired: &Desired) -> Action {
    let recorded = seen.recorded.as_ref()?;
    let was_active = desired
        .services
        .iter()
        .any(|service| service.unit == unit.service() && service.active == "active");
    let (action, reason) = match (was_active, seen.service(unit).is_active()) {
        // A shared daemon was never restarted for hactl's sake, and serves the traffic of others now.
        (true, true) if shares(recorded, unit) => (UnitAction::Reload, "its files change"),
        // Its limits came from a drop-in that is removed, and only a restart resets them.
        (true, true) => (UnitAction::Restart, "hactl's limits are removed"),
        (true, false) => (UnitAction::Start, "it ran before hactl"),
        (false, true) => (UnitAction::Stop, "it did not run before hactl"),
        (false, false) => return None,
    };
    Some((action, reason.to_owned()))
}

/// Why a reload would terminate keepalived: it remembers an error from an earlier file, and exits with it as soon
/// as it loads a file that has `reload_check_config`.
fn fatal_reload(seen: &Observation, desired: &Desired) -> Option<String> {
    let unsure = seen.unsure_reload.as_ref()?;
    let mut files = desired.tree.files.iter();
    let conf = files.find(|file| file.role == FileRole::KeepalivedConf)?;
    let text = String::from_utf8_lossy(&conf.content);
    let conf = keepalived::Conf::of_text(&text, Some(&seen.hostname));
    if !conf.global.reload_check_config {
        return None;
    }
    if unsure.code != 0 {
        let what = format!(
            "a reload would make it exit, since its file has an error: {}",
            unsure.output
        );
        return Some(what.trim_end_matches([':', ' ', '.']).to_owned());
    }
    let edited = "a reload might make it exit, since its file was changed after it started";
    unsure.is_edited.then(|| edited.to_owned())
}

/// Why nginx needs a restart instead of a reload.
fn restart_reason(seen: &Observation, desired: &Desired, files: &[FileChange]) -> Option<String> {
    let is_shared = shares(&desired.tree.manifest, UnitId::NGINX);
    if is_shared
        || seen
            .recorded
            .as_ref()
            .is_some_and(|it| shares(it, UnitId::NGINX))
    {
        let ports = seen
            .serving
            .as_ref()
            .map(|it| moved_ports(&desired.tree, &it.conf_files()));
        let ports = ports.unwrap_or_default();
        if is_shared || !ports.is_empty() {
            return moved(&ports);
        }
    }
    let change_of = |role: FileRole| files.iter().find(|file| file.role == role);
    let content_after = |role: FileRole| {
        let file = desired.tree.files.iter().find(|file| file.role == role)?;
        std::str::from_utf8(&file.content).ok()
    };
    let content_before = |change: &FileChange| {
        let content = seen.files.get(&change.path)?.content()?;
        std::str::from_utf8(content).ok()
    };
    if let Some(change) = change_of(FileRole::NginxUnit) {
        if matches!(change.action, FileAction::Create | FileAction::Delete) {
            return Some(
                "its unit gets hactl's limits and tells keepalived when it stops".to_owned(),
            );
        }
        let limits = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| line.starts_with("Limit"))
                .map(str::to_owned)
                .collect()
        };
        if let (Some(before), Some(after)) =
            (content_before(change), content_after(FileRole::NginxUnit))
            && limits(before) != limits(after)
        {
            return Some("a limit of its unit changes".to_owned());
        }
    }
    let change = change_of(FileRole::NginxConf)?;
    let before = Files::single(change.path.as_str(), content_before(change)?);
    moved(&moved_ports(&desired.tree, &before))
}

fn moved(ports: &[u16]) -> Option<String> {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    (!ports.is_empty()).then(|| {
        format!(
            "a reload cannot move port {} between all addresses and one (NG003)",
            list.join(", ")
        )
    })
}
