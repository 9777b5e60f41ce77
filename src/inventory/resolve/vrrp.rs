//! VRRP settings that all virtual routers share.

use std::time::Duration;

use crate::inventory::error::{Diagnostic, Diagnostics};
use crate::inventory::raw::VrrpKeys;
use crate::model::{
    AdvertInterval, Authentication, DownTimerAdverts, Failover, Preemption, VrrpSettings,
    VrrpVersion,
};

/// `profile` is the default failover profile.
pub(super) fn resolve(
    keys: &VrrpKeys,
    profile: Failover,
    faults: &mut Diagnostics,
) -> Option<VrrpSettings> {
    let preemption = preemption(keys, faults);
    let failover = keys.failover.as_ref().map_or(profile, |named| named.value);
    let version = keys.version.as_ref()?.value;
    let strict = keys.strict.as_ref()?;
    if let Some(number) = &keys.down_timer_adverts
        && strict.value
        && number.value != DownTimerAdverts::RFC
    {
        let message = format!("{}: strict mode waits for three adverts", number.path);
        let fault = Diagnostic::at(&number.span, message)
            .also(&strict.span, "strict mode")
            .help("remove `down_timer_adverts`, or turn strict mode off");
        faults.add(fault);
    }
    let (usual_interval, usual_number) = match (failover, version) {
        (Failover::Fast, VrrpVersion::V3) if strict.value => (Duration::from_millis(50), 3),
        (Failover::Fast, VrrpVersion::V3) => (Duration::from_millis(20), 8),
        // VRRPv2 has only whole seconds, so one second is the minimum.
        (Failover::Fast, VrrpVersion::V2) | (Failover::Standard, _) => (Duration::from_secs(1), 3),
        (Failover::Wan, _) => (Duration::from_secs(3), 3),
    };
    let advert_interval = match &keys.advert_interval {
        Some(interval) => interval.value,
        None => AdvertInterval::new(usual_interval).ok()?,
    };
    let down_timer_adverts = match (&keys.down_timer_adverts, &keys.advert_interval) {
        (Some(number), _) => number.value,
        // An explicit interval implies RFC 9568's three adverts.
        (None, Some(_)) => DownTimerAdverts::RFC,
        (None, None) => DownTimerAdverts::new(usual_number).ok()?,
    };
    let authentication = match &keys.authentication {
        Some(keys) => Some(Authentication {
            password: keys.password.as_ref()?.value.clone(),
        }),
        None => None,
    };
    let garp_refresh = keys.garp_refresh.as_ref()?.0;
    Some(VrrpSettings {
        failover,
        version,
        advert_interval,
        down_timer_adverts,
        peering: keys.peering.as_ref()?.value,
        preemption: preemption?,
        on_nginx_failure: keys.on_nginx_failure.as_ref()?.value,
        authentication,
        garp_refresh: (!garp_refresh.is_zero()).then_some(garp_refresh),
        strict: strict.value,
        iptables_chain: keys.iptables_chain.as_ref().map(|name| name.value.clone()),
    })
}

fn preemption(keys: &VrrpKeys, faults: &mut Diagnostics) -> Option<Preemption> {
    let delay = keys.preempt_delay.as_ref();
    let preempt = keys.preempt.as_ref()?;
    if preempt.value {
        let delay = delay.map_or(Duration::ZERO, |delay| delay.0);
        return Some(Preemption::Preempt { delay });
    }
    if let Some(delay) = delay {
        let message = format!(
            "{}: has no effect because preemption is disabled",
            delay.path
        );
        let fault = Diagnostic::at(&delay.span, message)
            .also(&preempt.span, "nothing is preempted")
            .help("remove `preempt_delay`, or write `preempt: true`");
        faults.add(fault);
    }
    Some(Preemption::Keep)
}
