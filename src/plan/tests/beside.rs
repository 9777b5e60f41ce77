//! Daemons whose configuration hactl shares with others.

use super::*;
use crate::agent::{Fact, Service, Serving, ServingFile, VrrpState};
use crate::model::FileRole;
use crate::plan::{BesideError, Strategy};
use crate::units;

const OWN_NGINX: &str = "/etc/nginx/conf.d/hactl.conf";
const OWN_KEEPALIVED: &str = "/etc/keepalived/conf.d/hactl.conf";
const DEBIAN: &str = "http { include /etc/nginx/conf.d/*.conf; include sites-enabled/*; }\n";
const SHOP: &str = "server { listen 8088; server_name shop.example.com; }\n";
const THEIRS: &str = "include /etc/keepalived/conf.d/*.conf\nvrrp_instance VI_50 {\n virtual_ipaddress { 10.0.0.50/24 }\n}\n";
const SITE: &str = "    server {\n        listen 10.0.0.100:80 default_server;\n    }\n";

/// A host where both daemons run with `files`.
fn host(files: &[(&str, &str)]) -> Observation {
    let mut seen = bare();
    let version = Version::new(2, 2, 7);
    let installed = Program::Installed { version };
    seen.installed = units::ids().map(|unit| (unit, installed)).collect();
    for program in ["nginx", "keepalived"] {
        let service = Service {
            active: "active".to_owned(),
            enabled: "enabled".to_owned(),
            ..Service::default()
        };
        seen.services.insert(format!("{program}.service"), service);
    }
    seen.serving = Some(Serving::default());
    put(&mut seen, files);
    seen
}

fn put(seen: &mut Observation, files: &[(&str, &str)]) {
    let serving = seen.serving.as_mut().unwrap();
    for (at, text) in files {
        let file = ServingFile {
            text: (*text).to_owned(),
            is_packaged: false,
        };
        serving.files.insert((*at).to_owned(), file);
        seen.files.insert(path(at), live(text));
    }
}

/// A desired state in which both daemons are shared.
fn shared(nginx: &str, keepalived: &str) -> Desired {
    let mut desired = desired(NEW, vec![]);
    desired.tree.files = vec![
        tree_file(FileRole::NginxConf, OWN_NGINX, nginx),
        tree_file(FileRole::KeepalivedConf, OWN_KEEPALIVED, keepalived),
        tree_file(
            FileRole::NginxUnit,
            "/etc/systemd/system/nginx.service.d/50-hactl.conf",
            "",
        ),
    ];
    let facts = &mut desired.tree.manifest.facts;
    facts.set(Fact::Shares, "nginx keepalived");
    desired
}

fn running(instance: &str, id: u8) -> VrrpState {
    let mut state = VrrpState {
        instance: instance.to_owned(),
        state: crate::agent::InstanceState::Master,
        base_priority: 100,
        effective_priority: 100,
        since: None,
        source: None,
        wire: crate::agent::Wire::default(),
    };
    state.wire.router_id = Some(id);
    state
}

#[test]
fn the_first_change_beside_others_stops_nothing_of_theirs() {
    let mut seen = host(&[
        (NGINX, DEBIAN),
        ("/etc/nginx/sites-enabled/shop", SHOP),
        (KEEPALIVED, THEIRS),
    ]);
    seen.vrrp = vec![running("VI_50", 50)];
    let plan = plan_one(&shared(SITE, CONF), &seen);
    let node = &plan.nodes[0];
    assert_eq!(plan.losses, []);
    assert_eq!(plan.strategy, Strategy::Rolling);
    // A restart would interrupt the others, and the drop-in of nginx's unit does not need one.
    assert_eq!(node.unit(UnitId::NGINX), UnitAction::Reload);
    assert_eq!(node.unit(UnitId::KEEPALIVED), UnitAction::Reload);
    assert!(
        node.files()
            .all(|file| ![NGINX, KEEPALIVED].contains(&file.path.as_str()))
    );

    // What others change later is not drift, and needs no action.
    carry_out(&plan, node, &mut seen);
    put(
        &mut seen,
        &[
            (NGINX, &format!("{DEBIAN}# theirs\n")),
            (KEEPALIVED, THEIRS),
        ],
    );
    put(&mut seen, &[(OWN_NGINX, SITE), (OWN_KEEPALIVED, CONF)]);
    let again = plan_one(&shared(SITE, CONF), &seen);
    assert!(again.is_empty());
    assert_eq!(again.nodes[0].drift, []);

    // The rollback leaves their daemons running too.
    let mut before = bare();
    before.files.clear();
    let back = original(&seen, &before);
    let plan = planned(Goal::Rollback { to: 0 }, vec![(back, seen)]).unwrap();
    assert_eq!(plan.nodes[0].unit(UnitId::NGINX), UnitAction::Reload);
    assert_eq!(plan.nodes[0].unit(UnitId::KEEPALIVED), UnitAction::Reload);
    assert_eq!(
        plan.losses
            .iter()
            .map(|loss| loss.name.as_str())
            .collect::<Vec<_>>(),
        [VIP]
    );
}

#[test]
fn what_would_not_be_read_or_stands_in_the_way_is_refused() {
    let bare_nginx = "http { include sites-enabled/*; }\n";
    let outside = "http { }\ninclude /etc/nginx/conf.d/*.conf;\n";
    let named = THEIRS.replace("VI_50", "web");
    let same_vip = THEIRS.replace("10.0.0.50", VIP);
    let script = "vrrp_script s {\n script /bin/true\n}\n";
    let insecure = format!("{THEIRS}{script}");
    let secure = format!("{insecure}global_defs {{\n enable_script_security\n}}\n");
    let mail = format!("{THEIRS}global_defs {{\n notification_email_from a@example.org\n}}\n");
    for (files, refused) in [
        (vec![(NGINX, DEBIAN), (KEEPALIVED, THEIRS)], ""),
        (vec![(NGINX, DEBIAN), (KEEPALIVED, &secure)], ""),
        (vec![(NGINX, DEBIAN), (KEEPALIVED, &mail)], ""),
        (
            vec![(NGINX, bare_nginx), (KEEPALIVED, THEIRS)],
            "lb1: /etc/nginx/nginx.conf does not include /etc/nginx/conf.d/hactl.conf",
        ),
        (
            vec![(NGINX, outside), (KEEPALIVED, THEIRS)],
            "lb1: /etc/nginx/nginx.conf does not include /etc/nginx/conf.d/hactl.conf",
        ),
        (
            vec![(NGINX, DEBIAN)],
            "lb1: there is no /etc/keepalived/keepalived.conf to share",
        ),
        (
            vec![(NGINX, DEBIAN), (KEEPALIVED, "vrrp_instance VI_50 {\n}\n")],
            "lb1: /etc/keepalived/keepalived.conf does not include /etc/keepalived/conf.d/hactl.conf",
        ),
        (
            vec![(NGINX, DEBIAN), (KEEPALIVED, &named)],
            "lb1: /etc/keepalived/keepalived.conf already has a vrrp_instance web",
        ),
        (
            vec![(NGINX, DEBIAN), (KEEPALIVED, &same_vip)],
            "lb1: vrrp_instance VI_50 in /etc/keepalived/keepalived.conf already has 10.0.0.100",
        ),
        (
            vec![(NGINX, DEBIAN), (KEEPALIVED, &insecure)],
            "lb1: /etc/keepalived/keepalived.conf runs scripts without enable_script_security, and hactl's part needs it",
        ),
    ] {
        let goal = vec![(shared(SITE, CONF), host(&files))];
        let said = match planned(Goal::Apply, goal) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, refused, "{files:?}");
    }
}

#[test]
fn a_file_that_hactl_has_replaced_is_shared_only_once_the_hosts_own_is_back() {
    let mut seen = host(&[(NGINX, DEBIAN), (KEEPALIVED, THEIRS)]);
    let plan = plan_one(&desired(OLD, vec![]), &seen);
    carry_out(&plan, &plan.nodes[0], &mut seen);
    let error = planned(Goal::Apply, vec![(shared(SITE, CONF), seen)]).err();
    let Some(PlanError::Beside(error @ BesideError::OwnMain { generation: 1, .. })) = error else {
        panic!("{error:?}");
    };
    assert!(error.hint().contains("hactl rollback --to 0"));
}

#[test]
fn a_port_that_moves_between_all_addresses_and_one_needs_a_restart_whoever_has_it() {
    for (theirs, restarts) in [
        // Their wildcard also serves the VIP.
        ("server { listen 80; }", false),
        ("server { listen 81; }", false),
        // nginx has no socket for the VIP yet, and opens one next to another address.
        ("server { listen 10.0.0.11:80; }", false),
    ] {
        let seen = host(&[
            (NGINX, DEBIAN),
            ("/etc/nginx/sites-enabled/shop", theirs),
            (KEEPALIVED, THEIRS),
        ]);
        let plan = plan_one(&shared(SITE, CONF), &seen);
        let node = &plan.nodes[0];
        assert_eq!(
            node.unit(UnitId::NGINX) == UnitAction::Restart,
            restarts,
            "{theirs}"
        );
    }
    // From one address to all of them, in hactl's own file.
    let seen = host(&[(NGINX, DEBIAN), (OWN_NGINX, SITE), (KEEPALIVED, THEIRS)]);
    let all = SITE.replace("10.0.0.100:80", "80");
    let plan = plan_one(&shared(&all, CONF), &seen);
    assert_eq!(plan.nodes[0].unit(UnitId::NGINX), UnitAction::Restart);
    assert!(restart_reason(&plan.nodes[0], UnitId::NGINX).contains("port 80"));
}

/// Nodes that are silent while another one changes stop keepalived, even if others use it.
#[test]
fn vips_of_others_that_leave_a_node_for_a_change_of_all_are_named() {
    let conf = CONF.replace("51", "52");
    let on = |name: &str, vip: Option<&str>| {
        let mut seen = host(&[
            (NGINX, DEBIAN),
            (KEEPALIVED, THEIRS),
            (OWN_NGINX, SITE),
            (OWN_KEEPALIVED, CONF),
        ]);
        seen.node = NodeName::new(name).unwrap();
        seen.vrrp = vec![running("VI_50", 50), running("web", 51)];
        let addresses = vip.map(|vip| ("eth0".to_owned(), format!("{vip}/32").parse().unwrap()));
        seen.addresses.extend(addresses);
        let mut wanted = shared(SITE, &conf);
        wanted.node = seen.node.clone();
        (wanted, seen)
    };
    let displaced = |nodes| {
        let plan = planned(Goal::Apply, nodes).unwrap();
        assert!(matches!(plan.strategy, Strategy::AtOnce { .. }));
        let nodes = plan.nodes.iter();
        let nodes = nodes.filter(|node| !node.displaces.is_empty());
        let told = nodes.map(|node| format!("{} {:?}", node.node, node.displaces));
        told.collect::<Vec<_>>()
    };
    let theirs = "10.0.0.50";
    assert_eq!(
        displaced(vec![on("lb1", Some(VIP)), on("lb2", Some(theirs))]),
        ["lb2 [10.0.0.50]"]
    );
    // The keeper only reloads.
    let mut both = on("lb1", Some(VIP));
    both.1.addresses.extend(on("lb1", Some(theirs)).1.addresses);
    assert!(displaced(vec![both, on("lb2", None)]).is_empty());
}
