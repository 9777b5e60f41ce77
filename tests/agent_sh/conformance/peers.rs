//! The change's other nodes: their answers to this host's queries, and a query to this host. Only
//! this file and the stub `peer` know the format of queries and answers.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};

use hactl::agent::{PeerCredentials, PeerKey, sha256_hex};

use crate::host_model::Answer;
use crate::scene::TX;
use crate::world::World;

use super::input::Peer;

const OWN_ADDRESS: &str = "192.0.2.10";
/// The addresses of the peers at positions 1 and 2.
const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// The addresses as in the manifest.
pub(super) fn addresses() -> String {
    ADDRESSES.join(" ")
}

/// Makes all peers silent.
pub(super) fn be_silent(world: &World) {
    for address in ADDRESSES {
        world.write(&format!("/run/peers/{address}"), "silent\n");
    }
    world.write("/run/peers/rounds", "0\n");
}

/// Sets the answers of peers, each one round of queries later than the previous one, and permanent
/// from then on. Other peers keep their answers. The service is stopped once all have been queried.
pub(super) fn will_answer(world: &World, heard: &[(usize, Peer)]) {
    for (rounds_before, (peer, answer)) in heard.iter().enumerate() {
        let word = match answer {
            Peer::Confirmed => "confirmed",
            Peer::Denied => "denied",
            Peer::Refused => "refused",
        };
        let mut lines = "silent\n".repeat(rounds_before);
        let _ = writeln!(lines, "{word}");
        world.write(&format!("/run/peers/{}", ADDRESSES[peer - 1]), lines);
    }
    // A peer that refuses connections gets some rounds, since it may be about to listen again.
    world.write("/run/peers/rounds", format!("{}\n", heard.len() + 6));
}

/// Fixes the peers' answers at the last one, whatever the host received before it was killed.
pub(super) fn have_answered(world: &World) {
    for address in ADDRESSES {
        let path = format!("/run/peers/{address}");
        let script = world.read(&path);
        let last = script.lines().last().unwrap_or("silent");
        world.write(&path, format!("{last}\n"));
    }
    world.write("/run/peers/rounds", "0\n");
}

/// A peer queries the host for the change's confirmation.
pub(super) fn ask(world: &World) -> Option<Answer> {
    let listens = world.read("/run/units/hactl-peer.socket.active").trim() == "active"
        && world.exists("/etc/systemd/system/hactl-peer.socket");
    if !listens {
        // The peer takes a refused connection for a no.
        return Some(Answer::No);
    }
    match handshake(world).as_deref() {
        Some("confirmed") => Some(Answer::Yes),
        Some("denied") => Some(Answer::No),
        _ => None,
    }
}

/// This host's credentials for its peers.
pub(super) fn own_side() -> PeerCredentials {
    PeerCredentials {
        key: PeerKey::random().unwrap(),
        address: OWN_ADDRESS.parse().unwrap(),
    }
}

/// Performs the whole exchange as a peer with the same key. Returns the word that the host has
/// authenticated.
fn handshake(world: &World) -> Option<String> {
    let kept = world.read("/var/lib/hactl/peer-key");
    let key = kept.lines().find_map(|line| line.strip_prefix("key\t"))?;
    let mut program = world.answer_peer(TX);
    let mut wire = BufReader::new(program.stdout.take().unwrap());
    let mut theirs = String::new();
    wire.read_line(&mut theirs).unwrap();
    let (theirs, ours) = (theirs.trim(), "01234567-89ab-cdef-0123-456789abcdef");
    let tag = |word: &str| {
        let said = format!("{word} {TX} {OWN_ADDRESS} {theirs} {ours}");
        let once = sha256_hex(format!("{key} {said}").as_bytes());
        sha256_hex(format!("{key} {once}").as_bytes())
    };
    let mut stdin = program.stdin.take().unwrap();
    // The program may have exited already.
    let _ = writeln!(stdin, "{ours} {}", tag("asked"));
    drop(stdin);
    let mut answer = String::new();
    wire.read_to_string(&mut answer).unwrap();
    program.wait().unwrap();
    let (word, proof) = answer.trim().split_once(' ')?;
    (proof == tag(word)).then(|| word.to_owned())
}
