//! Faults for drills: the undo is armed before the fault is injected, and the host ends the fault
//! on its own.

use std::time::{Duration, Instant};

use hactl::agent::{
    Agent, AgentError, FailureCode, FaultHits, FaultRequest, FaultState, FaultStep, ObserveRequest,
};
use hactl::model::InterfaceName;

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    the_undo_is_armed_first_and_the_host_heals_itself,
    the_timer_heals_what_the_killed_unit_could_not,
    one_fault_at_a_time_and_no_change_meanwhile,
    no_fault_while_a_change_is_under_way,
    healing_twice_is_healing_once,
    what_is_unknown_or_hostile_is_refused,
    what_cannot_be_done_here_is_refused,
    what_cannot_be_undone_stays_armed,
    a_crash_heals_by_itself_or_is_helped,
    a_killed_keepalived_neither_says_goodbye_nor_starts_its_child_again,
    a_halted_nginx_goes_on,
    a_kill_that_was_cut_short_is_ended,
    a_link_comes_back_with_all_that_it_had,
    packets_are_dropped_in_a_table_of_our_own,
    packets_are_dropped_by_iptables_where_there_is_no_nft,
    a_restart_is_an_order_to_the_service_manager,
    nginx_is_filled_until_it_drops_connections,
    an_nginx_that_is_too_big_to_be_filled_is_left_alone,
    killed_at_any_step_it_heals,
);

const ID: &str = "20260101T000000Z-7";
/// Long enough for a test to inspect an active fault, on a busy machine too.
const LONG: Duration = Duration::from_mins(2);
const SHORT: Duration = Duration::from_millis(100);

fn order(name: &str, hold: Duration) -> FaultRequest {
    FaultRequest {
        id: ID.to_owned(),
        name: name.to_owned(),
        hold,
        hits: FaultHits {
            interface: Some(InterfaceName::new("eth0").unwrap()),
            vips: vec!["10.9.0.100".parse().unwrap(), "fd09::100".parse().unwrap()],
            targets: vec![
                ("192.0.2.1".to_owned(), 8080),
                ("2001:db8::1".to_owned(), 81),
            ],
            percent: Some(10),
            status_port: Some(8081),
            worker_connections: Some(20),
        },
    }
}

/// Waits until `step` of the fault is recorded.
async fn until(agent: &Agent, step: FaultStep) -> FaultState {
    let started = Instant::now();
    loop {
        let state = agent.fault_state(ID).await.unwrap();
        if state.at(step).is_some() {
            return state;
        }
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "waited too long for {step:?}: {state:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until nothing is armed and the unit that injected the fault has exited.
async fn until_over(world: &World, agent: &Agent) -> FaultState {
    let started = Instant::now();
    loop {
        let state = agent.fault_state(ID).await.unwrap();
        if state.armed.is_none() && !world.exists("/run/hactl-drill/agent") {
            return state;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{state:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn steps(state: &FaultState) -> Vec<FaultStep> {
    state.events.iter().map(|event| event.step).collect()
}

fn timer_is_armed(world: &World) -> bool {
    world.read("/run/units/hactl-heal.timer.active") == "active\n"
}

/// Does what hactl-heal.timer does on expiry.
fn timer_fires(world: &World) {
    world.sh("$(cat /run/units/hactl-heal.timer.command)");
}

/// Kills the drill unit's whole process group, as systemd does.
fn kill_the_unit(world: &World) {
    // Only shell builtins: an external program such as cat would count as a step, and might be the
    // one to be killed at.
    world.sh("read -r pid 2>/dev/null </run/units/hactl-drill.service.pid
         kill -s KILL -- -$pid 2>/dev/null; :");
}

fn nothing_is_left_of_the_drill(world: &World) {
    let left = world.sh("cd /run/hactl-drill 2>/dev/null && ls; true");
    assert!(
        left.lines().all(|name| ["events", "mutex"].contains(&name)),
        "{left}"
    );
    assert!(!timer_is_armed(world));
}

fn is_serving(world: &World) -> bool {
    world.read("/run/units/nginx.service.active") == "active\n"
        && world.read("/run/units/keepalived.service.active") == "active\n"
}

/// A process that systemd would report as nginx's main process.
fn nginx_has_a_process(world: &World) {
    world.sh("setsid sleep 600 >/dev/null 2>&1 & echo $! >/run/units/nginx.service.pid");
}

async fn the_undo_is_armed_first_and_the_host_heals_itself(world: &World) {
    inhabited(world);
    let agent = world.agent();
    for (name, unit) in [("nginx-stop", "nginx"), ("keepalived-stop", "keepalived")] {
        world.write("/run/systemctl.log", "");
        let armed = agent.fault(&order(name, SHORT)).await.unwrap();
        let armed = armed.armed.unwrap();
        assert_eq!((armed.id.as_str(), armed.name.as_str()), (ID, name));
        let state = until_over(world, &agent).await;
        let whole = [
            FaultStep::Begun,
            FaultStep::Made,
            FaultStep::Ending,
            FaultStep::Healed,
        ];
        assert_eq!(steps(&state), whole);
        assert!(state.events.is_sorted_by(|a, b| a.at <= b.at));
        assert!(is_serving(world));
        let log = world.read("/run/systemctl.log");
        let place = |line: &str| {
            let line = format!("{line}\n");
            log.find(&line)
                .unwrap_or_else(|| panic!("no {line:?} in {log}"))
        };
        assert!(place("run hactl-heal") < place("run hactl-drill"));
        assert!(place("run hactl-drill") < place(&format!("stop {unit}.service")));
        nothing_is_left_of_the_drill(world);
    }
}

async fn the_timer_heals_what_the_killed_unit_could_not(world: &World) {
    inhabited(world);
    let agent = world.agent();
    agent.fault(&order("nginx-stop", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    assert!(!is_serving(world));
    kill_the_unit(world);
    assert!(timer_is_armed(world));
    let seen = agent.observe(&ObserveRequest::default()).await.unwrap();
    assert_eq!(seen.drill.unwrap().name, "nginx-stop");
    timer_fires(world);
    assert!(is_serving(world));
    nothing_is_left_of_the_drill(world);
    let seen = agent.observe(&ObserveRequest::default()).await.unwrap();
    assert_eq!(seen.drill, None);
}

async fn one_fault_at_a_time_and_no_change_meanwhile(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let staged_tree = tree(TX, 1, crate::scene::ID, vec![]);
    staged(&agent, TX, &staged_tree).await.unwrap();
    // The lock of a change keeps drills out.
    let refused = agent.fault(&order("nginx-stop", LONG)).await.unwrap_err();
    assert!(matches!(refused, AgentError::Locked { .. }), "{refused}");
    world.write("/kernel/uptime", "1400.00 0\n");
    agent.fault(&order("nginx-stop", LONG)).await.unwrap();
    let mut second = order("nginx-hang", LONG);
    "another".clone_into(&mut second.id);
    let problems = [
        agent.fault(&second).await.unwrap_err(),
        agent.fault(&order("nginx-stop", LONG)).await.unwrap_err(),
        agent.heal("another").await.unwrap_err(),
        agent.lock(&request("b")).await.unwrap_err(),
        agent.activate(TX, &activation()).await.unwrap_err(),
    ];
    for problem in problems {
        assert_eq!(problem.code(), Some(FailureCode::Drilling));
        let words = problem.to_string();
        assert!(
            words.contains("nginx-stop") && words.contains(ID),
            "{words}"
        );
        assert!(
            words.contains("since 20") && words.contains(" s at the latest"),
            "{words}"
        );
    }
    // The drill's own lock does not block it.
    agent.lock(&request(ID)).await.unwrap();
    agent.heal(ID).await.unwrap();
    assert!(is_serving(world));
    // A fault that could not be undone in time must not keep out a change that may fix it.
    agent.fault(&order("nginx-stop", SHORT)).await.unwrap();
    world.write("/run/fail", "start nginx.service\n");
    until(&agent, FaultStep::Failed).await;
    agent.unlock(ID).await.unwrap();
    assert_eq!(
        agent.lock(&request("b")).await.unwrap_err().code(),
        Some(FailureCode::Drilling)
    );
    world.write("/kernel/uptime", "1500.00 0\n");
    agent.lock(&request("b")).await.unwrap();
}

async fn no_fault_while_a_change_is_under_way(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let tree = tree(TX, 1, crate::scene::ID, vec![]);
    activated(&agent, TX, &tree).await.unwrap();
    world.write("/kernel/boot_id", "second-boot\n");
    let refused = agent.fault(&order("nginx-stop", LONG)).await.unwrap_err();
    assert_eq!(refused.code(), Some(FailureCode::Unfinished));
    nothing_is_left_of_the_drill(world);
}

async fn healing_twice_is_healing_once(world: &World) {
    inhabited(world);
    let agent = world.agent();
    // On a host without drills there is nothing to heal, and asking leaves no trace.
    assert_eq!(agent.heal(ID).await.unwrap(), FaultState::default());
    assert!(!world.exists("/run/hactl-drill"));
    agent.fault(&order("nginx-stop", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    let first = agent.heal(ID).await.unwrap();
    assert_eq!(steps(&first).last(), Some(&FaultStep::Healed));
    assert_eq!(first.armed, None);
    assert!(is_serving(world));
    nothing_is_left_of_the_drill(world);
    assert_eq!(agent.heal(ID).await.unwrap(), first);
    assert_eq!(agent.heal("another").await.unwrap().events, []);
    // Healing before the injection cancels it.
    agent.fault(&order("nginx-stop", LONG)).await.unwrap();
    let called_off = agent.heal(ID).await.unwrap();
    if called_off.at(FaultStep::Begun).is_none() {
        let log = world.read("/run/systemctl.log");
        assert_eq!(log.matches("stop nginx.service").count(), 1, "{log}");
    }
    assert!(is_serving(world));
    nothing_is_left_of_the_drill(world);
}

async fn what_is_unknown_or_hostile_is_refused(world: &World) {
    inhabited(world);
    let whole = "interface\teth0\nvip\t10.9.0.100\nend\n";
    let cases = [
        (["a/../b", "nginx-stop", "1000"], whole),
        (["..", "nginx-stop", "1000"], whole),
        (["$(id)", "nginx-stop", "1000"], whole),
        ([ID, "rm -rf", "1000"], whole),
        ([ID, "", "1000"], whole),
        ([ID, "cascade", "1000"], whole),
        ([ID, "nginx-stop", "soon"], whole),
        ([ID, "nginx-stop", "0"], whole),
        ([ID, "nginx-stop", "0100"], whole),
        ([ID, "nginx-stop", "-1"], whole),
        ([ID, "nginx-stop", "600001"], whole),
        ([ID, "nginx-stop", "99999999999999999999"], whole),
        ([ID, "nginx-stop", "1000"], ""),
        ([ID, "nginx-stop", "1000"], "interface\teth0\n"),
        ([ID, "nginx-stop", "1000"], "command\tid\nend\n"),
        ([ID, "link-down", "1000"], "interface\t../eth0\nend\n"),
        ([ID, "link-down", "1000"], "interface\t-all\nend\n"),
        ([ID, "link-down", "1000"], "interface\teth0 up\nend\n"),
        (
            [ID, "link-down", "1000"],
            "interface\tnone\nvip\t10.0.0.1\nend\n",
        ),
        ([ID, "link-down", "1000"], "interface\teth0\nend\n"),
        ([ID, "nginx-stop", "1000"], "vip\t10.0.0.1; reboot\nend\n"),
        (
            [ID, "backend-down", "1000"],
            "target\t10.0.0.1\t80 drop; flush ruleset\nend\n",
        ),
        ([ID, "backend-down", "1000"], "target\t10.0.0.1\t080\nend\n"),
        ([ID, "backend-down", "1000"], "target\t-f\t80\nend\n"),
        (
            [ID, "backend-down", "1000"],
            "target\t10.0.0.1 }\t80\nend\n",
        ),
        (
            [ID, "backend-down", "1000"],
            "target\tno-such-host.invalid\t80\nend\n",
        ),
        ([ID, "backend-down", "1000"], "end\n"),
        ([ID, "packet-loss", "1000"], "percent\t0\nend\n"),
        ([ID, "packet-loss", "1000"], "percent\t101\nend\n"),
        ([ID, "packet-loss", "1000"], "percent\t10 drop\nend\n"),
        ([ID, "packet-loss", "1000"], "end\n"),
        ([ID, "overload", "1000"], "end\n"),
        ([ID, "overload", "1000"], "port\t8081\nend\n"),
        (
            [ID, "overload", "1000"],
            "port\t8081/../..\nconnections\t9\nend\n",
        ),
        (
            [ID, "overload", "1000"],
            "port\t8081\nconnections\t$(id)\nend\n",
        ),
    ];
    for ([id, name, hold], payload) in cases {
        let answer = world.raw(&["fault", id, name, hold], payload.as_bytes());
        assert!(
            answer.contains("fail\t"),
            "{id} {name} {hold} {payload}: {answer}"
        );
        assert!(answer.ends_with("end\n"), "{answer}");
    }
    for verb in ["heal", "fault-state"] {
        let answer = world.raw(&[verb, "../../etc"], b"");
        assert!(answer.contains("fail\tprotocol"), "{answer}");
    }
    let log = world.read("/run/systemctl.log");
    assert!(!log.contains("run hactl"), "{log}");
    assert!(is_serving(world));
    nothing_is_left_of_the_drill(world);
}

async fn what_cannot_be_done_here_is_refused(world: &World) {
    let agent = world.agent();
    for name in [
        "nginx-kill",
        "nginx-stop",
        "nginx-hang",
        "flap",
        "keepalived-kill",
        "vrrp-blocked",
        "overload",
    ] {
        let refused = agent.fault(&order(name, LONG)).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(FailureCode::Service),
            "{name}: {refused}"
        );
    }
    inhabited(world);
    for name in ["nft", "iptables"] {
        world.write(&format!("/stubs/{name}"), "#!/bin/sh\nexit 1\n");
        world.sh(&format!("chmod 755 /stubs/{name}"));
    }
    for name in [
        "vrrp-blocked",
        "packet-loss",
        "backend-down",
        "all-backends-down",
    ] {
        let refused = agent.fault(&order(name, LONG)).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(FailureCode::Lacking),
            "{name}: {refused}"
        );
    }
    // If the undo cannot be armed, no fault is injected.
    for unit in ["hactl-heal", "hactl-drill"] {
        world.write("/run/fail", format!("run {unit}\n"));
        let refused = agent.fault(&order("nginx-stop", LONG)).await.unwrap_err();
        assert_eq!(refused.code(), Some(FailureCode::Service), "{refused}");
        assert!(is_serving(world));
        nothing_is_left_of_the_drill(world);
    }
}

async fn what_cannot_be_undone_stays_armed(world: &World) {
    inhabited(world);
    let agent = world.agent();
    agent.fault(&order("nginx-stop", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    world.write("/run/fail", "start nginx.service\n");
    let problem = agent.heal(ID).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Heal));
    assert!(
        problem.to_string().contains("Job for nginx.service failed"),
        "{problem}"
    );
    timer_fires(world);
    assert!(timer_is_armed(world));
    let state = agent.fault_state(ID).await.unwrap();
    assert!(state.armed.is_some());
    assert_eq!(state.at(FaultStep::Healed), None);
    world.sh("rm /run/fail");
    timer_fires(world);
    assert!(is_serving(world));
    nothing_is_left_of_the_drill(world);
}

async fn a_crash_heals_by_itself_or_is_helped(world: &World) {
    inhabited(world);
    let agent = world.agent();
    nginx_has_a_process(world);
    let killed = world.read("/run/units/nginx.service.pid");
    agent.fault(&order("nginx-kill", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    world.sh(&format!(
        "! kill -0 {killed} 2>/dev/null || grep -q ') Z' /proc/{}/stat",
        killed.trim()
    ));
    // systemd restarts it.
    nginx_has_a_process(world);
    let state = until_over(world, &agent).await;
    assert_eq!(
        steps(&state),
        [FaultStep::Begun, FaultStep::Made, FaultStep::Healed]
    );
    nothing_is_left_of_the_drill(world);

    world.sh("echo inactive >/run/units/nginx.service.active");
    world.sh("systemctl start keepalived.service");
    agent.fault(&order("keepalived-kill", SHORT)).await.unwrap();
    world.sh("until grep -q made /run/hactl-drill/events; do sleep 0.02; done");
    world.sh("echo inactive >/run/units/keepalived.service.active; rm -f /run/keepalived.ready");
    until_over(world, &agent).await;
    assert_eq!(
        world.read("/run/units/keepalived.service.active"),
        "active\n"
    );
    nothing_is_left_of_the_drill(world);
}

/// keepalived's parent restarts a child that dies. A child whose parent dies stops cleanly: it
/// sends priority 0, so that the peers take over at once instead of missing adverts.
async fn a_killed_keepalived_neither_says_goodbye_nor_starts_its_child_again(world: &World) {
    inhabited(world);
    let parent = r"#!/bin/sh
child() { setpriv --pdeathsig TERM /run/child & }
trap 'echo again >>/run/again' CHLD
child
while :; do wait; sleep 0.01; done
";
    let child = r"#!/bin/sh
trap 'echo goodbye >/run/goodbye; exit' TERM
echo $$ >/run/child.pid
while :; do sleep 0.01; done
";
    // Some kernels do not list a process's children. Then all processes are searched.
    for hidden in [
        "",
        "mount --bind /dev/null /proc/$parent/task/$parent/children",
    ] {
        world.write("/run/parent", parent);
        world.write("/run/child", child);
        world.sh(&format!(
            "systemctl stop keepalived.service; rm -f /run/child.pid; chmod +x /run/parent /run/child
             setsid bash /run/parent >/dev/null 2>&1 </dev/null & parent=$!
             echo $parent >/run/units/keepalived.service.pid
             until [ -s /run/child.pid ]; do sleep 0.02; done
             echo active >/run/units/keepalived.service.active
             {hidden}"
        ));
        let agent = world.agent();
        agent.fault(&order("keepalived-kill", SHORT)).await.unwrap();
        let state = until_over(world, &agent).await;
        assert_eq!(steps(&state)[..2], [FaultStep::Begun, FaultStep::Made]);
        let ended = world.sh(
            "read -r child </run/child.pid; ! kill -0 $child 2>/dev/null ||
             grep -q ') Z' /proc/$child/stat || echo it lives
             cat /run/goodbye /run/again 2>/dev/null; true",
        );
        assert_eq!(ended, "", "{hidden}");
    }
}

async fn a_halted_nginx_goes_on(world: &World) {
    inhabited(world);
    let agent = world.agent();
    nginx_has_a_process(world);
    let state_of = |world: &World| {
        let state = world.sh("cat /proc/$(cat /run/units/nginx.service.pid)/stat");
        state.split(' ').nth(2).unwrap().to_owned()
    };
    agent.fault(&order("nginx-hang", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    assert_eq!(state_of(world), "T");
    agent.heal(ID).await.unwrap();
    assert_eq!(state_of(world), "S");
    nothing_is_left_of_the_drill(world);
}

/// Interrupted halfway: the parent is stopped, and nothing is left to kill it.
async fn a_kill_that_was_cut_short_is_ended(world: &World) {
    inhabited(world);
    let agent = world.agent();
    agent.fault(&order("keepalived-kill", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    kill_the_unit(world);
    // A process stopped before it has closed the shell's output would keep that open forever.
    world.sh(
        "setsid sleep 600 >/dev/null 2>&1 & echo $! >/run/units/keepalived.service.pid
         until [ \"$(readlink /proc/$!/fd/2)\" = /dev/null ]; do sleep 0.01; done
         kill -s STOP $!",
    );
    agent.heal(ID).await.unwrap();
    let state =
        world.sh("cat /proc/$(cat /run/units/keepalived.service.pid)/stat 2>/dev/null; true");
    // In this world there is no systemd to restart it.
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    nothing_is_left_of_the_drill(world);
}

/// A link with everything that it loses when it goes down.
const LINK: &str = "set -e
    ip link add eth0 type veth peer name far0
    ip link set lo up; ip link set far0 up; ip link set eth0 up
    ip addr add 10.9.0.11/24 brd + dev eth0
    ip addr add 10.9.1.11/32 dev eth0 label eth0:one
    ip addr add 10.9.0.100/24 dev eth0
    ip -6 addr add fd09::11/64 dev eth0 nodad
    ip -6 addr add fd09:0:0:1::11/64 dev eth0 nodad noprefixroute preferred_lft 0
    ip -6 addr add fd09::100/64 dev eth0 nodad
    ip route add default via 10.9.0.1
    ip route add 10.20.0.0/16 via 10.9.0.2 dev eth0 src 10.9.0.11 metric 7 mtu 1400 proto static
    ip route add 10.30.0.0/16 table 77 nexthop via 10.9.0.3 dev eth0 weight 2 nexthop via 10.9.0.4 dev eth0 weight 1
    ip route add unreachable 10.66.0.0/16
    ip -6 route add default via fd09::1 dev eth0
    ip -6 route add fd09:77::/64 via fe80::9 dev eth0 metric 5
    ip neigh replace 10.9.0.7 lladdr 02:00:00:00:00:07 dev eth0 nud permanent
    mkdir -p /sys/class/net/eth0";

/// The network's configuration, without what depends on the current link state.
const NETWORK: &str = "for family in 4 6; do
        ip -o -$family addr show scope global
        ip -o -$family route show table all | grep -v 'fe80::' | sort
    done
    ip -o -6 route show | grep fe80::9
    ip neigh show nud permanent; cat /sys/class/net/eth0/none 2>/dev/null; :";

async fn a_link_comes_back_with_all_that_it_had(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh(LINK);
    let before = world.sh(NETWORK);
    agent.fault(&order("link-down", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    let meanwhile = world.sh(NETWORK);
    assert!(
        !meanwhile.contains("fd09::11") && !meanwhile.contains("10.20.0.0"),
        "{meanwhile}"
    );
    // keepalived has removed the VIPs.
    world.sh("ip addr del 10.9.0.100/24 dev eth0");
    kill_the_unit(world);
    timer_fires(world);
    let state = agent.fault_state(ID).await.unwrap();
    assert_eq!(state.armed, None, "{state:?}");
    nothing_is_left_of_the_drill(world);
    let without_vips = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.contains("10.9.0.100") && !line.contains("fd09::100"));
        // Lines are in the order in which addresses and routes were added.
        let mut lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        lines.sort();
        lines
    };
    let after = world.sh(NETWORK);
    assert_eq!(without_vips(&after), without_vips(&before));
    assert!(
        !after.contains("10.9.0.100") && !after.contains("fd09::100"),
        "{after}"
    );
}

async fn packets_are_dropped_in_a_table_of_our_own(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh("nft add table inet mine");
    let rules = [
        ("vrrp-blocked", "meta l4proto 112 drop", 2),
        (
            "packet-loss",
            "meta l4proto 112 numgen random mod 100 < 10 drop",
            2,
        ),
        ("backend-down", "ip daddr 192.0.2.1 tcp dport 8080 drop", 1),
        (
            "all-backends-down",
            "ip6 daddr 2001:db8::1 tcp dport 81 drop",
            1,
        ),
    ];
    for (name, rule, count) in rules {
        agent.fault(&order(name, LONG)).await.unwrap();
        until(&agent, FaultStep::Made).await;
        let table = world
            .sh("nft -n list table inet hactl_drill")
            .replace("l4proto vrrp", "l4proto 112");
        assert_eq!(table.matches(rule).count(), count, "{name}: {table}");
        kill_the_unit(world);
        timer_fires(world);
        assert_eq!(world.sh("nft list tables"), "table inet mine\n");
        nothing_is_left_of_the_drill(world);
    }
}

async fn packets_are_dropped_by_iptables_where_there_is_no_nft(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.write("/stubs/nft", "#!/bin/sh\nexit 1\n");
    // The target of Debian's links is missing in this world.
    world.sh("chmod 755 /stubs/nft
         for tool in iptables ip6tables; do ln -s /usr/sbin/xtables-nft-multi /stubs/$tool; done
         iptables -A OUTPUT -p 50 -j DROP");
    let rules = "iptables -S; ip6tables -S";
    let before = world.sh(rules);
    for (name, rule) in [
        ("vrrp-blocked", "-A HACTL_DRILL_IN -p vrrp -j DROP"),
        ("packet-loss", "--probability 0.1"),
        (
            "backend-down",
            "-A HACTL_DRILL_OUT -d 2001:db8::1/128 -p udp -m udp --dport 81 -j DROP",
        ),
    ] {
        agent.fault(&order(name, LONG)).await.unwrap();
        until(&agent, FaultStep::Made).await;
        let made = world.sh(rules).replace("-p 112", "-p vrrp");
        assert!(made.contains(rule), "{name}: {made}");
        assert!(
            made.contains("-A OUTPUT -j HACTL_DRILL_OUT\n-A OUTPUT -p esp")
                || made.contains("-A OUTPUT -j HACTL_DRILL_OUT\n-A OUTPUT -p 50"),
            "{made}"
        );
        agent.heal(ID).await.unwrap();
        assert_eq!(world.sh(rules), before);
        nothing_is_left_of_the_drill(world);
    }
}

async fn a_restart_is_an_order_to_the_service_manager(world: &World) {
    let agent = world.agent();
    agent.fault(&order("power-off", LONG)).await.unwrap();
    until(&agent, FaultStep::Begun).await;
    world.sh("until grep -qx 'reboot --force --force' /run/systemctl.log; do sleep 0.02; done");
    // Always through systemd: a sysrq on a machine that shares its kernel would hit others.
    let program = hactl::agent::agent_script();
    assert!(!program.contains("sysrq"));
    // If systemd refuses, nothing stays armed.
    let state = until_over(world, &agent).await;
    assert!(steps(&state).contains(&FaultStep::Failed));
    nothing_is_left_of_the_drill(world);
}

/// nginx with one worker, as systemd would report it, and a listener in its place that holds the
/// given number of connections and closes all others.
fn nginx_has_a_worker(world: &World, connections: u32) {
    // No external process per attempt, so that rejected connections close at once.
    let connection = format!(
        "#!/bin/sh
set -C
number=0
while [ $number -lt {connections} ]; do
    number=$((number + 1))
    if true 2>/dev/null >/run/connections/$number; then
        cat >/dev/null
        rm /run/connections/$number
        exit
    fi
done
"
    );
    world.write("/run/connection", connection);
    world.sh(r#"chmod +x /run/connection
        mkdir -p /run/connections
        ip link set lo up
        setsid bash -c '(exec -a "nginx: worker process" /usr/bin/sleep 600) & wait' >/dev/null 2>&1 </dev/null &
        echo $! >/run/units/nginx.service.pid
        setsid busybox nc -ll -p 8081 -e /run/connection >/dev/null 2>&1 </dev/null &
        until grep -q ':1F91 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done"#);
}

async fn nginx_is_filled_until_it_drops_connections(world: &World) {
    inhabited(world);
    let agent = world.agent();
    nginx_has_a_worker(world, 20);
    let held = |world: &World| world.sh("ls /run/connections | wc -l").trim().to_owned();
    agent.fault(&order("overload", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    assert_eq!(held(world), "20");
    let healed = agent.heal(ID).await.unwrap();
    assert_eq!(steps(&healed).last(), Some(&FaultStep::Healed));
    world.sh("until [ $(ls /run/connections | wc -l) = 0 ]; do sleep 0.02; done");
    nothing_is_left_of_the_drill(world);
    // When the unit is killed, the connections that its processes held are closed.
    agent.fault(&order("overload", LONG)).await.unwrap();
    until(&agent, FaultStep::Made).await;
    kill_the_unit(world);
    timer_fires(world);
    world.sh("until [ $(ls /run/connections | wc -l) = 0 ]; do sleep 0.02; done");
    nothing_is_left_of_the_drill(world);
}

async fn an_nginx_that_is_too_big_to_be_filled_is_left_alone(world: &World) {
    inhabited(world);
    let agent = world.agent();
    nginx_has_a_process(world);
    let refused = agent.fault(&order("overload", LONG)).await.unwrap_err();
    assert_eq!(refused.code(), Some(FailureCode::Service), "{refused}");
    nginx_has_a_worker(world, 1);
    let mut big = order("overload", LONG);
    big.hits.worker_connections = Some(20_001);
    let refused = agent.fault(&big).await.unwrap_err();
    assert_eq!(refused.code(), Some(FailureCode::Lacking), "{refused}");
    assert!(refused.to_string().contains("20001"), "{refused}");
    nothing_is_left_of_the_drill(world);
}

async fn killed_at_any_step_it_heals(world: &World) {
    for step in world.steps_to_kill_at() {
        let world = world.another();
        inhabited(&world);
        world.kill_at(step);
        let agent = world.agent();
        // The caller gets an error, unless it was the unit that was killed.
        let asked = agent.fault(&order("nginx-stop", SHORT)).await;
        let started = Instant::now();
        while world.exists("/run/hactl-drill/armed") && started.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It may still be exiting, and must not count any more steps.
        kill_the_unit(&world);
        let counted = world.steps();
        world.kill_at(0);
        if world.exists("/run/hactl-drill/armed") {
            assert!(timer_is_armed(&world), "step {step}: nobody would heal it");
        }
        if timer_is_armed(&world) {
            timer_fires(&world);
        }
        assert!(is_serving(&world), "step {step}");
        assert!(!world.exists("/run/hactl-drill/armed"), "step {step}");
        assert!(!timer_is_armed(&world), "step {step}");
        // The next drill works like the first one.
        agent.fault(&order("nginx-stop", LONG)).await.unwrap();
        agent.heal(ID).await.unwrap();
        nothing_is_left_of_the_drill(&world);
        if counted < step {
            assert!(asked.is_ok());
            break;
        }
    }
}
