//! How long a VIP has no owner while all nodes change at once: by the timers of what is to come.

use std::net::IpAddr;
use std::time::Duration;

use super::router::{Peering, Router};

/// `held` with true where the keeper holds it. For a VIP that another node holds it is the longest time
/// possible. `None` where it cannot be told from the routers that the keeper runs and will run.
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
            // Nobody is to own it any more.
            continue;
        };
        let wait = match (is_keepers, goes_on(&old, &new)) {
            (true, true) => Duration::ZERO,
            (true, false) => new.down_time(),
            // Its owner resigns, and the keeper's wait for it may be begun anew by what is loaded.
            (false, _) => old.skew() + new.down_time(),
        };
        longest = longest.max(wait);
    }
    Some(longest)
}

/// True where a keepalived that loads `new` takes it for `old`, and its owner stays one: by `vrrp_exist` in
/// vrrp.c (2.2.7 to 2.3.4; before, another multicast group made no difference).
fn goes_on(old: &Router, new: &Router) -> bool {
    let is_same = match (&old.peering, &new.peering) {
        (Peering::Unicast { .. }, Peering::Unicast { .. }) => old.source == new.source,
        (Peering::Multicast { group: old }, Peering::Multicast { group: new }) => old == new,
        _ => false,
    };
    is_same && old.key() == new.key()
}
