//! Saved plans, and which differences matter.

use super::*;

type Edit = fn(&mut Fingerprint);

fn map<V>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> BTreeMap<String, V> {
    let own = pairs.into_iter();
    own.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn fingerprint() -> Fingerprint {
    let node = NodeFingerprint {
        generation: Some(1),
        files: map([
            ("/etc/keepalived/keepalived.conf", Some("one".to_owned())),
            ("/etc/nginx/nginx.conf", Some("two".to_owned())),
        ]),
        kernel: map([("net.core.somaxconn", Some("4096".to_owned()))]),
        units: map([
            ("nginx", "reload".to_owned()),
            ("keepalived", "none".to_owned()),
        ]),
        stops: BTreeSet::new(),
        wanted: "three".to_owned(),
    };
    let facts = map([("keepalived", "2.2.7".to_owned())]);
    let names = ["lb1", "lb2", "lb3"];
    Fingerprint {
        cluster: "web".to_owned(),
        basis: Basis {
            hactl: "1.2.0".to_owned(),
            inventory: "four".to_owned(),
            templates: "five".to_owned(),
            hosts: map(names.map(|name| (name, facts.clone()))),
        },
        order: "one after the other".to_owned(),
        nodes: map(names.map(|name| (name, node.clone()))),
    }
}

fn all(fingerprint: &mut Fingerprint, edit: fn(&mut NodeFingerprint)) {
    fingerprint.nodes.values_mut().for_each(edit);
}

fn on(fingerprint: &mut Fingerprint, node: &str, edit: fn(&mut NodeFingerprint)) {
    fingerprint.nodes.get_mut(node).into_iter().for_each(edit);
}

fn edit_file(node: &mut NodeFingerprint) {
    let files = node.files.values_mut();
    files
        .skip(1)
        .for_each(|hash| *hash = Some("by hand".to_owned()));
}

fn want_other(node: &mut NodeFingerprint) {
    "other".clone_into(&mut node.wanted);
}

#[test]
fn what_makes_no_difference_to_the_hosts_has_not_moved() {
    let edits: [Edit; 4] = [
        |_| (),
        |now| "other".clone_into(&mut now.basis.inventory),
        |now| "1.3.0".clone_into(&mut now.basis.hactl),
        |now| all(now, |node| node.generation = Some(3)),
    ];
    for edit in edits {
        let mut now = fingerprint();
        edit(&mut now);
        assert_eq!(fingerprint().moved(&now), []);
    }
}

#[test]
fn what_has_moved_is_named() {
    let edits: [(&str, Edit); 14] = [
        ("cluster", |now| "shop".clone_into(&mut now.cluster)),
        ("inventory", |now| {
            "other".clone_into(&mut now.basis.inventory);
            all(now, want_other);
        }),
        ("templates", |now| {
            "other".clone_into(&mut now.basis.templates);
            all(now, want_other);
        }),
        ("version", |now| {
            "other".clone_into(&mut now.basis.templates);
            "1.3.0".clone_into(&mut now.basis.hactl);
            all(now, want_other);
        }),
        ("secret", |now| all(now, want_other)),
        ("package", |now| {
            now.basis
                .hosts
                .insert("lb2".to_owned(), map([("keepalived", "2.3.3".to_owned())]));
            on(now, "lb2", want_other);
        }),
        ("by hand", |now| on(now, "lb2", edit_file)),
        ("by hand on two, with another inventory", |now| {
            "other".clone_into(&mut now.basis.inventory);
            all(now, want_other);
            on(now, "lb1", edit_file);
            on(now, "lb3", edit_file);
        }),
        ("applied", |now| {
            all(now, |node| {
                edit_file(node);
                node.generation = Some(2);
            });
        }),
        ("kernel", |now| on(now, "lb3", |node| node.kernel = map([]))),
        ("unit", |now| {
            on(now, "lb3", |node| {
                node.units.insert("nginx".to_owned(), "start".to_owned());
            });
        }),
        ("stops", |now| {
            on(now, "lb1", |node| {
                node.stops.insert(":8088".to_owned());
            });
        }),
        ("nodes", |now| {
            now.nodes.remove("lb3");
        }),
        ("order", |now| {
            "all at once, since VI_1 changes from unicast to multicast".clone_into(&mut now.order);
        }),
    ];
    let told = |(what, edit): &(&str, Edit)| {
        let mut now = fingerprint();
        edit(&mut now);
        let moved = fingerprint().moved(&now);
        let lines: Vec<String> = moved.iter().map(|one| format!("  {one}\n")).collect();
        assert!(!lines.is_empty(), "{what}");
        format!("{what}\n{}", lines.concat())
    };
    insta::assert_snapshot!(edits.iter().map(told).collect::<String>());
}
