//! What a change does to the daemons.

use super::beside::shares;
use super::desired::Desired;
use super::listeners::need_restart;
use super::serving::moved_ports;
use super::types::{FileAction, FileChange, UnitAction};
use crate::agent::{Observation, Program};
use crate::model::FileRole;

/// What happens to both daemons, and why one is restarted if it is.
pub(super) struct Actions {
    pub(super) nginx: UnitAction,
    pub(super) keepalived: UnitAction,
    pub(super) restart_reason: Option<String>,
    pub(super) keepalived_restart_reason: Option<String>,
}

pub(super) fn actions(seen: &Observation, desired: &Desired, files: &[FileChange]) -> Actions {
    if desired.is_original {
        return original_actions(seen, desired);
    }
    let changed = |roles: &[FileRole]| files.iter().any(|file| roles.contains(&file.role));
    let id = |program: &str| desired.ids.as_ref().map(|ids| ids.of(program).as_str());
    let is_installed = |program| matches!(program, Program::Installed { .. });

    let nginx = seen.service("nginx");
    let restart_reason = restart_reason(seen, desired, files);
    let reloads = changed(&[
        FileRole::NginxConf,
        FileRole::TlsCertificate,
        FileRole::TlsKey,
    ]) || seen.serves.as_deref() != id("nginx");
    let nginx_action = if !is_installed(seen.nginx) || !nginx.is_active() {
        UnitAction::Start
    } else if restart_reason.is_some() {
        UnitAction::Restart
    } else if reloads || nginx.enabled != "enabled" || nginx.needs_daemon_reload {
        UnitAction::Reload
    } else {
        UnitAction::None
    };

    let keepalived = seen.service("keepalived");
    let reloads = changed(&[FileRole::KeepalivedConf])
        || seen.loaded.as_deref() != id("keepalived")
        || !seen.unwatched.is_empty();
    let keepalived_action = if !is_installed(seen.keepalived) || !keepalived.is_active() {
        UnitAction::Start
    } else if reloads || keepalived.enabled != "enabled" || keepalived.needs_daemon_reload {
        UnitAction::Reload
    } else {
        UnitAction::None
    };
    let keepalived_restart_reason =
        fatal_reload(seen, desired).filter(|_| keepalived_action == UnitAction::Reload);
    let keepalived_action = match keepalived_restart_reason {
        Some(_) => UnitAction::Restart,
        None => keepalived_action,
    };
    Actions {
        nginx: nginx_action,
        keepalived: keepalived_action,
        restart_reason: restart_reason.filter(|_| nginx_action == UnitAction::Restart),
        keepalived_restart_reason,
    }
}

/// Generation 0: a daemon that ran before hactl runs again as it did, another is stopped. A host that
/// is back there already is left alone.
fn original_actions(seen: &Observation, desired: &Desired) -> Actions {
    if seen.recorded.is_none() {
        return Actions {
            nginx: UnitAction::None,
            keepalived: UnitAction::None,
            restart_reason: None,
            keepalived_restart_reason: None,
        };
    }
    let was_shared = |program: &str| {
        let recorded = seen.recorded.as_ref();
        recorded.is_some_and(|recorded| shares(recorded, program))
    };
    let action = |program: &str| {
        let unit = format!("{program}.service");
        let was_active = desired
            .services
            .iter()
            .any(|service| service.unit == unit && service.active == "active");
        match (was_active, seen.service(program).is_active()) {
            // Beside others it was never restarted for hactl's sake, and serves them now.
            (true, true) if was_shared(program) => UnitAction::Reload,
            // Its limits came from a drop-in that goes, so that only a restart brings it back whole.
            (true, true) => UnitAction::Restart,
            (true, false) => UnitAction::Start,
            (false, true) => UnitAction::Stop,
            (false, false) => UnitAction::None,
        }
    };
    Actions {
        nginx: action("nginx"),
        keepalived: action("keepalived"),
        restart_reason: None,
        keepalived_restart_reason: None,
    }
}

/// Why a reload would end keepalived: it keeps an error that it met in an earlier file, and ends with it as
/// soon as it loads a file that has `reload_check_config`.
fn fatal_reload(seen: &Observation, desired: &Desired) -> Option<String> {
    let unsure = seen.unsure_reload.as_ref()?;
    let mut files = desired.tree.files.iter();
    let conf = files.find(|file| file.role == FileRole::KeepalivedConf)?;
    let checks = |line: &str| line.trim() == "reload_check_config";
    if !std::str::from_utf8(&conf.content).is_ok_and(|text| text.lines().any(checks)) {
        return None;
    }
    if unsure.code != 0 {
        let what = format!(
            "a reload would end it, since its file has an error: {}",
            unsure.output
        );
        return Some(what.trim_end_matches([':', ' ', '.']).to_owned());
    }
    let edited = "a reload might end it, since its file was changed after it had started";
    unsure.is_edited.then(|| edited.to_owned())
}

/// Why a reload of nginx would not do.
fn restart_reason(seen: &Observation, desired: &Desired, files: &[FileChange]) -> Option<String> {
    let is_shared = shares(&desired.tree.manifest, "nginx");
    if is_shared || seen.recorded.as_ref().is_some_and(|it| shares(it, "nginx")) {
        let ports = seen
            .serving
            .as_ref()
            .map(|it| moved_ports(&desired.tree, it));
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
            return Some("its unit gets hactl's limits and its say in the election".to_owned());
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
    let ports = need_restart(content_before(change)?, content_after(FileRole::NginxConf)?);
    moved(&ports)
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
