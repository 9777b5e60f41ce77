//! The configuration of upstreams (NG006, NG014 to NG016).

use std::net::IpAddr;

use crate::check::places;
use crate::check::rule::Finding;
use crate::model::{Balance, Cluster, Upstream, UpstreamServer};

rules! { RULES:
NG006 {
    Warning, [Inventory(in_service)],
    title: "one server left in an upstream",
    reason: "When it fails, everything fails; and nginx ignores max_fails for a lone server.",
    fix: "add a second server, or put one back in service",
}
NG014 {
    Error, [Inventory(in_service)],
    title: "no server of an upstream is in service",
    reason: "With all servers `down` every request is answered 502.",
    fix: "put a server back in service",
}
NG015 {
    Error, [Inventory(backups)],
    title: "a backup server with a balancing method that allows none",
    reason: "nginx refuses `backup` together with `ip_hash` and `random`.",
    fix: "use round robin or least_conn, or remove `backup`",
}
NG016 {
    Error, [Inventory(leads_back)],
    title: "an upstream leads back into the cluster",
    reason: "The server is a VIP or a node, on a port that the sites listen on: requests go round until a limit stops them.",
    fix: "name the servers behind the proxy, not the proxy",
}
}

fn in_service(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for upstream in &cluster.upstreams {
        servers_of(upstream, findings);
    }
}

fn servers_of(upstream: &Upstream, findings: &mut Vec<Finding>) {
    let name = &upstream.name;
    let mut serving = upstream.servers.iter().filter(|server| !server.down);
    match (serving.next(), serving.next()) {
        (None, _) => {
            let message =
                format!("all servers of upstream {name} are down: every request gets 502");
            findings.push(Finding::new(&NG014, places::servers(name), message));
        }
        (Some(only), None) => {
            let alone = upstream.servers.len() == 1;
            let message = if alone && only.max_fails > 0 {
                format!(
                    "upstream {name} has one server, {}, whose max_fails nginx ignores",
                    only.address
                )
            } else {
                format!(
                    "upstream {name} has one server in service, {}",
                    only.address
                )
            };
            findings.push(Finding::new(&NG006, places::servers(name), message));
        }
        (Some(_), Some(_)) => {}
    }
}

fn backups(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for upstream in &cluster.upstreams {
        backups_of(upstream, findings);
    }
}

fn backups_of(upstream: &Upstream, findings: &mut Vec<Finding>) {
    let method = match upstream.balance {
        Balance::IpHash => "ip_hash",
        Balance::Random => "random",
        Balance::RoundRobin | Balance::LeastConn => return,
    };
    for (index, server) in upstream
        .servers
        .iter()
        .enumerate()
        .filter(|(_, s)| s.backup)
    {
        let message = format!("nginx refuses `backup` on {} with {method}", server.address);
        let path = places::servers(&upstream.name).index(index);
        findings.push(Finding::new(&NG015, path, message));
    }
}

fn leads_back(cluster: &Cluster, findings: &mut Vec<Finding>) {
    for upstream in &cluster.upstreams {
        for (index, server) in upstream.servers.iter().enumerate() {
            back_to_us(cluster, upstream, index, server, findings);
        }
    }
}

fn back_to_us(
    cluster: &Cluster,
    upstream: &Upstream,
    index: usize,
    server: &UpstreamServer,
    findings: &mut Vec<Finding>,
) {
    let host = server.address.host().trim_matches(['[', ']']);
    let Ok(address) = host.parse::<IpAddr>() else {
        return;
    };
    let vips = cluster
        .instances
        .iter()
        .flat_map(|instance| &instance.addresses);
    let nodes = cluster.nodes.iter().map(|node| node.address);
    let mut ours = vips.map(ipnet::IpNet::addr).chain(nodes);
    if !address.is_loopback() && !ours.any(|ours| ours == address) {
        return;
    }
    let port = server.address.port();
    let site_ports = cluster
        .sites
        .iter()
        .flat_map(|site| &site.listen)
        .filter_map(|listen| {
            let here = listen.address.is_none_or(|listened| listened == address);
            here.then_some(listen.port)
        });
    let stream_ports = cluster.streams.iter().map(|stream| stream.port);
    if !site_ports.chain(stream_ports).any(|ours| ours == port) {
        return;
    }
    let message = format!(
        "upstream {}: {} is the proxy itself, which listens on port {port}",
        upstream.name, server.address
    );
    let path = places::servers(&upstream.name).index(index);
    findings.push(Finding::new(&NG016, path, message));
}
