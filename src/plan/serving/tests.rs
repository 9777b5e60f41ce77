//! Which names a server answers for, and what may stop.

use super::{Loss, LostService, StopServing, has_name, is_catch_all};
use crate::model::NodeName;

#[test]
fn names_that_answer_for_a_name() {
    let has = |own: &str, name: &str| {
        let server = super::Server {
            names: vec![own.to_owned()],
            ..super::Server::default()
        };
        has_name(&server, name)
    };
    for (own, name, answers) in [
        ("example.com", "example.com", true),
        ("*.example.com", "www.example.com", true),
        ("*.example.com", "example.com", false),
        (".example.com", "example.com", true),
        (".example.com", "www.example.com", true),
        ("*.example.com", "wwwexample.com", false),
        ("_", "example.com", false),
    ] {
        assert_eq!(has(own, name), answers, "{own} {name}");
    }
    for (name, catches_all) in [
        ("_", true),
        ("", true),
        ("--", true),
        ("~.", false),
        ("a", false),
    ] {
        assert_eq!(is_catch_all(name), catches_all, "{name}");
    }
}

#[test]
fn what_is_named_may_stop() {
    let node = NodeName::new("lb1").unwrap();
    let vip = |address: &str| {
        let service = LostService::Vip {
            instance: "VI_1".to_owned(),
            address: address.parse().unwrap(),
        };
        Loss::new(&node, service)
    };
    let losses = [vip("10.0.0.50"), vip("10.0.0.51")];
    let unnamed = |names: &[&str]| {
        let allowed = StopServing::of(names.iter().map(|name| (*name).to_owned()));
        allowed.unnamed(&losses).len()
    };
    assert_eq!(unnamed(&[]), 2);
    assert_eq!(unnamed(&["10.0.0.50"]), 1);
    assert_eq!(unnamed(&["10.0.0.50", "10.0.0.51"]), 0);
    assert_eq!(unnamed(&["all"]), 0);
    assert_eq!(unnamed(&["10.0.0.5"]), 2);
}
