//! Large downloads that are read slowly, so that they are in progress when the fault starts.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::clock::Clock;
use super::http::Target;

/// One download, in the operator's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download {
    /// When its first byte arrived.
    pub began: Duration,
    /// When it ended, complete or not.
    pub ended: Duration,
    /// Whether all of it arrived.
    pub whole: bool,
}

/// Bytes per read. With the pause between reads: about 1 MB/s.
const BITE: usize = 64 * 1024;
const PAUSE: Duration = Duration::from_millis(60);
/// A download that receives nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Downloads to the end of the response. Once `stop` is set, the rest is read at full speed. `None` if there is no
/// large response.
pub(super) async fn download(
    target: Target,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> Option<Download> {
    let mut rest = Vec::new();
    let (stream, length) = begin(&target, &mut rest).await.ok()?;
    let began = clock.elapsed();
    let read = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    let whole = read_slowly(stream, length.saturating_sub(read), stop).await;
    Some(Download {
        began,
        ended: clock.elapsed(),
        whole: whole.is_ok(),
    })
}

async fn begin(target: &Target, rest: &mut Vec<u8>) -> io::Result<(TcpStream, u64)> {
    // Data that is already in the local receive buffer survives any fault.
    let buffer = u32::try_from(BITE).unwrap_or(u32::MAX);
    let mut stream = target.connect(Some(buffer)).await?;
    let head = tokio::time::timeout(PATIENCE, target.ask(&mut stream, false, rest)).await??;
    match (head.status, head.length) {
        (200, Some(length)) => Ok((stream, length)),
        _ => Err(io::Error::other("no answer of a known length")),
    }
}

async fn read_slowly(
    mut stream: TcpStream,
    mut missing: u64,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bite = vec![0; BITE];
    while missing > 0 {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut bite)).await??;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        missing = missing.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if !*stop.borrow() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A download from a server that announces `promised` bytes and sends `sent`.
    async fn downloaded(promised: usize, sent: usize) -> Option<Download> {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut client, _) = server.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = client.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n");
            let _ = client.write_all(head.as_bytes()).await;
            let _ = client.write_all(&vec![b'x'; sent]).await;
        });
        let target = Target {
            address: address.ip(),
            port: address.port(),
            path: "/big".to_owned(),
            host: "test".to_owned(),
        };
        let (_keep, stop) = watch::channel(true);
        download(target, Clock::start(), stop).await
    }

    #[tokio::test]
    async fn a_download_is_whole_when_its_last_byte_is_there() {
        assert!(downloaded(200_000, 200_000).await.unwrap().whole);
        assert!(!downloaded(200_000, 199_999).await.unwrap().whole);
    }
}
