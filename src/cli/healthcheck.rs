//! `callcard healthcheck`: a probe for images that have neither a shell nor curl.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Exit, complain};
use crate::config::{self, Strings};

/// A health answer is small; whatever sends more is not this service.
const MAX_ANSWER: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask whether it wants traffic (/readyz), not only whether it lives (/livez)
    #[arg(long)]
    ready: bool,
    /// Give up after this long. The instance is looked for where `CALLCARD_ADMIN_LISTEN` says
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    strings: Strings,
}

/// Fine if the instance says 200.
pub(super) fn run(args: &Args) -> Exit {
    let address = match config::admin_listen(&args.strings) {
        Ok(address) => reachable(address),
        Err(faults) => return complain(Exit::Usage, faults),
    };
    let path = if args.ready { "/readyz" } else { "/livez" };
    match probe(address, path, args.timeout) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => Exit::Fine,
        Ok(answer) => complain(Exit::Failed, format!("{path} at {address}: {}", summary(&answer))),
        Err(error) => complain(Exit::Failed, format!("{path} at {address}: {error}")),
    }
}

/// Who listens everywhere is asked on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// One request, by hand: the probe needs neither TLS nor a runtime, and starts in a millisecond.
fn probe(address: SocketAddr, path: &str, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The status line, and the body's reasons on one line.
fn summary(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.lines().next().unwrap_or("no answer");
    let text = format!("{status} {body}");
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_machine() {
        for (given, asked) in
            [("0.0.0.0:9090", "127.0.0.1:9090"), ("[::]:9090", "[::1]:9090"), ("192.0.2.1:9090", "192.0.2.1:9090")]
        {
            assert_eq!(reachable(given.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn a_refusal_is_told_on_one_line() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\n{\n \"a\":\u{7} 1}\n";
        assert_eq!(summary(answer), "HTTP/1.1 503 Service Unavailable { \"a\": 1}");
        assert_eq!(summary(""), "no answer");
    }
}
