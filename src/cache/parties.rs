//! The owners of a number, best first, in two words.

use std::sync::Arc;

use crate::contact::{CompanyId, ContactId, PartyId};

/// Contacts or companies, best first. Nearly always there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parties {
    One(PartyKey),
    Many(Arc<[PartyId]>),
}

/// A party in eight bytes: its id, and in the lowest bit what it is. The CRM's ids are far below 63 bits; of one that is not, the key may be
/// another's, so a card that is found by its key is its party's only if it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PartyKey(u64);

impl PartyKey {
    pub(super) const LEAST: Self = Self(0);
    pub(super) const GREATEST: Self = Self(u64::MAX);

    pub(super) const fn get(self) -> u64 {
        self.0
    }

    /// One of so many places, spread evenly also over keys that follow each other.
    pub(super) fn spread(self, places: usize) -> usize {
        let mixed = u128::from(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        usize::try_from((mixed * places as u128) >> u64::BITS).expect("less than the number of places")
    }

    pub(super) const fn party(self) -> PartyId {
        match self.0 & 1 {
            0 => PartyId::Contact(ContactId(self.0 >> 1)),
            _ => PartyId::Company(CompanyId(self.0 >> 1)),
        }
    }
}

impl From<PartyId> for PartyKey {
    fn from(id: PartyId) -> Self {
        Self(id.number() << 1 | u64::from(id.company().is_some()))
    }
}

impl Parties {
    pub(super) fn iter(&self) -> impl Iterator<Item = PartyId> + '_ {
        (0..).map_while(|at| self.at(at))
    }

    pub(super) fn contains(&self, id: PartyId) -> bool {
        self.iter().any(|party| party == id)
    }

    fn at(&self, at: usize) -> Option<PartyId> {
        match self {
            Self::One(key) => (at == 0).then(|| key.party()),
            Self::Many(parties) => parties.get(at).copied(),
        }
    }
}

impl FromIterator<PartyId> for Parties {
    fn from_iter<T: IntoIterator<Item = PartyId>>(parties: T) -> Self {
        let parties: Vec<PartyId> = parties.into_iter().collect();
        match parties[..] {
            [one] if PartyKey::from(one).party() == one => Self::One(one.into()),
            _ => Self::Many(parties.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_as_they_were() {
        let (contact, company, far) = (ContactId(7).into(), CompanyId(7).into(), ContactId(u64::MAX).into());
        for parties in [vec![], vec![contact], vec![company], vec![far], vec![company, contact]] {
            let all: Parties = parties.iter().copied().collect();
            assert_eq!(all.iter().collect::<Vec<_>>(), parties);
            assert_eq!(
                (all.contains(contact), all.contains(far)),
                (parties.contains(&contact), parties.contains(&far))
            );
        }
    }

    #[test]
    fn a_contact_is_not_the_company_of_the_same_number() {
        assert_ne!(PartyKey::from(PartyId::Contact(ContactId(7))), PartyKey::from(PartyId::Company(CompanyId(7))));
    }
}
