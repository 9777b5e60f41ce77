//! Upstreams of `http` and of `stream`.

use serde::Serialize;

use crate::model::{Balance, Upstream, UpstreamServer, Version};
use crate::render::error::RenderError;

use super::common::whole_seconds;

/// First version with `zone`.
const ZONE_FIRST: Version = Version::new(1, 9, 0);
/// First version with `max_conns`.
const MAX_CONNS_FIRST: Version = Version::new(1, 11, 5);
/// First version with `random`.
const RANDOM_FIRST: Version = Version::new(1, 15, 1);

/// The block of nginx.conf that an upstream belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Http,
    Stream,
}

/// One `upstream` block.
#[derive(Debug, Serialize)]
pub(super) struct UpstreamView {
    name: String,
    zone: Option<String>,
    balance: Option<&'static str>,
    servers: Vec<String>,
    keepalive: Option<u32>,
}

/// `nginx` is the version on the host.
pub(super) fn view(
    upstream: &Upstream,
    part: Part,
    nginx: Version,
) -> Result<UpstreamView, RenderError> {
    let place = || format!("upstream {}", upstream.name);
    let balance = match (upstream.balance, part) {
        (Balance::RoundRobin, _) => None,
        (Balance::LeastConn, _) => Some("least_conn"),
        (Balance::IpHash, Part::Http) => Some("ip_hash"),
        // Streams have no `ip_hash`. This also keeps a client on the same server.
        (Balance::IpHash, Part::Stream) => Some("hash $remote_addr consistent"),
        (Balance::Random, _) if nginx < RANDOM_FIRST => {
            return Err(RenderError::unsupported(
                place(),
                format!("balance 'random' needs nginx {RANDOM_FIRST}, and this host has {nginx}"),
                "choose 'least_conn'",
            ));
        }
        (Balance::Random, _) => Some("random two least_conn"),
    };
    if matches!(upstream.balance, Balance::IpHash | Balance::Random)
        && upstream.servers.iter().any(|server| server.backup)
    {
        return Err(RenderError::unsupported(
            place(),
            "nginx allows no backup servers with this balancing method",
            "choose 'least_conn' or 'round_robin', or remove 'backup'",
        ));
    }
    let prefix = match part {
        Part::Http => "http",
        Part::Stream => "stream",
    };
    Ok(UpstreamView {
        name: upstream.name.to_string(),
        // With a zone, the workers share the state of servers: failures and connections.
        zone: (nginx >= ZONE_FIRST).then(|| {
            let size = (upstream.servers.len() * 4).max(64);
            format!("{prefix}_{} {size}k", upstream.name)
        }),
        balance,
        servers: upstream
            .servers
            .iter()
            .map(|server| server_line(server, nginx))
            .collect(),
        keepalive: (part == Part::Http && upstream.keepalive > 0).then_some(upstream.keepalive),
    })
}

/// One `server` with the parameters that differ from nginx's defaults, and always `max_fails`.
fn server_line(server: &UpstreamServer, nginx: Version) -> String {
    let mut words = vec![server.address.to_string()];
    if server.weight != 1 {
        words.push(format!("weight={}", server.weight));
    }
    words.push(format!("max_fails={}", server.max_fails));
    // Unlike nginx's other times, this one has no fractions of a second.
    words.push(format!(
        "fail_timeout={}s",
        whole_seconds(server.fail_timeout)
    ));
    if server.max_conns > 0 && nginx >= MAX_CONNS_FIRST {
        words.push(format!("max_conns={}", server.max_conns));
    }
    if server.backup {
        words.push("backup".to_owned());
    }
    if server.down {
        words.push("down".to_owned());
    }
    words.join(" ")
}
