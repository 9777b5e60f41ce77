//! Reading `/proc`: processes, their ages and their namespaces.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Clock ticks in `/proc`: Linux fixes `USER_HZ` at 100 for user space.
const TICKS_PER_SECOND: u64 = 100;

/// The process's start time, in clock ticks since boot. `None` if there is no such process or it is
/// a zombie.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    let fields = stat_fields(pid)?;
    let state = fields.first()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.get(19)?.parse().ok()
}

pub(super) fn age(pid: u32) -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    let started = start_time(pid)?;
    let started = Duration::from_millis(started * 1000 / TICKS_PER_SECOND);
    Duration::try_from_secs_f64(uptime)
        .ok()?
        .checked_sub(started)
}

/// Whether the process is PID 1 of a PID namespace directly below ours, as a machine's init is.
pub(super) fn is_machine_leader(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    ids.is_some_and(|ids| {
        let ids: Vec<&str> = ids.split_whitespace().collect();
        ids.len() == 2 && ids[1] == "1"
    })
}

/// The processes that are in one of these network namespaces, or carry a lab's mark in their
/// environment. Leaves out the caller and its ancestors: a process in the lab that removes the lab
/// has to live to finish it.
pub(super) fn related(inodes: &HashSet<u64>, mark: &str) -> Vec<u32> {
    let spared = self_and_ancestors();
    let inside = |pid: &u32| {
        fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|ns| inodes.contains(&ns.ino()))
    };
    let marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|entry| entry == mark.as_bytes())
    };
    all()
        .filter(|pid| !spared.contains(pid))
        .filter(|pid| inside(pid) || marked(pid))
        .collect()
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn self_and_ancestors() -> HashSet<u32> {
    let mut found = HashSet::new();
    let mut pid = std::process::id();
    while pid != 0 && found.insert(pid) {
        let parent = stat_fields(pid).and_then(|fields| fields.get(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    found
}

/// The fields of `/proc/PID/stat` after the command name, which may contain spaces and parentheses.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_young_and_its_own_kin() {
        let pid = std::process::id();
        assert!(age(pid).unwrap() < Duration::from_hours(1));
        assert!(self_and_ancestors().contains(&pid));
        assert!(!is_machine_leader(pid));
    }

    #[test]
    fn nobody_has_an_impossible_id() {
        assert_eq!(start_time(u32::MAX), None);
    }
}
