//! How long a VIP has no owner while all nodes change at once, by the timers of the new configuration.

use std::net::IpAddr;
use std::time::Duration;

use super::router::{Peering, Router};

/// `held` says for each VIP whether the keeper holds it. For a VIP that another node holds, the result is an upper
/// bound. `None` if the keeper's current and planned virtual routers do not determine it.
pub(super) fn without_owner(
    before: &[Router],
    after: &[Router],
    held: &[(IpAddr, bool)],
) -> Option<Duration> {
    let brings = |routers: &[Router], vip: IpAddr| {
        let found = routers.iter().find(|one| one.vips().any(|own| own == vip));
        found.cloned()
    };
    let mut longest = Duration::ZERO;
    for (vip, is_keepers) in held {
        let old = brings(before, *vip)?;
        let Some(new) = brings(after, *vip) else {
            // The VIP is removed.
            continue;
        };
        let wait = match (is_keepers, goes_on(&old, &new)) {
            (true, true) => Duration::ZERO,
            (true, false) => new.down_time(),
            // Its owner resigns, and the reload may restart the keeper's timer for it.
            (false, _) => old.skew() + new.down_time(),
        };
        longest = longest.max(wait);
    }
    Some(longest)
}

/// True if a keepalived that loads `new` recognises it as `old`, so that a MASTER stays MASTER: by `vrrp_exist` in
/// vrrp.c (2.2.7 to 2.3.4). Earlier versions ignore a changed multicast group.
fn goes_on(old: &Router, new: &Router) -> bool {
    let is_same = match (&old.peering, &new.peering) {
        (Peering::Unicast { .. }, Peering::Unicast { .. }) => old.source == new.source,
        (Peering::Multicast { group: old }, Peering::Multicast { group: new }) => old == new,
        _ => false,
    };
    is_same && old.key() == new.key()
}
