//! Everything that hactl reads from an nginx.conf. Includes are followed as nginx follows them.

use super::directive::{Item, items};
use super::listen::listen;
use crate::conf::Files;
use crate::model::Socket;

/// The file that nginx reads first.
const MAIN: &str = "/etc/nginx/nginx.conf";
/// The directory for relative includes.
const PREFIX: &str = "/etc/nginx";
/// Maximum depth of includes, more than real files need. A file may include itself.
const MAX_DEPTH: usize = 24;
/// Maximum number of servers in a configuration, and of sockets in all of them.
const MAX_SERVERS: usize = 10_000;
const MAX_SOCKETS: usize = 100_000;

/// The configuration as nginx reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "nginx's reference has each under its name")]
pub struct Conf {
    pub servers: Vec<Server>,
    /// True if there is a `stream` block.
    pub has_stream: bool,
    pub worker_connections: Option<u64>,
    pub worker_rlimit_nofile: Option<u64>,
}

/// A `server` block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// The file that defines it.
    pub file: String,
    pub sockets: Vec<Socket>,
    /// Names in lower case. Empty without `server_name`.
    pub names: Vec<String>,
    /// True if it is in an unmodified file of a package.
    pub is_packaged: bool,
}

/// An open block.
enum Block {
    Http,
    /// Their servers have no default port.
    StreamOrMail,
    Events,
    Server {
        server: Server,
        /// The default for a missing `listen`.
        default: Option<&'static str>,
    },
    Inner,
}

impl Conf {
    /// Reads the files as nginx does.
    pub fn read(files: &Files<'_>) -> Self {
        let mut walk = Walk {
            files,
            blocks: Vec::new(),
            found: Self::default(),
            bytes_left: files.budget(),
            sockets_left: MAX_SOCKETS,
        };
        walk.read(MAIN, 0);
        walk.found
    }

    /// Reads a single file as if it were the main one.
    pub fn of_text(text: &str) -> Self {
        Self::read(&Files::single(MAIN, text))
    }
}

struct Walk<'a> {
    files: &'a Files<'a>,
    blocks: Vec<Block>,
    found: Conf,
    bytes_left: usize,
    sockets_left: usize,
}

impl Walk<'_> {
    fn read(&mut self, path: &str, depth: usize) {
        let files = self.files;
        let Some(file) = files.get(path) else {
            return;
        };
        let Some(left) = self.bytes_left.checked_sub(file.text.len()) else {
            return;
        };
        self.bytes_left = left;
        let opened = self.blocks.len();
        for item in items(&file.text) {
            match item {
                Item::Directive(words) => self.directive(&words, depth),
                Item::Open(words) => {
                    let name = words.first().map_or("", String::as_str);
                    let block = self.block(name, path, file.is_packaged);
                    self.blocks.push(block);
                }
                // A file cannot close a block of another file.
                Item::Close if self.blocks.len() > opened => self.close(),
                Item::Close => {}
            }
        }
        self.blocks.truncate(opened);
    }

    fn block(&mut self, name: &str, file: &str, is_packaged: bool) -> Block {
        match (name, self.blocks.last()) {
            ("http", None) => Block::Http,
            ("events", None) => Block::Events,
            ("stream" | "mail", None) => {
                self.found.has_stream |= name == "stream";
                Block::StreamOrMail
            }
            ("server", Some(Block::Http | Block::StreamOrMail)) => Block::Server {
                server: Server {
                    file: file.to_owned(),
                    is_packaged,
                    ..Server::default()
                },
                default: matches!(self.blocks.last(), Some(Block::Http)).then_some("80"),
            },
            _ => Block::Inner,
        }
    }

    fn close(&mut self) {
        if let Some(Block::Server {
            mut server,
            default,
        }) = self.blocks.pop()
            && self.found.servers.len() < MAX_SERVERS
        {
            if let Some(default) = default {
                server.sockets = listen(default, &[]);
            }
            self.found.servers.push(server);
        }
    }

    fn directive(&mut self, words: &[String], depth: usize) {
        let (Some(name), Some(first)) = (words.first(), words.get(1)) else {
            return;
        };
        match (name.as_str(), self.blocks.last_mut()) {
            ("include", _) if depth < MAX_DEPTH => {
                let files = self.files;
                for path in files.matching(first, PREFIX) {
                    self.read(path, depth + 1);
                }
            }
            ("listen", Some(Block::Server { server, default })) if self.sockets_left > 0 => {
                *default = None;
                let sockets = listen(first, words.get(2..).unwrap_or_default());
                let room = self.sockets_left.min(sockets.len());
                self.sockets_left -= room;
                server.sockets.extend(sockets.into_iter().take(room));
            }
            ("server_name", Some(Block::Server { server, .. })) => {
                let names = words.iter().skip(1).map(|name| name.to_lowercase());
                server.names.extend(names);
            }
            ("worker_connections", Some(Block::Events)) => {
                self.found.worker_connections = first.parse().ok();
            }
            ("worker_rlimit_nofile", None) => self.found.worker_rlimit_nofile = first.parse().ok(),
            _ => {}
        }
    }
}
