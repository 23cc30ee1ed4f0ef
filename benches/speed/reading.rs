//! What reading a number costs: texts of every region of the world in turn, as people and phone systems write them.

#![expect(clippy::disallowed_types, reason = "the machine's clock")]

use std::io::Read;
use std::time::{Duration, Instant};

use callcard::phone::{self, CallerReader, Region};

/// Numbers of every region, and how they are written (`scripts/phone-corpus`).
const CORPUS: &[u8] = include_bytes!("../../tests/corpus/phones.tsv.gz");
/// Texts that come again and again; fewer than are remembered.
const COMMON: usize = 1_000;
const REMEMBERED: u64 = 10_000;

/// Reads `calls` texts anew, each timed; then as many that are remembered, timed a thousand at once. `resident` tells the bytes of this
/// process; `bytes` is what compiling every plan's patterns has added.
pub(crate) fn run(calls: usize, resident: impl Fn() -> u64) -> String {
    let texts = texts();
    let reader = CallerReader::new(0);
    reader.read(&texts[0].1, texts[0].0).unwrap();
    let before = resident();
    phone::warm();
    let bytes = resident().saturating_sub(before);

    let read = |(region, text): &(Region, String)| {
        let began = Instant::now();
        std::hint::black_box(reader.read(text, *region).is_ok());
        began.elapsed()
    };
    let mut anew: Vec<Duration> = texts.iter().cycle().take(calls).map(read).collect();
    anew.sort_unstable();

    let reader = CallerReader::new(REMEMBERED);
    let common: Vec<_> = texts.iter().take(COMMON).collect();
    let read_all = || {
        let began = Instant::now();
        for (region, text) in &common {
            std::hint::black_box(reader.read(text, *region).is_ok());
        }
        began.elapsed() / u32::try_from(COMMON).unwrap()
    };
    let mut again: Vec<Duration> = (0..=calls / COMMON).map(|_| read_all()).skip(1).collect();
    again.sort_unstable();

    let us = |took: Duration| took.as_secs_f64() * 1e6;
    let (middle, late) = (us(anew[calls / 2]), us(anew[calls * 99 / 100]));
    format!(
        r#"{{"us": {middle:.3}, "p99_us": {late:.3}, "memo_us": {:.3}, "bytes": {bytes}}}"#,
        us(again[again.len() / 2])
    )
}

/// Each number as written at home and abroad, in an order in which no region comes twice in a row for long.
fn texts() -> Vec<(Region, String)> {
    let mut corpus = String::new();
    flate2::read::GzDecoder::new(CORPUS).read_to_string(&mut corpus).unwrap();
    let numbers =
        corpus.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|fields| fields[0] == "number");
    let mut texts: Vec<_> = numbers
        .filter_map(|fields| Some((fields[1].parse::<Region>().ok()?, [fields[3].to_owned(), fields[4].to_owned()])))
        .flat_map(|(region, [home, abroad])| [(region, home), (region, abroad)])
        .collect();
    fastrand::Rng::with_seed(8).shuffle(&mut texts);
    texts
}
