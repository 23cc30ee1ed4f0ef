//! The table of flights under every schedule of threads: shuttle runs callers, an editor and late fills in thousands of orders.

use callcard::cache::{Epoch, Place, Table};
use callcard::contact::{ContactId, PartyId};
use callcard::phone::E164;
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread;
use std::time::Duration;
use tokio::time::Instant;

use crate::harness::world::phone;

const CONTACT: PartyId = PartyId::Contact(ContactId(7));

/// What the cache keeps under its lock, reduced to one number: the table and the version stored.
struct Shared {
    table: Table<Arc<Flight>>,
    stored: Option<u32>,
    fills: u32,
}

/// A fill that callers can wait for.
#[derive(Default)]
struct Flight {
    landed: Mutex<Option<u32>>,
    bell: Condvar,
}

struct Model {
    shared: Mutex<Shared>,
    truth: Mutex<u32>,
}

impl Model {
    fn new() -> Self {
        let table = Table::new(Duration::from_secs(16), 100);
        Self { shared: Mutex::new(Shared { table, stored: None, fills: 0 }), truth: Mutex::new(1) }
    }

    /// A lookup: the stored version, or that of the fill it waited for.
    fn ask(&self) -> u32 {
        loop {
            let (flight, place) = {
                let mut shared = self.shared.lock().unwrap();
                if let Some(version) = shared.stored {
                    return version;
                }
                shared.table.join_or_begin(phone(1), Arc::default)
            };
            if place.leads {
                self.fill(&flight, place);
            }
            let mut landed = flight.landed.lock().unwrap();
            while landed.is_none() {
                landed = flight.bell.wait(landed).unwrap();
            }
            let version = landed.expect("waited for");
            drop(landed);
            if !self.shared.lock().unwrap().table.overtook(&[CONTACT], place) {
                return version;
            }
        }
    }

    fn fill(&self, flight: &Flight, place: Place) {
        let version = *self.truth.lock().unwrap();
        thread::yield_now();
        self.land(phone(1), place.started, version);
        *flight.landed.lock().unwrap() = Some(version);
        flight.bell.notify_all();
    }

    fn land(&self, key: E164, started: Epoch, version: u32) {
        let mut shared = self.shared.lock().unwrap();
        shared.fills += 1;
        shared.table.leave(key, started);
        if shared.table.may_store(key, &[CONTACT], started) {
            shared.stored = Some(version);
        }
    }

    /// An edit that the cache is told of, by the number or by the contact.
    fn edit(&self, at: Instant, by_contact: bool) {
        *self.truth.lock().unwrap() = 2;
        let mut shared = self.shared.lock().unwrap();
        if by_contact {
            shared.table.invalidate_contact(CONTACT, &[], at);
        } else {
            shared.table.invalidate_phone(phone(1), at);
        }
        shared.stored = None;
    }
}

/// Two callers before, during and after an edit.
fn schedule(by_contact: bool) {
    let at = Instant::now();
    let model = Arc::new(Model::new());
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let model = Arc::clone(&model);
            thread::spawn(move || model.ask())
        })
        .collect();
    let editor = {
        let model = Arc::clone(&model);
        thread::spawn(move || {
            model.edit(at, by_contact);
            model.ask()
        })
    };
    assert_eq!(editor.join().unwrap(), 2, "who asks after the edit gets the edit");
    let before: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert!(before.iter().all(|version| [1, 2].contains(version)));
    assert_eq!(model.ask(), 2, "no late fill brings the old version back");
    let shared = model.shared.lock().unwrap();
    assert!(shared.fills <= 3, "at most one fill before the edit, one overtaken by it, one after: {}", shared.fills);
    assert_eq!(shared.table.in_flight(), 0);
}

#[test]
fn an_edit_told_by_number_is_never_lost_under_any_schedule() {
    shuttle::check_random(|| schedule(false), 5_000);
    shuttle::check_pct(|| schedule(false), 2_000, 3);
}

#[test]
fn an_edit_told_by_contact_is_never_lost_under_any_schedule() {
    shuttle::check_random(|| schedule(true), 5_000);
    shuttle::check_pct(|| schedule(true), 2_000, 3);
}
