//! A third unit takes only a row in the registry, a template and two functions in the host's
//! program. This adds one to hactl and runs that hactl on real machines.
//!
//! This test binary has its own `main`, since it also acts as that hactl.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is test code"
)]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/documents.rs"]
mod documents;
#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/snapshot.rs"]
mod snapshot;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hactl::model::{FileRole, UnitId};
use hactl::units::{self, ManagedUnit, TemplateSpec, VariantMode};
use serde_json::{Value, json};

use cluster::{Cluster, Ended, GUIDE, VIP, changes_of, machines};

const GREETER: ManagedUnit = ManagedUnit {
    id: UnitId::new("greeter"),
    program: "greeter",
    test_command: "greeter -t",
    version_option: "-v",
    folder: "/etc/greeter",
    conf: TemplateSpec {
        name: "greeter.conf",
        path: CONF,
        beside: None,
        role: FileRole::UnitConf,
        mode: VariantMode::Fixed(0o644),
        purpose: "greeter's configuration.",
        source: TEMPLATE,
    },
    host_functions: include_str!("greeter.sh"),
};

const CONF: &str = "/etc/greeter/greeter.conf";
const TEMPLATE: &str = include_str!("greeter.conf.tera");
/// Set if this binary is to act as hactl.
const AS_HACTL: &str = "HACTL_TEST_AS_HACTL";

fn main() -> ExitCode {
    if std::env::var_os(AS_HACTL).is_some() {
        assert!(units::add(GREETER));
        return hactl::cli::main();
    }
    let name = "a_further_unit_is_planned_applied_proven_rolled_back_and_shown";
    // Like libtest: listing tests, or a filter that excludes this one, runs nothing.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("{name}: test");
        return ExitCode::SUCCESS;
    }
    let mut filters = arguments.iter().filter(|it| !it.starts_with("--"));
    if filters.clone().count() == 0 || filters.any(|filter| name.contains(filter.as_str())) {
        a_further_unit_is_planned_applied_proven_rolled_back_and_shown();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn a_further_unit_is_planned_applied_proven_rolled_back_and_shown() {
    let Some(cluster) = Cluster::up(&machines()) else {
        return;
    };
    for node in cluster.nodes() {
        carry(&cluster, &node);
    }
    cluster.set_inventory(GUIDE);
    let before = cluster.all_etc();

    let plan = hactl(&cluster, &["plan", "--format", "json"])
        .exits(0)
        .json();
    for node in plan["plan"]["nodes"].as_array().unwrap() {
        assert_eq!(action(node, "package", "greeter"), "install", "{node:#}");
        assert_eq!(action(node, "file", CONF), "create", "{node:#}");
        assert_eq!(action(node, "unit", "greeter"), "start", "{node:#}");
    }
    hactl(&cluster, &["apply", "--yes"]).exits(0);
    let first = loaded(&cluster);
    assert_eq!(cluster.owner(VIP), "lb1");
    let plan = hactl(&cluster, &["plan", "--format", "json"]).json();
    for node in plan["plan"]["nodes"].as_array().unwrap() {
        assert_eq!(node["changes"], json!([]), "{node:#}");
    }

    another_configuration_is_a_reload_of_it_alone(&cluster);
    let second = loaded(&cluster);
    assert_ne!(second, first);
    what_it_refuses_changes_nothing(&cluster);
    what_it_does_not_load_is_taken_back(&cluster);
    assert_eq!(loaded(&cluster), second);
    its_absence_is_seen_and_ended(&cluster);

    hactl(&cluster, &["rollback", "--to", "1", "--yes"]).exits(0);
    assert_eq!(loaded(&cluster), first);
    hactl(
        &cluster,
        &["rollback", "--to", "0", "--yes", "--stop-serving", "all"],
    )
    .exits(0);
    cluster.assert_etc(&before);
    for node in cluster.nodes() {
        let left = cluster.on(&node, "command -v greeter; pgrep -x greeter; true");
        assert_eq!(left, "", "{node}");
    }
}

fn another_configuration_is_a_reload_of_it_alone(cluster: &Cluster) {
    let templates = templates(cluster, "another", &format!("{TEMPLATE}# More.\n"));
    let pid = |node: &str| cluster.on(node, "systemctl show -p MainPID --value greeter nginx");
    let pids: Vec<String> = cluster.nodes().iter().map(|node| pid(node)).collect();
    let with = ["--templates", templates.to_str().unwrap()];
    let plan = hactl(
        cluster,
        &[&["plan", "--format", "json"][..], &with].concat(),
    )
    .exits(0)
    .json();
    for node in plan["plan"]["nodes"].as_array().unwrap() {
        let of_units: Vec<Value> = changes_of(node, "unit").cloned().collect();
        assert_eq!(of_units.len(), 1, "{node:#}");
        assert_eq!(of_units[0]["subject"]["name"], "greeter");
        assert_eq!(of_units[0]["action"], "reload");
    }
    hactl(cluster, &[&["apply", "--yes"][..], &with].concat()).exits(0);
    let now: Vec<String> = cluster.nodes().iter().map(|node| pid(node)).collect();
    assert_eq!(now, pids, "a reload keeps the process");
}

fn what_it_refuses_changes_nothing(cluster: &Cluster) {
    let before = cluster.all_etc();
    let templates = templates(cluster, "refused", &format!("{TEMPLATE}shout\n"));
    let with = ["--templates", templates.to_str().unwrap()];
    let plan = hactl(
        cluster,
        &[&["plan", "--format", "json"][..], &with].concat(),
    )
    .json();
    let test = &plan["plan"]["nodes"][0]["tests"];
    let of_it = test.as_array().unwrap().iter();
    let of_it: Vec<&Value> = of_it.filter(|test| test["unit"] == "greeter").collect();
    assert_eq!(of_it.len(), 1, "{test:#}");
    assert_ne!(of_it[0]["code"], 0);
    let refused = hactl(cluster, &[&["apply", "--yes"][..], &with].concat());
    assert_ne!(refused.code(), Some(0), "{refused}");
    cluster.assert_etc(&before);
}

fn what_it_does_not_load_is_taken_back(cluster: &Cluster) {
    let deaf = "mkdir -p /run/systemd/system/greeter.service.d && \
                printf '[Service]\\nExecReload=\\nExecReload=/bin/true\\n' \
                >/run/systemd/system/greeter.service.d/deaf.conf && systemctl daemon-reload";
    cluster.on("lb2", deaf);
    let before = cluster.all_etc();
    let templates = templates(cluster, "deaf", &format!("{TEMPLATE}# Much more.\n"));
    let with = ["--templates", templates.to_str().unwrap()];
    let ended = hactl(
        cluster,
        &[&["apply", "--yes", "--format", "json"][..], &with].concat(),
    );
    let report = ended.json();
    let outcome = &report["outcome"];
    assert_eq!(outcome["result"], "rolled_back", "{outcome:#}");
    assert_eq!(
        outcome["failure"]["causes"][0]["nodes"],
        json!(["lb2"]),
        "{outcome:#}"
    );
    cluster.assert_etc(&before);
    cluster.on(
        "lb2",
        "rm -r /run/systemd/system/greeter.service.d && systemctl daemon-reload",
    );
}

fn its_absence_is_seen_and_ended(cluster: &Cluster) {
    let templates = cluster.dir().join("another");
    let with = ["--templates", templates.to_str().unwrap()];
    cluster.on("lb3", "systemctl stop greeter");
    let status = hactl(
        cluster,
        &[&["status", "--format", "json"][..], &with].concat(),
    );
    assert_ne!(status.code(), Some(0));
    let status = status.json();
    let lb3 = &status["nodes"][2]["units"]["greeter"]["service"]["active"];
    assert_eq!(lb3, "inactive", "{status:#}");
    hactl(cluster, &[&["apply", "--yes"][..], &with].concat()).exits(0);
    hactl(cluster, &[&["status"][..], &with].concat()).exits(0);
}

/// Runs hactl with the third unit.
#[track_caller]
fn hactl(cluster: &Cluster, arguments: &[&str]) -> Ended {
    let own = std::env::current_exe().unwrap();
    let mut command = cluster.command_of(own.to_str().unwrap(), arguments);
    Ended::new(arguments, command.env(AS_HACTL, "1").output().unwrap())
}

/// The generation that the greeter of each node has loaded, asserted to be the applied one.
fn loaded(cluster: &Cluster) -> Vec<String> {
    let status = hactl(cluster, &["status", "--format", "json"]).json();
    let nodes = status["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| {
            let unit = &node["units"]["greeter"];
            assert_eq!(unit["service"]["active"], "active", "{node:#}");
            assert_eq!(unit["loaded"], unit["applied"], "{node:#}");
            unit["loaded"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The action of a plan for one subject of a node.
fn action(node: &Value, kind: &str, name: &str) -> Value {
    let mut changes = changes_of(node, kind);
    let is_it = |change: &&Value| {
        let subject = &change["subject"];
        subject["name"] == name || subject["path"] == name
    };
    changes
        .find(is_it)
        .map_or(json!(null), |change| change["action"].clone())
}

/// A folder with an override of the unit's template.
fn templates(cluster: &Cluster, name: &str, text: &str) -> PathBuf {
    let folder = cluster.dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("greeter.conf"), text).unwrap();
    folder
}

/// Adds the unit's package to the node's package repository.
fn carry(cluster: &Cluster, node: &str) {
    let apt = cluster.node_root(node).join("opt/hactl-lab/apt");
    let tree = cluster.dir().join("greeter");
    if !tree.exists() {
        write(
            &tree.join("usr/sbin/greeter"),
            include_str!("greeter"),
            0o755,
        );
        let unit = include_str!("greeter.service");
        write(
            &tree.join("lib/systemd/system/greeter.service"),
            unit,
            0o644,
        );
        write(&tree.join("etc/greeter/greeter.conf"), "port 8406\n", 0o644);
        write(&tree.join("DEBIAN/conffiles"), &format!("{CONF}\n"), 0o644);
        write(&tree.join("DEBIAN/control"), CONTROL, 0o644);
    }
    let package = apt.join("greeter.deb");
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]);
    assert!(
        build
            .arg(&tree)
            .arg(&package)
            .output()
            .unwrap()
            .status
            .success()
    );
    let sums = lab::text(Command::new("sha256sum").arg(&package));
    let (sum, _) = sums.split_once(' ').unwrap();
    let size = fs::metadata(&package).unwrap().len();
    let mut index = fs::read_to_string(apt.join("Packages")).unwrap();
    write!(
        index,
        "{CONTROL}Filename: ./greeter.deb\nSize: {size}\nSHA256: {sum}\n\n"
    )
    .unwrap();
    fs::write(apt.join("Packages"), index).unwrap();
}

const CONTROL: &str = "Package: greeter\nVersion: 1.4.2-1\nArchitecture: all\nMaintainer: tests <root@localhost>\n\
                       Description: tells which configuration it has loaded\n";

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
