//! Every image of the lab, from bare machines to a cluster that serves, is drilled and goes back.
//!
//! `cargo test` takes one image that no other test starts from bare, without drills. All of them:
//!
//!     HACTL_IMAGES=all UPDATE=1 cargo test --test images -- --nocapture
//!
//! With `UPDATE=1` that writes docs/support.md. Names of images, separated by commas, take those and write their rows.
#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/documents.rs"]
mod documents;
#[path = "../support/lab.rs"]
mod lab;
mod page;
#[path = "../support/snapshot.rs"]
mod snapshot;

use std::collections::BTreeMap;

use hactl::lab::{Image, LabSpec, Release};

use cluster::{Cluster, VIP, machines};
use page::Row;
use snapshot::{Snapshot, assert_same};

#[test]
fn every_image_goes_from_bare_machines_to_a_cluster_that_serves_and_back() {
    let wish = std::env::var("HACTL_IMAGES").unwrap_or_default();
    let wanted: Vec<Release> = match wish.as_str() {
        "" => vec![Release::Debian13],
        "all" => Release::ALL.to_vec(),
        names => names.split(',').map(|name| name.parse().unwrap()).collect(),
    };
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    for release in wanted {
        let Some(row) = journey(release, !wish.is_empty()) else {
            return;
        };
        if update && !wish.is_empty() {
            page::write(&row);
        }
    }
    page::is_fresh();
}

/// The whole way on one image. `None` where labs are not wanted.
fn journey(release: Release, with_drills: bool) -> Option<Row> {
    let cluster = Cluster::up_quietly(&LabSpec {
        image: Image::Bare,
        release,
        ..machines()
    })?;
    let bare = etc(&cluster);
    // Without a number of its release, only its package lists can tell which versions it would install.
    if release == Release::DebianSid {
        for node in cluster.nodes() {
            cluster.on(&node, "apt-get update -q");
        }
    }
    cluster.apply();
    assert_eq!(cluster.owner(VIP), "lb1");
    assert_ne!(cluster.get(&format!("http://{VIP}/")), "");
    let of = |command: &str| cluster.on("lb1", command).trim().to_owned();
    let mut row = Row {
        image: release.name(),
        system: of(". /etc/os-release && echo \"$PRETTY_NAME\""),
        systemd: of("systemctl --version | sed -n '1s/systemd \\([0-9]*\\).*/\\1/p'"),
        nginx: of("nginx -v 2>&1 | sed 's,.*/\\([0-9.]*\\).*,\\1,'"),
        keepalived: of("keepalived -v 2>&1 | sed -n '1s/.* v\\([0-9.]*\\).*/\\1/p'"),
        profile: profile(&cluster),
        drills: 0,
    };
    let applied = cluster.etc_without_users();
    cluster.apply().says("nothing to change");
    assert_eq!(
        cluster.etc_without_users(),
        applied,
        "a second apply changes nothing"
    );
    if with_drills {
        let drills = ["failover-test", "--all", "--yes", "--format", "json"];
        let document = cluster.run(&drills).exits(0).json();
        row.drills = document["report"]["runs"].as_array().unwrap().len();
    }
    cluster.run(&["status"]).exits(0);
    let back = ["rollback", "--to", "0", "--yes", "--stop-serving", "all"];
    cluster.run(&back).exits(0);
    for (node, after) in etc(&cluster) {
        assert_same(&bare[&node], &after, &format!("{release}: {node}'s /etc"));
    }
    Some(row)
}

/// `/etc` of all nodes but the users, and what keepalived 2.3.3 and later adds to iproute2's names by itself.
fn etc(cluster: &Cluster) -> BTreeMap<String, Snapshot> {
    let mut all = cluster.etc_without_users();
    for etc in all.values_mut() {
        etc.retain(|path, _| path != "iproute2" && !path.starts_with("iproute2/rt_addrprotos.d"));
    }
    all
}

/// The profile that `plan` chooses where the inventory names none.
fn profile(cluster: &Cluster) -> &'static str {
    let conf = cluster.on("lb1", "cat /etc/keepalived/keepalived.conf");
    if conf.contains("advert_int 1\n") {
        "standard"
    } else {
        "fast"
    }
}
