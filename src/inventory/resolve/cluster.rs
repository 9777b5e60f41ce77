//! Assembles the cluster from its parts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{hosts, listeners, nodes, sites, sysctls, upstreams, vips, vrrp};
use crate::inventory::error::Diagnostics;
use crate::inventory::raw::{
    ClusterKeys, DrillKeys, HealthKeys, NginxKeys, NotifyKeys, Pairs, RawKeys, Spanned,
};
use crate::model::{
    Cluster, DrillName, Failover, Health, Hold, NginxSettings, Notify, RawSnippets,
};

/// Resolves `keys`, with `profile` as the default failover profile. `None` means that errors were added.
pub(in crate::inventory) fn resolve(
    keys: &ClusterKeys,
    profile: Failover,
    faults: &mut Diagnostics,
) -> Option<Cluster> {
    // Resolve every part before any can fail, so that all errors are found.
    let nodes = nodes::resolve(keys, faults);
    let hosts = hosts::resolve(keys, faults);
    let vrrp = keys
        .vrrp
        .as_ref()
        .and_then(|vrrp| vrrp::resolve(vrrp, profile, faults));
    let instances = vips::resolve(keys, vrrp.as_ref(), faults);
    let upstreams = upstreams::resolve(keys, faults);
    let sites = sites::resolve(keys, faults);
    let streams = sites::streams(keys, faults);
    listeners::check(keys, faults);
    let (mut sites, streams) = (sites?, streams?);
    let hosts = hosts?;
    let nginx_keys = keys.nginx.as_ref()?;
    let status_port = listeners::status_port(nginx_keys, &sites, &streams);
    let nginx = nginx(nginx_keys, status_port)?;
    let instances = instances?;
    if hosts.nginx == Hold::Shared {
        hosts::listen_on_vips(&mut sites, &instances);
    }
    let sysctls = sysctls::resolve(keys, &nginx, &sites, &streams, &instances, faults)?;
    let notify_keys = keys.notify.as_ref()?;
    Some(Cluster {
        name: keys.cluster.as_ref()?.value.clone(),
        nodes: nodes?,
        hosts,
        instances,
        vrrp: vrrp?,
        health: health(keys.health.as_ref()?)?,
        upstreams: upstreams?,
        sites,
        streams,
        nginx,
        sysctls,
        notify: notify(notify_keys)?,
        notify_hook: notify_keys.hook.as_ref().map(|hook| hook.value.clone()),
        drill_budgets: drill_budgets(keys.drills.as_ref()?),
        raw: snippets(keys.raw.as_ref()?),
    })
}

fn drill_budgets(keys: &Pairs<DrillName, DrillKeys>) -> BTreeMap<DrillName, Duration> {
    let budget = |(name, drill): &(Spanned<DrillName>, Spanned<DrillKeys>)| {
        Some((name.value, drill.value.budget.as_ref()?.0))
    };
    keys.pairs.iter().filter_map(budget).collect()
}

fn health(keys: &HealthKeys) -> Option<Health> {
    Some(Health {
        interval: keys.interval.as_ref()?.0,
        timeout: keys.timeout.as_ref()?.0,
        fall: keys.fall.as_ref()?.as_u32(),
        rise: keys.rise.as_ref()?.as_u32(),
    })
}

fn nginx(keys: &NginxKeys, status_port: u16) -> Option<NginxSettings> {
    Some(NginxSettings {
        worker_processes: keys.worker_processes.as_ref()?.0,
        worker_connections: keys.worker_connections.as_ref()?.as_u32(),
        keepalive_timeout: keys.keepalive_timeout.as_ref()?.0,
        client_max_body_size: keys.client_max_body_size.as_ref()?.0,
        shutdown_timeout: keys.shutdown_timeout.as_ref()?.0,
        access_log: keys.access_log.as_ref()?.value.clone(),
        log_format: keys.log_format.as_ref()?.0.clone(),
        error_log: keys.error_log.as_ref()?.value.clone(),
        status_port,
        backlog: keys.backlog.as_ref()?.as_u32(),
        raw_http: keys.raw_http.as_ref().map(|raw| raw.0.clone()),
    })
}

fn notify(keys: &NotifyKeys) -> Option<Notify> {
    Some(Notify {
        master: keys.master.as_ref()?.value,
        backup: keys.backup.as_ref()?.value,
        fault: keys.fault.as_ref()?.value,
    })
}

fn snippets(keys: &RawKeys) -> RawSnippets {
    RawSnippets {
        keepalived_global: keys.keepalived_global.as_ref().map(|raw| raw.0.clone()),
        keepalived_instance: keys.keepalived_instance.as_ref().map(|raw| raw.0.clone()),
        keepalived: keys.keepalived.as_ref().map(|raw| raw.0.clone()),
    }
}
