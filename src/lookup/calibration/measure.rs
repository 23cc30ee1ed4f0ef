//! One measurement: a few contacts, a few searches for numbers whose stored form is known, and what follows from what came back.
//!
//! It costs calls of the background class: one to four pages of contacts, one or two searches for each of three numbers, and one or two
//! more to tell `last7` from `digits`. Five are usual, twelve the most unless a search fills more than one page.

use std::fmt;
use std::time::Duration;

use super::sample::{self, Sample};
use crate::crm::{Ask, CrmClient, CrmError, SearchText, Specimen};
use crate::outcome::SearchVerdict;
use crate::phone::Region;

/// Pages of contacts to look for formatted numbers in.
const PAGES: usize = 4;
/// Numbers to ask for.
const SAMPLES: usize = 3;
/// Numbers that must agree.
const LEAST: usize = 2;
/// One call waits so long for its turn and its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a measurement brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// How the search works.
    pub verdict: SearchVerdict,
    /// Why that is the verdict.
    pub reason: Reason,
    /// Numbers that spoke for it.
    pub numbers: usize,
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The operator said so.
    Set,
    /// The numbers asked for agree.
    Agreement,
    /// The contacts seen have too few numbers with formatting: anything else proves nothing.
    NothingToAsk,
    /// The search did not show contacts that the list has: its index lags, or it works in a way of its own.
    NotShown,
    /// Some numbers were found by their digits and others only as typed.
    Contradiction,
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Set => f.write_str("as set"),
            Reason::Agreement => write!(f, "{} stored numbers say so", self.numbers),
            Reason::NothingToAsk => f.write_str("too few contacts have a number with formatting; every form is tried"),
            Reason::NotShown => f.write_str("the search does not show what the list has; every form is tried"),
            Reason::Contradiction => f.write_str("stored numbers contradict each other; every form is tried"),
        }
    }
}

/// What the search did with one number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    ByDigits,
    AsTyped,
    Not,
}

pub(super) async fn measure(client: &CrmClient, region: Region) -> Result<Measurement, CrmError> {
    let samples = samples(client, region).await?;
    let (mut by_digits, mut as_typed) = (Vec::new(), 0);
    for sample in &samples {
        match found(client, sample).await? {
            Found::ByDigits => by_digits.push(sample),
            Found::AsTyped => as_typed += 1,
            Found::Not => {}
        }
    }
    Ok(match (by_digits.len(), as_typed) {
        _ if samples.len() < LEAST => unproven(Reason::NothingToAsk),
        (1.., 1..) => unproven(Reason::Contradiction),
        // Believing this wrongly would cost answers, so not even one number may have been missed.
        (numbers, 0) if numbers >= LEAST && numbers == samples.len() => {
            let is_tail = are_found_by_tail(client, &by_digits).await?;
            let verdict = if is_tail { SearchVerdict::Last7 } else { SearchVerdict::Digits };
            Measurement { verdict, reason: Reason::Agreement, numbers }
        }
        (0, numbers) if numbers >= LEAST => {
            Measurement { verdict: SearchVerdict::Raw, reason: Reason::Agreement, numbers }
        }
        _ => unproven(Reason::NotShown),
    })
}

const fn unproven(reason: Reason) -> Measurement {
    Measurement { verdict: SearchVerdict::Unproven, reason, numbers: 0 }
}

/// Numbers to ask for; further pages are looked at only while there are too few.
async fn samples(client: &CrmClient, region: Region) -> Result<Vec<Sample>, CrmError> {
    let mut seen: Vec<Specimen> = Vec::new();
    for page in 1..=PAGES {
        let (specimens, more) = client.specimens(page, Ask::background(PATIENCE)).await?;
        seen.extend(specimens);
        let samples = sample::choose(&seen, region, SAMPLES);
        if samples.len() >= LEAST || !more {
            return Ok(samples);
        }
    }
    Ok(sample::choose(&seen, region, SAMPLES))
}

async fn found(client: &CrmClient, sample: &Sample) -> Result<Found, CrmError> {
    match finds(client, &sample.national, sample).await? {
        Some(true) => return Ok(Found::ByDigits),
        Some(false) => {}
        None => return Ok(Found::Not),
    }
    let as_typed = finds(client, &sample.typed, sample).await?;
    Ok(if as_typed == Some(true) { Found::AsTyped } else { Found::Not })
}

/// Asks for other numbers with the same last seven digits: where digits have to stand in the stored ones, they find nobody.
async fn are_found_by_tail(client: &CrmClient, samples: &[&Sample]) -> Result<bool, CrmError> {
    let (mut asked, mut found) = (0, 0);
    for sample in samples {
        let Some(stranger) = &sample.stranger else { continue };
        asked += 1;
        match finds(client, stranger, sample).await? {
            Some(true) => found += 1,
            Some(false) | None => return Ok(false),
        }
        if found == LEAST {
            break;
        }
    }
    Ok(asked > 0 && found == asked)
}

/// Whether a search brings the sample's contact; nothing if it did not, but not everything was seen.
async fn finds(client: &CrmClient, text: &str, sample: &Sample) -> Result<Option<bool>, CrmError> {
    let Ok(text) = SearchText::new(text) else { return Ok(None) };
    let page = client.search(&text, Ask::background(PATIENCE)).await?;
    let is_there = page.contacts.iter().any(|contact| contact.id == sample.id);
    Ok((is_there || page.complete).then_some(is_there))
}
