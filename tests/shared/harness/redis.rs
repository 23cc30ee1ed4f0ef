//! A Redis of the test's own, on a port of its own, that can be killed, stopped and started anew.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "waits for processes, which know no other clock"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::Process;

pub(crate) struct Redis {
    port: u16,
    options: Vec<String>,
    /// Where it keeps what it is told to save.
    disk: TempDir,
    process: Option<Process>,
}

impl Redis {
    /// One that keeps nothing on disk, unless it is told to.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self { port, options, disk: TempDir::new().unwrap(), process: None };
        redis.revive();
        redis
    }

    /// Nothing listens there yet.
    pub(crate) fn absent() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { port, options: Vec::new(), disk: TempDir::new().unwrap(), process: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, with what it last saved.
    pub(crate) fn revive(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.args(["--port", &self.port.to_string(), "--dir", &self.disk.path().display().to_string()]);
        command.args(&self.options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.process = Some(Process::start(command));
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let said = self.process.as_ref().unwrap().said();
            assert!(begin.elapsed() < Duration::from_secs(10), "redis-server does not listen: {said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Options for the next time that it is started.
    pub(crate) fn also_with(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// What it has now is there again when it is started anew.
    pub(crate) fn save(&self) {
        let answer = self.ask(&["SAVE"]);
        assert!(answer.is_empty(), "{answer}");
    }

    pub(crate) fn stop(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    /// One command; the answer as it stands on the wire.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2_000))).unwrap();
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
        command.extend(b"*1\r\n$4\r\nQUIT\r\n");
        stream.write_all(&command).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).trim_end_matches("+OK\r\n").to_owned()
    }

    /// The keys that match.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let answer = self.ask(&["KEYS", pattern]);
        answer.lines().filter(|line| line.starts_with("callcard:")).map(str::to_owned).collect()
    }
}
