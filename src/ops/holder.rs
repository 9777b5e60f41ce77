//! Which process holds a lock: known for sure only where that process runs on this very machine.

use crate::agent::{LockInfo, sha256_hex};

/// Tells this process from every other one of this machine, as long as it runs; empty where that cannot
/// be told. A host keeps it as it is.
///
/// Machine and boot say whether a number of a process means anything here, its namespace which one it
/// counts in, and the time at which it started that the number was not given to another one since.
pub(super) fn own_origin() -> String {
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    match (here(), start_time(pid)) {
        (Some(here), Some(start)) => format!("{here}/{start}"),
        _ => String::new(),
    }
}

/// True when the lock's holder ran here and is gone. False where that cannot be known.
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
    // A process that may not be signalled is there, too; and /proc may hide those of others.
    let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None)
        == Err(nix::errno::Errno::ESRCH);
    gone || start_time(pid).is_some_and(|now| now != start)
}

/// This machine, this boot of it, and the namespace that its processes are counted in.
fn here() -> Option<String> {
    let machine = std::fs::read_to_string("/etc/machine-id").ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    // The machine's id is not to be given away as it is: machine-id(5).
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

/// When a process started, in ticks since boot: field 22 of its stat, after a name that may hold anything.
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
            // Not Linux: then no lock is ever known to be dead.
            return;
        }
        let me = std::process::id();
        assert!(!is_dead(&lock(me, own.clone())));
        // My number, given to me after somebody else had it.
        let (place, start) = own.rsplit_once('/').unwrap();
        let earlier = start.parse::<u64>().unwrap() - 1;
        assert!(is_dead(&lock(me, format!("{place}/{earlier}"))));
        // A child that has ended.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(is_dead(&lock(pid, own.clone())));
        // The same number on another machine, in another boot, in another namespace, or nowhere.
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
