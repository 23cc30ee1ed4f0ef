//! How faults are written and read.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::super::endpoint::{Endpoint, UnknownEndpoint};
use super::{Fault, FaultRule, Scope, Times};

/// What `=` is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// A duration, such as `5s`.
    Duration(Option<Duration>),
    /// A size, such as `64MiB`.
    Size,
    /// An absolute URL.
    Url,
}

/// A fault's word, what it does, and what follows its `=`.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// The word of the rule.
    pub word: &'static str,
    /// What it does.
    pub meaning: &'static str,
    takes: Takes,
}

const fn bare(word: &'static str, meaning: &'static str) -> Described {
    Described { word, meaning, takes: Takes::Nothing }
}

const fn taking(word: &'static str, takes: Takes, meaning: &'static str) -> Described {
    Described { word, meaning, takes }
}

/// Every fault a rule can name.
pub static FAULTS: &[Described] = &[
    bare("400", "400 with validation-errors"),
    bare("401", "401"),
    bare("402", "402, the account is not paid for"),
    bare("403", "403 in JSON, a right is missing"),
    bare("block", "403 in HTML, the address is blocked"),
    bare("404", "404"),
    bare("422", "422"),
    taking("429", Takes::Duration(Some(Duration::from_secs(1))), "429 in JSON, retry_after=DURATION (1s)"),
    taking("429-header", Takes::Duration(Some(Duration::from_secs(1))), "the same, with a Retry-After header"),
    bare("429-html", "429 in HTML"),
    bare("500", "500 with trace_id"),
    bare("502", "502 in HTML"),
    bare("503", "503 in HTML"),
    bare("504", "504 in HTML"),
    taking("redirect", Takes::Url, "302 to URL"),
    bare("204", "204 where there is content"),
    taking("slow", Takes::Duration(None), "the first byte comes DURATION late"),
    taking("drip", Takes::Duration(None), "the body comes in pieces over DURATION"),
    bare("stall", "never answered"),
    bare("stall-body", "half of the body, then nothing"),
    bare("reset", "the connection breaks before the first byte"),
    bare("cut", "the connection breaks in the middle of the body"),
    bare("truncated", "half of the JSON, sent as if it were all"),
    bare("empty", "200 without a body"),
    bare("html", "200 with HTML"),
    bare("hollow", "200 with an empty JSON object"),
    taking("huge", Takes::Size, "the answer is followed by SIZE of white space"),
    bare("gzip", "the body is compressed"),
    taking("skew", Takes::Duration(None), "the Date header is DURATION behind"),
];

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// No colon.
    #[error("{0:?} is not SCOPE:FAULT, as in contacts_query:slow=5s")]
    NoScope(String),
    /// The scope names no endpoint.
    #[error(transparent)]
    Scope(#[from] UnknownEndpoint),
    /// There is no such fault.
    #[error("there is no fault {word:?}; there are {}", words())]
    Unknown {
        /// What was written.
        word: String,
    },
    /// The value is missing, superfluous or unreadable.
    #[error("the fault {word} takes {takes}, not {given:?}")]
    Value {
        /// The fault.
        word: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What it got.
        given: String,
    },
    /// Neither a count nor a percentage.
    #[error("{0:?} is neither *COUNT nor %PERCENT (1 to 100)")]
    Times(String),
}

/// Every fault with its meaning, one a line: for a command's help.
#[must_use]
pub fn help() -> String {
    FAULTS.iter().map(|fault| format!("{:<12}{}\n", fault.word, fault.meaning)).collect()
}

fn words() -> String {
    FAULTS.iter().map(|fault| fault.word).collect::<Vec<_>>().join(", ")
}

// === impl Fault ===

impl Fault {
    fn build(word: &str, given: Value<'_>) -> Option<Self> {
        Some(match word {
            "400" => Self::BadRequest,
            "401" => Self::Unauthorized,
            "402" => Self::PaymentRequired,
            "403" => Self::Forbidden,
            "block" => Self::Blocked,
            "404" => Self::NotFound,
            "422" => Self::Unprocessable,
            "429" => Self::RateLimited(given.duration),
            "429-header" => Self::RateLimitedHeader(given.duration),
            "429-html" => Self::RateLimitedHtml,
            "500" => Self::ServerError,
            "502" => Self::Edge(502),
            "503" => Self::Edge(503),
            "504" => Self::Edge(504),
            "redirect" => Self::Redirect(given.text.to_owned()),
            "204" => Self::NoContent,
            "slow" => Self::Slow(given.duration),
            "drip" => Self::Drip(given.duration),
            "stall" => Self::Stall,
            "stall-body" => Self::StallBody,
            "reset" => Self::Reset,
            "cut" => Self::Cut,
            "truncated" => Self::Truncated,
            "empty" => Self::Empty,
            "html" => Self::Html,
            "hollow" => Self::Hollow,
            "huge" => Self::Huge(given.size),
            "gzip" => Self::Gzip,
            "skew" => Self::Skew(given.duration),
            _ => return None,
        })
    }
}

/// The text after `=`, read as what the fault takes.
#[derive(Clone, Copy, Debug, Default)]
struct Value<'a> {
    text: &'a str,
    duration: Duration,
    size: u64,
}

impl Takes {
    fn read(self, given: Option<&str>) -> Option<Value<'_>> {
        let text = given.unwrap_or_default();
        let value = Value { text, ..Value::default() };
        match self {
            Self::Nothing => given.is_none().then_some(value),
            Self::Duration(Some(duration)) if given.is_none() => Some(Value { duration, ..value }),
            Self::Duration(_) => Some(Value { duration: humantime::parse_duration(text).ok()?, ..value }),
            Self::Size => Some(Value { size: text.parse::<bytesize::ByteSize>().ok()?.as_u64(), ..value }),
            Self::Url => url::Url::parse(text).is_ok().then_some(value),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "no value",
            Self::Duration(_) => "a duration such as 5s",
            Self::Size => "a size such as 64MiB",
            Self::Url => "an absolute URL",
        }
    }
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, given) = text.split_once('=').map_or((text, None), |(word, value)| (word, Some(value)));
        let unknown = || ParseFaultError::Unknown { word: word.to_owned() };
        let described = FAULTS.iter().find(|fault| fault.word == word).ok_or_else(unknown)?;
        let value = described.takes.read(given).ok_or_else(|| ParseFaultError::Value {
            word: described.word,
            takes: described.takes.as_str(),
            given: given.unwrap_or_default().to_owned(),
        })?;
        Self::build(word, value).ok_or_else(unknown)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = |value: &Duration| humantime::format_duration(*value).to_string().replace(' ', "");
        match self {
            Self::BadRequest => f.write_str("400"),
            Self::Unauthorized => f.write_str("401"),
            Self::PaymentRequired => f.write_str("402"),
            Self::Forbidden => f.write_str("403"),
            Self::Blocked => f.write_str("block"),
            Self::NotFound => f.write_str("404"),
            Self::Unprocessable => f.write_str("422"),
            Self::RateLimited(wait) => write!(f, "429={}", duration(wait)),
            Self::RateLimitedHeader(wait) => write!(f, "429-header={}", duration(wait)),
            Self::RateLimitedHtml => f.write_str("429-html"),
            Self::ServerError => f.write_str("500"),
            Self::Edge(status) => write!(f, "{status}"),
            Self::Redirect(url) => write!(f, "redirect={url}"),
            Self::NoContent => f.write_str("204"),
            Self::Slow(time) => write!(f, "slow={}", duration(time)),
            Self::Drip(time) => write!(f, "drip={}", duration(time)),
            Self::Stall => f.write_str("stall"),
            Self::StallBody => f.write_str("stall-body"),
            Self::Reset => f.write_str("reset"),
            Self::Cut => f.write_str("cut"),
            Self::Truncated => f.write_str("truncated"),
            Self::Empty => f.write_str("empty"),
            Self::Html => f.write_str("html"),
            Self::Hollow => f.write_str("hollow"),
            Self::Huge(bytes) => write!(f, "huge={bytes}B"),
            Self::Gzip => f.write_str("gzip"),
            Self::Skew(behind) => write!(f, "skew={}", duration(behind)),
        }
    }
}

// === impl FaultRule ===

impl FromStr for FaultRule {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scope, rest) = text.split_once(':').ok_or_else(|| ParseFaultError::NoScope(text.to_owned()))?;
        let (endpoints, query) = scope.split_once('?').map_or((scope, None), |(names, query)| (names, Some(query)));
        let endpoints = match endpoints {
            "all" => Vec::new(),
            names => names.split(',').map(str::parse::<Endpoint>).collect::<Result<_, _>>()?,
        };
        let (fault, times) = Times::split_off(rest)?;
        Ok(Self { scope: Scope { endpoints, query: query.map(str::to_owned) }, fault: fault.parse()?, times })
    }
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.scope.endpoints.iter().map(|endpoint| endpoint.as_str()).collect();
        f.write_str(if names.is_empty() { "all" } else { "" })?;
        f.write_str(&names.join(","))?;
        self.scope.query.iter().try_for_each(|query| write!(f, "?{query}"))?;
        write!(f, ":{}", self.fault)?;
        match self.times {
            Times::Always => Ok(()),
            Times::Count(count) => write!(f, "*{count}"),
            Times::Percent(percent) => write!(f, "%{percent}"),
        }
    }
}

impl Times {
    /// Reads what follows the last `*` or `%` outside of a URL.
    fn split_off(text: &str) -> Result<(&str, Self), ParseFaultError> {
        let Some(place) = text.rfind(['*', '%']).filter(|_| !text.starts_with("redirect=")) else {
            return Ok((text, Self::Always));
        };
        let (fault, suffix) = text.split_at(place);
        let number = suffix[1..].parse::<u32>().ok().filter(|&number| number > 0);
        let percent = number.and_then(|number| u8::try_from(number).ok()).filter(|&percent| percent <= 100);
        let times = if suffix.starts_with('*') { number.map(Self::Count) } else { percent.map(Self::Percent) };
        Ok((fault, times.ok_or_else(|| ParseFaultError::Times(suffix.to_owned()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_that_is_described_can_be_written_and_read_back() {
        for described in FAULTS {
            let value = match described.takes {
                Takes::Nothing => "",
                Takes::Duration(_) => "=1m30s",
                Takes::Size => "=5B",
                Takes::Url => "=https://elsewhere.example/a*b%20",
            };
            let text = format!("leads,account?415:{}{value}", described.word);
            let rule: FaultRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
    }

    #[test]
    fn how_often_is_read_from_the_end() {
        let times = |text: &str| text.parse::<FaultRule>().map(|rule| rule.times);
        assert_eq!(times("all:500"), Ok(Times::Always));
        assert_eq!(times("all:500*3"), Ok(Times::Count(3)));
        assert_eq!(times("all:slow=5s%10"), Ok(Times::Percent(10)));
        for wrong in ["all:500*0", "all:500%101", "all:500*x"] {
            assert!(matches!(times(wrong), Err(ParseFaultError::Times(_))), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        for (text, reason) in [
            ("slow=5s", r#""slow=5s" is not SCOPE:FAULT, as in contacts_query:slow=5s"#),
            ("leads:slow", r#"the fault slow takes a duration such as 5s, not """#),
            ("leads:slow=5", r#"the fault slow takes a duration such as 5s, not "5""#),
            ("leads:500=2", r#"the fault 500 takes no value, not "2""#),
            ("leads:redirect=there", r#"the fault redirect takes an absolute URL, not "there""#),
        ] {
            assert_eq!(text.parse::<FaultRule>().unwrap_err().to_string(), reason);
        }
        assert!(matches!("lead:500".parse::<FaultRule>(), Err(ParseFaultError::Scope(_))));
        assert!(matches!("leads:boom".parse::<FaultRule>(), Err(ParseFaultError::Unknown { .. })));
    }
}
