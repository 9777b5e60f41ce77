//! What nodes reveal to each other about a change: only to holders of its key.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hactl::agent::{Fact, FailureCode, PeerCredentials, PeerKey, Reason};

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_node_learns_from_a_confirmed_one,
    a_node_that_is_asked_stops_waiting,
    a_confirmed_node_answers_until_all_have_decided,
    who_lacks_the_key_is_not_answered,
    a_lie_is_no_answer,
    a_key_is_where_only_root_reads,
    what_still_runs_for_a_change_ends_with_it,
);

const ASKER: &str = "127.0.0.1";
const PEER: &str = "127.0.0.2";

/// A host with a change pending confirmation.
async fn waiting(world: &World, key: &PeerKey, own: &str, other: &str) {
    inhabited(world);
    let agent = world.agent();
    let mut tree = tree(TX, 1, ID, vec![]);
    tree.manifest.facts.set(Fact::Peers, other);
    staged(&agent, TX, &tree).await.unwrap();
    let mut how = activation();
    how.peer = Some(PeerCredentials {
        key: key.clone(),
        address: own.parse::<IpAddr>().unwrap(),
    });
    agent.activate(TX, &how).await.unwrap();
}

/// Two hosts with the same change.
async fn two(world: &World) -> World {
    let key = PeerKey::random().unwrap();
    let other = world.another();
    waiting(world, &key, ASKER, PEER).await;
    waiting(&other, &key, PEER, ASKER).await;
    other
}

fn key(world: &World) -> String {
    let kept = world.read("/var/lib/hactl/peer-key");
    let line = kept.lines().find_map(|line| line.strip_prefix("key\t"));
    line.unwrap().to_owned()
}

fn phase(world: &World) -> String {
    let journal = world.read("/var/lib/hactl/journal");
    let line = journal
        .lines()
        .find_map(|line| line.strip_prefix("phase\t"));
    line.unwrap_or("none").to_owned()
}

/// Accepts one connection. If none arrives, the test fails instead of hanging.
fn accepted(from: &TcpListener) -> TcpStream {
    const PATIENCE: Duration = Duration::from_mins(2);
    from.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    loop {
        match from.accept() {
            Ok((wire, _)) => {
                wire.set_nonblocking(false).unwrap();
                wire.set_read_timeout(Some(PATIENCE)).unwrap();
                return wire;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < PATIENCE, "nobody asked");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Relays one query to the program of `to`, as its socket unit would. Returns the traffic.
fn carry(from: &TcpListener, to: &World) -> Vec<u8> {
    let mut wire = accepted(from);
    let mut program = to.answer_peer(TX);
    let mut answers = BufReader::new(program.stdout.take().unwrap());
    let mut questions = BufReader::new(wire.try_clone().unwrap());
    let mut said = Vec::new();
    let begin = said.len();
    answers.read_until(b'\n', &mut said).unwrap();
    wire.write_all(&said[begin..]).unwrap();
    let begin = said.len();
    questions.read_until(b'\n', &mut said).unwrap();
    let mut stdin = program.stdin.take().unwrap();
    stdin.write_all(&said[begin..]).unwrap();
    drop(stdin);
    let begin = said.len();
    answers.read_to_end(&mut said).unwrap();
    wire.write_all(&said[begin..]).unwrap();
    program.wait().unwrap();
    said
}

fn in_background<T: Send>(work: impl FnOnce() -> T + Send, meanwhile: impl FnOnce()) -> T {
    thread::scope(|scope| {
        let working = scope.spawn(work);
        meanwhile();
        working.join().unwrap()
    })
}

async fn a_node_learns_from_a_confirmed_one(world: &World) {
    let other = two(world).await;
    other.agent().confirm(TX).await.unwrap();
    let listener = world.listen(PEER);
    let wire = in_background(
        || carry(&listener, &other),
        || assert!(world.timer("expire", TX).status.success()),
    );
    let outcome = world.read("/var/lib/hactl/outcome");
    assert!(outcome.contains("result\tconfirmed"), "{outcome}");
    assert!(outcome.contains("by another node"), "{outcome}");
    let wire = String::from_utf8(wire).unwrap();
    assert!(wire.contains("confirmed "), "{wire}");
    assert!(!wire.contains(&key(world)) && !wire.contains(TX), "{wire}");
}

async fn a_node_that_is_asked_stops_waiting(world: &World) {
    let other = two(world).await;
    let listener = world.listen(PEER);
    in_background(
        || carry(&listener, &other),
        || assert!(world.timer("expire", TX).status.success()),
    );
    assert!(world.read("/var/lib/hactl/outcome").contains("expired"));
    assert_eq!(phase(&other), "asking");
    let problem = other.agent().confirm(TX).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::NotActive));
    world.agent().unlock(TX).await.unwrap();
    nothing_is_left(world);
}

async fn a_confirmed_node_answers_until_all_have_decided(world: &World) {
    let other = two(world).await;
    world.agent().confirm(TX).await.unwrap();
    world.sh("sed -i 's/^linger\t.*/linger\t0/' /var/lib/hactl/outcome");
    // Its time is up. The peer is reachable but says nothing, as during a shutdown or boot.
    let listener = world.listen(PEER);
    in_background(
        || drop(accepted(&listener)),
        || assert!(world.timer("expire", TX).status.success()),
    );
    assert!(world.exists("/etc/systemd/system/hactl-peer.socket"));
    assert!(
        !world.exists("/var/lib/hactl/lock"),
        "it is in nobody's way"
    );
    // The query makes the peer stop waiting and decide now.
    in_background(
        || carry(&listener, &other),
        || assert!(world.timer("expire", TX).status.success()),
    );
    assert_eq!(phase(&other), "asking");
    assert!(world.exists("/etc/systemd/system/hactl-peer.socket"));
    let asked = other.listen(ASKER);
    in_background(
        || carry(&asked, world),
        || assert!(other.timer("expire", TX).status.success()),
    );
    assert!(
        other
            .read("/var/lib/hactl/outcome")
            .contains("by another node")
    );
    in_background(
        || carry(&listener, &other),
        || assert!(world.timer("expire", TX).status.success()),
    );
    nothing_is_left(world);
}

/// Connects to the program. `say` turns its nonce into a line to send.
fn try_to_ask(world: &World, say: impl FnOnce(&str) -> String) -> String {
    let mut program = world.answer_peer(TX);
    let mut answers = BufReader::new(program.stdout.take().unwrap());
    let mut nonce = String::new();
    answers.read_line(&mut nonce).unwrap();
    assert_eq!(nonce.trim().len(), 36, "{nonce:?}");
    let mut stdin = program.stdin.take().unwrap();
    let _ = stdin.write_all(say(nonce.trim()).as_bytes());
    drop(stdin);
    let mut answer = String::new();
    answers.read_to_string(&mut answer).unwrap();
    program.wait().unwrap();
    answer
}

async fn who_lacks_the_key_is_not_answered(world: &World) {
    let other = two(world).await;
    let listener = world.listen(PEER);
    // A real query, recorded by an attacker that keeps it from its destination.
    let heard = in_background(
        || {
            let mut wire = accepted(&listener);
            writeln!(wire, "{}", "0".repeat(36)).unwrap();
            let mut question = String::new();
            BufReader::new(wire).read_line(&mut question).unwrap();
            question
        },
        || assert_eq!(world.ask_peer(TX, PEER), ""),
    );
    assert_eq!(heard.split(' ').nth(1).unwrap().trim().len(), 64, "{heard}");
    let zeros = "0".repeat(36);
    let guesses = [
        format!("{TX}\n"),
        "\n".to_owned(),
        format!("{zeros}\n"),
        format!("{zeros} \n"),
        format!("{zeros} {}\n", "0".repeat(64)),
        format!("$(touch /etc/y) {}\n", "0".repeat(64)),
        heard,
        "x".repeat(100_000),
    ];
    for guess in guesses {
        let shown = guess.chars().take(80).collect::<String>();
        assert_eq!(try_to_ask(&other, |_| guess), "", "{shown}");
    }
    assert_eq!(phase(&other), "activated", "it goes on waiting");
    assert!(!other.exists("/etc/y"));
    // Without its own key, the node accepts no query.
    other.sh("rm /var/lib/hactl/peer-key");
    let mut program = other.answer_peer(TX);
    let mut answer = String::new();
    let stdout = program.stdout.as_mut().unwrap();
    stdout.read_to_string(&mut answer).unwrap();
    program.wait().unwrap();
    assert_eq!(answer, "");
    other.agent().confirm(TX).await.unwrap();
}

/// The program's conclusion about a peer that sends `nonce` and replies `answer`.
fn told(world: &World, listener: &TcpListener, nonce: &str, answer: &str) -> String {
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut wire = accepted(listener);
            let _ = writeln!(wire, "{nonce}");
            let mut question = String::new();
            let _ = BufReader::new(&wire).read_line(&mut question);
            let _ = wire.write_all(answer.as_bytes());
        });
        world.ask_peer(TX, PEER)
    })
}

async fn a_lie_is_no_answer(world: &World) {
    let other = two(world).await;
    let listener = world.listen(PEER);
    let zeros = "0".repeat(36);
    for answer in [
        "confirmed\n",
        "confirmed \n",
        &format!("confirmed {}\n", "0".repeat(64)),
        &format!("denied {}\n", "0".repeat(64)),
        "refused\n",
        &"x".repeat(100_000),
        "",
    ] {
        assert_eq!(told(world, &listener, &zeros, answer), "", "{answer:.40}");
    }
    for nonce in ["no number", &"x".repeat(100_000)] {
        assert_eq!(told(world, &listener, nonce, "confirmed\n"), "");
    }
    // A replay: a true answer of the same node to an earlier query.
    let wire = in_background(
        || String::from_utf8(carry(&listener, &other)).unwrap(),
        || assert_eq!(world.ask_peer(TX, PEER), "denied"),
    );
    let lines: Vec<&str> = wire.lines().collect();
    let repeated = format!("{}\n", lines[2]);
    assert_eq!(told(world, &listener, lines[0], &repeated), "");
    // A reflection: its own answer.
    in_background(
        || carry(&listener, world),
        || assert_eq!(world.ask_peer(TX, PEER), ""),
    );
    assert_eq!(phase(world), "activated");
}

async fn a_key_is_where_only_root_reads(world: &World) {
    let other = two(world).await;
    drop(other);
    let key = key(world);
    assert_eq!(key.len(), 64);
    let mode = world.sh("stat -c '%a %u' /var/lib/hactl/peer-key");
    assert_eq!(mode, "600 0\n");
    let holders = world.sh(&format!(
        "grep -rlF {key} /etc /var /run /tmp /usr/local 2>/dev/null; true"
    ));
    assert_eq!(holders, "/var/lib/hactl/peer-key\n");
    // No process exposes the key while it asks.
    let listener = world.listen(PEER);
    let shown = in_background(
        || {
            let mut wire = accepted(&listener);
            let shown = processes();
            writeln!(wire, "{}", "0".repeat(36)).unwrap();
            let mut question = String::new();
            BufReader::new(wire).read_line(&mut question).unwrap();
            shown + &processes()
        },
        || assert_eq!(world.ask_peer(TX, PEER), ""),
    );
    assert!(shown.contains("ask-peer"), "it was looked in time");
    assert!(!shown.contains(&key));
    world
        .agent()
        .revert(TX, &Reason::failed("x"))
        .await
        .unwrap();
    world.agent().unlock(TX).await.unwrap();
    nothing_is_left(world);
    // An invalid key is refused before anything is touched.
    let agent = world.agent();
    staged(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    for bad in ["abc", "$(touch /etc/y)", &"Z".repeat(64)] {
        let payload = format!("peer\t{bad}\t127.0.0.1\nend\n");
        let answer = world.raw(&["activate", TX, "300"], payload.as_bytes());
        assert!(answer.contains("fail\tprotocol\t"), "{bad}: {answer}");
    }
    assert!(!world.exists("/var/lib/hactl/journal"));
}

/// The arguments and environments of all processes.
fn processes() -> String {
    let mut shown = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            shown.push_str(&String::from_utf8_lossy(&bytes));
            shown.push('\n');
        }
    }
    shown
}

async fn what_still_runs_for_a_change_ends_with_it(world: &World) {
    // The service of an earlier change is still querying the peers.
    world.write("/run/units/hactl-revert.service.active", "activating\n");
    waiting(world, &PeerKey::random().unwrap(), ASKER, PEER).await;
    let stopped = |unit: &str| {
        let log = world.read("/run/systemctl.log");
        let mut stops = log.lines().filter(|line| line.starts_with("stop "));
        stops.any(|line| line.split(' ').any(|word| word == unit))
    };
    assert!(stopped("hactl-revert.service"));
    assert!(!stopped("hactl-peer@*.service"));
    world
        .agent()
        .revert(TX, &Reason::failed("x"))
        .await
        .unwrap();
    assert!(stopped("hactl-peer@*.service"));
}
