//! Users of the cluster: clients on the controller that continuously send requests through the VIP,
//! some with a new connection per request and some with keep-alive.
#![expect(clippy::unwrap_used, reason = "this is test code")]
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::lab::wait_for;

/// Longer than any response takes here.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two requests of a client. At any moment enough clients have a request in
/// flight, and hactl still gets its share of a small machine.
const PAUSE: Duration = Duration::from_millis(40);

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Responses over new connections.
    pub(crate) fresh: AtomicU64,
    /// Responses over kept-alive connections.
    pub(crate) held: AtomicU64,
    /// Kept-alive connections that the server closed between two requests. HTTP permits that, and
    /// the client reconnects.
    pub(crate) closed_idle: AtomicU64,
    /// Everything that a user would call an error, one line each.
    failures: std::sync::Mutex<Vec<String>>,
}

impl Seen {
    fn failed(&self, what: &str, why: &str) {
        self.failures.lock().unwrap().push(format!("{what}: {why}"));
    }
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Starts `clients` clients in a network namespace. Half of them use keep-alive.
    pub(crate) fn start(netns: &str, server: &str, clients: u64) -> Self {
        let server: SocketAddr = server.parse().unwrap();
        let namespace = fs::File::open(format!("/run/netns/{netns}")).unwrap();
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let (stopping, seeing) = (Arc::clone(&stop), Arc::clone(&seen));
        // Only this thread changes its network namespace; its sockets stay in it.
        let thread = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut clients_at_work = tokio::task::JoinSet::new();
                for client in 0..clients {
                    let (stop, seen) = (Arc::clone(&stopping), Arc::clone(&seeing));
                    clients_at_work.spawn(async move {
                        if client % 2 == 0 {
                            ask_anew(server, &stop, &seen).await;
                        } else {
                            ask_again(server, &stop, &seen).await;
                        }
                    });
                }
                clients_at_work.join_all().await;
            });
        });
        Self { stop, seen, thread }
    }

    /// Waits until both kinds of clients have received `more` further responses.
    pub(crate) fn wait_for_answers(&self, more: u64) {
        let now = || {
            let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
            (load(&self.seen.fresh), load(&self.seen.held))
        };
        let before = now();
        wait_for("answers", || {
            let now = now();
            now.0 >= before.0 + more && now.1 >= before.1 + more
        });
    }

    /// Stops the clients. Returns their errors.
    pub(crate) fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        std::mem::take(&mut *self.seen.failures.lock().unwrap())
    }

    /// Stops the clients. Panics if any of them saw an error.
    #[track_caller]
    pub(crate) fn end_without_failures(self) -> Arc<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let failures = self.seen.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} failures, among them:\n{}\n{:?}",
            failures.len(),
            failures
                .iter()
                .take(10)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n"),
            (&self.seen.fresh, &self.seen.held, &self.seen.closed_idle)
        );
        drop(failures);
        self.seen
    }
}

async fn ask_anew(server: SocketAddr, stop: &AtomicBool, seen: &Seen) {
    while !stop.load(Ordering::Relaxed) {
        let asked = async {
            let mut stream = TcpStream::connect(server)
                .await
                .map_err(|e| e.to_string())?;
            request(&mut stream, "close").await.map_err(End::words)
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(())) => {
                seen.fresh.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Err(why)) => seen.failed("new connection", &why),
            Err(_) => seen.failed("new connection", "no answer in time"),
        }
        sleep(PAUSE).await;
    }
}

async fn ask_again(server: SocketAddr, stop: &AtomicBool, seen: &Seen) {
    let mut held: Option<TcpStream> = None;
    while !stop.load(Ordering::Relaxed) {
        let is_used = held.is_some();
        let stream = match held.take() {
            Some(stream) => Ok(stream),
            None => TcpStream::connect(server).await,
        };
        let Ok(mut stream) = stream else {
            seen.failed("connection to hold", "not accepted");
            sleep(PAUSE).await;
            continue;
        };
        match timeout(PATIENCE, request(&mut stream, "keep-alive")).await {
            Ok(Ok(())) => {
                seen.held.fetch_add(1, Ordering::Relaxed);
                held = Some(stream);
            }
            Ok(Err(End::Unanswered(_))) if is_used => {
                seen.closed_idle.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Ok(Err(end)) => seen.failed("held connection", &end.words()),
            Err(_) => seen.failed("held connection", "no answer in time"),
        }
        sleep(PAUSE).await;
    }
}

/// A failed request.
enum End {
    /// No byte of the response arrived.
    Unanswered(String),
    /// The response was cut off or is an error.
    Bad(String),
}

impl End {
    fn words(self) -> String {
        match self {
            Self::Unanswered(why) => format!("closed without an answer: {why}"),
            Self::Bad(why) => why,
        }
    }
}

/// Requests `/` and reads the whole response, which must be a success.
async fn request(stream: &mut TcpStream, connection: &str) -> Result<(), End> {
    let request = format!("GET / HTTP/1.1\r\nHost: lab\r\nConnection: {connection}\r\n\r\n");
    let unanswered = |error: std::io::Error| End::Unanswered(error.to_string());
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(unanswered)?;
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0_u8; 4096];
        let count = match stream.read(&mut chunk).await {
            Ok(count) => count,
            Err(error) if bytes.is_empty() => return Err(unanswered(error)),
            Err(error) => return Err(End::Bad(format!("cut off: {error}"))),
        };
        if count == 0 && bytes.is_empty() {
            return Err(End::Unanswered("end of stream".to_owned()));
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(End::Bad(head.lines().next().unwrap_or_default().to_owned()));
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if length.is_some_and(|length| body.len() >= length) {
                return Ok(());
            }
        }
        if count == 0 {
            return Err(End::Bad(format!("cut off after {text:?}")));
        }
    }
}
