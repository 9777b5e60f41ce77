//! Rules on nginx, its upstreams, and the kernel settings that it depends on.

use crate::check::rule::Coverage::{Checked, Observed};

rules! { NGINX:
NG001 {
    Error, [Plan], Observed("`nginx -t` on the staged files, in a private namespace on the host"),
    title: "nginx refuses the files",
    reason: "`nginx -t` failed on the host where they are to run.",
    fix: "read nginx's own message and correct the inventory or the raw snippet that it names",
}
NG002 {
    Error, [Inventory], Checked,
    title: "a listen on the VIP without ip_nonlocal_bind",
    reason: "Only the owner has the VIP, so nginx can neither be tested nor started on the other nodes (measured).",
    fix: "listen on all addresses, or set net.ipv4.ip_nonlocal_bind (net.ipv6.ip_nonlocal_bind) to 1",
}
NG003 {
    Error, [Plan], Observed("the sockets of the running nginx against those of the new files"),
    title: "wildcard and specific listen swapped on a port",
    reason: "A reload cannot make that change: the bind fails and the old configuration goes on serving, while the reload reports success (measured).",
    fix: "let apply restart nginx on the nodes one by one",
}
NG006 {
    Warning, [Inventory, Plan], Checked,
    title: "one server left in an upstream",
    reason: "When it fails, everything fails; and nginx ignores max_fails for a lone server.",
    fix: "add a second server, or put one back in service",
}
NG007 {
    Error, [Status], Observed("the generation that the running nginx serves"),
    title: "a reload was not applied",
    reason: "`nginx -s reload` exits 0 while the old configuration goes on serving.",
    fix: "read nginx's error log for [emerg]; free the port it names, or restart nginx",
}
NG008 {
    Error, [Inventory], Checked,
    title: "a listen on an address that not every node has",
    reason: "All nodes get the same sites. Where the address is missing, nginx does not start.",
    fix: "listen on all addresses, or on a VIP with ip_nonlocal_bind",
}
NG009 {
    Error, [Inventory], Checked,
    title: "the status port is taken by a site or a stream",
    reason: "hactl asks nginx on that port which generation it serves, and the health check asks there whether it serves at all.",
    fix: "set another status port, one that nothing else listens on",
}
NG010 {
    Error, [Inventory], Checked,
    title: "two proxies on one port",
    reason: "A stream and a site, or two streams, cannot share a socket: nginx refuses the file, or its bind fails at the reload.",
    fix: "give each its own port",
}
NG011 {
    Error, [Inventory], Checked,
    title: "two default servers on one socket",
    reason: "nginx refuses the file: \"a duplicate default server\".",
    fix: "leave `default_server` to one site of the socket",
}
NG012 {
    Warning, [Inventory], Checked,
    title: "one server name twice on a socket",
    reason: "nginx keeps the first and ignores the second: \"conflicting server name\".",
    fix: "remove the name from one of the sites",
}
NG013 {
    Error, [Inventory], Checked,
    title: "TLS and plain HTTP on one socket",
    reason: "A socket speaks TLS for all sites that share it or for none; those that meant the other are unreachable.",
    fix: "use one port for TLS and another for plain HTTP",
}
NG014 {
    Error, [Inventory, Plan], Checked,
    title: "no server of an upstream is in service",
    reason: "With all servers `down` every request is answered 502.",
    fix: "put a server back in service",
}
NG015 {
    Error, [Inventory], Checked,
    title: "a backup server with a method that has none",
    reason: "nginx refuses `backup` together with `ip_hash` and `random`.",
    fix: "use round robin or least_conn, or remove `backup`",
}
NG016 {
    Error, [Inventory], Checked,
    title: "an upstream leads back into the cluster",
    reason: "The server is a VIP or a node, on a port that the sites listen on: requests go round until a limit stops them.",
    fix: "name the servers behind the proxy, not the proxy",
}
NG017 {
    Error, [Host, Plan, Status], Checked,
    title: "a node cannot resolve a server's name",
    reason: "nginx resolves the names of servers once, those in raw snippets among them, when it starts or reloads. A name that stops resolving changes nothing for the nginx that runs, but every reload is refused and the next start fails, on each node that cannot resolve it (measured).",
    fix: "make the name resolve there, by DNS or /etc/hosts, or use the server's address; nginx 1.27.3 and later can look names up while it runs, with `resolve` and a `resolver` in an upstream of your own in `nginx.raw_http`",
}
NG018 {
    Warning, [Host, Plan, Status], Checked,
    title: "a node cannot connect to a server",
    reason: "nginx asks the servers that are left, and this one again and again: every such try costs a client up to the connect timeout. A typed address, a firewall or a server that is not up yet looks the same from here.",
    fix: "start the server or correct its address; if it is down on purpose, set `down: true`",
}
NG019 {
    Warning, [Host, Plan, Status], Checked,
    title: "a node cannot connect to any server of an upstream",
    reason: "The node answers every request for it with 502, while it may own the VIP. plan and apply say so before they ask, and status for as long as it lasts; but it is no failure of a change, which would be undone for servers that are down with or without it, and a proxy may be set up before what is behind it.",
    fix: "start the servers, or correct their addresses and the way from this node to them",
}
SY001 {
    Warning, [Inventory], Checked,
    title: "the ephemeral port range covers a port that nginx listens on",
    reason: "An outgoing connection can take the port before nginx does, and nginx then does not start.",
    fix: "reserve the port in net.ipv4.ip_local_reserved_ports, or narrow net.ipv4.ip_local_port_range",
}
SY003 {
    Error, [Inventory], Checked,
    title: "ARP settings of an interface that has a VIP",
    reason: "While a node owns a VIP, hand_over.sh keeps it on the loopback, too, and has arp_ignore at 1 and arp_announce at 2 for as long. Set by the inventory as well, they would differ from it on the owner, and be taken for the host's own.",
    fix: "remove the setting",
}
SY002 {
    Warning, [Inventory], Checked,
    title: "nginx's backlog is larger than the kernel allows",
    reason: "listen(2) silently cuts the backlog to net.core.somaxconn.",
    fix: "raise net.core.somaxconn to the backlog, or lower the backlog",
}
}
