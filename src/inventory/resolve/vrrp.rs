//! What all virtual routers share.

use std::time::Duration;

use crate::inventory::error::{Fault, Faults};
use crate::inventory::raw::VrrpKeys;
use crate::model::{
    AdvertInterval, Authentication, Failover, Preemption, VrrpSettings, VrrpVersion,
};

/// The settings.
pub(super) fn resolve(keys: &VrrpKeys, faults: &mut Faults) -> Option<VrrpSettings> {
    let preemption = preemption(keys, faults);
    let failover = keys.failover.as_ref()?.value;
    let version = keys.version.as_ref()?.value;
    let advert_interval = match &keys.advert_interval {
        Some(interval) => interval.value,
        None => AdvertInterval::new(default_interval(failover, version)).ok()?,
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
        peering: keys.peering.as_ref()?.value,
        preemption: preemption?,
        on_nginx_failure: keys.on_nginx_failure.as_ref()?.value,
        authentication,
        garp_refresh: (!garp_refresh.is_zero()).then_some(garp_refresh),
        strict: keys.strict.as_ref()?.value,
        iptables_chain: keys.iptables_chain.as_ref().map(|name| name.value.clone()),
    })
}

fn default_interval(failover: Failover, version: VrrpVersion) -> Duration {
    match (failover, version) {
        (Failover::Fast, VrrpVersion::V3) => Duration::from_millis(50),
        // VRRPv2 counts in whole seconds, so one is as fast as it gets.
        (Failover::Fast, VrrpVersion::V2) | (Failover::Standard, _) => Duration::from_secs(1),
        (Failover::Wan, _) => Duration::from_secs(3),
    }
}

fn preemption(keys: &VrrpKeys, faults: &mut Faults) -> Option<Preemption> {
    let delay = keys.preempt_delay.as_ref();
    let preempt = keys.preempt.as_ref()?;
    if preempt.value {
        let delay = delay.map_or(Duration::ZERO, |delay| delay.0);
        return Some(Preemption::Preempt { delay });
    }
    if let Some(delay) = delay {
        let message = format!("{}: a delay for what never happens", delay.path);
        let fault = Fault::at(&delay.span, message)
            .also(&preempt.span, "nothing is preempted")
            .help("remove `preempt_delay`, or write `preempt: true`");
        faults.add(fault);
    }
    Some(Preemption::Keep)
}
