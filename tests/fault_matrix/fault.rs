//! The faults: what each one does to the cluster, and what undoes it.

use std::process::Child;
use std::time::Duration;

use crate::bench::Bench;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    Kill,
    Cut,
    CutAll,
    PowerCycle,
    HolderDies,
    DiskFull,
    ReadOnly,
    NginxRefuses,
    KeepalivedRefuses,
    ReloadIgnored,
    ClockJumps,
    SshdStops,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::Kill,
        Self::Cut,
        Self::CutAll,
        Self::PowerCycle,
        Self::HolderDies,
        Self::DiskFull,
        Self::ReadOnly,
        Self::NginxRefuses,
        Self::KeepalivedRefuses,
        Self::ReloadIgnored,
        Self::ClockJumps,
        Self::SshdStops,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "hactl killed with -9",
            Self::Cut => "one node's network cut",
            Self::CutAll => "all networks cut",
            Self::PowerCycle => "a node powered off, and booted",
            Self::HolderDies => "the VIP's holder dies meanwhile",
            Self::DiskFull => "a disk full",
            Self::ReadOnly => "a file system read-only",
            Self::NginxRefuses => "nginx refuses",
            Self::KeepalivedRefuses => "keepalived refuses",
            Self::ReloadIgnored => "a reload without effect",
            Self::ClockJumps => "the clock jumps an hour",
            Self::SshdStops => "sshd stops",
        }
    }

    /// Its key in `HACTL_FAULT_MATRIX`.
    pub(crate) fn key(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether hactl may fail to release a lock, so that the lock has to expire.
    pub(crate) fn may_keep_a_lock(self) -> bool {
        self.hides_a_node() || self == Self::ReadOnly
    }

    /// Whether a node may be unreachable.
    pub(crate) fn hides_a_node(self) -> bool {
        matches!(
            self,
            Self::Kill
                | Self::Cut
                | Self::CutAll
                | Self::PowerCycle
                | Self::HolderDies
                | Self::SshdStops
        )
    }

    /// The longest duration. A node that cannot reach its peers rolls back alone 30 s after its
    /// confirm timeout (docs/reliability.md), so cuts have to be shorter.
    pub(crate) fn lasts(self) -> Duration {
        match self {
            Self::Cut | Self::CutAll | Self::HolderDies | Self::SshdStops => {
                Duration::from_secs(20)
            }
            _ => Duration::from_mins(3),
        }
    }

    /// Whether its outcome takes long, since timers have to expire or connections to time out.
    pub(crate) fn is_slow(self) -> bool {
        matches!(
            self,
            Self::Kill | Self::Cut | Self::CutAll | Self::PowerCycle | Self::HolderDies
        )
    }

    /// Injects it on `node` while hactl changes the cluster to `side`.
    pub(crate) fn make(self, bench: &Bench, node: &str, side: usize, hactl: &mut Child) {
        let cluster = &bench.cluster;
        match self {
            Self::Kill => hactl.kill().unwrap(),
            Self::Cut => cluster.cut(node).unwrap(),
            Self::CutAll => {
                for node in cluster.nodes() {
                    cluster.cut(&node).unwrap();
                }
            }
            Self::PowerCycle => {
                cluster.power_off(node).unwrap();
                bench.release();
                cluster.boot(node).unwrap();
            }
            Self::HolderDies => cluster.power_off(&bench.holder()).unwrap(),
            Self::DiskFull => bench.fill_disk(node),
            Self::ReadOnly => {
                cluster.on(
                    node,
                    "for dir in /etc /var/lib/hactl; do
                        mkdir -p $dir
                        mount -n --bind $dir $dir && mount -n -o remount,bind,ro $dir || exit 1
                    done",
                );
            }
            Self::NginxRefuses => bench.mind(node, "refuse-nginx", side),
            Self::KeepalivedRefuses => bench.mind(node, "refuse-keepalived", side),
            Self::ReloadIgnored => {
                bench.mind(node, "ignore-nginx", side);
                bench.mind(node, "ignore-keepalived", side);
            }
            Self::ClockJumps => bench.jump(node, if side == 0 { "-1h" } else { "+1h" }),
            Self::SshdStops => {
                cluster.on(
                    node,
                    "/usr/bin/systemctl stop ssh.service ssh.socket 2>/dev/null; :",
                );
            }
        }
    }

    /// Undoes it.
    pub(crate) fn undo(self, bench: &Bench, node: &str) {
        let cluster = &bench.cluster;
        match self {
            Self::Kill | Self::PowerCycle => {}
            Self::Cut => cluster.heal(node).unwrap(),
            Self::CutAll => {
                for node in cluster.nodes() {
                    cluster.heal(&node).unwrap();
                }
            }
            Self::HolderDies => {
                for node in cluster.nodes() {
                    if cluster.leader(&node).is_err() {
                        cluster.boot(&node).unwrap();
                    }
                }
            }
            Self::DiskFull => bench.empty_disk(node),
            Self::ReadOnly => {
                cluster.on(node, "umount -n -l /etc && umount -n -l /var/lib/hactl");
            }
            Self::NginxRefuses | Self::KeepalivedRefuses | Self::ReloadIgnored => {
                bench.mind_nothing(node);
            }
            Self::ClockJumps => bench.set_clock_right(node),
            Self::SshdStops => {
                cluster.on(node, "/usr/bin/systemctl start ssh.service");
            }
        }
    }
}
