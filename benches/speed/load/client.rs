//! One connection of the load generator: a request out, an answer in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// How far an exchange is.
pub(super) enum Progress {
    /// Not at its end.
    Waiting,
    /// At its end.
    Answered {
        /// The moment its latency counts from.
        since: Instant,
        /// It was a whole 200.
        ok: bool,
        /// Bytes of head and body.
        length: u64,
    },
}

/// A connection, made when it is needed, kept while the server keeps it.
pub(super) struct Client {
    target: SocketAddr,
    token: Token,
    close: bool,
    stream: Option<TcpStream>,
    since: Instant,
    unsent: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    pub(super) fn new(target: SocketAddr, token: usize, close: bool) -> Self {
        let since = Instant::now();
        Self { target, token: Token(token), close, stream: None, since, unsent: Vec::new(), received: Vec::new() }
    }

    /// Begins an exchange whose latency counts from `since`.
    pub(super) fn ask(&mut self, registry: &Registry, request: &[u8], since: Instant) -> io::Result<()> {
        self.since = since;
        self.received.clear();
        if self.stream.is_none() {
            let mut stream = TcpStream::connect(self.target)?;
            registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
            self.stream = Some(stream);
        }
        self.unsent.clear();
        self.unsent.extend_from_slice(request);
        self.send()
    }

    /// Goes on after the kernel said that something has happened.
    pub(super) fn advance(&mut self, registry: &Registry) -> io::Result<Progress> {
        self.send()?;
        let Some(stream) = &mut self.stream else { return Ok(Progress::Waiting) };
        let mut part = [0; 16 * 1024];
        loop {
            match stream.read(&mut part) {
                Ok(0) => return self.ended(registry),
                Ok(length) => {
                    self.received.extend_from_slice(&part[..length]);
                    // With the last bytes the end may have come, and it is told only once.
                    if length < part.len() && !self.close {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return self.ended(registry),
                Err(error) => return Err(error),
            }
        }
        // A server that closes is waited for: its part of the work is not over before.
        Ok(if !self.close && is_whole(&self.received) { self.answered() } else { Progress::Waiting })
    }

    fn send(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The server has closed the connection.
    fn ended(&mut self, registry: &Registry) -> io::Result<Progress> {
        if let Some(mut stream) = self.stream.take() {
            registry.deregister(&mut stream)?;
        }
        Ok(self.answered())
    }

    fn answered(&mut self) -> Progress {
        let ok = self.received.starts_with(b"HTTP/1.1 200") && is_whole(&self.received);
        Progress::Answered { since: self.since, ok, length: u64::try_from(self.received.len()).unwrap_or(0) }
    }
}

/// Whether an answer with a `Content-Length` is here to its last byte.
fn is_whole(received: &[u8]) -> bool {
    let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = std::str::from_utf8(&received[..head]).ok().and_then(content_length);
    length.is_some_and(|length| received.len() >= head + 4 + length)
}

fn content_length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.trim().parse().ok()
}
