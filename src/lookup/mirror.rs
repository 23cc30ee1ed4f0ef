//! Answers from the mirror of the contact base, where there is one.
//!
//! The mirror is asked first, because it has seen every edit that a cached card may be too old for. What it says is final while it is
//! current; a card that is not is kept, in case the ordinary way brings nothing better.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::enrich::Enricher;
use super::hints::{Change, News, Subject};
use super::{Answer, Finding, Found, Freshness, LookupService};
use crate::cache::Reach;
use crate::card::Card;
use crate::directory::{Changes, Directory, Fate, Knowledge, Watcher};
use crate::matching;
use crate::outcome::CacheStatus;
use crate::phone::Number;

/// The mirror, and what makes cards of its records.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) directory: Directory,
    pub(super) enricher: Enricher,
    /// Companies may own numbers too, and they are not mirrored: that no contact has a number is not the answer then.
    pub(super) companies: bool,
}

/// What the mirror says of a number.
#[derive(Debug)]
pub(super) enum Says {
    /// This is the answer.
    Answer(Answer),
    /// This is better than none.
    Fallback(Answer),
    /// Nothing.
    Nothing,
}

impl Mirror {
    pub(super) fn ask(&self, number: &Number, max_age: Option<Duration>) -> Says {
        let Some(known) = self.directory.find(number, max_age) else { return Says::Nothing };
        if known.owners.is_empty() && self.companies {
            return Says::Nothing;
        }
        let is_current = known.is_current;
        let answer = self.answer(number, known);
        if is_current { Says::Answer(answer) } else { Says::Fallback(answer) }
    }

    fn answer(&self, number: &Number, known: Knowledge) -> Answer {
        let freshness = Freshness {
            age: known.age,
            ttl: known.ttl,
            ..match known.is_current {
                true => Freshness::without_entry(CacheStatus::Directory, None),
                false => Freshness {
                    detail: Some(CacheStatus::Directory.as_str()),
                    ..Freshness::without_entry(CacheStatus::Stale, None)
                },
            }
        };
        let cards = known.owners.into_iter().map(|owner| Arc::new(self.enricher.recorded(owner, &known.names)));
        let mut cards = matching::best_first(cards.collect(), number).into_iter();
        let finding = match cards.next() {
            None => Finding::NotFound(number.clone()),
            Some(best) => found(number, best, cards.collect()),
        };
        Answer { finding, freshness }
    }
}

fn found(number: &Number, best: Arc<Card>, others: Vec<Arc<Card>>) -> Finding {
    let ownership = matching::ownership(&best.numbers, number).expect("the mirror gives only owners");
    Finding::Found(Found { number: number.clone(), best, others, kind: ownership.kind, elements: None })
}

/// Passes hints on to the mirror, until there can be no more.
pub(super) async fn listen(mut hints: Receiver<News>, directory: Directory) {
    loop {
        match hints.recv().await {
            Ok(News::Heard(hint, _)) => match (hint.subject, hint.change) {
                (Subject::Contact(id), Change::Changed) => directory.hint(&[id], &[]),
                (Subject::Contact(id), Change::Deleted) => {
                    directory.drop_contacts(&[id]);
                }
                (Subject::Lead(id), _) => directory.hint(&[], &[id]),
                // Names are looked at every few minutes anyway.
                (Subject::Company(_), _) => {}
            },
            Ok(News::Missed) | Err(RecvError::Lagged(_)) => directory.expire(),
            Err(RecvError::Closed) => return,
        }
    }
}

/// What the feed has seen change is no longer said from the cache.
impl Watcher for LookupService {
    fn changed(&self, changes: &Changes) {
        for (id, fate) in &changes.contacts {
            let reach = match fate {
                Fate::Gone => Reach::Remove,
                Fate::Changed => Reach::Expire,
            };
            self.cache.invalidate_contact(*id, reach);
        }
        for number in &changes.numbers {
            self.cache.invalidate_phone(*number, Reach::Expire);
            for equal in number.equivalents() {
                self.cache.invalidate_phone(equal, Reach::Expire);
            }
        }
    }

    fn all_changed(&self) {
        self.cache.expire_all();
    }
}
