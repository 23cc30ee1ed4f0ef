//! The built program, as a shell sees it: words in, exit code and output out.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy sees only `#[test]` functions as tests"
)]

mod check;
mod directory;
mod keys;
mod webhooks;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_callcard");
const TOKEN: &str = "tok3n-of-the-test";

/// The program with these words, and with nothing in its environment that was not put there.
fn callcard(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

fn ended(words: &[&str], variables: &[(&str, &str)]) -> Output {
    callcard(words).envs(variables.iter().copied()).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A command that runs on; killed when the test is over.
struct Running {
    child: Child,
    lines: BufReader<Box<dyn Read>>,
    seen: String,
}

impl Running {
    /// Started, and its standard output listened to.
    fn start(words: &[&str]) -> Self {
        let mut child = callcard(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(Box::new(child.stdout.take().unwrap()) as Box<dyn Read>);
        Self { child, lines, seen: String::new() }
    }

    /// Started, and its log listened to.
    fn start_logging(words: &[&str]) -> Self {
        Self::start_logging_with(words, &[])
    }

    /// The same, with these variables.
    fn start_logging_with(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = callcard(words);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(Box::new(child.stderr.take().unwrap()) as Box<dyn Read>);
        Self { child, lines, seen: String::new() }
    }

    /// Reads on until a line holds `mark`.
    fn line_with(&mut self, mark: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "{mark:?} was never told: {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(mark) {
                return line;
            }
        }
    }

    /// The first URL in the next line that holds `mark`, without its path.
    fn url_after(&mut self, mark: &str) -> String {
        let line = self.line_with(mark);
        let host = line.split("http://").nth(1).unwrap().split(['/', ' ', '\n']).next().unwrap();
        format!("http://{host}")
    }

    /// The URL of the listener that the log names so.
    fn logged(&mut self, listener: &str) -> String {
        let line = self.line_with(&format!("\"listener\":\"{listener}\""));
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        format!("http://{}", event["address"].as_str().unwrap())
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end: the exit code, and everything it logged.
    fn wait(mut self) -> (Option<i32>, String) {
        self.lines.read_to_string(&mut self.seen).unwrap();
        let mut log = std::mem::take(&mut self.seen);
        if let Some(mut stderr) = self.child.stderr.take() {
            log.clear();
            stderr.read_to_string(&mut log).unwrap();
        }
        (self.child.wait().unwrap().code(), log)
    }

    fn stop(self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One exchange with a running instance: status and body.
fn get(url: &str, path: &str) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// One exchange on a connection that would be kept: all that comes until the other side closes it.
fn kept_alive(url: &str, path: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks until the answer is as wanted; a start takes a moment.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "another process is waited for, and there is no runtime here")]
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: not within half a minute");
}

fn sandbox(words: &[&str]) -> (Running, String) {
    let mut sandbox = Running::start(&[&["sandbox", "--listen", "127.0.0.1:0"], words].concat());
    let url = sandbox.url_after("sandbox CRM");
    (sandbox, url)
}

/// The least that `serve`, `check` and `lookup` need to work with a sandbox.
fn with_crm<'a>(url: &'a str, token: &'a str) -> [(&'static str, &'a str); 2] {
    [("CALLCARD_KOMMO_URL", url), ("CALLCARD_KOMMO_TOKEN", token)]
}

// === words ===

#[test]
fn help_and_version_are_fine_and_go_to_standard_output() {
    for words in [&["--help"][..], &["--version"], &["help"], &["serve", "--help"], &["lookup", "-h"]] {
        let output = ended(words, &[]);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(!out(&output).is_empty() && err(&output).is_empty(), "{words:?}");
    }
    assert!(out(&ended(&["--version"], &[])).starts_with(concat!("callcard ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn words_that_are_not_understood_are_bad_usage() {
    for words in [
        &[][..],
        &["frobnicate"],
        &["serve", "--frobnicate"],
        &["lookup"],
        &["lookup", "+14155550123", "--format", "yaml"],
        &["lookup", "+14155550123", "--region", "Brazil"],
        &["sandbox", "--fault", "everything:explodes"],
        &["sandbox", "--latency", "5"],
        &["healthcheck", "--timeout", "2"],
        &["demo", "--listen", "8080"],
        &["webhooks"],
        &["webhooks", "install"],
    ] {
        let output = ended(words, &[]);
        assert_eq!(output.status.code(), Some(64), "{words:?}: {}", err(&output));
        assert!(out(&output).is_empty() && !err(&output).is_empty(), "{words:?}");
    }
}

#[test]
fn the_help_of_serve_names_every_variable_with_its_default_and_no_secret() {
    let variables = [("CALLCARD_KOMMO_TOKEN", TOKEN), ("CALLCARD_API_KEYS", TOKEN), ("CALLCARD_SHARED_URL", TOKEN)];
    let output = ended(&["serve", "--help"], &variables);
    let help = out(&output);
    for topic in callcard::config::topics() {
        for variable in topic.variables {
            assert!(help.contains(&format!("--{} ", variable.flag())), "{variable:?}");
            assert!(help.contains(&format!("[env: {}", variable.name)), "{variable:?}");
            assert!(variable.default.is_none_or(|text| help.contains(&format!("[default: {text}]"))), "{variable:?}");
            assert!(variable.file_variable().is_none_or(|name| help.contains(&name)), "{variable:?}");
        }
    }
    assert!(!help.contains(TOKEN));
}

#[test]
fn the_settings_do_not_drown_the_help_of_other_commands() {
    for command in [&["check"][..], &["lookup"], &["healthcheck"], &["webhooks", "install"], &["webhooks", "status"]] {
        let output = ended(&[command, &["--help"]].concat(), &[]);
        assert!(!out(&output).contains("--kommo-token"), "{command:?}");
    }
}

// === configuration ===

#[test]
fn serve_reports_every_fault_at_once_and_ends_with_64() {
    let variables = [
        ("CALLCARD_LISTEN", "0.0.0.0:8080"),
        ("CALLCARD_KNOWN_FRESH", "600"),
        ("CALLCARD_KOMMO_URL", "acme.kommo.com"),
        ("CALLCARD_KOMMO_TOKEN", "tok3n with spaces"),
    ];
    let output = ended(&["serve"], &variables);
    assert_eq!(output.status.code(), Some(64));
    let told = err(&output);
    assert!(told.contains("4 faults"), "{told}");
    for variable in ["CALLCARD_AUTH", "CALLCARD_KNOWN_FRESH", "CALLCARD_KOMMO_URL", "CALLCARD_KOMMO_TOKEN"] {
        assert!(told.contains(&format!("\n  {variable}: ")), "{told}");
    }
    assert!(!told.contains("tok3n"), "{told}");
}

#[test]
fn a_flag_wins_over_its_variable() {
    let output = ended(&["serve", "--deadline", "9"], &[("CALLCARD_DEADLINE", "2s")]);
    assert!(err(&output).contains("CALLCARD_DEADLINE: \"9\" has no unit"), "{}", err(&output));
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables =
        [with_crm("http://127.0.0.1:9", TOKEN).as_slice(), &[("CALLCARD_LISTEN", address.as_str())]].concat();
    let output = ended(&["serve"], &variables);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains(&address), "{}", err(&output));
}

// === commands ===

#[test]
fn the_openapi_document_is_printed_as_json() {
    let output = ended(&["openapi"], &[]);
    let document: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/lookup"]["get"].is_object());
}

#[test]
fn a_lookup_ends_with_0_for_somebody_and_with_1_for_nobody() {
    let (_sandbox, url) = sandbox(&[]);
    let crm = with_crm(&url, "sandbox-token");

    let anna = ended(&["lookup", "(415) 555-0123"], &crm);
    let text = ended(&["lookup", "+14155550123", "--format", "text"], &crm);
    let national = ended(&["lookup", "020 7946 0018", "--region", "GB", "--format=text"], &crm);
    let nobody = ended(&["lookup", "+14155550130"], &crm);
    let withheld = ended(&["lookup", "anonymous"], &crm);
    let invalid = ended(&["lookup", "+1 415 555"], &crm);

    let card: serde_json::Value = serde_json::from_str(out(&anna)).unwrap();
    assert_eq!((anna.status.code(), &card["contact"]["name"]), (Some(0), &"Anna Ivanova".into()));
    assert_eq!((text.status.code(), out(&text)), (Some(0), "Anna Ivanova\n"));
    assert_eq!(out(&national), "David Hughes\n");
    let card: serde_json::Value = serde_json::from_str(out(&nobody)).unwrap();
    assert_eq!((nobody.status.code(), &card["reason"]), (Some(1), &"not_found".into()));
    assert_eq!(withheld.status.code(), Some(1));
    assert_eq!((invalid.status.code(), out(&invalid)), (Some(64), ""));
}

#[test]
fn a_lookup_that_cannot_be_answered_says_why_and_ends_with_1() {
    let output = ended(&["lookup", "+14155550123"], &with_crm("http://127.0.0.1:9", TOKEN));
    assert_eq!((output.status.code(), out(&output)), (Some(1), ""));
    let told = err(&output);
    assert!(told.contains("callcard: the CRM"), "{told}");
    assert!(!told.contains("5550123") && !told.contains(TOKEN), "{told}");
}

#[test]
fn the_demo_answers_what_it_prints_and_stops_on_sigterm() {
    let mut demo = Running::start(&["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let (lookup, admin) = (demo.url_after("lookups"), demo.url_after("admin"));
    let admin_address = admin.strip_prefix("http://").unwrap();
    let ready = ["healthcheck", "--ready", "--admin-listen", admin_address];
    eventually("the demo is ready", || ended(&ready, &[]).status.success());

    demo.line_with("stops it");
    let printed: Vec<_> = demo.seen.lines().filter_map(|line| line.strip_prefix("curl -s 'http://")).collect();
    let paths = printed.iter().map(|rest| rest.split_once('/').unwrap().1.split_once('\'').unwrap().0);
    let answers: Vec<_> = paths
        .map(|path| match path {
            "metrics" => get(&admin, "/metrics"),
            path => get(&lookup, &format!("/{path}")),
        })
        .collect();

    let expected = [
        (200, "\"name\":\"Anna Ivanova\""),
        (200, "Anna Ivanova"),
        (200, "<title>Anna Ivanova"),
        (200, "\"count\":260"),
        (404, "\"reason\":\"not_found\""),
        (404, "\"reason\":\"withheld\""),
        (400, "invalid-phone"),
        (200, "callcard_build_info{"),
    ];
    assert_eq!(answers.len(), expected.len(), "{printed:?}");
    for ((status, body), (wanted, part)) in answers.iter().zip(expected) {
        assert!(*status == wanted && body.contains(part), "{status} {body}");
    }

    let (code, told) = demo.stop("-TERM");
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("5550123"), "{told}");
}

#[test]
fn serve_is_unready_before_it_stops_and_logs_no_number() {
    let (_sandbox, url) = sandbox(&[]);
    let words =
        ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kommo-url", &url, "--log", "trace"];
    let words =
        [&words[..], &["--kommo-token", "sandbox-token", "--drain-delay", "3s", "--log-format", "json"]].concat();
    let mut serve = Running::start_logging(&words);
    let (lookup, admin) = (serve.logged("lookup"), serve.logged("admin"));
    eventually("serve is ready", || get(&admin, "/readyz").0 == 200);
    assert_eq!(get(&lookup, "/lookup?phone=%2B14155550123").0, 200);

    serve.signal("-INT");
    eventually("serve is unready", || get(&admin, "/readyz").0 == 503);
    let kept = kept_alive(&lookup, "/lookup?phone=%2B14155550123");
    assert!(kept.starts_with("HTTP/1.1 200 "), "callers are still answered: {kept}");
    assert!(kept.contains("connection: close"), "and sent elsewhere: {kept}");
    assert_eq!(get(&admin, "/livez").0, 200, "a drain is not death");

    let (code, told) = serve.wait();
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("4155550123") && !told.contains("Ivanova") && !told.contains("sandbox-token"), "{told}");
}

#[test]
fn a_receiver_of_traces_that_hangs_does_not_hold_up_the_end() {
    let (_sandbox, url) = sandbox(&[]);
    // The kernel takes the connection and what is sent on it; nobody ever reads or answers.
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", receiver.local_addr().unwrap());
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kommo-url", &url];
    let words =
        [&words[..], &["--kommo-token", "sandbox-token", "--drain-delay", "0s", "--drain-timeout", "2s"]].concat();
    let mut serve = Running::start_logging_with(&[&words[..], &["--log-format", "json"]].concat(), &variables);
    let (lookup, admin) = (serve.logged("lookup"), serve.logged("admin"));
    eventually("serve is ready", || get(&admin, "/readyz").0 == 200);
    for _ in 0..3 {
        assert_eq!(get(&lookup, "/lookup?phone=%2B14155550123").0, 200);
    }
    receiver.accept().expect("it was sent to before the end");

    let begun = tokio::time::Instant::now();
    let (code, told) = serve.stop("-TERM");

    assert_eq!(code, Some(0), "{told}");
    // The drain's two seconds, and some for a machine that is busy.
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}: {told}", begun.elapsed());
    assert!(told.contains("the last traces could not be sent"), "{told}");
}

#[test]
fn refused_credentials_keep_serve_unready_and_the_healthcheck_says_why() {
    let (_sandbox, url) = sandbox(&[]);
    let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kommo-url", &url];
    let mut serve = Running::start_logging(
        &[&words[..], &["--kommo-token", TOKEN, "--drain-delay", "0s", "--log-format", "json"]].concat(),
    );
    let admin = serve.logged("admin");
    let probe = |words: &[&str]| {
        ended(&[&["healthcheck", "--admin-listen", admin.strip_prefix("http://").unwrap()], words].concat(), &[])
    };

    eventually("the refusal is known", || err(&probe(&["--ready"])).contains("refused the credentials"));
    assert_eq!(probe(&["--ready"]).status.code(), Some(1));
    assert_eq!(probe(&[]).status.code(), Some(0), "it lives all the same");

    serve.signal("-TERM");
    let (code, told) = serve.wait();
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains(TOKEN));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_sandbox, url) = sandbox(&[]);
    let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--kommo-url", &url];
    let words =
        [&words[..], &["--kommo-token", "sandbox-token", "--drain-delay", "5m", "--log-format", "json"]].concat();
    let mut serve = Running::start_logging(&words);
    let admin = serve.logged("admin");

    serve.signal("-TERM");
    eventually("the first is heeded", || get(&admin, "/readyz?verbose").1.contains("draining"));
    serve.signal("-TERM");

    let (code, _) = serve.wait();
    assert_eq!(code, Some(1));
}

#[test]
fn a_healthcheck_of_nothing_fails() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = ended(&["healthcheck"], &[("CALLCARD_ADMIN_LISTEN", &free)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains(&free), "{}", err(&output));
}

// === OAuth2 ===

/// What `serve`, `check` and `lookup` need to work with a sandbox's integration.
fn with_oauth<'a>(url: &'a str, file: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("CALLCARD_KOMMO_URL", url),
        ("CALLCARD_KOMMO_CLIENT_ID", "sandbox-client"),
        ("CALLCARD_KOMMO_CLIENT_SECRET", "sandbox-secret"),
        ("CALLCARD_KOMMO_REDIRECT_URI", "https://calls.example.net/oauth"),
        ("CALLCARD_KOMMO_REFRESH_TOKEN", "sandbox-refresh-token"),
        ("CALLCARD_TOKEN_STORE", file),
    ]
}

#[test]
fn every_command_works_with_oauth_and_they_share_one_token_file() {
    let (_sandbox, url) = sandbox(&[]);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("token.json");
    let crm = with_oauth(&url, file.to_str().unwrap());

    let lookup = ended(&["lookup", "+14155550123", "--format", "text"], &crm);
    assert_eq!((lookup.status.code(), out(&lookup)), (Some(0), "Anna Ivanova\n"), "{}", err(&lookup));
    let kept = std::fs::read_to_string(&file).unwrap();
    let check = ended(&["check"], &crm);
    assert_eq!(check.status.code(), Some(0), "{}{}", out(&check), err(&check));
    assert!(out(&check).contains("OAuth2, until 20"), "{}", out(&check));

    let variables =
        [&crm[..], &[("CALLCARD_LISTEN", "127.0.0.1:0"), ("CALLCARD_ADMIN_LISTEN", "127.0.0.1:0")]].concat();
    let mut child = callcard(&["serve", "--drain-delay", "0s", "--log", "trace", "--log-format", "json"]);
    let mut child = child.envs(variables).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(Box::new(child.stderr.take().unwrap()) as Box<dyn Read>);
    let mut serve = Running { child, lines, seen: String::new() };
    let (lookup, admin) = (serve.logged("lookup"), serve.logged("admin"));
    eventually("serve is ready", || get(&admin, "/readyz").0 == 200);
    assert_eq!(get(&lookup, "/lookup?phone=%2B14155550123").0, 200);
    let scrape = get(&admin, "/metrics").1;
    assert!(scrape.contains("\ncallcard_token_expiry_timestamp_seconds{kind=\"access\"} 1"), "{scrape}");
    let (code, log) = serve.stop("-TERM");

    assert_eq!(code, Some(0), "{log}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept, "one renewal was enough for all three");
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let secrets = [kept["access_token"].as_str().unwrap(), kept["refresh_token"].as_str().unwrap(), "sandbox-secret"];
    let told = [out(&check), err(&check), &log].concat();
    assert!(secrets.iter().all(|secret| !told.contains(secret)), "a secret was told");
}

#[test]
fn somebody_elses_token_file_stops_every_command_and_is_left_alone() {
    let (_sandbox, url) = sandbox(&[]);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("token.json");
    let crm = with_oauth(&url, file.to_str().unwrap());
    assert_eq!(ended(&["check"], &crm).status.code(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap().replace("sandbox-client", "another-client");
    std::fs::write(&file, &text).unwrap();

    let addresses = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    for words in [&[&["serve"], &addresses[..]].concat()[..], &["check"], &["lookup", "+14155550123"]] {
        let output = ended(words, &crm);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let told = [out(&output), err(&output)].concat();
        assert!(told.contains("integration another-client") && told.contains("CALLCARD_TOKEN_STORE"), "{told}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
