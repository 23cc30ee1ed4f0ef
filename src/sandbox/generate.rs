//! Generated people: record number `n` is a pure function of the seed and `n`, so an account of a million costs nothing until it is read.
//!
//! Numbers never repeat among them and never fall on a [named case](super::fixtures). Foreign numbers are stored with their country
//! code; numbers of the account's own country also in national forms. A record says nothing of what others point at it.

use super::fixtures::office;
use super::record::{Company, Contact, Field, LOST, Lead, ORDER_NUMBER, PHONE, Tag, WON};
use country::{COUNTRIES, Country};

mod country;

/// The first generated contact's id.
pub(super) const FIRST_CONTACT: u64 = 1_000;
/// The first generated lead's id; each contact has room for [`LEADS_EACH`].
const FIRST_LEAD: u64 = 10_000_000;
const LEADS_EACH: u64 = 4;
/// The first generated company's id.
const FIRST_COMPANY: u64 = 500_000_000;
/// Enough to look real, few enough to be searched one by one.
const MOST_COMPANIES: u64 = 2_000;

/// 2023-01-01 and 2025-12-31: generated people date from in between.
const EPOCH: i64 = 1_672_531_200;
const LATEST: i64 = 1_767_139_200;

static FIRST_NAMES: [&str; 24] = [
    "Alice", "Bruno", "Carmen", "Daniel", "Elena", "Felix", "Gabriela", "Hugo", "Ingrid", "Jakub", "Katarina", "Liam",
    "Mariana", "Nikolai", "Olga", "Pedro", "Renée", "Sofia", "Tomás", "Ulrike", "Viktor", "Wanda", "Yusuf", "Zoë",
];
static LAST_NAMES: [&str; 24] = [
    "Almeida",
    "Bauer",
    "Costa",
    "Dvořák",
    "Eriksen",
    "Fischer",
    "García",
    "Horvat",
    "Ito",
    "Jensen",
    "Kowalski",
    "Lopes",
    "Müller",
    "Novak",
    "Oliveira",
    "Petrov",
    "Quiroga",
    "Rossi",
    "Schmidt",
    "Takahashi",
    "Urban",
    "Vargas",
    "Weber",
    "Young",
];
static DEAL_NAMES: [&str; 6] = ["Kitchen", "Roof repair", "Winter garden", "Heating", "Windows", ""];

/// The generated part of the account.
#[derive(Debug)]
pub(super) struct Generator {
    seed: u64,
    people: u64,
    home: usize,
}

impl Generator {
    /// `people` people, of whom many have numbers of `country` if it is one the generator knows.
    pub(super) fn new(seed: u64, people: u64, country: &str) -> Self {
        let home = COUNTRIES.iter().position(|known| known.region == country).unwrap_or(usize::MAX);
        Self { seed, people, home }
    }

    /// The ids of the generated contacts.
    pub(super) fn contact_ids(&self) -> std::ops::Range<u64> {
        FIRST_CONTACT..FIRST_CONTACT + self.people
    }

    /// The ids of the generated companies.
    pub(super) fn company_ids(&self) -> std::ops::Range<u64> {
        FIRST_COMPANY..FIRST_COMPANY + (self.people / 8).min(MOST_COMPANIES)
    }

    fn rng(&self, id: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The contact with this id as it was at first.
    pub(super) fn contact(&self, id: u64) -> Option<Contact> {
        let index = id.checked_sub(FIRST_CONTACT).filter(|&index| index < self.people)?;
        let mut rng = self.rng(id);
        let mut contact = Contact::named(id, &full_name(&mut rng));
        contact.owner = [office::OLIVIA, office::OLIVIA, office::MARCO, office::NINA, office::IGOR][rng.usize(..5)];
        contact.created_by = if rng.bool() { contact.owner } else { 0 };
        contact.created_at = self.created_at(index);
        contact.updated_at = (contact.created_at + rng.i64(0..180 * 86_400)).min(LATEST);
        self.give_numbers(&mut contact, index, &mut rng);
        decorate(&mut contact, &mut rng);
        let companies = self.company_ids();
        contact.company = (rng.u8(..5) < 2 && !companies.is_empty()).then(|| rng.u64(companies));
        contact.leads = self.leads_of(id).collect();
        Some(contact)
    }

    fn created_at(&self, index: u64) -> i64 {
        let share = u128::from(index) * u128::from((LATEST - EPOCH).unsigned_abs()) / u128::from(self.people);
        EPOCH + i64::try_from(share).expect("a share of the span is below the span")
    }

    fn give_numbers(&self, contact: &mut Contact, index: u64, rng: &mut fastrand::Rng) {
        let (home, count) = (self.home, COUNTRIES.len() as u64);
        // Half of the people live at home, the others anywhere; either way a country's serial numbers are used once.
        let at_home = index.is_multiple_of(2) && home < COUNTRIES.len();
        let which = if at_home { home } else { usize::try_from(index / 2 % count).expect("below the count") };
        let serial = if at_home { index / 2 } else { country::ABROAD + index / 2 / count };
        let country = &COUNTRIES[which];
        let mut numbers = match rng.u8(..20) {
            0 => Vec::new(),
            1..=16 => vec![country.number(serial, self.seed)],
            _ => vec![country.number(serial, self.seed), country.number(country::SECOND + serial, self.seed)],
        };
        let stored: Vec<String> = numbers.drain(..).map(|nsn| write(country, which == home, &nsn, rng)).collect();
        if !stored.is_empty() {
            let code = ["MOB", "WORK", "HOME", "WORKDD", "OTHER"][rng.usize(..5)];
            contact.fields.push(Field::multitext(&PHONE, stored.iter().map(String::as_str), code));
        }
    }

    /// The ids of the leads a generated contact starts with.
    pub(super) fn leads_of(&self, contact: u64) -> impl Iterator<Item = u64> + use<> {
        let first = FIRST_LEAD + (contact - FIRST_CONTACT) * LEADS_EACH;
        let count = [0, 0, 1, 1, 2, 3][self.rng(!contact).usize(..6)];
        first..first + count
    }

    /// The lead with this id as it was at first.
    pub(super) fn lead(&self, id: u64) -> Option<Lead> {
        let index = id.checked_sub(FIRST_LEAD)? / LEADS_EACH;
        let contact = FIRST_CONTACT + index;
        if index >= self.people || !self.leads_of(contact).any(|lead| lead == id) {
            return None;
        }
        let mut rng = self.rng(id);
        let status = [office::FIRST_CONTACT, office::NEGOTIATION, office::OFFER_SENT, WON, LOST][rng.usize(..5)];
        let created_at = self.created_at(index);
        let updated_at = (created_at + rng.i64(0..90 * 86_400)).min(LATEST);
        Some(Lead {
            id,
            name: DEAL_NAMES[rng.usize(..DEAL_NAMES.len())].to_owned(),
            price: rng.u64(1..400) * 50,
            owner: office::OLIVIA,
            pipeline: office::SALES,
            status,
            contacts: vec![contact],
            company: None,
            created_at,
            updated_at,
            closed_at: matches!(status, WON | LOST).then_some(updated_at),
            elements: Vec::new(),
            is_deleted: false,
        })
    }

    /// The company with this id as it was at first.
    pub(super) fn company(&self, id: u64) -> Option<Company> {
        if !self.company_ids().contains(&id) {
            return None;
        }
        let mut rng = self.rng(id);
        let name = format!("{} & {}", LAST_NAMES[rng.usize(..24)], LAST_NAMES[rng.usize(..24)]);
        Some(Company { id, name, owner: office::MARCO, updated_at: EPOCH, fields: Vec::new(), leads: Vec::new() })
    }
}

fn full_name(rng: &mut fastrand::Rng) -> String {
    format!("{} {}", FIRST_NAMES[rng.usize(..24)], LAST_NAMES[rng.usize(..24)])
}

/// One of the forms in which people store this number.
fn write(country: &Country, at_home: bool, nsn: &str, rng: &mut fastrand::Rng) -> String {
    let international = [country.international, country.spaced, "+"];
    match country.national {
        Some(national) if at_home && rng.bool() => country.write(national[rng.usize(..national.len())], nsn),
        _ => country.write(international[rng.usize(..3)], nsn),
    }
}

fn decorate(contact: &mut Contact, rng: &mut fastrand::Rng) {
    if rng.u8(..3) == 0 {
        let address = format!("{}.{}@example.com", contact.first_name.to_lowercase(), contact.id);
        contact.set_emails(&[&address]);
    }
    if rng.u8(..5) == 0 {
        contact.fields.push(Field::single(&ORDER_NUMBER, format!("{:08}", rng.u32(..100_000_000))));
    }
    if rng.u8(..10) == 0 {
        contact.tags.push(Tag { id: 90_820, name: "Newsletter".to_owned(), color: None });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_and_another_seed_others() {
        let (one, same, other) =
            (Generator::new(1, 500, "US"), Generator::new(1, 500, "US"), Generator::new(2, 500, "US"));
        let all = |generator: &Generator| -> Vec<_> {
            generator.contact_ids().map(|id| generator.contact(id).unwrap()).collect()
        };
        assert_eq!(all(&one), all(&same));
        assert_ne!(all(&one), all(&other));
    }

    #[test]
    fn no_two_generated_people_share_a_number() {
        let generator = Generator::new(7, 20_000, "US");
        let mut seen = HashSet::new();
        for id in generator.contact_ids() {
            for phone in generator.contact(id).unwrap().phones() {
                let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
                assert!(seen.insert(digits), "{phone}");
            }
        }
        assert!(seen.len() > 18_000);
    }

    #[test]
    fn every_lead_of_a_contact_exists_and_points_back() {
        let generator = Generator::new(7, 300, "US");
        let mut leads = 0;
        for contact in generator.contact_ids().map(|id| generator.contact(id).unwrap()) {
            for lead in contact.leads {
                assert_eq!(generator.lead(lead).unwrap().contacts, [contact.id]);
                leads += 1;
            }
        }
        assert!(leads > 200);
        assert!(generator.lead(FIRST_LEAD + 300 * LEADS_EACH).is_none());
    }
}
