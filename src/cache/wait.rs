//! The slow way: no answer is at hand, so the caller waits for a fill, its own or somebody else's.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::fill;
use super::source::{FillError, Filled, Progress};
use super::{Ask, Forwarded, Freshness, Inner, Place, Served, Unserved};
use crate::card::Card;
use crate::matching;
use crate::outcome::CacheStatus;
use crate::phone::Number;
use crate::traces::{Link, Step};

/// How often a caller may find that the fill it waited for does not count for it before it gives up. Each time costs a fill at most.
const ATTEMPTS: usize = 3;

/// Where callers wait for a fill.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    progress: watch::Receiver<Progress>,
    fill: Link,
}

/// What a caller finds on entering.
enum Entered {
    /// The answer has arrived since it last looked.
    Answered(Served),
    /// The last fill failed a moment ago.
    Failing(Unserved),
    /// A place at a fill.
    Seated(Seat),
}

/// A caller's place at a fill, and how it came there.
struct Seat {
    progress: watch::Receiver<Progress>,
    place: Place,
    /// Something usable was there when the caller came.
    had_stale: bool,
    /// What an answer from this fill says of itself.
    told: Freshness,
}

/// What a caller saw of its fill.
enum Seen {
    Landed(Result<Arc<Filled>, FillError>),
    /// The time was up; what had been verified until then.
    TimeUp(Option<Arc<[Arc<Card>]>>),
}

/// Waits for the fill of `asked`.
pub(super) async fn for_fill(inner: &Arc<Inner>, asked: &Number, ask: &Ask) -> Result<Served, Unserved> {
    let mut last = Err(Unserved::Fill(FillError::Overtaken, without_entry(CacheStatus::Miss, false)));
    for _ in 0..ATTEMPTS {
        let seat = match enter(inner, asked, ask) {
            Entered::Answered(served) => return Ok(served),
            Entered::Failing(unserved) => return Err(unserved),
            Entered::Seated(seat) => seat,
        };
        match sit(inner, asked, ask, seat).await {
            Outcome::Final(result) => return result,
            Outcome::Again(result) => last = result,
        }
    }
    last
}

/// Looks once more, now in order with every fill that lands and every invalidation, and takes a place at the fill if there is still
/// no answer.
fn enter(inner: &Arc<Inner>, asked: &Number, ask: &Ask) -> Entered {
    let now = Instant::now();
    let mut table = inner.table();
    let view = inner.view(asked, now, ask.max_age);
    let had_stale = match view {
        Some(view) if view.is_final() => return Entered::Answered(inner.give(view, now)),
        Some(_) => true,
        None => {
            if let Some(retry_after) = table.failing_for(asked.e164, now) {
                return Entered::Failing(Unserved::Failing { retry_after });
            }
            false
        }
    };
    let mut begun = None;
    let (waiting, place) = table.join_or_begin(asked.e164, || {
        let (sender, progress) = watch::channel(Progress::Running);
        let step = Step::begin("fill");
        let waiting = Waiting { progress, fill: step.link() };
        begun = Some((sender, step));
        waiting
    });
    match begun {
        Some(begun) => fill::start(inner, asked.e164, place.started, begun, ask.hard),
        None => waiting.fill.awaited(),
    }
    let progress = waiting.progress;
    let status = if place.leads { CacheStatus::Miss } else { CacheStatus::Coalesced };
    Entered::Seated(Seat { progress, place, had_stale, told: without_entry(status, had_stale) })
}

/// How a wait ended: for good, or so that another try may help.
enum Outcome {
    Final(Result<Served, Unserved>),
    Again(Result<Served, Unserved>),
}

/// Waits at the fill as long as the caller will, and makes of it what the caller is told.
async fn sit(inner: &Arc<Inner>, asked: &Number, ask: &Ask, mut seat: Seat) -> Outcome {
    // Also without a stale answer at first: another replica may have had one.
    if seat.had_stale || inner.second.is_some() {
        match watch_until(&mut seat.progress, ask.soft.min(ask.hard)).await {
            Seen::Landed(landed) => return landed_outcome(inner, asked, ask, &seat, landed),
            Seen::TimeUp(early) => match (stale(inner, asked, "soft-deadline"), seat.early(inner, asked, early)) {
                // "Nobody" from then is worth less than a name from now, even without its leads.
                (Some(nobody), Some(early)) if nobody.cards.is_empty() => return Outcome::Final(Ok(early)),
                (Some(stale), _) => return Outcome::Final(Ok(stale)),
                (None, _) => {} // Nothing came, or it was removed while the caller waited: it must not be given any more.
            },
        }
    }
    match watch_until(&mut seat.progress, ask.hard).await {
        Seen::Landed(landed) => landed_outcome(inner, asked, ask, &seat, landed),
        Seen::TimeUp(early) => {
            let early = seat.early(inner, asked, early);
            Outcome::Final(early.ok_or(Unserved::Deadline(seat.told)))
        }
    }
}

impl Seat {
    /// The cards verified so far as an answer, unless one of them was taken back before the caller came.
    fn early(&self, inner: &Inner, asked: &Number, cards: Option<Arc<[Arc<Card>]>>) -> Option<Served> {
        let cards = cards.filter(|cards| !inner.table().overtook(&ids(cards), self.place))?;
        let freshness = Freshness { detail: Some("partial"), ..self.told };
        Some(Served { cards: matching::best_first(cards.to_vec(), asked), freshness })
    }
}

/// What a caller is told once its fill has landed.
fn landed_outcome(
    inner: &Arc<Inner>,
    asked: &Number,
    ask: &Ask,
    seat: &Seat,
    landed: Result<Arc<Filled>, FillError>,
) -> Outcome {
    let told = seat.told;
    match landed {
        Ok(filled) if inner.table().overtook(&ids(&filled.cards), seat.place) => {
            Outcome::Again(Err(Unserved::Fill(FillError::Overtaken, told)))
        }
        Ok(filled) => {
            let age = Instant::now().saturating_duration_since(filled.fetched_at);
            let cards = matching::best_first(filled.cards.clone(), asked);
            Outcome::Final(Ok(Served { cards, freshness: Freshness { age, ttl: filled.ttl, ..told } }))
        }
        Err(error) => match stale(inner, asked, "error") {
            Some(served) => Outcome::Final(Ok(served)),
            // Somebody with less patience was refused; this caller may have more.
            None if error.is_refusal() && !seat.place.leads && Instant::now() < ask.hard => {
                Outcome::Again(Err(Unserved::Fill(error, told)))
            }
            None if error == FillError::Overtaken => Outcome::Again(Err(Unserved::Fill(error, told))),
            None => Outcome::Final(Err(Unserved::Fill(error, told))),
        },
    }
}

/// Watches a fill until it has landed or the time is up.
async fn watch_until(progress: &mut watch::Receiver<Progress>, until: Instant) -> Seen {
    let has_landed = |progress: &Progress| matches!(progress, Progress::Landed(_));
    let in_time = timeout_at(until, progress.wait_for(has_landed)).await.map(|alive| alive.is_ok());
    match (in_time, &*progress.borrow()) {
        (Ok(_), Progress::Landed(result)) => Seen::Landed(result.clone()),
        // The fill's task was dropped, as at the end of the runtime.
        (Ok(_), Progress::Running | Progress::Early(_)) => Seen::Landed(Err(FillError::Failed)),
        (Err(_), Progress::Early(cards)) => Seen::TimeUp(Some(Arc::clone(cards))),
        (Err(_), Progress::Running | Progress::Landed(_)) => Seen::TimeUp(None),
    }
}

/// The stale answer, if one is still usable.
fn stale(inner: &Inner, asked: &Number, detail: &'static str) -> Option<Served> {
    let now = Instant::now();
    let view = inner.view(asked, now, None)?;
    Some(Served { cards: view.cards, freshness: Freshness::stale(&view.entry, now, detail) })
}

const fn without_entry(status: CacheStatus, had_stale: bool) -> Freshness {
    Freshness::without_entry(status, Some(if had_stale { Forwarded::Stale } else { Forwarded::Miss }))
}

fn ids(cards: &[Arc<Card>]) -> Vec<crate::contact::PartyId> {
    cards.iter().map(|card| card.id).collect()
}
