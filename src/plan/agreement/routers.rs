//! The virtual routers of any keepalived.conf, hactl's or not, as peers see them.

use super::router::{Auth, Peering, Preemption, Router};
use crate::agent::{Observation, sha256_hex};
use crate::conf::keepalived::{self, Conf, Instance};

/// The virtual routers of a file, and whether these are all.
pub(super) struct Routers {
    pub(super) routers: Vec<Router>,
    /// False if the file includes others, or has lines that a sequence makes.
    pub(super) is_whole: bool,
}

/// Reads a file as the keepalived of that host does.
pub(super) fn read(text: &[u8], seen: &Observation) -> Routers {
    let text = String::from_utf8_lossy(text);
    of(&Conf::of_text(&text, Some(&seen.hostname)))
}

pub(super) fn of(conf: &Conf) -> Routers {
    Routers {
        routers: conf.instances.iter().map(router).collect(),
        is_whole: conf.is_whole,
    }
}

fn router(instance: &Instance) -> Router {
    let auth = match &instance.auth {
        _ if !instance.is_whole => Auth::Unknown,
        keepalived::Auth::None => Auth::None,
        keepalived::Auth::Hmac(text) => Auth::of(&format!("hmac {text}")),
        keepalived::Auth::Password(own) => Auth::of(&format!("{} {}", own.kind, own.word)),
    };
    let peering = if instance.unicast_peers.is_empty() {
        Peering::Multicast {
            group: instance.group,
        }
    } else {
        Peering::Unicast {
            peers: instance.unicast_peers.iter().copied().collect(),
        }
    };
    Router {
        name: instance.name.clone(),
        interface: instance.interface.clone(),
        is_v6: instance.is_v6(),
        id: instance.virtual_router_id,
        preemption: match instance.preemption {
            keepalived::Preemption::AtOnce => Preemption::AtOnce,
            keepalived::Preemption::After(_) => Preemption::Later,
            keepalived::Preemption::Never => Preemption::Never,
        },
        version: instance.version,
        advert: instance.advert_int,
        missing: instance.down_timer_adverts,
        priority: instance.priority,
        strict: instance.strict,
        auth,
        source: instance.source,
        peering,
        addresses: instance.addresses.iter().copied().collect(),
        excluded: instance.excluded.iter().copied().collect(),
    }
}

impl Auth {
    fn of(secret: &str) -> Self {
        Self::fingerprint(&sha256_hex(secret.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAL: &str = "global_defs {\n    vrrp_version 2\n    vrrp_mcast_group4 224.0.0.19\n}\nvrrp_instance web {\n    interface eth1\n    virtual_router_id 51\n    advert_int 0.5\n    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n    unicast_src_ip 10.0.0.11\n    unicast_peer {\n        10.0.0.12 min_ttl 255\n        10.0.0.13\n    }\n    virtual_ipaddress {\n        10.0.0.100/24 dev eth1\n        10.0.0.101\n    }\n}\n";
    const TERSE: &str = "! a comment\nglobal_defs\n{ vrrp_version 2 # two\n vrrp_mcast_group4 224.0.0.19 }\nvrrp_instance \"web\"{\n interface eth1\n virtual_router_id 51 ! id\n advert_int 0.500\n authentication { auth_type PASS\n auth_pass secret12AND_THE_REST }\n unicast_src_ip 10.0.0.11\n unicast_peer { 10.0.0.13\n 10.0.0.12 }\n virtual_ipaddress { 10.0.0.101/32\n 10.0.0.100/32 }\n}\n";

    fn of_text(text: &str) -> Routers {
        of(&Conf::of_text(text, None))
    }

    #[test]
    fn a_file_means_the_same_however_it_is_written() {
        let (formal, terse) = (of_text(FORMAL), of_text(TERSE));
        let same = |router: &Router| Router {
            auth: Auth::None,
            ..router.clone()
        };
        assert!(same(&formal.routers[0]) == same(&terse.routers[0]));
        assert!(formal.is_whole);
        let peers = ["10.0.0.12", "10.0.0.13"]
            .map(|a| a.parse().unwrap())
            .into();
        assert_eq!(formal.routers[0].peering, Peering::Unicast { peers });
        // Only the first eight characters of a password count.
        assert!(formal.routers[0].auth != terse.routers[0].auth);
        let long = of_text(&FORMAL.replace("secret", "secret12"));
        assert!(long.routers[0].auth == terse.routers[0].auth);
    }

    #[test]
    fn an_instance_that_includes_a_file_may_sign_in_any_way() {
        // An instance is complete unless it includes a file itself.
        let beside = of_text(&format!("include conf.d/*.conf\n{FORMAL}"));
        assert!(!beside.is_whole);
        assert!(beside.routers[0].auth == of_text(FORMAL).routers[0].auth);
        let within = FORMAL.replace("interface eth1", "include /etc/keepalived/x.conf");
        assert!(of_text(&within).routers[0].auth == Auth::Unknown);
    }
}
