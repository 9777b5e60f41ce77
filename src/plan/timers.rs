//! A cluster with the timers and priorities of given keepalived.conf texts: what is live now, or was in
//! another generation, for whoever reckons with them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    AdvertInterval, Cluster, DownTimerAdverts, NodeName, OnNginxFailure, Preemption, Priority,
    VrrpVersion, Weight,
};

/// What a node's files say of its timers.
#[derive(Debug)]
pub struct TimerFiles {
    /// keepalived.conf.
    pub keepalived: String,
    /// The script that asks nginx.
    pub check: Option<String>,
}

/// `cluster` as the nodes' files have it; `None` where a node has no file, or one that lacks a virtual
/// router of the cluster or says what the model cannot hold.
pub fn with_timers_of(
    cluster: &Cluster,
    files: &BTreeMap<NodeName, TimerFiles>,
) -> Option<Cluster> {
    let mut found = cluster.clone();
    let of_first = files.get(&cluster.nodes.first()?.name)?;
    let first = Settings::of(&of_first.keepalived);
    let shared = first
        .instances
        .get(cluster.instances.first()?.name.as_str())?;
    found.vrrp.version = match first.global.get("vrrp_version").copied() {
        Some("3") => VrrpVersion::V3,
        _ => VrrpVersion::V2,
    };
    let advert = shared.get("advert_int").copied().unwrap_or("1");
    found.vrrp.advert_interval = AdvertInterval::new(seconds(advert)?).ok()?;
    let silence = shared.get("down_timer_adverts").copied().unwrap_or("3");
    found.vrrp.down_timer_adverts = DownTimerAdverts::new(silence.parse().ok()?).ok()?;
    found.vrrp.preemption = if shared.contains_key("nopreempt") {
        Preemption::Keep
    } else {
        let delay = shared.get("preempt_delay").copied().unwrap_or("0");
        Preemption::Preempt {
            delay: seconds(delay)?,
        }
    };
    found.vrrp.on_nginx_failure = match first.script.get("weight").copied().unwrap_or("0") {
        "0" => OnNginxFailure::Fault,
        weight => OnNginxFailure::Weight {
            weight: Weight::new(weight.parse().ok()?).ok()?,
        },
    };
    let script = |key: &str| first.script.get(key).copied();
    found.health.interval = seconds(script("interval")?)?;
    // keepalived waits for hactl's script longer than that waits for nginx.
    let own = of_first.check.as_deref().and_then(time_for_nginx);
    let timeout = own.or(script("timeout")).or(script("interval"));
    found.health.timeout = seconds(timeout?)?;
    found.health.fall = script("fall").unwrap_or("1").parse().ok()?;
    found.health.rise = script("rise").unwrap_or("1").parse().ok()?;
    for instance in &mut found.instances {
        for (node, priority) in &mut instance.ladder {
            let settings = Settings::of(&files.get(node)?.keepalived);
            let own = settings.instances.get(instance.name.as_str())?;
            let value = own.get("priority").copied().unwrap_or("100");
            *priority = Priority::new(value.parse().ok()?).ok()?;
        }
        instance
            .ladder
            .sort_by_key(|(_, priority)| std::cmp::Reverse(priority.get()));
    }
    Some(found)
}

/// The time that hactl's script gives nginx for its answer.
fn time_for_nginx(script: &str) -> Option<&str> {
    let (_, rest) = script.split_once("\nanswer=$(timeout ")?;
    rest.split(' ').next()
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

type Lines<'a> = BTreeMap<&'a str, &'a str>;

/// The settings of one file, by block. A keyword that stands alone has an empty value.
#[derive(Default)]
struct Settings<'a> {
    global: Lines<'a>,
    script: Lines<'a>,
    instances: BTreeMap<&'a str, Lines<'a>>,
}

impl<'a> Settings<'a> {
    fn of(text: &'a str) -> Self {
        let mut settings = Self::default();
        let mut blocks: Vec<(&str, &str)> = Vec::new();
        for line in text.lines().map(str::trim) {
            let mut words = line.split_whitespace();
            let Some(key) = words.next().filter(|word| !word.starts_with(['#', '!'])) else {
                continue;
            };
            let value = words.next().unwrap_or_default();
            if key == "}" {
                blocks.pop();
            } else if line.ends_with('{') {
                blocks.push((key, value));
            } else {
                let lines = match blocks.as_slice() {
                    [("global_defs", _)] => &mut settings.global,
                    [("vrrp_script", _)] => &mut settings.script,
                    [("vrrp_instance", name)] => settings.instances.entry(*name).or_default(),
                    _ => continue,
                };
                lines.insert(key, value);
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeFacts;
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
            let text = |name: &str| {
                let mut files = rendered.files.iter();
                let file = files.find(|file| file.path.as_str().ends_with(name));
                String::from_utf8(file.unwrap().content.clone()).unwrap()
            };
            let files = TimerFiles {
                keepalived: text("keepalived.conf"),
                check: Some(text("check_nginx.sh")),
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
        assert_eq!(found.instances[0].ladder, slow.instances[0].ladder);
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

    #[test]
    fn a_file_of_somebody_elses_is_no_basis() {
        let (mine, mut files) = rendered(NODES);
        let lb2 = files.keys().last().cloned().unwrap();
        let other = TimerFiles {
            keepalived: "vrrp_instance other {\n}\n".to_owned(),
            check: None,
        };
        files.insert(lb2.clone(), other);
        assert!(with_timers_of(&mine, &files).is_none());
        files.remove(&lb2);
        assert!(with_timers_of(&mine, &files).is_none());
    }
}
