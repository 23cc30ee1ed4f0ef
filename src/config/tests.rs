//! Claims about the whole configuration. Each variable has a row in [`ROWS`]; a variable without one fails a test.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::crm::auth::Credentials;
use crate::lookup::{Leads, SearchMode};
use crate::telemetry::Format;

/// The least that can be run.
const LEAST: [(&str, &str); 2] =
    [("CALLCARD_KOMMO_URL", "https://acme.kommo.com"), ("CALLCARD_KOMMO_TOKEN", "tok3n-of-the-test")];

/// What is said of a feature that is promised but not built.
const NOT_YET: &str = "not in this version";

/// Variable, a text that is taken, texts that are refused.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("CALLCARD_LISTEN", "[::1]:80", &["8080", ":8080", "localhost:8080", "127.0.0.1", "127.0.0.1:70000"]),
    ("CALLCARD_ADMIN_LISTEN", "0.0.0.0:9090", &["9090", "127.0.0.1:8080"]),
    ("CALLCARD_AUTH", "none", &["keys, none", "off"]),
    ("CALLCARD_API_KEYS", "pbx:text:s3cret-key", &[" ", " , ,", "s3cret-key", "pbx:root:s3cret-key"]),
    ("CALLCARD_DRAIN_DELAY", "0s", &["0", "1h"]),
    ("CALLCARD_DRAIN_TIMEOUT", "25s", &["-1s", "1 day"]),
    (
        "CALLCARD_KOMMO_URL",
        "https://api.example.com:8443/",
        &[
            "acme.kommo.com",
            "ftp://acme.kommo.com",
            "https://",
            "https://www.kommo.com",
            "http://acme.kommo.com",
            "https://acme.kommo.com/api/v4",
            "https://acme.kommo.com?a=b",
            "https://acme.kommo.com#top",
            "https://user:s3cret@acme.kommo.com",
        ],
    ),
    ("CALLCARD_KOMMO_WEB_URL", "https://crm.example.com", &["crm.example.com", "javascript:alert(1)"]),
    ("CALLCARD_KOMMO_PLAIN_HTTP", "on", &["yes", "On"]),
    ("CALLCARD_KOMMO_TOKEN", "eyJ0eXAiOiJKV1Qi.e30.c2ln", &["Bearer eyJ0", "токен", " "]),
    ("CALLCARD_KOMMO_CLIENT_ID", "8c1f", &[]),
    ("CALLCARD_KOMMO_CLIENT_SECRET", "shh", &[]),
    ("CALLCARD_KOMMO_REDIRECT_URI", "https://calls.example.net/oauth", &[]),
    ("CALLCARD_KOMMO_REFRESH_TOKEN", "def50200", &[]),
    ("CALLCARD_TOKEN_STORE", "/var/lib/callcard/token.json", &[]),
    ("CALLCARD_DEFAULT_REGION", "BR", &["USA", "1", "Brazil"]),
    ("CALLCARD_LEADS", "ids", &["none", "FULL"]),
    ("CALLCARD_SEARCH", "last7", &["last8", "auto,raw"]),
    ("CALLCARD_COMPANIES", "on", &["1", "yes"]),
    ("CALLCARD_UPSTREAM_RATE", "3", &["0", "-1", "many", "6.5", "100000"]),
    ("CALLCARD_KNOWN_FRESH", "5m", &["600", "10 parrots", "0s", "25h", "400d"]),
    ("CALLCARD_KNOWN_STALE", "48h", &["24", "1m"]),
    ("CALLCARD_UNKNOWN_FRESH", "30s", &["1.5", "2h"]),
    ("CALLCARD_UNKNOWN_STALE", "2h", &["never", "1s"]),
    ("CALLCARD_SOFT_DEADLINE", "200ms", &["300", "1500ms", "2s"]),
    ("CALLCARD_DEADLINE", "2s", &["1500", "9s", "0ms"]),
    ("CALLCARD_FILL_TIMEOUT", "10s", &["8", "1s", "5m"]),
    ("CALLCARD_CACHE_MAX_BYTES", "64MiB", &["lots", "12kB", "-1"]),
    (
        "CALLCARD_WEBHOOK_SECRET",
        "0123456789abcdef-._~",
        &["0123456789abcde", "0123456789abcdef/", "0123456789 abcdef", "ключключключключ", " "],
    ),
    (
        "CALLCARD_SHARED_URL",
        "rediss://user:pass@cache:6380/3",
        &["cache:6379", "http://cache", "redis://", "redis://cache/x"],
    ),
    ("CALLCARD_SHARED_KEY", "sixteen letters!", &["fifteen letters"]),
    ("CALLCARD_SHARED_TIMEOUT", "30ms", &["30", "1ms", "2s"]),
    ("CALLCARD_DIRECTORY", "off", &["mirror", "on"]),
    ("CALLCARD_DIRECTORY_PATH", "/var/lib/callcard/mirror", &["/"]),
    ("CALLCARD_LOG", "warn,callcard::crm=debug", &["inof", "callcard=loud"]),
    ("CALLCARD_LOG_FORMAT", "json", &["xml", "text json"]),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", &["collector:4318", "http://user@collector", "nowhere"]),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/traces", &["ftp://collector"]),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", &[]),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf", &[]),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", &[]),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none", &[]),
    ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20word", &[]),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000", &[]),
    ("OTEL_TRACES_EXPORTER", "none", &["zipkin"]),
    ("OTEL_SERVICE_NAME", "desk", &[]),
    ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test", &[]),
    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", &[]),
    ("OTEL_TRACES_SAMPLER_ARG", "0.5", &[]),
    ("OTEL_SDK_DISABLED", "true", &["yes"]),
];

fn strings(pairs: &[(&str, &str)]) -> Strings {
    let texts: HashMap<&str, &str> = LEAST.iter().chain(pairs).copied().collect();
    Strings::of(|name| texts.get(name))
}

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::check(&strings(pairs)).unwrap()
}

fn faults(pairs: &[(&str, &str)]) -> Vec<Fault> {
    Config::check(&strings(pairs)).unwrap_err().all().to_vec()
}

fn variables_of(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.variable.as_str()).collect()
}

#[test]
fn every_variable_has_a_row() {
    let declared: Vec<_> = topics().iter().flat_map(|topic| topic.variables).map(|variable| variable.name).collect();
    let rows: Vec<_> = ROWS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(declared, rows);
}

#[test]
fn a_good_text_of_each_variable_is_taken_and_a_bad_one_is_its_own_only_fault() {
    for (name, good, bad) in ROWS {
        match Config::check(&strings(&[(name, good)])) {
            Ok(_) => {}
            // One variable of OAuth2 alone is taken; what is missing is the others.
            Err(faults) if !variables_of(faults.all()).contains(name) => assert!(name.contains("KOMMO"), "{faults}"),
            Err(faults) => assert!(faults.to_string().contains(NOT_YET), "{name}={good}: {faults}"),
        }
        for text in *bad {
            let faults = faults(&[(name, text)]);
            let [fault] = faults.as_slice() else { panic!("{name}={text}: {faults:?}") };
            assert!(fault.variable == *name || fault.problem.contains(name), "{name}={text}: {fault}");
        }
    }
}

#[test]
fn the_least_configuration_has_the_defaults_of_the_contract() {
    let config = config(&[]);

    assert_eq!(
        (config.listen.to_string(), config.admin_listen.to_string()),
        ("127.0.0.1:8080".into(), "127.0.0.1:9090".into())
    );
    assert!(config.http.keys.is_empty());
    let seconds = Duration::from_secs;
    assert_eq!((config.drain_delay, config.server.drain_timeout), (seconds(1), seconds(10)));
    let Backend { transport, web_url, gate, lookup, cache, .. } = config.backend;
    assert_eq!((transport.base.as_str(), web_url.as_str()), ("https://acme.kommo.com/", "https://acme.kommo.com/"));
    assert_eq!(gate.rate, 6);
    assert_eq!((lookup.region, lookup.leads, lookup.search), ("US".parse().unwrap(), Leads::Full, SearchMode::Auto));
    assert_eq!((lookup.soft_deadline, lookup.deadline), (Duration::from_millis(300), Duration::from_millis(1500)));
    let lifetimes = cache.lifetimes;
    assert_eq!((lifetimes.known_fresh, lifetimes.known_stale), (seconds(600), seconds(86_400)));
    assert_eq!((lifetimes.unknown_fresh, lifetimes.unknown_stale), (seconds(60), seconds(3600)));
    assert_eq!((cache.fill_timeout, cache.max_bytes), (seconds(8), 256 << 20));
    assert_eq!(config.warnings, []);
}

#[test]
fn a_mirror_stays_within_two_requests_a_second_and_keeps_cards_as_long_as_the_cache() {
    let mirror = [("CALLCARD_DIRECTORY", "mirror"), ("CALLCARD_DIRECTORY_PATH", "/var/lib/callcard/mirror")];
    let Backend { directory, gate, .. } =
        config(&[mirror.as_slice(), &[("CALLCARD_KNOWN_FRESH", "5m")]].concat()).backend;
    let directory = directory.unwrap();
    assert_eq!((directory.known_fresh, directory.nobody_for), (Duration::from_secs(300), Duration::from_secs(60)));
    assert!((gate.background_share * f64::from(gate.rate) - 2.0).abs() < 1e-9);
    assert_eq!(config(&[]).backend.directory, None);
    assert_eq!(config(&mirror[1..]).warnings[0].variable, "CALLCARD_DIRECTORY_PATH");
}

#[test]
fn every_fault_is_reported_at_once_with_its_variable() {
    let faults = Config::check(&Strings::of(|name| match name {
        "CALLCARD_LISTEN" => Some("0.0.0.0:8080"),
        "CALLCARD_ADMIN_LISTEN" => Some("nine thousand"),
        "CALLCARD_DEFAULT_REGION" => Some("Brazil"),
        "CALLCARD_KNOWN_FRESH" => Some("600"),
        "CALLCARD_SOFT_DEADLINE" => Some("2s"),
        "CALLCARD_FILL_TIMEOUT" => Some("1s"),
        "CALLCARD_DIRECTORY" => Some("mirror"),
        "CALLCARD_LOG" => Some("inof"),
        _ => None,
    }))
    .unwrap_err();
    insta::assert_snapshot!(faults, @r#"
    the configuration has 10 faults
      CALLCARD_ADMIN_LISTEN: "nine thousand" is not an address with a port, such as 127.0.0.1:8080 or [::]:8080
      CALLCARD_AUTH: must be set: CALLCARD_LISTEN is reachable beyond this machine and there are no keys; set CALLCARD_API_KEYS, or say CALLCARD_AUTH=none to answer everybody
      CALLCARD_KOMMO_URL: must be set: The account's address, such as `https://acme.kommo.com`
      CALLCARD_KOMMO_TOKEN: must be set: a long-lived token of a private integration; or, for OAuth2, CALLCARD_KOMMO_CLIENT_ID, CALLCARD_KOMMO_CLIENT_SECRET, CALLCARD_KOMMO_REDIRECT_URI, CALLCARD_KOMMO_REFRESH_TOKEN
      CALLCARD_DEFAULT_REGION: "Brazil" is not a region of two letters such as US or BR
      CALLCARD_KNOWN_FRESH: "600" has no unit; write it as 250ms, 10s, 10m or 24h
      CALLCARD_SOFT_DEADLINE: is not shorter than CALLCARD_DEADLINE
      CALLCARD_FILL_TIMEOUT: is shorter than CALLCARD_DEADLINE
      CALLCARD_DIRECTORY_PATH: is needed with CALLCARD_DIRECTORY=mirror
      CALLCARD_LOG: "inof" is not a level (error, warn, info, debug, trace, off) or a list of target=level
    "#);
}

#[test]
fn an_empty_text_counts_as_not_given() {
    let empty: Vec<_> =
        ROWS.iter().map(|(name, ..)| (*name, "")).filter(|(name, _)| !LEAST.iter().any(|l| l.0 == *name)).collect();
    let config = config(&empty);
    let defaults = self::config(&[]);
    assert_eq!((config.backend.lookup, config.backend.cache), (defaults.backend.lookup, defaults.backend.cache));
    assert_eq!(variables_of(&faults(&[("CALLCARD_KOMMO_URL", "")])), ["CALLCARD_KOMMO_URL"]);
}

#[test]
fn a_text_that_is_not_utf8_is_a_fault_of_its_variable() {
    use std::os::unix::ffi::OsStringExt;
    for name in ["CALLCARD_DEADLINE", "CALLCARD_KOMMO_TOKEN"] {
        let strings = Strings::of(|asked| match LEAST.iter().find(|(least, _)| *least == asked) {
            _ if asked == name => Some(OsString::from_vec(vec![b'1', 0xff])),
            least => least.map(|(_, text)| OsString::from(text)),
        });
        let faults = Config::check(&strings).unwrap_err();
        assert_eq!(faults.all(), [Fault { variable: name.to_owned(), problem: "is not valid UTF-8".to_owned() }]);
    }
}

#[test]
fn beyond_loopback_without_keys_has_to_be_said() {
    let open = ("CALLCARD_LISTEN", "0.0.0.0:8080");
    assert_eq!(variables_of(&faults(&[open])), ["CALLCARD_AUTH"]);
    assert_eq!(variables_of(&faults(&[("CALLCARD_LISTEN", "[::ffff:192.0.2.1]:80")])), ["CALLCARD_AUTH"]);
    assert!(config(&[open, ("CALLCARD_AUTH", "none")]).http.keys.is_empty());
    assert!(!config(&[open, ("CALLCARD_API_KEYS", "pbx:text:k")]).http.keys.is_empty());
    assert!(config(&[("CALLCARD_LISTEN", "[::ffff:127.0.0.1]:80")]).http.keys.is_empty());
}

#[test]
fn auth_that_contradicts_the_keys_is_refused() {
    assert_eq!(variables_of(&faults(&[("CALLCARD_AUTH", "keys")])), ["CALLCARD_API_KEYS"]);
    let both = [("CALLCARD_AUTH", "none"), ("CALLCARD_API_KEYS", "pbx:text:k")];
    assert_eq!(variables_of(&faults(&both)), ["CALLCARD_AUTH"]);
}

#[test]
fn plain_http_is_for_this_machine_unless_it_is_allowed() {
    for url in ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000", "http://crm.localhost"] {
        assert_eq!(config(&[("CALLCARD_KOMMO_URL", url)]).backend.transport.base.scheme(), "http");
    }
    let sandbox = ("CALLCARD_KOMMO_URL", "http://sandbox:8000");
    assert_eq!(variables_of(&faults(&[sandbox])), ["CALLCARD_KOMMO_URL"]);
    assert_eq!(config(&[sandbox, ("CALLCARD_KOMMO_PLAIN_HTTP", "on")]).backend.transport.base.port(), Some(8000));
}

#[test]
fn a_shared_api_host_needs_a_host_for_links() {
    let shared = ("CALLCARD_KOMMO_URL", "https://api-c.kommo.com");
    assert_eq!(variables_of(&faults(&[shared])), ["CALLCARD_KOMMO_WEB_URL"]);
    let Backend { transport, web_url, .. } =
        config(&[shared, ("CALLCARD_KOMMO_WEB_URL", "https://acme.kommo.com")]).backend;
    assert_eq!((transport.base.host_str(), web_url.host_str()), (Some("api-c.kommo.com"), Some("acme.kommo.com")));
}

/// All of OAuth2, and no token.
const OAUTH: [(&str, &str); 5] = [
    ("CALLCARD_KOMMO_TOKEN", ""),
    ("CALLCARD_KOMMO_CLIENT_ID", "8c1f"),
    ("CALLCARD_KOMMO_CLIENT_SECRET", "shh"),
    ("CALLCARD_KOMMO_REDIRECT_URI", "https://calls.example.net/oauth"),
    ("CALLCARD_KOMMO_REFRESH_TOKEN", "def50200"),
];

#[test]
fn oauth_is_taken_letter_by_letter() {
    let Credentials::OAuth { integration, store } = config(&OAUTH).backend.credentials else { panic!("a token") };
    assert_eq!((integration.client_id.as_str(), integration.client_secret.expose_secret()), ("8c1f", "shh"));
    assert_eq!(integration.redirect_uri, "https://calls.example.net/oauth");
    assert_eq!(integration.refresh_token.expose_secret(), "def50200");
    assert_eq!(store.to_str(), Some("./callcard-token.json"));
    let bare = [OAUTH.as_slice(), &[("CALLCARD_KOMMO_REDIRECT_URI", "https://Calls.example.net")]].concat();
    let Credentials::OAuth { integration, .. } = config(&bare).backend.credentials else { panic!("a token") };
    assert_eq!(integration.redirect_uri, "https://Calls.example.net", "no slash is added, no letter changed");
}

#[test]
fn oauth_is_all_or_none_and_not_beside_a_token() {
    let faults_of = |pairs: &[(&str, &str)]| variables_of(&faults(pairs)).join(" ");
    assert_eq!(faults_of(&OAUTH[1..]), "CALLCARD_KOMMO_TOKEN");
    assert_eq!(faults_of(&OAUTH[..3]), "CALLCARD_KOMMO_REDIRECT_URI CALLCARD_KOMMO_REFRESH_TOKEN");
    assert_eq!(faults_of(&OAUTH[..1]), "CALLCARD_KOMMO_TOKEN");
    let neither = &faults(&OAUTH[..1])[0].problem;
    assert!(neither.contains("CALLCARD_KOMMO_REFRESH_TOKEN"), "{neither}");
    let mut wrong = OAUTH;
    (wrong[3].1, wrong[4].1) = ("http://calls.example.net", "def 50200");
    assert_eq!(faults_of(&wrong), "CALLCARD_KOMMO_REDIRECT_URI CALLCARD_KOMMO_REFRESH_TOKEN");
    for path in ["/", "tokens/", ".."] {
        let pairs = [OAUTH.as_slice(), &[("CALLCARD_TOKEN_STORE", path)]].concat();
        assert_eq!(faults_of(&pairs), "CALLCARD_TOKEN_STORE", "{path}");
    }
}

#[test]
fn tokens_are_renewed_at_the_accounts_own_host() {
    let shared = [
        OAUTH.as_slice(),
        &[("CALLCARD_KOMMO_URL", "https://api-c.kommo.com"), ("CALLCARD_KOMMO_WEB_URL", "https://acme.kommo.com")],
    ];
    assert_eq!(variables_of(&faults(&shared.concat())), ["CALLCARD_KOMMO_URL"]);
}

#[test]
fn what_the_exporter_cannot_do_is_a_fault_only_where_there_is_something_to_export() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush hush"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_RESOURCE_ATTRIBUTES", "word"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ];
    for one in wrong {
        assert!(config(&[one]).traces.is_none());
        let found = faults(&[one, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")]);
        assert_eq!(variables_of(&found), [one.0]);
        assert!(!format!("{found:?}").contains("hush"), "headers hold keys: {found:?}");
    }
}

#[test]
fn traces_go_below_the_receivers_address_or_to_their_own() {
    let endpoint = |pairs: &[(&str, &str)]| config(pairs).traces.unwrap().endpoint.to_string();
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otel/");
    assert_eq!(endpoint(&[base]), "http://collector:4318/otel/v1/traces");
    assert_eq!(endpoint(&[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/t")]), "http://other/t");
}

#[test]
fn what_is_odd_but_works_is_a_warning() {
    let odd = [("CALLCARD_UPSTREAM_RATE", "7"), ("CALLCARD_UNKNOWN_FRESH", "20m"), ("CALLCARD_UNKNOWN_STALE", "25h")];
    let warnings = config(&odd).warnings;
    assert_eq!(variables_of(&warnings), odd.map(|(name, _)| name));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "  from-a-file\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = config(&[("CALLCARD_KOMMO_TOKEN", ""), ("CALLCARD_KOMMO_TOKEN_FILE", path)]);
    let Credentials::LongLived(token) = config.backend.credentials else { panic!("no token") };
    assert_eq!(token.expose_secret(), "from-a-file");
    assert_eq!(variables_of(&faults(&[("CALLCARD_KOMMO_TOKEN_FILE", path)])), ["CALLCARD_KOMMO_TOKEN"]);
}

#[test]
fn a_secret_file_that_cannot_be_used_is_a_fault_of_the_file_variable() {
    let (empty, huge, binary) = (
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    std::fs::write(&huge, "x".repeat(70_000)).unwrap();
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    let paths =
        [empty.path(), huge.path(), binary.path(), std::path::Path::new("/nowhere/at/all"), std::path::Path::new("/")];
    for path in paths {
        let pairs = [("CALLCARD_KOMMO_TOKEN", ""), ("CALLCARD_KOMMO_TOKEN_FILE", path.to_str().unwrap())];
        assert_eq!(variables_of(&faults(&pairs)), ["CALLCARD_KOMMO_TOKEN_FILE"], "{}", path.display());
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets: Vec<_> =
        topics().iter().flat_map(|topic| topic.variables).filter(|variable| variable.secret).collect();
    assert_eq!(secrets.len(), 8);
    for variable in secrets {
        for text in ["s3cret\tвалуе", "redis://:s3cret@cache", "name:root:s3cret"] {
            let strings = strings(&[(variable.name, text)]);
            let outcome = Config::check(&strings);
            let shown = format!(
                "{strings:?} {outcome:?} {}",
                outcome.as_ref().err().map(ToString::to_string).unwrap_or_default()
            );
            assert!(!shown.contains("s3cret"), "{}: {shown}", variable.name);
        }
    }
    assert!(!format!("{:?}", config(&[])).contains("tok3n"));
    let url = faults(&[("CALLCARD_KOMMO_URL", "https://user:s3cret@acme.kommo.com")]);
    assert!(!url[0].problem.contains("s3cret"));
}

#[test]
fn a_lookup_straight_to_the_crm_does_not_mind_the_listeners() {
    let strings = strings(&[("CALLCARD_LISTEN", "0.0.0.0:8080"), ("CALLCARD_DRAIN_DELAY", "1")]);
    assert!(backend(&strings).is_ok());
    assert_eq!(telemetry(&strings).unwrap().format, Format::suited_to_stderr());
}
