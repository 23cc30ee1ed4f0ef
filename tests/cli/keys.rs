//! `callcard key new`, and what its keys open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Running, ended, err, eventually, get, out, sandbox};

/// A new key and its entry.
fn new_key(words: &[&str]) -> (String, String) {
    let output = ended(&[&["key", "new"], words].concat(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let lines: Vec<_> = out(&output).lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(!err(&output).contains(lines[0]), "the key is written once");
    (lines[0].to_owned(), lines[1].to_owned())
}

#[test]
fn a_key_is_random_and_its_entry_holds_only_the_digest() {
    let (first, second) = (new_key(&[]), new_key(&[]));
    assert_ne!(first, second);
    for (key, entry) in [first, second] {
        let random = key.strip_prefix("callcard_").unwrap();
        assert!(random.len() == 43 && random.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{key}");
        let (name, rest) = entry.split_once(":lookup:sha256:").unwrap();
        assert!(name.starts_with("key-") && rest.len() == 64 && rest.starts_with(&name[4..]), "{entry}");
    }
}

#[test]
fn names_and_scopes_that_the_configuration_would_refuse_are_bad_usage() {
    for words in [&["--name", "front desk"][..], &["--name", ""], &["--name", "a:b"], &["--scope", "root"], &["more"]] {
        let output = ended(&[&["key", "new"], words].concat(), &[]);
        assert_eq!((output.status.code(), out(&output)), (Some(64), ""), "{words:?}");
        assert!(!err(&output).is_empty(), "{words:?}");
    }
}

/// One connection on which several questions are asked, as curl does when it has to try again with credentials.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(stream))
    }

    /// Status, head and body of the answer.
    fn ask(&mut self, path: &str, header: &str) -> (u16, String, String) {
        write!(self.0.get_mut(), "GET {path} HTTP/1.1\r\nHost: callcard\r\nAccept: */*\r\n{header}\r\n").unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (head[9..12].parse().unwrap(), head, String::from_utf8(body).unwrap())
    }
}

#[test]
fn a_client_that_asks_first_without_is_challenged_and_answered_on_the_same_connection() {
    let (_sandbox, url) = sandbox(&[]);
    let ((desk, desk_entry), (pbx, pbx_entry)) =
        (new_key(&["--name", "desk"]), new_key(&["--name", "pbx", "--scope", "text"]));
    let keys = format!("{desk_entry},{pbx_entry}");
    let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kommo-url", &url];
    let mut serve = Running::start_logging(
        &[&words[..], &["--kommo-token", "sandbox-token", "--api-keys", &keys, "--log-format", "json"]].concat(),
    );
    let (lookup, admin) = (serve.logged("lookup"), serve.logged("admin"));
    eventually("serve is ready", || get(&admin, "/readyz").0 == 200);

    for (path, key, body) in [
        ("/lookup?phone=%2B14155550123", &desk, "\"name\":\"Anna Ivanova\""),
        ("/lookup?phone=%2B14155550123&format=text", &pbx, "Anna Ivanova"),
    ] {
        let mut connection = Connection::open(&lookup);
        let (status, head, refusal) = connection.ask(path, "");
        assert_eq!(status, 401, "{head}");
        let offers: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("www-authenticate: ")).collect();
        assert!(offers[0].starts_with("basic realm=") && offers[1].starts_with("bearer"), "{offers:?}");
        assert!(!refusal.contains("Anna"), "{refusal}");
        assert!(!path.contains("text") || refusal.is_empty(), "a switch would show it: {refusal}");

        for pair in [format!("{key}:"), format!("callcard:{key}")] {
            let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode(pair));
            let (status, head, answer) = connection.ask(path, &basic);
            assert!(status == 200 && answer.contains(body), "{head}{answer}");
        }
    }

    let (_, told) = serve.stop("-TERM");
    assert!(!told.contains(&desk) && !told.contains(&pbx), "{told}");
}
