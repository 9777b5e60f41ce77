//! Waits until a cluster is healthy again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::reach::Reach;
use crate::agent::Observation;
use crate::drill::Load;
use crate::health::{self, VipOwners};
use crate::model::NodeName;

/// The steady state to wait for.
pub(super) struct SteadyState<'a> {
    /// The VIP to watch.
    pub(super) vip: IpAddr,
    /// The node that should own it in the end. `None` if any may.
    pub(super) owner: Option<&'a NodeName>,
    /// Time after which a different owner is accepted as final.
    pub(super) resigned_after: Duration,
    /// Time after which to give up.
    pub(super) patience: Duration,
}

/// How long the right owner must keep the VIP.
const QUIET_PERIOD: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(150);

/// Waits until all nodes answer and take part in the election, the VIP has one stable owner, and no request is lost,
/// since neighbours may still send theirs to the last owner. A request to stop waits for that, too, unless the user
/// aborts. Returns the last observation of each node, `None` for one that does not answer, and whether the steady state
/// was reached.
pub(super) async fn settle(
    reach: &mut Reach<'_>,
    wanted: &SteadyState<'_>,
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
                    QUIET_PERIOD
                } else {
                    wanted.resigned_after
                };
                if began.elapsed() >= calm && load.quiet_for() >= QUIET_PERIOD {
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

/// The sole owner of `vip`, if all nodes answer and the cluster is healthy.
fn healthy_owner(seen: &[Option<Observation>], vip: IpAddr) -> Option<NodeName> {
    let seen: Vec<Observation> = seen.iter().cloned().collect::<Option<_>>()?;
    let is_healthy = health::problems(&seen, &[vip]).is_empty();
    let owner = VipOwners::of(vip, &seen);
    owner.sole().filter(|_| is_healthy).cloned()
}
