//! How the VIPs look to a client: the machine that hactl runs on.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::reach::{Answered, Door, Reach, ReachQuestion, ReachedVip, Viewpoint, VipDoors};
use crate::model::generation_path;
use crate::remote::local_answer;

/// How long a VIP may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Ports that are probed in parallel.
const AT_ONCE: usize = 32;
/// The most bytes read of an answer.
const MAX_ANSWER: u64 = 4096;

/// A machine on the clients' side.
#[async_trait]
pub trait Client: Send + Sync {
    /// How the VIPs look from it. Leaves out those that it has no route to, and its own.
    async fn reach(&self, question: &ReachQuestion) -> Reach;
}

/// The machine that hactl runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisMachine;

#[async_trait]
impl Client for ThisMachine {
    async fn reach(&self, question: &ReachQuestion) -> Reach {
        let vips = question.vips.iter().map(|doors| async {
            let serves = question.serves.get(&doors.vip).map(String::as_str);
            Some((doors.vip, reach_vip(doors, serves).await?))
        });
        Reach {
            from: Viewpoint::Client,
            hardware: Vec::new(),
            vips: join_all(vips).await.into_iter().flatten().collect(),
        }
    }
}

async fn reach_vip(doors: &VipDoors, serves: Option<&str>) -> Option<ReachedVip> {
    let vip = doors.vip;
    if !has_route(vip).await {
        return None;
    }
    // Read the neighbour entry first: connecting may refresh a stale one, and real clients would
    // not be that lucky.
    let known = learned(vip).await;
    let answers = futures::stream::iter(doors.doors.clone())
        .map(|door| async move { (door.port, ask(vip, door, serves).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let learned = match known {
        Some(known) => Some(known),
        None => learned(vip).await,
    };
    Some(ReachedVip {
        interface: None,
        learned,
        answers,
    })
}

/// Whether packets to `vip` would leave this machine. Sends nothing.
async fn has_route(vip: IpAddr) -> bool {
    let any: IpAddr = match vip {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    let source = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        // The discard port. Connecting a UDP socket sends nothing.
        socket.connect((vip, 9)).await?;
        socket.local_addr()
    };
    source.await.is_ok_and(|source| source.ip() != vip)
}

/// The MAC address in this machine's neighbour table for `vip`. There is none behind a router.
async fn learned(vip: IpAddr) -> Option<String> {
    let look = move || local_answer(&["ip", "neigh", "show", "to", &vip.to_string()]);
    let text = tokio::task::spawn_blocking(look).await.ok()??;
    lladdr(&text)
}

fn lladdr(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == "lladdr")?;
    words.next().map(str::to_owned)
}

async fn ask(vip: IpAddr, door: Door, serves: Option<&str>) -> Answered {
    let address = SocketAddr::new(vip, door.port);
    let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(address)).await else {
        return Answered::Closed;
    };
    match serves.filter(|_| door.is_http) {
        Some(id) => {
            let answer = timeout(PATIENCE, get(stream, address, &generation_path(id))).await;
            let text = answer.ok().and_then(Result::ok).unwrap_or_default();
            let (status, word) = status_and_word(&text);
            Answered::http(status, word, Some(id))
        }
        None => Answered::Open,
    }
}

async fn get(mut stream: TcpStream, address: SocketAddr, path: &str) -> std::io::Result<String> {
    let host = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The status code and the first word of the body.
fn status_and_word(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = match head.strip_prefix("HTTP/") {
        Some(line) => line.split_whitespace().nth(1).unwrap_or_default(),
        None => "",
    };
    (status, body.split_whitespace().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_answers_are_read() {
        let known = "10.0.0.100 dev eth0 lladdr 02:00:00:00:00:01 STALE \n";
        assert_eq!(lladdr(known).as_deref(), Some("02:00:00:00:00:01"));
        assert_eq!(lladdr("10.0.0.100 dev eth0 FAILED\n"), None);
        let answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n0123abcd\n";
        assert_eq!(status_and_word(answer), ("200", "0123abcd"));
        assert_eq!(status_and_word("SSH-2.0-OpenSSH_9.2\r\n"), ("", ""));
    }

    #[tokio::test]
    async fn a_vip_that_is_this_machines_own_is_left_out() {
        let question = ReachQuestion {
            vips: vec![VipDoors {
                vip: IpAddr::from([127, 0, 0, 1]),
                doors: vec![Door {
                    port: 9,
                    is_http: true,
                }],
            }],
            ..ReachQuestion::default()
        };
        let seen = ThisMachine.reach(&question).await;
        assert!(seen.vips.is_empty(), "{seen:?}");
    }
}
