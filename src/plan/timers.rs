//! Reads timers and priorities from keepalived.conf files, live or of another generation, into the model of a
//! cluster, so that predictions can be made for them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::conf::keepalived::{self, Conf, Instance, Script};
use crate::model::{
    AdvertInterval, Cluster, DownTimerAdverts, NodeName, OnNginxFailure, Preemption, Priority,
    VrrpInstance, VrrpVersion, Weight,
};

/// The files of a node that define its timers.
pub struct TimerFiles {
    /// keepalived.conf.
    pub keepalived: Conf,
    /// The script that checks nginx.
    pub check: Option<String>,
}

/// `cluster` with the timers of the nodes' files. `None` if a node has no file, or if its file lacks a virtual router
/// of the cluster or has a value that the model cannot hold.
pub fn with_timers_of(
    cluster: &Cluster,
    files: &BTreeMap<NodeName, TimerFiles>,
) -> Option<Cluster> {
    let mut found = cluster.clone();
    let of_first = files.get(&cluster.nodes.first()?.name)?;
    let conf = &of_first.keepalived;
    let shared = named(conf, cluster.instances.first()?)?;
    // IPv6 has only VRRPv3, so the version that was chosen is that of IPv4.
    let v4 = cluster.instances.iter().filter_map(|own| named(conf, own));
    let chosen = v4.into_iter().find(|own| !own.is_v6()).unwrap_or(shared);
    found.vrrp.version = match chosen.version {
        3 => VrrpVersion::V3,
        _ => VrrpVersion::V2,
    };
    found.vrrp.advert_interval = AdvertInterval::new(shared.advert_int).ok()?;
    let missing = i64::from(shared.down_timer_adverts);
    found.vrrp.down_timer_adverts = DownTimerAdverts::new(missing).ok()?;
    found.vrrp.preemption = match shared.preemption {
        keepalived::Preemption::Never => Preemption::Keep,
        keepalived::Preemption::AtOnce => Preemption::Preempt {
            delay: Duration::ZERO,
        },
        keepalived::Preemption::After(delay) => Preemption::Preempt { delay },
    };
    // A snippet in the inventory may add other scripts.
    let is_tracked = |script: &&Script| shared.track_scripts.contains(&script.name);
    let script = conf.scripts.iter().find(is_tracked)?;
    found.vrrp.on_nginx_failure = match script.weight {
        0 => OnNginxFailure::Fault,
        weight => OnNginxFailure::Weight {
            weight: Weight::new(i64::from(weight)).ok()?,
        },
    };
    found.health.interval = script.interval;
    // keepalived waits longer for hactl's script than the script waits for nginx.
    let own = of_first.check.as_deref().and_then(time_for_nginx);
    found.health.timeout = own.unwrap_or(script.timeout);
    found.health.fall = script.fall;
    found.health.rise = script.rise;
    for instance in &mut found.instances {
        for (node, priority) in &mut instance.priority_order {
            let own = files.get(node)?.keepalived.instances.iter();
            let own = own
                .into_iter()
                .find(|own| own.name == instance.name.as_str())?;
            *priority = Priority::new(i64::from(own.priority)).ok()?;
        }
        instance
            .priority_order
            .sort_by_key(|(_, priority)| std::cmp::Reverse(priority.get()));
    }
    Some(found)
}

fn named<'a>(conf: &'a Conf, instance: &VrrpInstance) -> Option<&'a Instance> {
    let mut all = conf.instances.iter();
    all.find(|own| own.name == instance.name.as_str())
}

/// How long hactl's script waits for nginx's answer.
fn time_for_nginx(script: &str) -> Option<Duration> {
    let (_, rest) = script.split_once("\nanswer=$(timeout ")?;
    let seconds = rest.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileRole, NodeFacts};
    use crate::{inventory, render};

    /// The cluster, and its files as hactl renders them.
    fn rendered(yaml: &str) -> (Cluster, BTreeMap<NodeName, TimerFiles>) {
        let cluster = inventory::load("hactl.yml", yaml).unwrap().cluster;
        let facts = NodeFacts::debian_12();
        let file_of = |node: &crate::model::Node| {
            let rendered = render::render(
                &cluster,
                node,
                &facts,
                &crate::model::Secrets::default(),
                &render::Templates::embedded().unwrap(),
            )
            .unwrap();
            let text = |role: FileRole| {
                let mut files = rendered.files.iter();
                let file = files.find(|file| file.role == role);
                String::from_utf8(file.unwrap().content.clone()).unwrap()
            };
            let files = TimerFiles {
                keepalived: Conf::of_text(&text(FileRole::KeepalivedConf), None),
                check: Some(text(FileRole::CheckScript)),
            };
            (node.name.clone(), files)
        };
        let files = cluster.nodes.iter().map(file_of).collect();
        (cluster, files)
    }

    const NODES: &str = "cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
vips: [{ address: 10.0.0.100/24 }]
upstreams: { backend: { servers: [192.168.1.10:8080] } }
sites: [{ listen: [80], proxy: backend }]
";

    #[test]
    fn what_was_rendered_is_read_back() {
        let slow = format!(
            "{NODES}vrrp: {{ failover: wan, preempt: false, on_nginx_failure: {{ weight: -30 }} }}\n\
             health: {{ interval: 3s, timeout: 2s, fall: 3 }}\n"
        );
        let (mine, _) = rendered(NODES);
        let (slow, files) = rendered(&slow);
        let found = with_timers_of(&mine, &files).unwrap();
        assert_eq!(found.vrrp.advert_interval, slow.vrrp.advert_interval);
        assert_eq!(found.vrrp.version, slow.vrrp.version);
        assert_eq!(found.vrrp.preemption, slow.vrrp.preemption);
        assert_eq!(found.vrrp.on_nginx_failure, slow.vrrp.on_nginx_failure);
        assert_eq!(found.health, slow.health);
        assert_eq!(
            found.instances[0].priority_order,
            slow.instances[0].priority_order
        );
    }

    #[test]
    fn the_files_predict_what_the_inventory_does() {
        for more in [
            "",
            "vrrp: { peering: multicast }\nhealth: { interval: 700ms, timeout: 600ms }\n",
        ] {
            let (cluster, files) = rendered(&format!("{NODES}{more}"));
            let keepalived = NodeFacts::debian_12().keepalived;
            let found = with_timers_of(&cluster, &files).unwrap();
            assert_eq!(
                crate::check::predictions(&found, keepalived),
                crate::check::predictions(&cluster, keepalived)
            );
        }
    }

    /// A snippet's script comes later in the file, and the instances do not track it. In a shared configuration, each
    /// instance has a version of its own.
    #[test]
    fn hactls_own_script_and_version_count() {
        for more in [
            "raw: { keepalived: \"vrrp_script own {\\n    script /bin/true\\n    interval 60\\n    weight -2\\n}\\n\" }\n",
            "hosts: { keepalived: shared }\n",
        ] {
            let (cluster, files) = rendered(&format!("{NODES}{more}"));
            let found = with_timers_of(&cluster, &files).unwrap();
            assert_eq!(found.vrrp.version, cluster.vrrp.version, "{more}");
            assert_eq!(found.vrrp.on_nginx_failure, cluster.vrrp.on_nginx_failure);
            assert_eq!(found.health.interval, cluster.health.interval);
        }
    }

    #[test]
    fn a_file_of_somebody_elses_is_no_basis() {
        let (mine, mut files) = rendered(NODES);
        let lb2 = files.keys().last().cloned().unwrap();
        let other = TimerFiles {
            keepalived: Conf::of_text("vrrp_instance other {\n}\n", None),
            check: None,
        };
        files.insert(lb2.clone(), other);
        assert!(with_timers_of(&mine, &files).is_none());
        files.remove(&lb2);
        assert!(with_timers_of(&mine, &files).is_none());
    }
}
