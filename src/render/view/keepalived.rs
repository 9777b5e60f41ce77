//! The view for keepalived.conf.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::{
    Cluster, DownTimerAdverts, KeepalivedFeature, Node, NodeFacts, OnNginxFailure, Peering,
    Preemption, Secrets, Version, VrrpInstance, VrrpVersion,
};
use crate::model::{UnitId, keepalived_word};
use crate::render::convert::secret;
use crate::render::error::RenderError;
use crate::render::registry::{CHECK_SCRIPT, NOTIFY_SCRIPT, TRACK_FILE};

use super::common::{decimal_seconds, on_interface, snippet, whole_seconds};

/// True when the host's keepalived can track a file.
pub(in crate::render) fn tracks_file(facts: &NodeFacts) -> bool {
    KeepalivedFeature::TrackFile.is_in(facts.keepalived)
}

/// Variables of the template for keepalived.conf.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one line of keepalived.conf, present or not"
)]
#[derive(Serialize)]
pub(in crate::render) struct KeepalivedView {
    header: String,
    /// A keepalived.conf that is not hactl's includes this file.
    shared: bool,
    router_id: String,
    config_id: String,
    reload_check_config: bool,
    vrrp_version: u8,
    max_auto_priority: bool,
    garp_refresh: Option<u64>,
    strict: bool,
    /// The same as a parameter of an instance.
    strict_mode: &'static str,
    firewall: Option<String>,
    raw_global: Option<String>,
    track_file: Option<TrackFileView>,
    script: ScriptView,
    instances: Vec<InstanceView>,
    raw: Option<String>,
}

impl KeepalivedView {
    /// True when the file contains a password.
    pub(in crate::render) fn holds_secret(&self) -> bool {
        self.instances.iter().any(|i| i.auth_pass.is_some())
    }
}

#[derive(Serialize)]
struct TrackFileView {
    keyword: &'static str,
    path: &'static str,
}

/// The `vrrp_script`.
#[derive(Serialize)]
struct ScriptView {
    name: &'static str,
    path: &'static str,
    interval: String,
    timeout: String,
    fall: u32,
    rise: u32,
    weight: Option<i16>,
}

/// One `vrrp_instance`.
#[derive(Serialize)]
struct InstanceView {
    name: String,
    interface: String,
    virtual_router_id: u8,
    /// The VRRP version, which is never 2 for IPv6.
    version: u8,
    priority: u8,
    advert_int: String,
    down_timer_adverts: Option<u8>,
    nopreempt: bool,
    preempt_delay: Option<String>,
    /// Comments on settings that were requested and are impossible.
    notes: Vec<&'static str>,
    unicast: Option<UnicastView>,
    auth_pass: Option<String>,
    addresses: Vec<String>,
    excluded: Vec<String>,
    routes: Vec<String>,
    track_interfaces: Vec<String>,
    notify: Vec<String>,
    raw: Option<String>,
}

#[derive(Serialize)]
struct UnicastView {
    source: IpAddr,
    peers: Vec<IpAddr>,
}

pub(in crate::render) fn view(
    cluster: &Cluster,
    node: &Node,
    facts: &NodeFacts,
    secrets: &Secrets,
    header: String,
    id: &str,
) -> Result<KeepalivedView, RenderError> {
    let vrrp = &cluster.vrrp;
    let version = facts.keepalived;
    let password = match &vrrp.authentication {
        Some(auth) => Some(password(secret(secrets, &auth.password)?)?),
        None => None,
    };
    let instances = cluster
        .instances
        .iter()
        .map(|instance| instance_view(cluster, node, facts, instance, password.as_deref()))
        .collect::<Result<_, _>>()?;
    Ok(KeepalivedView {
        header,
        shared: cluster.hosts.shares(UnitId::KEEPALIVED),
        router_id: node.router_id.to_string(),
        config_id: id.to_owned(),
        reload_check_config: KeepalivedFeature::ReloadCheck.is_in(version),
        vrrp_version: vrrp.version.number(),
        max_auto_priority: KeepalivedFeature::MaxAutoPriority.is_in(version),
        garp_refresh: vrrp.garp_refresh.map(whole_seconds),
        strict: vrrp.strict,
        strict_mode: if vrrp.strict { "on" } else { "off" },
        firewall: vrrp.iptables_chain.as_ref().map(|chain| {
            let nftables = facts.family.distribution().nftables_since;
            if nftables.is_some_and(|feature| feature.is_in(version)) {
                format!("nftables {chain}")
            } else {
                format!("vrrp_iptables {chain}")
            }
        }),
        raw_global: snippet(cluster.raw.keepalived_global.as_ref()),
        track_file: tracks_file(facts).then_some(TrackFileView {
            keyword: if KeepalivedFeature::TrackFileName.is_in(version) {
                "track_file"
            } else {
                "vrrp_track_file"
            },
            path: TRACK_FILE,
        }),
        script: script_view(cluster, version),
        instances,
        raw: snippet(cluster.raw.keepalived.as_ref()),
    })
}

/// How long the check script may run after its own timeout to tell an overloaded nginx from a hung one. The script
/// ends on its own. keepalived kills one that does not.
const JUDGEMENT: Duration = Duration::from_millis(400);

fn script_view(cluster: &Cluster, version: Version) -> ScriptView {
    let health = &cluster.health;
    let time = |duration: Duration| {
        if KeepalivedFeature::DecimalScriptTimes.is_in(version) {
            decimal_seconds(duration.max(Duration::from_millis(1)))
        } else {
            whole_seconds(duration).to_string()
        }
    };
    ScriptView {
        // In a shared configuration, others may use the common name.
        name: if cluster.hosts.shares(UnitId::KEEPALIVED) {
            "hactl_check_nginx"
        } else {
            "check_nginx"
        },
        path: CHECK_SCRIPT,
        interval: time(health.interval),
        timeout: time(health.timeout + JUDGEMENT),
        fall: health.fall,
        rise: health.rise,
        weight: match cluster.vrrp.on_nginx_failure {
            OnNginxFailure::Fault => None,
            // With a positive weight, the tracked file adds it while nginx is up. A failing script then subtracts it
            // again, with the same result.
            OnNginxFailure::Weight { weight } if KeepalivedFeature::TrackFile.is_in(version) => {
                Some(-weight.get().abs())
            }
            OnNginxFailure::Weight { weight } => Some(weight.get()),
        },
    }
}

/// The password of `VRRPv2` as keepalived expects it. Only 8 characters count, and a longer one is a configuration
/// error. The rest is cut off, since it never goes over the wire.
fn password(secret: &str) -> Result<String, RenderError> {
    let secret = secret.trim_end_matches(['\r', '\n']);
    let word = keepalived_word(secret).map_err(RenderError::at("the VRRP password"))?;
    Ok(word.chars().take(8).collect())
}

fn instance_view(
    cluster: &Cluster,
    node: &Node,
    facts: &NodeFacts,
    instance: &VrrpInstance,
    password: Option<&str>,
) -> Result<InstanceView, RenderError> {
    let vrrp = &cluster.vrrp;
    let place = || format!("VRRP instance {}", instance.name);
    let priority = instance.priority_of(&node.name).ok_or_else(|| {
        RenderError::unsupported(
            place(),
            format!("node {} has no priority in it", node.name),
            "give every node one",
        )
    })?;
    let mut notes = Vec::new();
    let (addresses, excluded) = split_families(node, instance);
    let Some(first) = addresses.first() else {
        return Err(RenderError::unsupported(
            place(),
            "it has no address",
            "give it one",
        ));
    };
    let ipv4 = first.addr().is_ipv4();
    if vrrp.strict && !ipv4 && !is_link_local(first) {
        return Err(RenderError::unsupported(
            place(),
            "vrrp_strict wants a link-local address among the IPv6 ones",
            "add one such as fe80::100/64, or turn `strict` off",
        ));
    }
    // IPv6 always uses VRRPv3, whatever the global version is.
    let v2 = ipv4 && vrrp.version == VrrpVersion::V2;
    let unicast = unicast_view(cluster, node, ipv4, &mut notes);
    let preempt_delay = match vrrp.preemption {
        Preemption::Preempt { delay } if !delay.is_zero() && vrrp.strict => {
            notes.push("no preempt_delay: vrrp_strict does not allow it");
            None
        }
        Preemption::Preempt { delay } if !delay.is_zero() => {
            Some(if KeepalivedFeature::TrackFile.is_in(facts.keepalived) {
                decimal_seconds(delay)
            } else {
                whole_seconds(delay).to_string()
            })
        }
        _ => None,
    };
    let auth_pass = match password {
        Some(_) if !v2 => {
            notes.push("no authentication: only VRRPv2 has it");
            None
        }
        Some(_) if vrrp.strict => {
            notes.push("no authentication: vrrp_strict does not allow it");
            None
        }
        other => other.map(str::to_owned),
    };
    let device = instance
        .interface
        .as_ref()
        .filter(|i| **i != node.interface);
    let suffix = device.map_or(String::new(), |device| format!(" dev {device}"));
    let lines = |addresses: &[IpNet]| -> Vec<String> {
        let interface = device.unwrap_or(&node.interface);
        let put = |vip: &IpNet| on_interface(cluster, node, facts, interface, *vip);
        addresses
            .iter()
            .map(|vip| format!("{}{suffix}", put(vip)))
            .collect()
    };
    Ok(InstanceView {
        name: instance.name.to_string(),
        interface: node.interface.to_string(),
        virtual_router_id: instance.virtual_router_id.get(),
        version: if v2 { 2 } else { 3 },
        priority: priority.get(),
        advert_int: if v2 {
            whole_seconds(vrrp.advert_interval.duration()).to_string()
        } else {
            vrrp.advert_interval.keepalived()
        },
        down_timer_adverts: (vrrp.down_timer_adverts != DownTimerAdverts::RFC
            && KeepalivedFeature::DownTimerAdverts.is_in(facts.keepalived))
        .then_some(vrrp.down_timer_adverts.get()),
        nopreempt: vrrp.preemption == Preemption::Keep,
        preempt_delay,
        notes,
        unicast,
        auth_pass,
        addresses: lines(&addresses),
        excluded: lines(&excluded),
        routes: routes(node, facts, instance),
        track_interfaces: device.iter().map(ToString::to_string).collect(),
        notify: notify(cluster, instance),
        raw: snippet(cluster.raw.keepalived_instance.as_ref()),
    })
}

/// The addresses of the family in the adverts, and those of the other family, which keepalived wants separately: an
/// advert has addresses of one family only. The node's own family goes into the adverts if possible, since the
/// peers' addresses are of that family. Link-local addresses come first (RFC 9568, 5.2.9).
fn split_families(node: &Node, instance: &VrrpInstance) -> (Vec<IpNet>, Vec<IpNet>) {
    let own = node.address.is_ipv4();
    let of = |ipv4: bool| -> Vec<IpNet> {
        let family = instance.addresses.iter().copied();
        let mut family: Vec<IpNet> = family.filter(|a| a.addr().is_ipv4() == ipv4).collect();
        family.sort_by_key(|address| !is_link_local(address));
        family
    };
    match (of(own), of(!own)) {
        (lead, rest) if lead.is_empty() => (rest, lead),
        both => both,
    }
}

fn is_link_local(address: &IpNet) -> bool {
    matches!(address.addr(), IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Unicast peers, or `None` for multicast.
fn unicast_view(
    cluster: &Cluster,
    node: &Node,
    ipv4: bool,
    notes: &mut Vec<&'static str>,
) -> Option<UnicastView> {
    if cluster.vrrp.peering == Peering::Multicast || cluster.nodes.len() < 2 {
        return None;
    }
    if cluster.peering_in(ipv4) == Peering::Multicast {
        notes.push(if cluster.vrrp.strict {
            "multicast: vrrp_strict does not allow unicast peers"
        } else {
            "multicast: the nodes' own addresses are of the other family"
        });
        return None;
    }
    Some(UnicastView {
        source: node.address,
        peers: cluster
            .nodes
            .iter()
            .filter(|n| n.name != node.name)
            .map(|n| n.address)
            .collect(),
    })
}

/// One line per route. An interface is always given, since keepalived cannot track a route without one and reports an
/// error. No route is tracked, so that removing a route moves no VIP.
fn routes(node: &Node, facts: &NodeFacts, instance: &VrrpInstance) -> Vec<String> {
    let no_track = if KeepalivedFeature::RouteNoTrack.is_in(facts.keepalived) {
        " no_track"
    } else {
        ""
    };
    let default = instance.interface.as_ref().unwrap_or(&node.interface);
    instance
        .routes
        .iter()
        .map(|route| {
            let device = route.interface.as_ref().unwrap_or(default);
            format!(
                "{} via {} dev {device}{no_track}",
                route.destination, route.via
            )
        })
        .collect()
}

/// The `notify_…` lines.
fn notify(cluster: &Cluster, instance: &VrrpInstance) -> Vec<String> {
    let notify = cluster.notify;
    // In a shared configuration, the default user for scripts is up to the file's owner.
    let user = if cluster.hosts.shares(UnitId::KEEPALIVED) {
        " root"
    } else {
        ""
    };
    [
        (notify.master, "notify_master", "MASTER"),
        (notify.backup, "notify_backup", "BACKUP"),
        (notify.fault, "notify_fault", "FAULT"),
    ]
    .into_iter()
    .filter(|(wanted, ..)| *wanted)
    .map(|(_, keyword, state)| {
        format!(
            "{keyword} \"{NOTIFY_SCRIPT} INSTANCE {} {state}\"{user}",
            instance.name
        )
    })
    .collect()
}
