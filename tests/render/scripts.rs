//! The scripts and the served configuration with a real nginx that responds, dies and hangs.

use hactl::model::UnitId;
use std::process::Output;
use std::time::Duration;

use crate::cluster::{cluster, header, location, proxy};
use crate::daemons::{Stage, available};
use crate::variants;
use hactl::model::*;
use hactl::render::{RenderedNode, Templates, render};

/// The shells that the scripts must support.
const SHELLS: &str = "dash 'bash --posix' 'busybox sh'";

/// Mounts the stage and creates an eth0 with the first node's address.
const PROLOGUE: &str = r#"
set -eu
stage=$1
mount --make-rprivate /
mount -t tmpfs none /run
mount -t tmpfs none /var/log/nginx
mount -t tmpfs none /var/lib/nginx
for folder in /etc/nginx /etc/keepalived; do mount --bind "$stage$folder" "$folder"; done
mkdir -p /run/hactl
ip link set lo up
ip link add eth0 type veth peer name far
ip link set eth0 up
ip address add 10.0.0.11/24 dev eth0
"#;

fn rendered(cluster: &Cluster) -> RenderedNode {
    let templates = Templates::embedded().unwrap();
    let facts = NodeFacts::debian_12();
    render(
        cluster,
        &cluster.nodes[0],
        &facts,
        &Secrets::default(),
        &templates,
    )
    .unwrap()
}

/// Runs `script` on the first node's files, or returns `None` if it has to be skipped.
fn run(cluster: &Cluster, script: &str) -> Option<(RenderedNode, String)> {
    available().ok()?;
    let node = rendered(cluster);
    let stage = Stage::new(&node);
    let script = format!("{PROLOGUE}\n{}", script.replace("SHELLS", SHELLS));
    let output: Output = stage.in_namespace(&script, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some((node, said))
}

#[test]
fn the_check_script_tells_a_serving_a_stopped_and_a_hanging_nginx_apart() {
    let mut cluster = cluster();
    cluster.health.timeout = Duration::from_secs(1);
    let Some((_, said)) = run(
        &cluster,
        r#"
ask() {
    for shell in SHELLS; do
        start=$(date +%s%N)
        code=0
        why=$($shell /etc/keepalived/check_nginx.sh 2>&1) || code=$?
        took=$(( ($(date +%s%N) - start) / 1000000 ))
        [ "$took" -lt 5000 ] || echo "slow: $took ms"
        echo "$1 $shell: $code $why" | sed 's/worker [0-9]*/worker N/'
    done
}
ask stopped
nginx 2>/dev/null
ask serving
ask 'still serving'
before=$(ls /run /run/hactl)
ask again
[ "$before" = "$(ls /run /run/hactl)" ] || echo "it left something behind"
workers=$(cat /proc/"$(cat /run/nginx.pid)"/task/*/children)
for worker in $workers; do kill -STOP "$worker"; done
ask hanging
for worker in $workers; do kill -CONT "$worker"; done
ask resumed
nginx -s stop
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script", said);
}

/// Functions for the scripts below. `hold` opens connections that never finish their request.
const OVERLOAD: &str = r#"
hold() {
    bash -c '
        trap "" PIPE
        for i in $(seq "$2"); do
            exec {connection}<>"/dev/tcp/127.0.0.1/$1" || continue
            printf "GET / HTTP/1.0\r\nX-Slow: " >&$connection
            # One that nginx has heard nothing of yet makes room for the next one.
            read -r -t 0.01 -u $connection
        done
        touch /run/held
        exec sleep 1000
    ' bash 8081 "$1" 2>/dev/null &
    holder=$!
    until [ -e /run/held ]; do sleep 0.01; done
    rm /run/held
}
let_go() { kill $holder; wait $holder || :; }
workers() { echo $(cat /proc/"$(cat /run/nginx.pid)"/task/*/children); }
answers() {
    until curl -sf --max-time 1 http://127.0.0.1:8081/health >/dev/null; do sleep 0.01; done
}
ask() {
    for shell in SHELLS; do
        code=0
        why=$($shell /etc/keepalived/check_nginx.sh 2>&1) || code=$?
        echo "$1 $shell: $code $why" | sed 's/worker [0-9]*/worker N/; s/ [0-9]* of / so many of /'
    done
}
"#;

/// A cluster whose nginx has one worker with few connections, and a short check timeout.
fn small() -> Cluster {
    let mut cluster = cluster();
    cluster.health.timeout = Duration::from_millis(300);
    cluster.nginx.worker_processes = Some(1);
    cluster.nginx.worker_connections = 32;
    cluster
}

#[test]
fn the_check_script_tells_a_full_nginx_that_works_from_a_hung_one() {
    let Some((_, said)) = run(
        &small(),
        &format!(
            "{OVERLOAD}{}",
            r#"
nginx 2>/dev/null
answers
hold 100
ask full
[ "$(cat /run/hactl/check_nginx)" = 'overloaded 0' ] || echo 'it kept no verdict'
kill -STOP $(workers)
ask 'full and stopped'
kill -CONT $(workers)
let_go
answers
ask 'empty again'
ask 'and still'
ls /run/hactl
nginx -s stop
while pgrep -x nginx >/dev/null; do sleep 0.01; done
# Few files are no better than few connections.
sed 's/worker_rlimit_nofile .*/worker_rlimit_nofile 20;/' /etc/nginx/nginx.conf >/run/few.conf
nginx -c /run/few.conf 2>/dev/null
answers
hold 40
ask 'no files left'
let_go
nginx -s stop
while pgrep -x nginx >/dev/null; do sleep 0.01; done
ask dead
"#
        ),
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script_full", said);
}

#[test]
fn one_hung_worker_among_full_ones_is_a_hung_nginx() {
    let mut cluster = small();
    cluster.nginx.worker_processes = Some(2);
    let Some((_, said)) = run(
        &cluster,
        &format!(
            "{OVERLOAD}{}",
            r"
nginx 2>/dev/null
answers
set -- $(workers)
kill -STOP $1
hold 100
# Which of the two the kernel wakes for a connection is its own choice.
ask 'one of two stopped' | sed 's/ nginx .* and its/ its/'
kill -CONT $1
nginx -s stop
"
        ),
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script_one_hung", said);
}

/// Machine code for a worker to execute when it returns from a wait: a jump to itself, and an
/// invalid instruction.
#[cfg(target_arch = "x86_64")]
const PATCH: &str = r#"
loops='\353\376' crashes='\017\013'
patch() {
    place=$(awk '{ print $NF }' /proc/$(workers)/syscall)
    printf "$2" | dd of=/proc/$1/mem bs=1 seek=$((place)) conv=notrunc status=none
}
"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn an_nginx_that_loops_or_crashes_is_no_overloaded_one() {
    let Some((_, said)) = run(
        &small(),
        &format!(
            "{OVERLOAD}{PATCH}{}",
            r#"
nginx 2>/dev/null
answers
hold 100
patch $(workers) "$loops"
ask 'full and looping'
let_go
nginx -s stop
while pgrep -x nginx >/dev/null; do pkill -KILL -x nginx || :; sleep 0.05; done
nginx 2>/dev/null
answers
# What a master has in its memory every new worker gets; it waits for no events itself.
patch $(cat /run/nginx.pid) "$crashes"
kill -KILL $(workers)
hold 100
ask crashing | sed 's/: 1 .*/: 1/'
nginx -s stop
"#
        ),
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script_broken", said);
}

/// Fakes workers at two samples. The scripts get their own /proc, which their `sleep` advances.
const TWO_LOOKS: &str = r#"
mkdir /run/proc /run/bin
cat >/run/bin/sleep <<'END'
#!/bin/sh
for file in /run/proc/*/*.later; do mv "$file" "${file%.later}"; done
echo '100.10 0' >/run/proc/uptime
END
chmod +x /run/bin/sleep
PATH=/run/bin:$PATH
# worker PID STATE PLACE TICKS SWITCHES, and the last three as they are later
worker() {
    mkdir -p /run/proc/$1/fd
    printf 'nginx: worker process' >/run/proc/$1/cmdline
    printf 'Max open files  1024  1024  files\n' >/run/proc/$1/limits
    printf '%s' "$3" >/run/proc/$1/wchan
    printf '%s' "$6" >/run/proc/$1/wchan.later
    echo "$1 (nginx) $2 1000 1 1 0 -1 0 0 0 0 0 $4 0 0 0 20 0 1 0 7" >/run/proc/$1/stat
    echo "$1 (nginx) $2 1000 1 1 0 -1 0 0 0 0 0 $7 0 0 0 20 0 1 0 7" >/run/proc/$1/stat.later
    echo "voluntary_ctxt_switches: $5" >/run/proc/$1/status
    echo "voluntary_ctxt_switches: $8" >/run/proc/$1/status.later
    printf 'rchar: 0\nsyscr: 7\nsyscw: 7\n' >/run/proc/$1/io
}
# looks NAME: asks each shell, and then forgets the workers. The second one is there, if given.
looks() {
    what=$1
    shift
    for shell in SHELLS; do
        mkdir -p /run/proc/1000/task/1000
        printf 'nginx: master process nginx' >/run/proc/1000/cmdline
        printf '1001 1002 ' >/run/proc/1000/task/1000/children
        echo '100.00 0' >/run/proc/uptime
        worker 1001 $1
        worker 1002 ${2-$1}
        [ -z "${3-}" ] || rm -r /run/proc/1000/task
        code=0
        why=$($shell /etc/keepalived/check_nginx.sh 2>&1) || code=$?
        echo "$what $shell: $code ${why#*: }"
        rm -r /run/proc/*
    done
}
"#;

#[test]
fn the_check_script_takes_its_time_with_a_worker_that_does_not_sleep() {
    let Some((_, said)) = run(
        &small(),
        &format!(
            "{TWO_LOOKS}{}",
            r#"
nginx 2>/dev/null
# It returns before its workers are there.
until master=$(cat /run/nginx.pid 2>/dev/null) && [ -n "$(cat /proc/$master/task/*/children)" ]; do sleep 0.01; done
kill -STOP $(cat /proc/$master/task/*/children)
echo 1000 >/run/nginx.pid
mount --bind /run/proc /proc
looks 'both busy' 'R 0 10 5 0 19 6'
looks 'both busy, by an older kernel' 'R 0 10 5 0 19 6' 'R 0 10 5 0 19 6' childless
looks 'one busy, one idle' 'R 0 10 5 0 19 6' 'S do_epoll_wait 0 1 do_epoll_wait 0 1'
looks 'too little CPU' 'R 0 10 5 0 12 6'
looks 'endless loop' 'R 0 10 5 0 20 5'
looks 'one in an endless loop' 'R 0 10 5 0 19 6' 'R 0 10 5 0 20 5'
looks 'waits for a disk' 'D folio_wait 10 5 folio_wait 10 5'
looks 'waits for a lock' 'S futex_wait 10 5 futex_wait 10 5'
looks 'idle' 'S ep_poll 10 5 ep_poll 10 5'
umount /proc
kill -KILL $master $(cat /proc/$master/task/*/children)
"#
        ),
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script_two_looks", said);
}

#[test]
fn with_weights_the_check_script_leaves_a_dead_nginx_to_the_tracked_file() {
    let mut cluster = cluster();
    cluster.vrrp.on_nginx_failure = OnNginxFailure::Weight {
        weight: Weight::new(-30).unwrap(),
    };
    let Some((node, said)) = run(
        &cluster,
        r#"
for value in 0 -30 ''; do
    echo "$value" >/run/hactl/nginx
    for shell in SHELLS; do
        code=0
        $shell /etc/keepalived/check_nginx.sh 2>/dev/null || code=$?
        echo "'$value' $shell: $code"
    done
done
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!("check_script_weights", said);
    let unit = node
        .files
        .iter()
        .find(|f| f.path.as_str().contains("nginx.service.d"));
    assert!(String::from_utf8_lossy(&unit.unwrap().content).contains("echo -30 >/run/hactl/nginx"));
}

#[test]
fn the_notify_script_records_logs_and_runs_the_hook_with_what_it_was_given() {
    let mut cluster = cluster();
    cluster.notify_hook = Some(HostPath::new("/run/hook").unwrap());
    let Some((_, said)) = run(
        &cluster,
        r#"
printf '#!/bin/sh\nprintf "hook <%%s> <%%s> <%%s>\\n" "$@"\n[ "$3" != FAULT ] || exit 3\n' >/run/hook
chmod +x /run/hook
# No logger and no journal here: it says so on standard error instead.
mkdir /run/bin
for tool in mkdir mktemp chmod mv rm flock ip grep sleep cat; do ln -s "$(command -v $tool)" /run/bin/$tool; done
for shell in SHELLS; do
    for state in MASTER BACKUP FAULT; do
        set -- $shell
        program=$(command -v "$1")
        shift
        code=0
        PATH=/run/bin "$program" "$@" /etc/keepalived/notify.sh INSTANCE VI_1 $state 2>&1 || code=$?
        echo "$shell: exit $code, state $(cat /run/hactl/vrrp.VI_1), files $(ls -A /run/hactl | tr '\n' ' ')"
    done
    code=0
    $shell /etc/keepalived/notify.sh INSTANCE ../../etc/passwd MASTER 2>&1 || code=$?
    echo "exit $code"
    $shell /etc/keepalived/notify.sh MASTER 2>&1 || echo "exit $?"
done
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!("notify_script", said);
}

#[test]
fn addresses_are_released_after_a_crash_and_only_then() {
    let mut cluster = cluster();
    cluster.instances[0]
        .addresses
        .push("10.0.0.11/24".parse().unwrap());
    cluster.instances[0]
        .addresses
        .push("fd00::100/64".parse().unwrap());
    let Some((_, said)) = run(
        &cluster,
        r#"
for shell in SHELLS; do
    ip address add 10.0.0.100/24 dev eth0
    ip address add fd00::100/64 dev eth0 nodad
    echo MASTER >/run/hactl/vrrp.VI_1
    for result in success signal signal; do
        echo "$shell: $result"
        SERVICE_RESULT=$result $shell /etc/keepalived/release_vips.sh 2>&1
        ip -brief address show dev eth0 scope global | tr -s ' ' | cut -d ' ' -f 3-
        ls /run/hactl
    done
done
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!("release_script", said);
}

#[test]
fn a_node_answers_for_its_addresses_until_the_next_owner_is_known() {
    let mut cluster = cluster();
    for address in ["10.0.0.11/24", "10.0.0.101/24", "fd00::100/64"] {
        let addresses = &mut cluster.instances[0].addresses;
        addresses.push(address.parse().unwrap());
    }
    let Some((_, said)) = run(
        &cluster,
        r#"
# Somebody else's, which stays.
ip address add 10.0.0.101/24 dev eth0
ip address add 10.0.0.101/32 dev lo
conf=/proc/sys/net/ipv4/conf/eth0
script=/etc/keepalived/hand_over.sh
comes() {
    ip address add 10.0.0.100/24 dev eth0
    ip address add fd00::100/64 dev eth0 nodad
}
goes() {
    ip address delete 10.0.0.100/24 dev eth0
    ip address delete fd00::100/64 dev eth0
}
look() {
    echo "  $1: $(ip -o address show dev lo | grep -v 127.0.0.1 | grep -v ' ::1/' | tr -s ' ' | cut -d ' ' -f 4 | tr '\n' ' ')arp_ignore $(cat $conf/arp_ignore), arp_announce $(cat $conf/arp_announce)"
}
stop() {
    $shell $script &
    until [ "$(cat /run/hactl/nginx 2>/dev/null)" = -254 ]; do sleep 0.01; done
}
for shell in SHELLS; do
    echo "$shell"
    echo 3 >$conf/arp_ignore
    $shell $script sync
    look 'no owner'
    comes
    $shell $script sync
    $shell $script sync
    look 'owner'
    $shell $script later
    look 'still the owner'
    $shell $script later &
    goes
    look 'no longer the owner'
    # As another instance becomes MASTER.
    sleep 0.1
    $shell $script sync
    look 'still lingering'
    wait
    look 'a moment later'
    comes
    stop
    goes
    look 'stopping nginx'
    wait
    look 'nginx stopped'
    echo 0 >/run/hactl/nginx
    # Killed in the middle, and cleaned up by what runs when nginx has stopped.
    comes
    stop
    kill -9 $!
    wait || :
    goes
    look killed
    $shell $script sync
    look cleaned
    echo 0 >/run/hactl/nginx
    comes
    $shell $script sync
    $shell $script end
    $shell $script end
    look end
    # Whoever emptied /run is no reason to keep what it told of.
    $shell $script sync
    rm -r /run/hactl
    goes
    echo 0 >$conf/../default/arp_ignore
    $shell $script sync
    look 'notes lost'
    echo 3 >$conf/arp_ignore
    comes
    # Both at once, as instances that change together do it.
    for _ in 1 2 3 4 5; do $shell $script sync & $shell $script later & done
    wait
    look together
    goes
    $shell $script sync
    look cleaned
done
ip -brief address show dev eth0 scope global | tr -s ' ' | cut -d ' ' -f 3-
ls /run/hactl
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!("hand_over_script", said);
}

#[test]
fn hostile_values_arrive_at_the_client_as_they_are() {
    let mut cluster = cluster();
    let text = format!("{}\n\tend", variants::HOSTILE.replace("${nope ", "$ "));
    let mut fixed = location(
        "/fixed",
        LocationAction::Return {
            code: 200,
            body: text.clone(),
        },
    );
    fixed.response_headers = vec![
        header("X-Hostile", variants::HOSTILE),
        header("Content-Type", "text/x-odd; a=\"b\""),
    ];
    let root = HostPath::new("/etc/nginx/conf.d").unwrap();
    let files = location("/files/", LocationAction::Files { root });
    let mut odd = location(
        "/a%20%22b%22;%7B$host%7D/",
        LocationAction::Return {
            code: 200,
            body: "odd".to_owned(),
        },
    );
    odd.access_log = false;
    cluster.sites[0].response_headers = vec![header("X-Site", "$host")];
    cluster.sites[0].locations = vec![proxy("/", "backend"), fixed, files, odd];
    let Some((node, said)) = run(
        &cluster,
        r#"
echo 'a file' >/etc/nginx/conf.d/file.txt
nginx
get() {
    printf 'GET %s HTTP/1.0\r\nHost: www.example.org\r\n\r\n' "$2" |
        timeout 2 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; cat >&3; cat <&3' bash "$1"
    printf '\n=====\n'
}
get 80 /fixed
get 80 /health
get 8081 /generation
get 8081 /health
get 8081 /nginx_status
get 80 /files/file.txt
get 80 '/a%20%22b%22;%7B$host%7D/x'
nginx -s stop
"#,
    ) else {
        return;
    };
    let answers: Vec<&str> = said.split("\n=====\n").collect();
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(answers[0]), text);
    let line = format!("X-Hostile: {}\r\n", variants::HOSTILE);
    assert!(answers[0].contains(&line), "{}", answers[0]);
    assert_eq!(answers[0].matches("Content-Type: ").count(), 1);
    assert!(answers[0].contains("Content-Type: text/x-odd; a=\"b\"\r\n"));
    assert!(answers[0].contains("X-Site: www.example.org\r\n"));
    assert!(answers[1].contains("X-Site: www.example.org\r\n"));
    assert!(answers[1].contains("Content-Type: text/plain\r\n"));
    assert_eq!(body(answers[1]), "ok\n");
    assert_eq!(
        body(answers[2]),
        format!("{}\n", node.ids.of(UnitId::NGINX).unwrap())
    );
    assert_eq!(body(answers[3]), "ok\n");
    assert!(body(answers[4]).starts_with("Active connections: "));
    assert_eq!(body(answers[5]), "a file\n");
    assert_eq!(body(answers[6]), "odd");
}

#[test]
fn a_keepalived_configuration_with_a_mistake_does_not_pass_for_clean() {
    if available().is_err() {
        return;
    }
    for mistake in [
        "vrrp_script unused {\n    script \"/bin/true\"\n}\n",
        "vrrp_track_file old {\n    file \"/run/x\"\n}\n",
        "priorty 3\n",
    ] {
        let mut cluster = cluster();
        cluster.raw.keepalived = Some(mistake.to_owned());
        let verdict = Stage::new(&rendered(&cluster)).judge(&cluster, &cluster.nodes[0], true);
        assert!(!verdict.clean, "{mistake}{}", verdict.said);
    }
    let mut cluster = cluster();
    cluster.nginx.raw_http =
        Some("ssl_stapling on; server { listen 80; server_name _; }".to_owned());
    let verdict = Stage::new(&rendered(&cluster)).judge(&cluster, &cluster.nodes[0], false);
    assert!(!verdict.clean, "{}", verdict.said);
}
