//! A keepalived.conf, hactl's or somebody else's, read for what peers meet of it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::router::{Auth, Peering, Preemption, Router};
use crate::agent::sha256_hex;

/// What a file says, and whether it says all.
pub(super) struct Conf {
    pub(super) routers: Vec<Router>,
    /// It includes other files, which were not read.
    pub(super) includes: bool,
}

/// A line's words, and the block that follows them.
struct Statement {
    words: Vec<String>,
    block: Vec<Statement>,
}

impl Statement {
    fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut word = String::new();
        let mut quote = None;
        let flush = |word: &mut String, tokens: &mut Vec<Token>| {
            if !word.is_empty() {
                tokens.push(Token::Word(std::mem::take(word)));
            }
        };
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, '#' | '!') if word.is_empty() => break,
                (None, '{' | '}') => {
                    flush(&mut word, &mut tokens);
                    tokens.push(if c == '{' { Token::Open } else { Token::Close });
                }
                (None, c) if c.is_whitespace() => flush(&mut word, &mut tokens),
                (Some(_) | None, c) => word.push(c),
            }
        }
        flush(&mut word, &mut tokens);
        tokens.push(Token::End);
    }
    tokens
}

/// Deeper than any block that keepalived knows; what is in a deeper one belongs to the last that counts.
const MAX_DEPTH: usize = 16;

/// Blocks within blocks, without recursion: how deep a stranger's file goes is not ours to choose.
fn parse(text: &str) -> Vec<Statement> {
    let mut stack: Vec<Vec<Statement>> = vec![Vec::new()];
    let mut too_deep = 0_usize;
    let mut words = Vec::new();
    let take = |words: &mut Vec<String>, into: &mut Vec<Statement>| {
        if !words.is_empty() {
            into.push(Statement {
                words: std::mem::take(words),
                block: Vec::new(),
            });
        }
    };
    for token in tokens(text) {
        let Some(own) = stack.last_mut() else { break };
        match token {
            Token::Word(word) => words.push(word),
            Token::End => take(&mut words, own),
            Token::Open => {
                // The brace may stand on a line of its own.
                take(&mut words, own);
                if stack.len() < MAX_DEPTH {
                    stack.push(Vec::new());
                } else {
                    too_deep += 1;
                }
            }
            Token::Close => {
                take(&mut words, own);
                match too_deep.checked_sub(1) {
                    Some(left) => too_deep = left,
                    None => close(&mut stack),
                }
            }
        }
    }
    while stack.len() > 1 {
        close(&mut stack);
    }
    stack.pop().unwrap_or_default()
}

fn close(stack: &mut Vec<Vec<Statement>>) {
    if stack.len() < 2 {
        return;
    }
    let block = stack.pop().unwrap_or_default();
    if let Some(owner) = stack.last_mut().and_then(|own| own.last_mut()) {
        owner.block = block;
    }
}

/// What the global block sets for every instance.
struct Global {
    version: u8,
    strict: bool,
    interface: String,
    groups: Vec<IpAddr>,
}

impl Global {
    fn read(statements: &[Statement]) -> Self {
        let mut global = Self {
            // keepalived's own defaults.
            version: 2,
            strict: false,
            interface: "eth0".to_owned(),
            groups: Vec::new(),
        };
        let blocks = statements.iter().filter(|s| s.keyword() == "global_defs");
        for statement in blocks.flat_map(|block| &block.block) {
            match (statement.keyword(), statement.value()) {
                ("vrrp_version", Some(value)) => {
                    global.version = value.parse().unwrap_or(global.version);
                }
                ("vrrp_strict", value) => global.strict = is_on(value),
                ("default_interface", Some(value)) => value.clone_into(&mut global.interface),
                ("vrrp_mcast_group4" | "vrrp_mcast_group6", Some(value)) => {
                    global.groups.extend(value.parse::<IpAddr>());
                }
                _ => {}
            }
        }
        global
    }
}

/// Reads a file.
pub(super) fn read(text: &str) -> Conf {
    let statements = parse(text);
    let global = Global::read(&statements);
    let instances = statements
        .iter()
        .filter(|statement| statement.keyword() == "vrrp_instance");
    Conf {
        routers: instances.map(|one| router(one, &global)).collect(),
        includes: has_include(&statements),
    }
}

fn has_include(statements: &[Statement]) -> bool {
    let mut open: Vec<&Statement> = statements.iter().collect();
    while let Some(statement) = open.pop() {
        if statement.keyword().starts_with("include") {
            return true;
        }
        open.extend(&statement.block);
    }
    false
}

fn router(instance: &Statement, global: &Global) -> Router {
    let mut peers = BTreeSet::new();
    let (mut source, mut group) = (None, None);
    let (mut addresses, mut excluded) = (BTreeSet::new(), BTreeSet::new());
    let (mut auth_type, mut auth_pass, mut hmac) = (None, None, None);
    let mut version = global.version;
    let mut advert = Duration::from_secs(1);
    let mut strict = global.strict;
    let mut router = Router {
        name: instance.value().unwrap_or_default().to_owned(),
        interface: global.interface.clone(),
        ..Router::default()
    };
    for statement in &instance.block {
        let value = statement.value();
        match statement.keyword() {
            "interface" => value.unwrap_or_default().clone_into(&mut router.interface),
            "virtual_router_id" => router.id = value.and_then(|id| id.parse().ok()).unwrap_or(0),
            "nopreempt" => router.preemption = Preemption::Never,
            "preempt_delay" if router.preemption == Preemption::AtOnce => {
                router.preemption = Preemption::Later;
            }
            "version" => version = value.and_then(|v| v.parse().ok()).unwrap_or(version),
            "advert_int" => advert = value.and_then(seconds).unwrap_or(advert),
            "strict_mode" => strict = is_on(value),
            "down_timer_adverts" => {
                router.missing = value.and_then(|v| v.parse().ok()).unwrap_or(router.missing);
            }
            "priority" => {
                router.priority = value
                    .and_then(|v| v.parse().ok())
                    .unwrap_or(router.priority);
            }
            "unicast_src_ip" | "mcast_src_ip" => source = value.and_then(|v| v.parse().ok()),
            "mcast_dst_ip" => group = value.and_then(|v| v.parse().ok()),
            "unicast_peer" => peers.extend(listed(statement)),
            "virtual_ipaddress" => addresses.extend(listed(statement)),
            "virtual_ipaddress_excluded" => excluded.extend(listed(statement)),
            "auth_hmac" => hmac = Some(texts(statement)),
            "authentication" => {
                for inner in words_of(&statement.block) {
                    match inner.as_slice() {
                        ["auth_type", value] => auth_type = Some((*value).to_owned()),
                        // Only eight characters go over the wire.
                        ["auth_pass", value] => {
                            auth_pass = Some(value.chars().take(8).collect::<String>());
                        }
                        ["auth_hmac", ..] => hmac = Some(inner.join(" ")),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let is_v6 = addresses.iter().next().is_some_and(IpAddr::is_ipv6);
    router.is_v6 = is_v6;
    router.version = if is_v6 { 3 } else { version };
    router.advert = advert;
    router.strict = strict;
    router.auth = match (auth_type, auth_pass, hmac) {
        _ if has_include(&instance.block) => Auth::Unknown,
        (_, _, Some(hmac)) => Auth::fingerprint(&sha256_hex(format!("hmac {hmac}").as_bytes())),
        // VRRPv3 has no password, and ignores one.
        (Some(kind), pass, None) if router.version == 2 => {
            let secret = format!("{kind} {}", pass.unwrap_or_default());
            Auth::fingerprint(&sha256_hex(secret.as_bytes()))
        }
        _ => Auth::None,
    };
    router.source = source;
    router.peering = if peers.is_empty() {
        let of_family = |group: &&IpAddr| group.is_ipv6() == is_v6;
        let default = global.groups.iter().find(of_family).copied();
        Peering::Multicast {
            group: group.or(default),
        }
    } else {
        Peering::Unicast { peers }
    };
    router.addresses = addresses;
    router.excluded = excluded;
    router
}

fn is_on(value: Option<&str>) -> bool {
    !matches!(value, Some("off" | "false" | "no"))
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// A block's words, whether each statement has a line of its own or they all share one.
fn words_of(block: &[Statement]) -> Vec<Vec<&str>> {
    let mut pairs = Vec::new();
    for statement in block {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        let is_key = |word: &&str| matches!(*word, "auth_type" | "auth_pass" | "auth_hmac");
        let mut rest = words.as_slice();
        while !rest.is_empty() {
            let next = rest.iter().skip(1).position(is_key);
            let (own, more) = rest.split_at(next.map_or(rest.len(), |at| at + 1));
            pairs.push(own.to_vec());
            rest = more;
        }
    }
    pairs
}

fn texts(statement: &Statement) -> String {
    let own = statement.words.join(" ");
    let inner = statement.block.iter().map(|inner| inner.words.join(" "));
    std::iter::once(own)
        .chain(inner)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The addresses that the lines of a block begin with; several on a line where nothing else is there.
fn listed(statement: &Statement) -> Vec<IpAddr> {
    let address = |word: &String| word.split('/').next()?.parse::<IpAddr>().ok();
    statement
        .block
        .iter()
        .flat_map(|line| line.words.iter().map_while(address))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAL: &str = "global_defs {\n    vrrp_version 2\n    vrrp_mcast_group4 224.0.0.19\n}\nvrrp_instance web {\n    interface eth1\n    virtual_router_id 51\n    advert_int 0.5\n    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n    unicast_src_ip 10.0.0.11\n    unicast_peer {\n        10.0.0.12 min_ttl 255\n        10.0.0.13\n    }\n    virtual_ipaddress {\n        10.0.0.100/24 dev eth1\n        10.0.0.101\n    }\n}\n";
    const TERSE: &str = "! a comment\nglobal_defs\n{ vrrp_version 2 # two\n vrrp_mcast_group4 224.0.0.19 }\nvrrp_instance \"web\"{\n interface eth1\n virtual_router_id 51 ! id\n advert_int 0.500\n authentication { auth_type PASS auth_pass secret12AND_THE_REST }\n unicast_src_ip 10.0.0.11\n unicast_peer { 10.0.0.13 10.0.0.12 }\n virtual_ipaddress { 10.0.0.101/32 10.0.0.100/32 }\n}\n";

    #[test]
    fn a_file_means_the_same_however_it_is_written() {
        let (formal, terse) = (read(FORMAL), read(TERSE));
        let same = |router: &Router| Router {
            auth: Auth::None,
            ..router.clone()
        };
        assert!(same(&formal.routers[0]) == same(&terse.routers[0]));
        assert!(!formal.includes);
        let peers = ["10.0.0.12", "10.0.0.13"]
            .map(|a| a.parse().unwrap())
            .into();
        assert_eq!(formal.routers[0].peering, Peering::Unicast { peers });
        assert_eq!(formal.routers[0].id, 51);
        // The password's eighth character is the last one that counts.
        assert!(formal.routers[0].auth != terse.routers[0].auth);
        let long = read(&FORMAL.replace("secret", "secret12"));
        assert!(long.routers[0].auth == terse.routers[0].auth);
    }

    #[test]
    fn what_includes_others_does_not_say_all() {
        assert!(read("vrrp_instance x {\n include /etc/keepalived/x.conf\n}\n").includes);
        assert!(read("include conf.d/*.conf\n").includes);
        // What an instance says of itself is all of it, unless it includes a file itself.
        let beside = read(&format!("include conf.d/*.conf\n{FORMAL}"));
        assert!(beside.routers[0].auth == read(FORMAL).routers[0].auth);
        let within = FORMAL.replace("interface eth1", "include /etc/keepalived/x.conf");
        assert!(read(&within).routers[0].auth == Auth::Unknown);
    }

    #[test]
    fn no_text_is_too_strange() {
        for text in [
            "}}}",
            "{{{",
            "vrrp_instance",
            &"a {".repeat(20_000),
            "\"open",
        ] {
            assert!(read(text).routers.len() < 2);
        }
    }
}
