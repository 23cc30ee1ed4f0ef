//! Who is asked about, how often, in which spelling; and who owns which number in truth.
//!
//! A few numbers call often and many seldom (Zipf), as at a real switchboard. The same seed gives the same callers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use callcard::phone::{E164, Region, read_stored};
use callcard::sandbox::fixtures::people::{COMPANY_ONLY_NUMBER, FALSE_FRIEND};
use callcard::sandbox::{Contact, Sandbox};

/// Numbers that nobody has and that call again and again.
const UNKNOWN: u32 = 15;
const SKEW: f64 = 1.1;

/// Who owns which number: contacts by id, those in the recycle bin left out.
#[derive(Debug)]
pub(crate) struct Truth(HashMap<E164, BTreeMap<u64, Contact>>);

impl Truth {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let mut owners: HashMap<E164, BTreeMap<u64, Contact>> = HashMap::new();
        for contact in sandbox.truth().filter(|contact| !contact.is_deleted) {
            for number in contact.phones().iter().flat_map(|value| read_stored(value, region())) {
                owners.entry(number.e164).or_default().insert(contact.id, contact.clone());
            }
        }
        Self(owners)
    }

    /// Contacts of which nobody in the crowd has a number, with one of theirs.
    pub(crate) fn others(&self, crowd: &[E164]) -> Vec<(u64, E164)> {
        let busy: HashSet<u64> =
            crowd.iter().filter_map(|phone| self.owners(*phone)).flat_map(BTreeMap::keys).copied().collect();
        let owned = self.0.iter().filter(|(_, owners)| owners.keys().all(|id| !busy.contains(id)));
        let mut others: Vec<_> = owned.filter_map(|(phone, owners)| Some((*owners.keys().next()?, *phone))).collect();
        others.sort_unstable();
        others
    }

    /// The owners of a number; none if nobody has it.
    pub(crate) fn owners(&self, phone: E164) -> Option<&BTreeMap<u64, Contact>> {
        self.0.get(&phone)
    }
}

fn region() -> Region {
    "US".parse().expect("a region")
}

/// The form a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Text,
    Html,
}

impl Form {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// One call to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) phone: E164,
    /// The number as it is sent, percent-encoded.
    pub(crate) spelling: String,
    pub(crate) form: Form,
    pub(crate) deadline: Option<Duration>,
    /// The caller hangs up after this time.
    pub(crate) leaves_after: Option<Duration>,
    pub(crate) new_connection: bool,
}

/// Makes calls.
#[derive(Debug)]
pub(crate) struct People {
    rng: fastrand::Rng,
    known: Crowd,
    unknown: Crowd,
    strangers: u32,
}

/// Numbers, the first called most.
#[derive(Debug)]
struct Crowd {
    phones: Vec<E164>,
    /// Sums of the weights up to each.
    sums: Vec<f64>,
}

impl Crowd {
    fn new(phones: Vec<E164>) -> Self {
        let mut sum = 0.0;
        let weights =
            (1..=u32::try_from(phones.len()).expect("a crowd is small")).map(|rank| f64::from(rank).powf(-SKEW));
        let sums = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { phones, sums }
    }

    fn pick(&self, rng: &mut fastrand::Rng) -> E164 {
        let total = self.sums.last().copied().unwrap_or_default();
        let point = rng.f64() * total;
        self.phones[self.sums.partition_point(|sum| *sum <= point).min(self.phones.len() - 1)]
    }
}

impl People {
    pub(crate) fn of(truth: &Truth, known: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut phones: Vec<E164> = truth.0.keys().copied().collect();
        phones.sort_unstable();
        rng.shuffle(&mut phones);
        phones.truncate(known);
        let traps = [FALSE_FRIEND, COMPANY_ONLY_NUMBER].map(|phone| phone.parse().expect("E.164"));
        let others = (0..UNKNOWN).map(|n| american(557_0000 + n));
        let unknown = traps.into_iter().chain(others).filter(|phone| truth.owners(*phone).is_none()).collect();
        Self { rng, known: Crowd::new(phones), unknown: Crowd::new(unknown), strangers: 0 }
    }

    /// The numbers that somebody has and that call again and again.
    pub(crate) fn crowd(&self) -> &[E164] {
        &self.known.phones
    }

    /// The next caller.
    pub(crate) fn next(&mut self) -> Call {
        let phone = match self.rng.u8(..100) {
            0 => self.stranger(),
            1..15 => self.unknown.pick(&mut self.rng),
            _ => self.known.pick(&mut self.rng),
        };
        let rng = &mut self.rng;
        let leaves_after = (rng.u8(..20) == 0).then(|| Duration::from_millis(rng.u64(5..400)));
        Call {
            phone,
            spelling: spell(phone, rng),
            form: [Form::Json, Form::Json, Form::Text, Form::Text, Form::Html][rng.usize(..5)],
            deadline: (rng.u8(..4) == 0).then(|| Duration::from_millis([200, 500, 1_000, 3_000][rng.usize(..4)])),
            leaves_after,
            new_connection: leaves_after.is_some() || rng.u8(..10) == 0,
        }
    }

    /// Somebody nobody has ever heard of, who calls once.
    fn stranger(&mut self) -> E164 {
        self.strangers += 1;
        american(600_0000 + self.strangers % 300_0000)
    }
}

/// A number around San Francisco that the sandbox's account gives to nobody.
fn american(line: u32) -> E164 {
    format!("+1628{line:07}").parse().expect("E.164")
}

/// A number as phone systems send it.
fn spell(phone: E164, rng: &mut fastrand::Rng) -> String {
    let e164 = phone.to_string();
    let digits = &e164[1..];
    match (rng.u8(..6), digits.strip_prefix('1').filter(|national| national.len() == 10)) {
        (0, _) => format!("+{digits}"),
        (1, _) => format!("sip:%2B{digits}@pbx.example%3Buser=phone"),
        (2, _) => format!("tel:%2B{digits}"),
        (3, Some(_)) => digits.to_owned(),
        (4, Some(national)) => national.to_owned(),
        (5, Some(national)) => format!("({})%20{}-{}", &national[..3], &national[3..6], &national[6..]),
        (3, None) => format!("011{digits}"),
        _ => format!("%2B{digits}"),
    }
}
