//! Watching hosts during drills: messages of kernel and daemons are recorded, and no trace is left
//! afterwards.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hactl::agent::KernelChange;

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_watch_tells_what_was_said_and_leaves_nothing,
    what_is_no_id_is_refused,
);

const ID: &str = "drill-1-7";

async fn a_watch_tells_what_was_said_and_leaves_nothing(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh("ip link add eth0 type veth peer name far0 && ip link set far0 up && ip link set eth0 address 02:00:00:00:00:07 up");
    let line = |text: &str| {
        format!(
            "{{\"UNIT\":\"nginx.service\",\"__REALTIME_TIMESTAMP\":\"1700000000250000\",\"MESSAGE\":\"{text}\"}}\n"
        )
    };
    world.write(
        "/run/journal.json",
        line("Printing VRRP data for process(7) on signal") + &line("Stopped") + "no line\n",
    );
    let vip: IpAddr = "10.9.0.100".parse().unwrap();
    let long = Duration::from_mins(2);
    let watching = agent.watch(ID, long, &[vip]).await.unwrap();
    assert!(
        watching.hardware.contains("02:00:00:00:00:07"),
        "{watching:?}"
    );
    assert!(watching.since > 1_700_000_000.0, "{watching:?}");

    world.sh("ip addr add 10.9.0.100/24 dev eth0 && ip addr del 10.9.0.100/24 dev eth0");
    world.sh("ip link set eth0 down");
    let folder = format!("/run/hactl-drill/watch-{ID}");
    let started = Instant::now();
    while world
        .read(&format!("{folder}/kernel"))
        .matches("eth0")
        .count()
        < 4
    {
        assert!(started.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let watched = agent.watched(ID, 1_700_000_000).await.unwrap();
    let changes: Vec<&KernelChange> = watched.kernel.iter().map(|event| &event.change).collect();
    let down = KernelChange::Link {
        interface: "eth0".to_owned(),
        up: false,
    };
    let wanted = [
        KernelChange::AddressAdded(vip),
        KernelChange::AddressRemoved(vip),
        down,
    ];
    let mut rest = changes.iter();
    for wanted in &wanted {
        assert!(
            rest.any(|change| *change == wanted),
            "no {wanted:?} in its place: {changes:?}"
        );
    }
    let times = watched.kernel.iter().map(|event| event.at);
    assert!(times.clone().all(|at| at >= watching.since - 1.0) && times.is_sorted());
    let said: Vec<&str> = watched
        .journal
        .iter()
        .map(|line| line.text.as_str())
        .collect();
    assert_eq!(said, ["Stopped"]);
    assert!(!world.exists(&folder));

    // After a reboot only the journal is left.
    let again = agent.watched(ID, 1_700_000_000).await.unwrap();
    assert_eq!((again.kernel.len(), again.journal.len()), (0, 1));
}

async fn what_is_no_id_is_refused(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let refused = agent.watch("../../etc", Duration::from_secs(1), &[]).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("invalid change id"),
        "it watches"
    );
    let refused = agent.watched("a b", 0).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("invalid change id"),
        "it was watched"
    );
}
