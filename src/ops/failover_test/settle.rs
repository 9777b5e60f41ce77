//! Waiting until a cluster is healthy again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::reach::Reach;
use crate::agent::Observation;
use crate::drill::Load;
use crate::health::{self, VipOwners};
use crate::model::NodeName;

/// What is waited for.
pub(super) struct Wanted<'a> {
    /// The VIP that is watched.
    pub(super) vip: IpAddr,
    /// Who should have it in the end; `None` where anybody may.
    pub(super) owner: Option<&'a NodeName>,
    /// Time after which another owner than that is taken for the last one.
    pub(super) resigned_after: Duration,
    /// Time after which waiting is given up.
    pub(super) patience: Duration,
}

/// Time for which the right owner must stay.
const CALM: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(150);

/// Waits until all nodes answer and stand for election, the VIP has one owner who stays, and no request is
/// lost: neighbours may still send theirs to the last owner. Who wants to stop waits for that too, or
/// leaves. The last that
/// was seen of the nodes, `None` for one that does not answer; and whether it came to that.
pub(super) async fn settle(
    reach: &mut Reach<'_>,
    wanted: &Wanted<'_>,
    load: &Load,
) -> (Vec<Option<Observation>>, bool) {
    let deadline = Instant::now() + wanted.patience;
    let mut since: Option<(NodeName, Instant)> = None;
    loop {
        let seen = reach.glance().await;
        match healthy_owner(&seen, wanted.vip) {
            None => since = None,
            Some(owner) => {
                let began = match since {
                    Some((before, began)) if before == owner => began,
                    _ => Instant::now(),
                };
                let is_right = wanted.owner.is_none_or(|wanted| *wanted == owner);
                let calm = if is_right {
                    CALM
                } else {
                    wanted.resigned_after
                };
                if began.elapsed() >= calm && load.quiet_for() >= CALM {
                    return (seen, true);
                }
                since = Some((owner, began));
            }
        }
        if Instant::now() >= deadline {
            return (seen, false);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The one owner of `vip`, where all nodes answer and the cluster is healthy.
fn healthy_owner(seen: &[Option<Observation>], vip: IpAddr) -> Option<NodeName> {
    let seen: Vec<Observation> = seen.iter().cloned().collect::<Option<_>>()?;
    let is_healthy = health::problems(&seen, &[vip]).is_empty();
    let owner = VipOwners::of(vip, &seen);
    owner.sole().filter(|_| is_healthy).cloned()
}
