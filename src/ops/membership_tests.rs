//! Membership according to records of this version of hactl, and of earlier ones, which list no members.

use super::*;
use crate::agent::{Fact, Facts, Manifest};
use crate::inventory;
use crate::model::NodeName;

fn cluster(nodes: &[(&str, &str)]) -> Cluster {
    let node = |(name, address): &(&str, &str)| {
        format!("{{ name: {name}, address: {address}, interface: eth0 }}")
    };
    let nodes: Vec<String> = nodes.iter().map(node).collect();
    let nodes = nodes.join(", ");
    let text = format!(
        "cluster: web\nnodes: [{nodes}]\nvips: [{{ address: 10.0.0.100/24 }}]\n\
         upstreams: {{ backend: {{ servers: [192.168.1.10:8080] }} }}\n\
         sites: [{{ listen: [80], proxy: backend }}]\n"
    );
    inventory::load("hactl.yml", &text).unwrap().cluster
}

const LB1: (&str, &str) = ("lb1", "10.0.0.11");
const LB2: (&str, &str) = ("lb2", "10.0.0.12");
const LB3: (&str, &str) = ("lb3", "10.0.0.13");

/// A host with a generation, further facts, and a keepalived.conf.
fn host(name: &str, generation: u64, facts: &[(Fact, &str)], conf: &str) -> Observation {
    let text = |text: &str| text.to_owned();
    let mut all = Facts::from([(Fact::Generation, generation.to_string())]);
    all.extend(facts.iter().map(|(fact, value)| (*fact, text(value))));
    let mut seen = Observation::of(NodeName::new(name).unwrap());
    seen.recorded = Some(Manifest {
        facts: all,
        ..Manifest::default()
    });
    let live = LiveFile::File {
        mode: 0o644,
        owner: text("root"),
        group: text("root"),
        content: conf.as_bytes().to_vec(),
    };
    let path = HostPath::new("/etc/keepalived/keepalived.conf").unwrap();
    seen.files.insert(path, live);
    seen
}

/// A VRRP instance of three nodes, on the node whose address ends in `own`.
fn unicast(own: u8) -> String {
    let peers = (11..14_u8).filter(|peer| *peer != own);
    let peers: Vec<String> = peers.map(|peer| format!("    10.0.0.{peer}")).collect();
    let peers = peers.join("\n");
    format!(
        "vrrp_instance VI_1 {{\n  unicast_src_ip 10.0.0.{own}\n  unicast_peer {{\n{peers}\n  }}\n}}\n"
    )
}

fn missing_names(cluster: &Cluster, seen: &[Observation]) -> Vec<String> {
    let seen: Vec<&Observation> = seen.iter().collect();
    let missing = missing(cluster, &seen);
    missing.iter().map(ToString::to_string).collect()
}

const NOBODY: [&str; 0] = [];

#[test]
fn a_record_without_members_is_read_by_whom_its_node_talks_to() {
    let seen = [
        host("lb1", 3, &[], &unicast(11)),
        host("lb2", 3, &[], &unicast(12)),
    ];
    let (all, two) = (cluster(&[LB1, LB2, LB3]), cluster(&[LB1, LB2]));
    assert_eq!(missing_names(&all, &seen), NOBODY);
    assert_eq!(missing_names(&two, &seen), ["10.0.0.13"]);
    // A node of another name at that address is the same node.
    let renamed = cluster(&[LB1, LB2, ("new", "10.0.0.13")]);
    assert_eq!(missing_names(&renamed, &seen), NOBODY);
    // At another address, only the host's own record shows that it is the same node.
    let moved = cluster(&[LB1, LB2, ("lb3", "10.0.0.23")]);
    assert_eq!(missing_names(&moved, &seen), ["10.0.0.13"]);
    let [lb1, lb2] = seen;
    let with_lb3 = [lb1, lb2, host("lb3", 3, &[], &unicast(13))];
    assert_eq!(missing_names(&moved, &with_lb3), NOBODY);
}

#[test]
fn with_multicast_such_a_record_knows_whom_its_change_asked() {
    let multicast = "vrrp_instance VI_1 {\n  virtual_router_id 51\n}\n";
    let seen = [
        host("lb1", 3, &[(Fact::Peers, "10.0.0.12 10.0.0.13")], multicast),
        host("lb2", 3, &[(Fact::Peers, "10.0.0.11 10.0.0.13")], multicast),
    ];
    assert_eq!(missing_names(&cluster(&[LB1, LB2]), &seen), ["10.0.0.13"]);
    assert_eq!(missing_names(&cluster(&[LB1, LB2, LB3]), &seen), NOBODY);
    // If only one node changed, it recorded no peers, and nothing shows the members.
    let alone = [host("lb1", 3, &[], multicast)];
    assert_eq!(missing_names(&cluster(&[LB1]), &alone), NOBODY);
}

#[test]
fn records_of_both_versions_side_by_side_count_by_the_last_generation() {
    let members = [(Fact::Members, "lb1=10.0.0.11 lb2=10.0.0.12")];
    // lb2 was not part of the change that removed lb3.
    let seen = [
        host("lb1", 4, &members, &unicast(11)),
        host("lb2", 3, &[], &unicast(12)),
    ];
    assert_eq!(missing_names(&cluster(&[LB1, LB2]), &seen), NOBODY);
    // Both have the same generation: the record that lists members does not override the other one.
    let mixed = [
        host("lb1", 4, &members, &unicast(11)),
        host("lb2", 4, &[], &unicast(12)),
    ];
    assert_eq!(missing_names(&cluster(&[LB1, LB2]), &mixed), ["10.0.0.13"]);
    // A host in generation 0 belongs to no cluster.
    let original = [host("lb1", 0, &[], &unicast(11))];
    assert_eq!(missing_names(&cluster(&[LB1]), &original), NOBODY);
}
