//! What a host serves: nginx's listening sockets, and all configuration files that both daemons may
//! read. Interpreting them is up to `plan`.

use std::collections::BTreeMap;

use super::reply::Record;
use crate::conf::Files;
use crate::model::Socket;

/// The most sockets read.
const MAX_SOCKETS: usize = 10_000;

/// The raw data about what a host serves.
#[derive(Clone, Default)]
pub struct Serving {
    /// nginx's listening sockets, according to the kernel.
    pub sockets: Vec<Socket>,
    /// The daemons' files by path, including every file that they may include.
    pub files: BTreeMap<String, ServingFile>,
}

#[derive(Clone)]
pub struct ServingFile {
    pub text: String,
    /// Whether it is an unmodified file of a package, such as a sample or a welcome page.
    pub is_packaged: bool,
}

impl Serving {
    /// The daemons' current files.
    pub fn conf_files(&self) -> Files<'_> {
        let mut files = Files::default();
        for (path, file) in &self.files {
            files.insert(path.as_str(), file.text.as_str(), file.is_packaged);
        }
        files
    }

    pub(super) fn take_sockets(&mut self, record: &Record) {
        self.sockets = sockets(&record.body_text());
    }

    pub(super) fn take_file(&mut self, record: &Record) {
        let text = String::from_utf8_lossy(record.body.as_deref().unwrap_or_default()).into_owned();
        let is_packaged = record.field(1) == "package";
        let file = ServingFile { text, is_packaged };
        self.files.insert(record.field(0).to_owned(), file);
    }
}

/// Parses `ss -Hltnup`: `tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=6))`.
fn sockets(text: &str) -> Vec<Socket> {
    let mut found: Vec<Socket> = text
        .lines()
        .take(MAX_SOCKETS)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Socket::local(words.first()?, words.get(4)?)
        })
        .flatten()
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::sockets;

    #[test]
    fn listening_sockets_as_ss_prints_them() {
        let text = "\
tcp   LISTEN 0      511                  0.0.0.0:8088       0.0.0.0:*    users:((\"nginx\",pid=7,fd=6),(\"nginx\",pid=8,fd=6))
tcp   LISTEN 0      511     10.0.0.100%eth0:80       0.0.0.0:*    users:((\"nginx\",pid=7,fd=9))
tcp   LISTEN 0      511                     [::]:8088          [::]:*    users:((\"nginx\",pid=7,fd=7))
tcp   LISTEN 0      511                        *:81               *:*    users:((\"nginx\",pid=7,fd=8))
udp   UNCONN 0      0                    0.0.0.0:443        0.0.0.0:*    users:((\"nginx\",pid=7,fd=5))
nonsense
";
        let told: Vec<String> = sockets(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                ":81",
                ":443/udp",
                ":8088",
                "10.0.0.100:80",
                "[::]:81",
                "[::]:8088"
            ]
        );
    }
}
