//! Which process holds a lock. Whether it still runs is only certain on the machine that it runs on.

use crate::agent::{LockInfo, sha256_hex};

/// Identifies this process among all processes of this machine for as long as it runs. Empty if it cannot be
/// determined. Hosts store it verbatim.
///
/// Machine ID and boot ID say whether a PID means anything here, the PID namespace says whose numbering it is, and the
/// start time says that the PID has not been reused since.
pub(super) fn own_origin() -> String {
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    match (here(), start_time(pid)) {
        (Some(here), Some(start)) => format!("{here}/{start}"),
        _ => String::new(),
    }
}

/// True if the holder ran on this machine and has exited. False if that cannot be known.
pub(super) fn is_dead(lock: &LockInfo) -> bool {
    let (Some((place, start)), Some(here)) = (lock.origin.rsplit_once('/'), here()) else {
        return false;
    };
    let (Ok(pid), Ok(start)) = (lock.pid.parse::<i32>(), start.parse::<u64>()) else {
        return false;
    };
    if place != here || pid <= 0 {
        return false;
    }
    // EPERM means that the process exists. /proc may hide processes of other users.
    let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None)
        == Err(nix::errno::Errno::ESRCH);
    gone || start_time(pid).is_some_and(|now| now != start)
}

/// Machine ID, boot ID and PID namespace.
fn here() -> Option<String> {
    let machine = std::fs::read_to_string("/etc/machine-id").ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    // The machine ID must not be exposed as it is: machine-id(5).
    let machine = sha256_hex(format!("hactl lock {}", machine.trim()).as_bytes());
    let namespace: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!(
        "{}/{}/{namespace}",
        machine.get(..16)?,
        boot.trim()
    ))
}

/// Start time of a process in ticks since boot: field 22 of its stat file, after a name that may contain anything.
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(pid: u32, origin: String) -> LockInfo {
        LockInfo {
            pid: pid.to_string(),
            origin,
            ..LockInfo::default()
        }
    }

    #[test]
    fn only_a_process_of_this_boot_that_is_gone_is_dead() {
        let own = own_origin();
        if own.is_empty() {
            // Not Linux: no lock is ever known to be dead.
            return;
        }
        let me = std::process::id();
        assert!(!is_dead(&lock(me, own.clone())));
        // This PID, held by an earlier process.
        let (place, start) = own.rsplit_once('/').unwrap();
        let earlier = start.parse::<u64>().unwrap() - 1;
        assert!(is_dead(&lock(me, format!("{place}/{earlier}"))));
        // A child that has exited.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(is_dead(&lock(pid, own.clone())));
        // The same PID on another machine, in another boot, in another namespace, or without an origin.
        for part in 0..3 {
            let mut words: Vec<&str> = own.split('/').collect();
            words[part] = "other";
            assert!(!is_dead(&lock(pid, words.join("/"))));
        }
        assert!(!is_dead(&lock(pid, String::new())));
        assert!(!is_dead(&LockInfo {
            pid: String::new(),
            ..lock(pid, own)
        }));
    }
}
