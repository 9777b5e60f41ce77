//! What a host lacks for its part in the cluster, found before anything is staged rather than by a change that has to
//! be rolled back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::cluster::vips;
use super::error::OpsError;
use super::host_problem::HostProblem;
use crate::agent::{Observation, TreeFile};
use crate::check::{self, Finding, PlanEvidence, Severity};
use crate::conf::keepalived::Conf;
use crate::health::{self, Problem};
use crate::model::{Cluster, FileRole, HostPath};
use crate::plan::{NodePlan, Plan};
use crate::render::RenderedNode;

/// Programs that a node's files refer to and hactl does not install. `true` for those that keepalived's script security
/// checks.
pub(super) fn named_programs(cluster: &Cluster, rendered: &RenderedNode) -> Vec<(HostPath, bool)> {
    let own: BTreeSet<&str> = rendered
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let conf = rendered
        .files
        .iter()
        .find(|file| file.role == FileRole::KeepalivedConf);
    let text = conf.map(|file| String::from_utf8_lossy(&file.content));
    let conf = Conf::of_text(&text.unwrap_or_default(), None);
    let is_secured = conf.global.enable_script_security;
    let named = conf
        .programs
        .iter()
        .filter_map(|path| HostPath::new(path).ok());
    let named = named.map(|path| (path, is_secured));
    // It is called by hactl's own script, where script security does not look.
    let called = cluster.notify_hook.iter().map(|hook| (hook.clone(), false));
    let all: BTreeSet<(HostPath, bool)> = named.chain(called).collect();
    all.into_iter()
        .filter(|(path, _)| !own.contains(path.as_str()))
        .collect()
}

/// Refuses a plan that would leave a node unable to serve or take over because of something its host lacks. What it
/// lacked before is no reason: the change may be about something else. Returns the warnings.
pub(super) fn refuse_unable(
    cluster: &Cluster,
    plan: &Plan,
    seen: &[Observation],
) -> Result<Vec<Finding>, OpsError> {
    let vips = vips(cluster);
    let before = health::known_problems(seen, &vips);
    let mut problems = Vec::new();
    for node in plan.changing() {
        if let Some(host) = seen.iter().find(|host| host.node == node.node) {
            problems.extend(missing_sources(node, host, &vips, &before));
        }
    }
    let evidence = PlanEvidence {
        cluster,
        plan,
        seen,
        before: &before,
    };
    let broken = check::of_plan(&evidence).into_iter();
    let (errors, warnings): (Vec<_>, Vec<_>) =
        broken.partition(|finding| finding.severity() == Severity::Error);
    problems.extend(errors.into_iter().filter_map(|finding| {
        Some(HostProblem::Planned {
            node: finding.node.clone()?,
            finding: Box::new(finding),
        })
    }));
    if problems.is_empty() {
        Ok(warnings)
    } else {
        Err(OpsError::Unfit { problems })
    }
}

fn missing_sources(
    node: &NodePlan,
    host: &Observation,
    vips: &[IpAddr],
    before: &[Problem],
) -> Vec<HostProblem> {
    let is_conf = |file: &&TreeFile| file.role == FileRole::KeepalivedConf;
    let Some(conf) = node.tree.files.iter().find(is_conf) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&conf.content);
    let (sources, _) = Conf::of_text(&text, Some(&host.hostname)).unicast_ends();
    let is_new = |address: &IpAddr| {
        let problem = Problem::SourceMissing {
            node: host.node.clone(),
            instance: String::new(),
            address: *address,
        };
        !problem.is_in(before)
    };
    let missing = sources.into_iter().filter(|address| !host.holds(*address));
    let of_address = |address| HostProblem::NoAddress {
        node: host.node.clone(),
        address,
        has: own_addresses(host, address, vips),
    };
    missing.filter(is_new).map(of_address).collect()
}

/// The host's own addresses of the same family.
fn own_addresses(host: &Observation, like: IpAddr, vips: &[IpAddr]) -> Vec<IpAddr> {
    let own = host
        .addresses
        .iter()
        .filter(|(interface, _)| interface != "lo");
    let own = own.map(|(_, net)| net.addr());
    own.filter(|address| address.is_ipv4() == like.is_ipv4() && !vips.contains(address))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Hook, HookState, InstanceState, Manifest, Program, Service, VrrpState};
    use crate::inventory;
    use crate::model::UnitId;
    use crate::model::{Node, NodeFacts, Secrets};
    use crate::plan::{Desired, Goal, Redactor, Request, build};
    use crate::render::{self, Templates};

    const INVENTORY: &str = "cluster: web
nodes:
  - { name: lb1, address: 10.0.0.11, interface: eth0 }
  - { name: lb2, address: 10.0.0.12, interface: eth0 }
vips: [{ address: 10.0.0.100/24 }]
notify: { hook: /usr/local/bin/page }
upstreams: { backend: { servers: [192.168.1.10:8080] } }
sites: [{ listen: [80], proxy: backend }]
";

    fn rendered(cluster: &Cluster, node: &Node) -> RenderedNode {
        let (facts, secrets) = (NodeFacts::debian_12(), Secrets::default());
        let templates = Templates::embedded().unwrap();
        render::render(cluster, node, &facts, &secrets, &templates).unwrap()
    }

    /// A host with that address and the hook in that state.
    fn host(node: &Node, address: &str, hook: HookState) -> Observation {
        let mut host = Observation::of(node.name.clone());
        let net = format!("{address}/24").parse().unwrap();
        host.addresses.push(("eth0".to_owned(), net));
        host.programs.push(Hook {
            path: "/usr/local/bin/page".to_owned(),
            state: hook,
        });
        host
    }

    /// The problems that are reported.
    fn refused(change: impl Fn(&mut Vec<Observation>)) -> Vec<String> {
        let cluster = inventory::load("hactl.yml", INVENTORY).unwrap().cluster;
        let mut seen: Vec<Observation> = cluster
            .nodes
            .iter()
            .map(|node| host(node, &node.address.to_string(), HookState::Ready))
            .collect();
        change(&mut seen);
        let desired = cluster
            .nodes
            .iter()
            .map(|node| Desired::from_rendered(&cluster, &rendered(&cluster, node)));
        let plan = build(Request {
            cluster: cluster.name.clone(),
            goal: Goal::Apply,
            left_out: Vec::new(),
            addresses: crate::ops::cluster::addresses(&cluster),
            vips: vips(&cluster),
            nodes: desired.zip(seen.iter().cloned()).collect(),
            redactor: Redactor::new([7; 32]),
            take_over: None,
        });
        match refuse_unable(&cluster, &plan.unwrap(), &seen) {
            Ok(_) => Vec::new(),
            Err(OpsError::Unfit { problems }) => problems.iter().map(ToString::to_string).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_programs_that_the_files_name_are_asked_for() {
        let cluster = inventory::load("hactl.yml", INVENTORY).unwrap().cluster;
        let mut node = rendered(&cluster, &cluster.nodes[0]);
        let hook = (HostPath::new("/usr/local/bin/page").unwrap(), false);
        assert_eq!(named_programs(&cluster, &node), std::slice::from_ref(&hook));
        let conf = node
            .files
            .iter_mut()
            .find(|file| file.role == FileRole::KeepalivedConf)
            .unwrap();
        conf.content.extend_from_slice(
            b"vrrp_script own {\n    script \"/opt/own.sh -q\"\n}\nnotify_master '/opt/up.sh'\nnotify_fifo /run/fifo\nscript_user root\n",
        );
        let named = ["/opt/own.sh", "/opt/up.sh"].map(|path| (HostPath::new(path).unwrap(), true));
        let all: Vec<_> = named.into_iter().chain([hook]).collect();
        assert_eq!(named_programs(&cluster, &node), all);
    }

    #[test]
    fn a_host_that_lacks_what_its_files_need_is_refused() {
        assert_eq!(refused(|_| ()), Vec::<String>::new());
        let missing = refused(|seen| seen[1].programs[0].state = HookState::Missing);
        assert_eq!(
            missing,
            ["lb2: keepalived cannot run /usr/local/bin/page: it does not exist (KA040)"]
        );
        let unsafe_path = refused(|seen| {
            seen[1].programs[0].state = HookState::Unsafe {
                component: "/usr/local/bin".to_owned(),
            };
        });
        assert!(unsafe_path[0].ends_with("(KA041)"), "{unsafe_path:?}");
        let elsewhere = refused(|seen| {
            seen[1].addresses[0].1 = "10.0.0.42/24".parse().unwrap();
        });
        assert_eq!(
            elsewhere,
            ["lb2: the host does not have its address 10.0.0.12; it has 10.0.0.42"]
        );
        let none = refused(|seen| seen[1].addresses.clear());
        assert!(none[0].ends_with("10.0.0.12; it has none"), "{none:?}");
    }

    #[test]
    fn files_that_let_nginx_open_too_few_files_are_told_where_none_runs() {
        let cluster = inventory::load("hactl.yml", INVENTORY).unwrap().cluster;
        let told = |limit: &str, is_running: bool| {
            let mut seen: Vec<Observation> = cluster
                .nodes
                .iter()
                .map(|node| host(node, &node.address.to_string(), HookState::Ready))
                .collect();
            let desired = cluster.nodes.iter().map(|node| {
                let mut rendered = rendered(&cluster, node);
                let mut files = rendered.files.iter_mut();
                let conf = files.find(|file| file.role == FileRole::NginxConf);
                let conf = &mut conf.unwrap().content;
                let text = String::from_utf8(std::mem::take(conf)).unwrap();
                let line = text
                    .lines()
                    .find(|line| line.starts_with("worker_rlimit_nofile"));
                *conf = text.replace(line.unwrap(), limit).into_bytes();
                Desired::from_rendered(&cluster, &rendered)
            });
            if is_running {
                let service = Service {
                    active: "active".to_owned(),
                    ..Service::default()
                };
                seen[0].services.insert("nginx.service".to_owned(), service);
                seen[0].recorded = Some(Manifest::default());
            }
            let plan = build(Request {
                cluster: cluster.name.clone(),
                goal: Goal::Apply,
                left_out: Vec::new(),
                addresses: crate::ops::cluster::addresses(&cluster),
                vips: vips(&cluster),
                nodes: desired.zip(seen.iter().cloned()).collect(),
                redactor: Redactor::new([7; 32]),
                take_over: None,
            });
            let found = refuse_unable(&cluster, &plan.unwrap(), &seen).unwrap();
            let ids = found
                .into_iter()
                .map(|one| (one.rule.id, one.node.unwrap()));
            ids.map(|(id, node)| format!("{id} {node}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told("worker_rlimit_nofile 1024;", false),
            ["NG005 lb1", "NG005 lb2"]
        );
        assert_eq!(told("worker_rlimit_nofile 1024;", true), ["NG005 lb2"]);
        assert_eq!(told("worker_rlimit_nofile 1000000;", false), [""; 0]);
    }

    #[test]
    fn what_a_package_may_bring_is_no_reason() {
        let there = Program::Installed {
            version: "1.22.1".parse().unwrap(),
        };
        let hosts = |nginx: &Program| {
            refused(|seen| {
                for host in seen {
                    host.installed = [(UnitId::NGINX, *nginx), (UnitId::KEEPALIVED, there)].into();
                    host.programs.push(Hook {
                        path: "/usr/libexec/of-a-template".to_owned(),
                        state: HookState::Missing,
                    });
                }
            })
        };
        assert_eq!(hosts(&there).len(), 2);
        let missing = Program::Missing { candidate: None };
        assert_eq!(hosts(&missing), Vec::<String>::new());
        // The user's own hook comes with no package.
        let hook = refused(|seen| {
            seen[1].installed.insert(UnitId::NGINX, missing);
            seen[1].programs[0].state = HookState::Missing;
        });
        assert_eq!(hook.len(), 1);
    }

    #[test]
    fn what_a_node_lacked_before_is_no_reason() {
        let managed = |seen: &mut Vec<Observation>| {
            let lb2 = &mut seen[1];
            lb2.recorded = Some(Manifest::parse("generation\t3\n"));
            let service = Service {
                active: "active".to_owned(),
                ..Service::default()
            };
            lb2.services
                .insert("keepalived.service".to_owned(), service);
            lb2.addresses.clear();
            lb2.programs[0].state = HookState::Missing;
        };
        assert_eq!(refused(managed).len(), 2);
        let known = refused(|seen| {
            managed(seen);
            let lb2 = &mut seen[1];
            lb2.hooks = lb2.programs.clone();
            lb2.vrrp.push(VrrpState {
                instance: "VI_1".to_owned(),
                state: InstanceState::Fault,
                source: Some("10.0.0.12".parse().unwrap()),
                ..VrrpState::default()
            });
        });
        assert_eq!(known, Vec::<String>::new());
    }
}
