//! The promises, held against one answer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use callcard::phone::E164;
use callcard::sandbox::{Contact, Sandbox};
use serde_json::Value;

use super::caller::{Event, Reply};
use super::people::{Call, Form, Truth};
use super::stand::{DEADLINE, SOFT_DEADLINE};

/// What an answer may be late by: the way through two sockets on a busy machine.
const GRACE: Duration = Duration::from_millis(100);
/// Why a lookup may fail.
const REASONS: [&str; 4] = ["upstream-failed", "upstream-unavailable", "overloaded", "upstream-timeout"];

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// A card belongs to the number that was asked about, and shows what the CRM holds.
    RightCard,
    /// "Not found" is said of numbers only that nobody has.
    NotFoundIsTrue,
    /// A caller once known is known, by the soft deadline, whatever the CRM does.
    KnownStaysKnown,
    /// There is an answer by the deadline.
    InTime,
    /// Text is always 200 and one line; a failure is typed and says when to come back.
    Form,
    /// Every call is answered.
    Answered,
    /// No second sees more calls to the CRM than the quota and one.
    Quota,
    /// The CRM's trouble makes the service neither unready …
    Ready,
    /// … nor does it last longer than the CRM's.
    Recovery,
    /// While the CRM is well, most callers get an answer, although more numbers call than the quota can fetch at once.
    Useful,
    /// Memory does not grow.
    Memory,
    /// At rest the process has what it had after its start: descriptors, threads, nothing in flight.
    Leak,
    /// SIGTERM loses no request, and the process ends in time and well.
    Ending,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Hit,
    /// Fetched for this caller.
    Filled,
    /// Fetched for another one who asked at the same time.
    Joined,
    Stale,
    Refused,
}

/// What is to be counted of one answer.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) state: Option<State>,
    /// How long after the deadline it came.
    pub(crate) late: Duration,
    /// How long after the soft deadline a once-known caller's card came.
    pub(crate) known_late: Duration,
    pub(crate) broken: Vec<(Promise, String)>,
}

impl Verdict {
    fn broke(&mut self, promise: Promise, how: impl Into<String>) {
        self.broken.push((promise, how.into()));
    }
}

/// What an answer says about the number.
enum Said {
    Found,
    Nobody,
    /// Nothing: a failure.
    Failure,
}

/// Judges.
#[derive(Debug)]
pub(crate) struct Judge {
    truth: Truth,
    /// Numbers whose card was given and stored.
    known: Mutex<HashSet<E164>>,
}

impl Judge {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self { truth: Truth::of(sandbox), known: Mutex::default() }
    }

    pub(crate) const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Whether the service has given the caller's card before.
    pub(crate) fn has_been_known(&self, call: &Call) -> bool {
        self.known.lock().expect("nobody panics with it").contains(&call.phone)
    }

    /// Holds an answer against every promise; `known` is [`Self::has_been_known`] at the time of the call.
    pub(crate) fn judge(&self, call: &Call, known: bool, event: &Event, stalled: Duration) -> Verdict {
        let mut verdict = Verdict::default();
        let reply = match event {
            Event::Answered(reply) => reply,
            Event::Lost(error) => {
                verdict.broke(Promise::Answered, error.as_str());
                return verdict;
            }
            Event::Left => return verdict,
        };
        verdict.state = Some(state(&reply.cache_status));
        let said = self.check_content(call, reply, &mut verdict);
        check_time(call, reply, known, stalled, &mut verdict);
        match said {
            Some(Said::Found) if !reply.cache_status.contains("partial") => {
                self.known.lock().expect("nobody panics with it").insert(call.phone);
            }
            Some(Said::Nobody | Said::Failure) if known => {
                verdict.broke(Promise::KnownStaysKnown, format!("{} {}", reply.status, reply.cache_status));
            }
            _ => {}
        }
        verdict
    }

    /// What the answer says, if it is in order.
    fn check_content(&self, call: &Call, reply: &Reply, verdict: &mut Verdict) -> Option<Said> {
        let said = match call.form {
            Form::Text => said_in_text(reply),
            Form::Json => said_in_json(reply),
            Form::Html => said_in_html(reply),
        };
        let said = said.map_err(|how| verdict.broke(Promise::Form, format!("{}: {how}", call.form.as_str()))).ok()?;
        let owners = self.truth.owners(call.phone);
        match (&said, owners) {
            (Said::Nobody, Some(owners)) if call.form != Form::Text || owners.values().any(has_name) => {
                verdict.broke(Promise::NotFoundIsTrue, format!("{} {}", reply.status, reply.cache_status));
            }
            (Said::Found, None) => verdict.broke(Promise::RightCard, "a card for a number that nobody has"),
            (Said::Found, Some(owners)) => {
                let right = match call.form {
                    Form::Text => owners.values().any(|owner| is_named(owner, &reply.body)),
                    Form::Json => is_right_json(&reply.body, call.phone, owners),
                    Form::Html => is_right_page(&reply.body, owners),
                };
                if !right {
                    verdict.broke(Promise::RightCard, format!("{} with another's card", call.form.as_str()));
                }
            }
            _ => {}
        }
        Some(said)
    }
}

fn check_time(call: &Call, reply: &Reply, known: bool, stalled: Duration, verdict: &mut Verdict) {
    let deadline = call.deadline.unwrap_or(DEADLINE);
    verdict.late = reply.took.saturating_sub(deadline);
    if verdict.late > GRACE + stalled {
        let how = format!("{:?} for a deadline of {deadline:?}, {stalled:?} of it stalled", reply.took);
        verdict.broke(Promise::InTime, how);
    }
    if known {
        verdict.known_late = reply.took.saturating_sub(SOFT_DEADLINE.min(deadline));
        if verdict.known_late > GRACE + stalled {
            let how = format!("{:?}, {stalled:?} of it stalled; {}", reply.took, reply.cache_status);
            verdict.broke(Promise::KnownStaysKnown, how);
        }
    }
}

/// How the answer came about, by its `Cache-Status`.
fn state(cache_status: &str) -> State {
    match cache_status {
        _ if failure(cache_status).is_some() => State::Refused,
        _ if cache_status.contains("collapsed") => State::Joined,
        _ if cache_status.contains("fwd=") => State::Filled,
        _ if cache_status.contains("detail=") => State::Stale,
        _ => State::Hit,
    }
}

/// The reason of a failure, which stands in `Cache-Status` whatever the form of the body.
fn failure(cache_status: &str) -> Option<&str> {
    let detail = cache_status.split_once("detail=")?.1.trim_matches('"');
    REASONS.into_iter().find(|reason| *reason == detail)
}

fn said_in_text(reply: &Reply) -> Result<Said, String> {
    let Reply { status, content_type, body, .. } = reply;
    if *status != 200 || content_type != "text/plain; charset=utf-8" || body.contains(['\n', '\r']) {
        return Err(format!("{status} {content_type}"));
    }
    Ok(match (body.is_empty(), failure(&reply.cache_status)) {
        (false, _) => Said::Found,
        (true, Some(_)) => Said::Failure,
        (true, None) => Said::Nobody,
    })
}

fn said_in_json(reply: &Reply) -> Result<Said, String> {
    let json: Value = serde_json::from_str(&reply.body).map_err(|error| error.to_string())?;
    match (reply.status, json["found"].as_bool(), json["reason"].as_str(), json["code"].as_str()) {
        (200, Some(true), ..) => Ok(Said::Found),
        (404, Some(false), Some("not_found"), _) => Ok(Said::Nobody),
        (502..=504, None, _, Some(code)) if is_typed(reply, code) => Ok(Said::Failure),
        (status, ..) => Err(format!("{status} {}: {}", reply.content_type, json["code"])),
    }
}

fn is_typed(reply: &Reply, code: &str) -> bool {
    let says_when = (reply.status == 503) == reply.retry_after.is_some_and(|seconds| seconds > 0);
    reply.content_type == "application/problem+json" && says_when && failure(&reply.cache_status) == Some(code)
}

fn said_in_html(reply: &Reply) -> Result<Said, String> {
    let is_page = reply.content_type == "text/html; charset=utf-8" && reply.body.contains("<html");
    match (reply.status, is_page, failure(&reply.cache_status)) {
        (200, true, None) if reply.body.contains("/contacts/detail/") => Ok(Said::Found),
        (200, true, None) => Ok(Said::Nobody),
        (502..=504, true, Some(_)) => Ok(Said::Failure),
        (status, ..) => Err(format!("{status} {} {}", reply.content_type, reply.cache_status)),
    }
}

/// The contact, its name, its leads, the number, and nobody's but the owners' contacts beside it.
fn is_right_json(body: &str, phone: E164, owners: &BTreeMap<u64, Contact>) -> bool {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(owner) = json["contact"]["id"].as_u64().and_then(|id| owners.get(&id)) else {
        return false;
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let leads = items(&json["leads"]);
    json["phone"]["e164"] == phone.to_string()
        && json["contact"]["name"].as_str() == Some(owner.name.trim())
        && json["matches"]["kind"] == "exact"
        && leads.iter().all(|lead| lead["id"].as_u64().is_some_and(|id| owner.leads.contains(&id)))
        && items(&json["matches"]["others"]).iter().all(|other| other["id"].as_u64() != Some(owner.id))
}

/// The first contact a page links to is the one it shows.
fn is_right_page(body: &str, owners: &BTreeMap<u64, Contact>) -> bool {
    let links = body.split("/contacts/detail/").skip(1);
    let mut ids = links.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse::<u64>());
    ids.next().is_some_and(|id| id.is_ok_and(|id| owners.contains_key(&id)))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn has_name(contact: &Contact) -> bool {
    contact.name.chars().any(char::is_alphabetic)
}

/// Whether the line is the contact's name; what a switch cannot bear is missing in it, and it may be cut.
fn is_named(contact: &Contact, line: &str) -> bool {
    let line = letters(line);
    !line.is_empty() && letters(&contact.name).starts_with(&line)
}
