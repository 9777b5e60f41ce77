//! A DNS server for tests. It answers from a table, and NXDOMAIN for every other name.
#![expect(clippy::unwrap_used, reason = "this is test code")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

/// The server, which stops when this is dropped.
pub(crate) struct Dns {
    names: Arc<Mutex<BTreeMap<String, Ipv4Addr>>>,
}

impl Dns {
    /// Starts it in a network namespace.
    pub(crate) fn start(netns: &str, address: &str) -> Self {
        let namespace = fs::File::open(format!("/run/netns/{netns}")).unwrap();
        let address = address.to_owned();
        // Only this thread changes its namespace; the socket stays in it.
        let inside = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            UdpSocket::bind((address.as_str(), 53)).unwrap()
        });
        let socket = inside.join().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let names = Arc::new(Mutex::new(BTreeMap::new()));
        let table = Arc::downgrade(&names);
        std::thread::spawn(move || {
            let mut packet = [0_u8; 512];
            while let Some(table) = table.upgrade() {
                if let Ok((length, client)) = socket.recv_from(&mut packet) {
                    let answer = answer(&packet[..length], &table.lock().unwrap());
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { names }
    }

    /// Sets or removes the address of `name`.
    pub(crate) fn set(&self, name: &str, address: Option<&str>) {
        let mut names = self.names.lock().unwrap();
        match address {
            Some(address) => names.insert(name.to_owned(), address.parse().unwrap()),
            None => names.remove(name),
        };
    }
}

/// The answer to a query with one question (RFC 1035, 4.1).
fn answer(query: &[u8], names: &BTreeMap<String, Ipv4Addr>) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        let label = &query[at + 1..=at + length];
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + length;
    }
    let question = &query[12..at + 5];
    let is_for_ipv4 = query[at + 1..at + 3] == [0, 1];
    let found = names.get(&labels.join("."));
    let code = if found.is_some() { 0 } else { 3 };
    let address = found.filter(|_| is_for_ipv4);
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some())]);
    answer.extend([0; 4]);
    answer.extend(question);
    if let Some(address) = address {
        // Pointer to the question's name, type A, class IN, TTL 0, length 4.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
