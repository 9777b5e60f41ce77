//! The subset of HTTP that a drill's clients speak.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The target of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The VIP.
    pub address: IpAddr,
    pub port: u16,
    pub path: String,
    /// Value of the Host header.
    pub host: String,
}

/// The head of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// `Content-Length`. `None` if the body is delimited in another way.
    pub(super) length: Option<u64>,
    /// True if the server closes the connection after this response.
    pub(super) closes: bool,
}

/// Size limit of a response's head, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

impl Target {
    /// Another path of the same server.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// A new connection. `buffer` limits the kernel's receive buffer.
    pub(super) async fn connect(&self, buffer: Option<u32>) -> io::Result<TcpStream> {
        let address = SocketAddr::new(self.address, self.port);
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends one request over `stream` and reads the response's head. `rest` gets the bytes that follow it.
    pub(super) async fn ask(
        &self,
        stream: &mut TcpStream,
        keep: bool,
        rest: &mut Vec<u8>,
    ) -> io::Result<Head> {
        let connection = if keep { "keep-alive" } else { "close" };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hactl\r\nConnection: {connection}\r\n\r\n",
            self.path, self.host
        );
        stream.write_all(request.as_bytes()).await?;
        rest.clear();
        loop {
            if stream.read_buf(rest).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = head(&String::from_utf8_lossy(&rest[..end]));
                rest.drain(..end + 4);
                return head.ok_or_else(|| io::Error::other("no HTTP status"));
            }
            if rest.len() > HEAD_LIMIT {
                return Err(io::Error::other("no end of the head"));
            }
        }
    }
}

fn head(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut head = Head {
        status,
        length: None,
        closes: false,
    };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            head.length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_servers_write_them() {
        let read = head("HTTP/1.1 200 OK\r\ncontent-length: 12\r\nConnection: Close").unwrap();
        assert_eq!(
            (read.status, read.length, read.closes),
            (200, Some(12), true)
        );
        assert_eq!(head("HTTP/1.1 502 Bad Gateway").unwrap().length, None);
        assert_eq!(head("SSH-2.0-OpenSSH"), None);
    }
}
