//! A mirror whose process is killed, not asked to stop, at random moments: while it reads everything and while it keeps up with edits.
//!
//! Real processes on real sockets. `CALLCARD_TEST_KILLS=50` makes it last some minutes; by default it is a handful.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The sandbox CRM as a process; ended with the test.
struct Crm {
    process: Child,
    /// Read no further, but kept open: what it still prints must go somewhere.
    _out: BufReader<ChildStdout>,
    address: String,
}

impl Crm {
    fn start(contacts: u64) -> Self {
        let mut process = callcard()
            .args(["sandbox", "--listen", "127.0.0.1:0", "--contacts", &contacts.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        Self { process, _out: out, address }
    }

    /// A request to the sandbox's own paths: whether it was done, and the answer's body.
    fn control(&self, method: &str, path: &str, body: &str) -> (bool, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(
            socket,
            "{method} /_sandbox{path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.starts_with("HTTP/1.1 2"), body.to_owned())
    }

    /// Somebody edits; a contact that was deleted before stays as it is.
    fn edit(&self, rng: &mut fastrand::Rng, contacts: u64) {
        let id = rng.u64(1_000..1_000 + contacts - 400);
        let phones = format!(r#""phones":["+1917{:07}"]"#, rng.u32(..10_000_000));
        match rng.u8(..4) {
            0 => self.control("POST", "/contacts", &format!(r#"{{"name":"New",{phones}}}"#)),
            1 => self.control("DELETE", &format!("/contacts/{id}"), ""),
            _ => self.control("PATCH", &format!("/contacts/{id}"), &format!("{{{phones}}}")),
        };
    }

    /// The windows of the whole list that were asked for, in order.
    fn windows(&self) -> Vec<String> {
        let log: Value = serde_json::from_str(&self.control("GET", "/calls", "").1).unwrap();
        let calls = log["calls"].as_array().unwrap().iter();
        let lists = calls.filter(|call| call["endpoint"] == "contacts_list");
        lists
            .map(|call| call["query"].as_str().unwrap().to_owned())
            .filter(|query| !query.contains("updated_at"))
            .collect()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a real process lives in real time")]
fn live_for(time: Duration) {
    std::thread::sleep(time);
}

fn callcard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_callcard"))
}

/// `callcard directory …` over this CRM and this snapshot.
fn directory(crm: &Crm, snapshot: &Path, words: &[&str]) -> Command {
    let mut command = callcard();
    command.arg("directory").args(words);
    command
        .env("CALLCARD_KOMMO_URL", format!("http://{}", crm.address))
        .env("CALLCARD_KOMMO_TOKEN", callcard::sandbox::Settings::default().token)
        .env("CALLCARD_DIRECTORY_PATH", snapshot)
        .env("CALLCARD_LOG", "error");
    command
}

fn fine(output: Output) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn killed_at_random_moments_it_loses_nothing_and_reads_nothing_twice() {
    let kills: u64 = std::env::var("CALLCARD_TEST_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let contacts = 700 + kills * 160;
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("mirror");
    let crm = Crm::start(contacts);
    let mut rng = fastrand::Rng::with_seed(kills);
    for kill in 0..kills {
        let mut sync = directory(&crm, &snapshot, &["sync"]).stdout(Stdio::null()).spawn().unwrap();
        live_for(Duration::from_millis(rng.u64(50..2_600)));
        sync.kill().unwrap();
        sync.wait().unwrap();
        if kill * 2 >= kills {
            crm.edit(&mut rng, contacts);
        }
    }
    let killed = fine(directory(&crm, &snapshot, &["sync"]).output().unwrap());
    assert!(killed.starts_with("complete"), "{killed}");

    let windows = crm.windows();
    let distinct: BTreeSet<&String> = windows.iter().collect();
    let again = windows.len() - distinct.len();
    assert!(again as u64 <= kills, "{again} windows were read again after {kills} kills");

    let sample = contacts.to_string();
    let agreed = fine(directory(&crm, &snapshot, &["verify", "--sample", &sample]).output().unwrap());
    assert!(agreed.contains("agree"), "{agreed}");
    let exported = fine(directory(&crm, &snapshot, &["export"]).output().unwrap());
    let ids: BTreeSet<u64> =
        exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap()).collect();
    assert!(ids.len() as u64 > contacts - kills - 10 && ids.len() == exported.lines().count(), "{}", ids.len());
    println!("{kills} kills, {} windows, {again} of them read again", windows.len());
}
