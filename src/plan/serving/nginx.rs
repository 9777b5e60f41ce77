//! The servers of an nginx configuration that somebody else may have written: where they listen, and for
//! which names. Includes are followed as nginx follows them.

use std::net::IpAddr;

use super::files::Files;
use crate::model::{Socket, Transport};

/// Where nginx begins to read.
const MAIN: &str = "/etc/nginx/nginx.conf";
/// What relative includes are relative to.
const PREFIX: &str = "/etc/nginx";
/// How deep includes and blocks go; nobody writes more, and a file may include itself.
const MAX_DEPTH: usize = 24;
/// The most servers of a configuration, and files that it reads.
const MAX_SERVERS: usize = 10_000;

/// A `server` block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// The file that has it.
    pub(super) file: String,
    pub(super) sockets: Vec<Socket>,
    /// In lower case; empty where it has no `server_name`.
    pub(super) names: Vec<String>,
    /// It is in a package's own file, which nobody has changed.
    pub(super) is_packaged: bool,
}

/// A block that is open.
enum Block {
    Http,
    /// `stream` and `mail`: their servers have no port by default.
    Other,
    Server {
        server: Server,
        /// Where it listens without a `listen`.
        default: Option<&'static str>,
    },
    Inner,
}

/// Every server that nginx has with these files.
pub(super) fn servers(files: &Files<'_>) -> Vec<Server> {
    let mut walk = Walk {
        files,
        blocks: Vec::new(),
        file: String::new(),
        found: Vec::new(),
        files_left: MAX_SERVERS,
    };
    walk.read(MAIN, 0);
    walk.found
}

struct Walk<'a> {
    files: &'a Files<'a>,
    blocks: Vec<Block>,
    /// The file that is being read.
    file: String,
    found: Vec<Server>,
    files_left: usize,
}

impl Walk<'_> {
    fn read(&mut self, path: &str, depth: usize) {
        let files = self.files;
        let Some(file) = files.get(path).filter(|_| self.files_left > 0) else {
            return;
        };
        self.files_left -= 1;
        path.clone_into(&mut self.file);
        let opened = self.blocks.len();
        let mut lexer = Lexer::new(&file.text);
        let mut words: Vec<String> = Vec::new();
        while let Some(token) = lexer.next() {
            match token {
                Token::Word(word) => words.push(word),
                Token::End => {
                    self.directive(&std::mem::take(&mut words), depth);
                    // It may have been an include.
                    path.clone_into(&mut self.file);
                }
                Token::Open => {
                    let words = std::mem::take(&mut words);
                    let name = words.first().map_or("", String::as_str);
                    if name.ends_with("_by_lua_block") {
                        lexer.skip_block();
                    } else {
                        let block = self.block(name, file.is_packaged);
                        self.blocks.push(block);
                    }
                }
                Token::Close => {
                    words.clear();
                    // A file cannot close what another one has opened.
                    if self.blocks.len() > opened {
                        self.close();
                    }
                }
            }
        }
        self.blocks.truncate(opened);
    }

    fn block(&self, name: &str, is_packaged: bool) -> Block {
        match (name, self.blocks.last()) {
            ("http", None) => Block::Http,
            ("stream" | "mail", None) => Block::Other,
            ("server", Some(Block::Http | Block::Other)) => Block::Server {
                server: Server {
                    file: self.file.clone(),
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
            && self.found.len() < MAX_SERVERS
        {
            if let Some(default) = default {
                server.sockets = listen(default, &[]);
            }
            self.found.push(server);
        }
    }

    fn directive(&mut self, words: &[String], depth: usize) {
        let (Some(name), Some(first)) = (words.first(), words.get(1)) else {
            return;
        };
        match (name.as_str(), self.blocks.last_mut()) {
            ("include", _) if depth < MAX_DEPTH => {
                for path in self.files.matching(first, PREFIX) {
                    self.read(path, depth + 1);
                }
            }
            ("listen", Some(Block::Server { server, default })) => {
                *default = None;
                server.sockets.extend(listen(first, &words[2..]));
            }
            ("server_name", Some(Block::Server { server, .. })) => {
                let names = words[1..].iter().map(|name| name.to_lowercase());
                server.names.extend(names);
            }
            _ => {}
        }
    }
}

/// The sockets of a `listen`; none for a Unix socket, or an address by name.
fn listen(at: &str, options: &[String]) -> Vec<Socket> {
    let has = |option: &str| options.iter().any(|own| own == option);
    let transport = if has("udp") || has("quic") {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    if at.starts_with("unix:") {
        return Vec::new();
    }
    let is_ports = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
    let (host, ports) = match at.rsplit_once(':') {
        _ if is_ports(at) => ("*", at),
        Some((host, ports)) if is_ports(ports) && !ports.is_empty() => (host, ports),
        _ => (at, "80"),
    };
    let mut addresses = match host.trim_matches(['[', ']']) {
        "*" => vec![Socket::ANY_V4],
        "localhost" => vec![IpAddr::from([127, 0, 0, 1])],
        host => host.parse().into_iter().collect(),
    };
    if addresses == [Socket::ANY_V6] && has("ipv6only=off") {
        addresses.push(Socket::ANY_V4);
    }
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else {
        return Vec::new();
    };
    let socket = |port| {
        addresses.iter().map(move |address| Socket {
            address: *address,
            port,
            transport,
        })
    };
    (from..=to).flat_map(socket).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// nginx's own way to read words (`ngx_conf_read_token`).
struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest: text.chars().peekable(),
        }
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.rest.next()? {
                c if c.is_whitespace() => {}
                '#' => while self.rest.next().is_some_and(|c| c != '\n') {},
                ';' => return Some(Token::End),
                '{' => return Some(Token::Open),
                '}' => return Some(Token::Close),
                quote @ ('"' | '\'') => return Some(Token::Word(self.quoted(quote))),
                first => return Some(Token::Word(self.word(first))),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => word.extend(self.rest.next()),
                c if c == quote => break,
                c => word.push(c),
            }
        }
        word
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::new();
        let mut c = first;
        loop {
            let is_escape = c == '\\';
            word.push(c);
            match self.rest.peek() {
                None => return word,
                Some(next) if is_escape => {
                    c = *next;
                    self.rest.next();
                    word.push(c);
                    let Some(next) = self.rest.next_if(|c| !ends_word(*c)) else {
                        return word;
                    };
                    c = next;
                }
                // `${name}` is a part of the word.
                Some('{') if c == '$' => {
                    c = '{';
                    self.rest.next();
                }
                Some(next) if ends_word(*next) => return word,
                Some(next) => {
                    c = *next;
                    self.rest.next();
                }
            }
        }
    }

    /// Skips to the end of a block that is not in nginx's syntax.
    fn skip_block(&mut self) {
        let mut open = 1_usize;
        while let Some(c) = self.rest.next() {
            match c {
                '{' => open += 1,
                '}' => open -= 1,
                '"' | '\'' => drop(self.quoted(c)),
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || c == ';' || c == '{'
}
