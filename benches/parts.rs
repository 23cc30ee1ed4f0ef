//! What the parts of a lookup cost, one by one: `cargo bench --bench parts`. For looking while working on one of them; the figures that
//! are promised come from `scripts/bench`.

#![expect(clippy::unwrap_used, reason = "a program for developers")]

#[path = "speed/people.rs"]
mod people;
#[path = "speed/service.rs"]
mod service;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use callcard::card::{Card, Slot, Words};
use callcard::lookup::{Answer, Finding, Found, Freshness, Wants};
use callcard::matching::{self, MatchKind};
use callcard::outcome::CacheStatus;
use callcard::phone::{Caller, CallerReader, Number, Region};
use callcard::render::{Asked, Format, Options, render};
use divan::{Bencher, black_box};
use futures_util::FutureExt;
use http::Request;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use people::{Everybody, phone};
use service::service;

fn main() {
    callcard::phone::warm();
    divan::main();
}

/// A number as it is written in some part of the world, and where.
const WRITTEN: [(&str, &str); 8] = [
    ("US", "(415) 555-0123"),
    ("GB", "020 7946 0958"),
    ("RU", "8 (812) 123-45-67"),
    ("BR", "(11) 96123-4567"),
    ("AR", "011 15-2345-6789"),
    ("JP", "03-1234-5678"),
    ("IT", "06 1234 5678"),
    ("DE", "+49 30 12345678"),
];

fn region(letters: &str) -> Region {
    letters.parse().unwrap()
}

/// Eight numbers, read anew, or remembered.
#[divan::bench(args = [0, 100])]
fn read_eight_numbers(bencher: Bencher<'_, '_>, remembered: u64) {
    let reader = CallerReader::new(remembered);
    let texts = WRITTEN.map(|(letters, text)| (region(letters), text));
    bencher.bench(|| texts.map(|(region, text)| reader.read(black_box(text), region).is_ok()));
}

#[divan::bench]
fn read_a_canonical_number(bencher: Bencher<'_, '_>) {
    let (reader, region) = (CallerReader::new(0), region("US"));
    bencher.bench(|| reader.read(black_box("+14155550123"), region).is_ok());
}

#[divan::bench(args = [1, 10, 100])]
fn who_owns_a_number(bencher: Bencher<'_, '_>, numbers: u64) {
    let numbers: Vec<_> = (0..numbers).map(number).collect();
    let asked = number(numbers.len() as u64 - 1);
    bencher.bench(|| matching::ownership(black_box(&numbers), black_box(&asked)));
}

#[divan::bench(args = Format::ALL)]
fn render_a_card(bencher: Bencher<'_, '_>, format: &Format) {
    let (answer, asked, options) = (answer(<_>::default()), asked(), Options::new(Timestamp::UNIX_EPOCH));
    bencher.bench(|| render(*format, black_box(&answer), &asked, &options));
}

#[divan::bench]
fn render_a_hot_card(bencher: Bencher<'_, '_>) {
    let (answer, asked, options) = (answer(Slot::open()), asked(), Options::new(Timestamp::UNIX_EPOCH));
    bencher.bench(|| render(Format::Json, black_box(&answer), &asked, &options));
}

#[divan::bench]
fn write_all_forms_of_a_number(bencher: Bencher<'_, '_>) {
    let number = phone(7);
    bencher.bench(|| {
        let parts = black_box(number).parts();
        (parts.national(), parts.international(), parts.region())
    });
}

#[divan::bench]
fn pack_a_card(bencher: Bencher<'_, '_>) {
    let (card, words) = (card(<_>::default()), Words::default());
    bencher.bench(|| black_box(&card).pack(&words));
}

#[divan::bench]
fn unpack_a_card(bencher: Bencher<'_, '_>) {
    let words = Words::default();
    let bytes = card(<_>::default()).pack(&words);
    bencher.bench(|| Card::unpack(black_box(&bytes), &words));
}

/// From a request's head to a response's, without the socket: of one caller, and of the next of a thousand each time.
#[divan::bench(args = [1, 1_000])]
fn answer_a_hit(bencher: Bencher<'_, '_>, callers: u64) {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let (api, lookups) = service(Arc::new(Everybody::default()), Duration::from_secs(3_600));
    let requests: Vec<_> = (0..callers).map(|n| format!("/lookup?phone=%2B{}", phone(n).digits())).collect();
    for n in 0..callers {
        runtime.block_on(lookups.lookup(&Caller::Number(number(n)), &Wants::default())).unwrap();
    }
    let front = api.front();
    let mut next = requests.iter().cycle();
    bencher.with_inputs(|| Request::get(&**next.next().unwrap()).body(Body::empty()).unwrap()).bench_local_values(
        |request| {
            let response: Result<Response, Infallible> = front.respond(request).now_or_never().unwrap();
            response.unwrap()
        },
    );
}

fn number(n: u64) -> Number {
    Number { e164: phone(n), extension: None }
}

fn card(ready: Slot) -> Card {
    Card { ready, ..Everybody::default().card(phone(7)) }
}

fn answer(ready: Slot) -> Answer {
    let found = Found {
        number: number(7),
        best: Arc::new(card(ready)),
        kind: MatchKind::Exact,
        others: Vec::new(),
        elements: None,
    };
    Answer { finding: Finding::Found(found), freshness: Freshness::without_entry(CacheStatus::Hit, None) }
}

fn asked() -> Asked<'static> {
    Asked { input: "030 10000007".into() }
}
