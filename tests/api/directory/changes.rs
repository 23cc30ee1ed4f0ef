//! People edit while everything is read, and afterwards: in the end the mirror holds what the CRM holds, all of it.

use std::time::Duration;

use callcard::sandbox::Sandbox;
use callcard::sandbox::fixtures::office;
use tokio::time::sleep;

use super::{Mirrored, assert_same};

/// Somebody who changes things at random.
struct Editor {
    sandbox: Sandbox,
    rng: fastrand::Rng,
    done: usize,
}

impl Editor {
    fn new(sandbox: &Sandbox, seed: u64) -> Self {
        Self { sandbox: sandbox.clone(), rng: fastrand::Rng::with_seed(seed), done: 0 }
    }

    fn contact(&mut self) -> u64 {
        let all: Vec<u64> =
            self.sandbox.truth().filter(|contact| !contact.is_deleted).map(|contact| contact.id).collect();
        all[self.rng.usize(..all.len())]
    }

    fn number(&mut self) -> String {
        format!("+1 (917) 555-{:04}", self.rng.u32(..10_000))
    }

    /// One change; what cannot be done at the moment is left.
    fn change(&mut self) {
        let id = self.contact();
        let sandbox = self.sandbox.clone();
        let lead = sandbox.contact(id).and_then(|contact| contact.leads.first().copied());
        let number = self.number();
        self.done += 1;
        match (self.rng.u8(..12), lead) {
            (0, _) => drop(sandbox.add_contact("Newly Made", &[&number])),
            (1, _) => sandbox.update_contact(id, |contact| contact.name = format!("Edited {number}")).unwrap(),
            (2 | 3, _) => sandbox.set_phones(id, &[&number]).unwrap(),
            (4 | 5, _) => sandbox.delete_contact(id).unwrap(),
            (6, _) => {
                let loser = self.contact();
                let _ = sandbox.merge(id, loser);
            }
            (7, _) => drop(sandbox.add_lead(id, "A new deal", 50).unwrap()),
            (8, Some(lead)) => drop(sandbox.move_lead(lead, office::SALES, office::OFFER_SENT)),
            (9, Some(lead)) => drop(sandbox.delete_lead(lead)),
            (10, Some(lead)) => drop(sandbox.update_lead(lead, |lead| lead.price += 1)),
            (11, _) => {
                // A number goes from one person to another.
                let other = self.contact();
                let phones = sandbox.contact(id).unwrap().phones();
                sandbox.set_phones(other, &phones.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
                if id != other {
                    sandbox.set_phones(id, &[]).unwrap();
                }
            }
            _ => self.done -= 1,
        }
    }

    /// The lowest contacts vanish: what moves all pages of a list.
    fn delete_lowest(&mut self, count: usize) {
        let lowest: Vec<u64> =
            self.sandbox.truth().filter(|contact| !contact.is_deleted).map(|contact| contact.id).take(count).collect();
        lowest.into_iter().for_each(|id| self.sandbox.delete_contact(id).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_changed_while_everything_is_read_and_afterwards_arrives() {
    for seed in 0..2 {
        let mirrored = Mirrored::running(|options| options.sandbox.contacts = 700);
        let mut editor = Editor::new(mirrored.sandbox(), seed);
        while !mirrored.directory().status().unwrap().complete {
            sleep(Duration::from_millis(400)).await;
            editor.change();
            editor.change();
            if editor.done.is_multiple_of(5) {
                editor.delete_lowest(3);
            }
        }
        for _ in 0..30 {
            sleep(Duration::from_secs(3)).await;
            editor.change();
        }
        sleep(Duration::from_secs(60)).await;
        assert_same(mirrored.directory(), mirrored.sandbox());
        assert!(mirrored.sandbox().worst_second() <= 3, "{}", mirrored.sandbox().worst_second());
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_that_is_renamed_and_a_contact_that_comes_back_are_seen() {
    let mirrored = Mirrored::current(|options| options.sandbox.contacts = 400).await;
    let sandbox = mirrored.sandbox();
    sandbox.update_company(office::ACME, |company| company.name = "Acme & Daughters".to_owned()).unwrap();
    sandbox.delete_contact(7).unwrap();
    sleep(Duration::from_secs(60)).await;
    sandbox.restore_contact(7).unwrap();
    sleep(Duration::from_secs(400)).await;
    assert_same(mirrored.directory(), sandbox);
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_changes_in_one_second_are_read_to_the_last_and_not_again_and_again() {
    let mirrored = Mirrored::current(|options| options.sandbox.contacts = 800).await;
    let sandbox = mirrored.sandbox();
    let all: Vec<u64> = sandbox.truth().filter(|contact| !contact.is_deleted).map(|contact| contact.id).collect();
    for id in &all {
        sandbox.update_contact(*id, |contact| contact.name.push('!')).unwrap();
    }
    sleep(Duration::from_secs(300)).await;
    assert_same(mirrored.directory(), sandbox);
    sandbox.reset_calls();
    sleep(Duration::from_secs(60)).await;
    assert!(sandbox.count_all() <= 4 * 4, "{} calls a minute when nothing happens", sandbox.count_all());
}
