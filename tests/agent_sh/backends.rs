//! Why an upstream server cannot be reached, as the kernel or the resolver reports it.

use hactl::agent::{NoConnection, ObserveRequest};

use crate::in_every_shell;
use crate::world::World;

in_every_shell!(what_keeps_a_node_from_a_server_is_told,);

async fn what_keeps_a_node_from_a_server_is_told(world: &World) {
    world.sh("ip link set lo up");
    let servers = [
        ("127.0.0.9", Some(NoConnection::Refused)),
        ("198.51.100.1", Some(NoConnection::NoRoute)),
        ("192.0.2.67", Some(NoConnection::Timeout)),
        ("192.0.2.1", None),
    ];
    let question = ObserveRequest {
        backends: servers.map(|(host, _)| (host.to_owned(), 8080)).into(),
        ..ObserveRequest::default()
    };
    let seen = world.agent().observe(&question).await.unwrap();
    assert_eq!(seen.backends.len(), servers.len());
    for (host, cause) in servers {
        let server = seen.backends.iter().find(|it| it.host == host).unwrap();
        assert_eq!(
            (server.up, server.cause),
            (cause.is_none(), cause),
            "{host}"
        );
    }
}
