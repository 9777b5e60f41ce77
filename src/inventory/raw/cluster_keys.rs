//! The keys of an inventory for the cluster, its nodes, its virtual IPs and VRRP.

use std::net::IpAddr;

use super::collections::{List, Pairs};
use super::nginx_keys::{NginxKeys, SiteKeys, StreamKeys, UpstreamKeys};
use super::scalars::{Int, Time};
use super::shape::shape;
use super::words::{Block, Jump, LocalPath, Network, Setting, SshHost, VirtualIp};
use crate::model::{
    AdvertInterval, ClusterName, DownTimerAdverts, DrillName, Failover, Hold, HostPath,
    InstanceName, InterfaceName, NodeName, OnNginxFailure, Peering, Priority, RouterId, SecretRef,
    SysctlKey, UpstreamName, UserName, VirtualRouterId, VrrpVersion,
};

shape! {
    /// An inventory: one highly available cluster of nginx proxies behind virtual IPs.
    ClusterKeys as "inventory" {
        /// The name of the cluster, which appears in reports and manifests.
        cluster: ClusterName = Required, "web";
        /// The load balancers. The first is the preferred master.
        nodes: List<NodeKeys> = Required, "[{ name: lb1, address: 10.0.0.11, interface: eth0 }]";
        /// Who owns the daemons' configuration on the nodes. `shared` lives beside what others manage there.
        hosts: HostsKeys = Default("{}"), "{ nginx: shared, keepalived: shared }";
        /// The virtual IPs, each a virtual router of its own. Several make an active-active cluster: without `prefer`, each prefers the next node.
        vips: List<VipKeys> = Required, "[{ address: 10.0.0.100/24 }]";
        /// Groups of servers behind the proxy, by name.
        upstreams: Pairs<UpstreamName, UpstreamKeys> = Default("{}"), "{ backend: { servers: [192.168.1.10:8080] } }";
        /// HTTP and HTTPS sites.
        sites: List<SiteKeys> = Default("[]"), "[{ listen: [80], proxy: backend }]";
        /// TCP and UDP proxies.
        streams: List<StreamKeys> = Default("[]"), "[{ listen: 5432, proxy: database }]";
        /// How the nodes are reached. A node's own `ssh` overrides it key by key.
        ssh: SshKeys = Default("{}"), "{ user: admin }";
        /// How the nodes agree on who owns a virtual IP.
        vrrp: VrrpKeys = Default("{}"), "{ failover: fast }";
        /// How nginx is checked on each node.
        health: HealthKeys = Default("{}"), "{ interval: 1s }";
        /// nginx's global settings.
        nginx: NginxKeys = Default("{}"), "{ worker_connections: 20000 }";
        /// Kernel settings that add to hactl's own or override them; `unmanaged` drops one of hactl's.
        sysctl: Pairs<SysctlKey, Setting> = Default("{}"), "{ net.ipv4.tcp_fin_timeout: 30 }";
        /// Which state changes of keepalived are reported.
        notify: NotifyKeys = Default("{}"), "{ hook: /usr/local/bin/page-someone }";
        /// Outage budgets of drills, by the drill's name (`hactl failover-test`).
        drills: Pairs<DrillName, DrillKeys> = Default("{}"), "{ nginx-kill: { budget: 100ms }, power-off: { budget: 1s } }";
        /// Escape hatches: keepalived configuration that only keepalived itself checks.
        raw: RawKeys = Default("{}"), "{ keepalived_global: vrrp_skip_check_adv_addr }";
    }
}

shape! {
    /// One load balancer.
    NodeKeys as "node" {
        /// Its name.
        name: NodeName = Required, "lb1";
        /// Its own address on the network that carries VRRP.
        address: IpAddr = Required, "10.0.0.11";
        /// The interface that carries VRRP, and the virtual IPs unless they name another.
        interface: InterfaceName = Required, "eth0";
        /// Its VRRP priority. Either all nodes have one, or none.
        priority: Priority = Optional("from 254 downwards, in the order of the nodes: 228, 202 and so on with `fast`, otherwise 252, 250"), "100";
        /// keepalived's `router_id`.
        router_id: RouterId = Optional("its name"), "NGINX_MASTER";
        /// The host that ssh connects to.
        host: SshHost = Optional("its address"), "lb1.example.org";
        /// SSH settings of this node that differ from the cluster's.
        ssh: SshKeys = Default("{}"), "{ port: 2222 }";
    }
}

shape! {
    /// Who owns the daemons' configuration on the nodes: hactl, or somebody else beside whom hactl lives.
    HostsKeys as "hosts" {
        /// `owned`: nginx.conf is hactl's, and replaced whole. `shared`: it stays as it is; hactl's sites are in /etc/nginx/conf.d/hactl.conf, which it must include within `http`, and a site that names only a port listens there on the virtual IPs alone. Worker processes and connections are then set by its owner, and `streams` are not possible.
        nginx: Hold = Default("owned"), "shared";
        /// `owned`: keepalived.conf is hactl's, and replaced whole. `shared`: it stays as it is; hactl's virtual routers are in /etc/keepalived/conf.d/hactl.conf, which it must include.
        keepalived: Hold = Default("owned"), "shared";
    }
}

shape! {
    /// How a node is reached. Your ssh configuration decides what is not set here.
    SshKeys as "ssh" {
        /// The login user.
        user: UserName = Optional("as ssh is configured"), "admin";
        /// The port.
        port: Int<1, 65535> = Optional("as ssh is configured"), "22";
        /// One or more jump hosts.
        jump: Jump = Optional("as ssh is configured"), "admin@bastion.example.org";
        /// The private key's file on this machine.
        identity_file: LocalPath = Optional("as ssh is configured"), "~/.ssh/id_ed25519";
        /// Become root by sudo.
        sudo: bool = Optional("`true` where `user` is named and isn't root"), "true";
    }
}

shape! {
    /// A virtual router: the virtual IPs that move together.
    VipKeys as "vip" {
        /// The virtual IP with its network's prefix length. This or `addresses`.
        address: VirtualIp = Optional("this or `addresses`"), "10.0.0.100/24";
        /// Several virtual IPs of one family that move together.
        addresses: List<VirtualIp> = Optional("this or `address`"), "[10.0.0.100/24, 10.0.0.101/24]";
        /// keepalived's name for it.
        name: InstanceName = Optional("VI_1, VI_2 and so on"), "VI_1";
        /// The same number on all nodes, and used by no other router on this network. Choose your own: 51 is everybody's default.
        virtual_router_id: VirtualRouterId = Optional("51, or the next number that is free here"), "51";
        /// The node that owns it when all are healthy. The others follow in an order that shares the virtual IPs evenly among the nodes that remain when some fail.
        prefer: NodeName = Optional("the first node for the first VIP, the second for the second, and so on, unless another VIP prefers it; the highest priority where nodes have their own"), "lb1";
        /// A priority for each node, where this virtual IP needs its own.
        priorities: super::collections::Pairs<NodeName, Priority> = Optional("the nodes'"), "{ lb1: 100, lb2: 90, lb3: 80 }";
        /// The interface that carries the virtual IP, if it is not the one that carries VRRP.
        interface: InterfaceName = Optional("the node's"), "eth1";
        /// Routes that move with it.
        routes: List<RouteKeys> = Default("[]"), "[{ to: 10.1.0.0/16, via: 10.0.0.1 }]";
        /// The node whose file should say `state MASTER`. hactl renders BACKUP everywhere, and `hactl check` says why.
        state_master_on: NodeName = Optional("none"), "lb1";
    }
}

shape! {
    /// A route that moves with a virtual IP.
    RouteKeys as "route" {
        /// The destination: a network, or `default`.
        to: Network = Required, "10.1.0.0/16";
        /// The gateway.
        via: IpAddr = Required, "10.0.0.1";
        /// The interface.
        interface: InterfaceName = Optional("as the kernel chooses"), "eth0";
    }
}

shape! {
    /// How the nodes agree on who owns a virtual IP.
    VrrpKeys as "vrrp" {
        /// How soon a dead node is detected. `fast` sends adverts every 20 ms and detects it in about 0.2 s, for a
        /// LAN. `standard` sends every second and takes 3 s. `wan` sends every 3 s and takes 9 s, for links that lose
        /// packets.
        failover: Failover = Optional("fast; standard where a node's keepalived is older than 2.2.3"), "standard";
        /// The protocol's version. Version 2 has only whole seconds and IPv4, and is for keepalived 1.
        version: VrrpVersion = Default("3"), "2";
        /// The time between adverts.
        advert_interval: AdvertInterval = Optional("20ms, 1s or 3s, by `failover`"), "1s";
        /// How many adverts a backup must miss before it takes over. Numbers other than 3 need keepalived 2.2.3 or later.
        down_timer_adverts: DownTimerAdverts = Optional("8 with the 20ms of `fast`, otherwise 3"), "5";
        /// Adverts go to each node's address, or to the multicast group.
        peering: Peering = Default("unicast"), "multicast";
        /// Whether a returning node of higher priority takes the virtual IP back.
        preempt: bool = Default("true"), "false";
        /// How long that node waits before it does.
        preempt_delay: Time<0> = Optional("0"), "5s";
        /// The effect of a dead nginx on its node: `fault` makes it resign at once, a weight only changes its
        /// priority.
        on_nginx_failure: OnNginxFailure = Default("fault"), "{ weight: -30 }";
        /// VRRPv2's plaintext password. VRRPv3 has none: use unicast and a firewall.
        authentication: AuthenticationKeys = Optional("none"), "{ password: { env: VRRP_PASSWORD } }";
        /// How often the owner repeats its gratuitous ARP, for switches that missed it; 0 for never.
        garp_refresh: Time<0> = Default("60s"), "60s";
        /// keepalived's `vrrp_strict`, which drops traffic to the virtual IP.
        strict: bool = Default("false"), "true";
        /// keepalived's `vrrp_iptables`: the chain that `strict` uses. It must exist.
        iptables_chain: InstanceName = Optional("none"), "NGINX_HA";
    }
}

shape! {
    /// VRRPv2's password.
    AuthenticationKeys as "authentication" {
        /// The source of the password. Only the first eight characters count.
        password: SecretRef = Required, "{ env: VRRP_PASSWORD }";
    }
}

shape! {
    /// How nginx is checked on each node, in addition to the event that its unit sends when it stops.
    HealthKeys as "health" {
        /// The time between two checks.
        interval: Time<100> = Default("1s"), "3s";
        /// A check that takes longer has failed.
        timeout: Time<100> = Default("500ms"), "1s";
        /// Failures in a row before nginx counts as dead.
        fall: Int<1, 100> = Default("2"), "3";
        /// Passes in a row before it counts as alive.
        rise: Int<1, 100> = Default("2"), "2";
    }
}

shape! {
    /// Which state changes of keepalived are reported: a line in the journal, and a program of yours.
    NotifyKeys as "notify" {
        /// When a node becomes master.
        master: bool = Default("true"), "true";
        /// When it becomes backup.
        backup: bool = Default("true"), "false";
        /// When it fails.
        fault: bool = Default("true"), "true";
        /// A program on the hosts that is run with the type, the name and the state.
        hook: HostPath = Optional("none"), "/usr/local/bin/page-someone";
    }
}

shape! {
    /// The outage budget of a drill.
    DrillKeys as "drill" {
        /// The longest time that users may be cut off for; beyond it, `hactl failover-test` exits with 7. `--budget` overrides it.
        budget: Time<1> = Optional("none"), "100ms";
    }
}

shape! {
    /// keepalived configuration, verbatim. Only keepalived itself checks it.
    RawKeys as "raw" {
        /// For `global_defs`.
        keepalived_global: Block = Optional("nothing"), "vrrp_skip_check_adv_addr";
        /// For each `vrrp_instance`.
        keepalived_instance: Block = Optional("nothing"), "dont_track_primary";
        /// For the end of keepalived.conf.
        keepalived: Block = Optional("nothing"), "'virtual_server_group apps { }'";
    }
}
