//! Does the mirror say what the CRM says? A sample, compared record by record.
//!
//! One half is drawn from the mirror and fetched by id, which finds what the CRM no longer has; the other half is drawn from the CRM's list,
//! which finds what the mirror lacks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Directory, Owner, StoreError};
use crate::contact::{Contact, ContactId, Lead, LeadId};
use crate::crm::{Ask, CrmClient, CrmError, Latest, LinkedLead, MOST_IN_WINDOW, Window};

/// Contacts taken from one place of the mirror.
const HANDFUL: usize = 25;

/// What a comparison has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Contacts compared.
    pub compared: usize,
    /// Those about which mirror and CRM disagree, and in what.
    pub disagreements: BTreeMap<ContactId, Vec<&'static str>>,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The CRM could not be asked.
    #[error("the CRM could not be asked")]
    Crm(#[from] CrmError),
    /// The snapshot could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares about so many contacts.
///
/// # Errors
/// When either side could not be read.
pub async fn sample(directory: &Directory, crm: &CrmClient, size: usize) -> Result<Verdict, VerifyError> {
    let mut ids = from_mirror(directory, size.div_ceil(2))?;
    ids.extend(from_crm(crm, size / 2).await?);
    compare(directory, crm, &ids.into_iter().collect::<Vec<_>>()).await
}

/// Compares these contacts.
///
/// # Errors
/// When either side could not be read.
pub async fn compare(directory: &Directory, crm: &CrmClient, ids: &[ContactId]) -> Result<Verdict, VerifyError> {
    let mut verdict = Verdict { compared: ids.len(), ..Verdict::default() };
    for batch in ids.chunks(MOST_IN_WINDOW) {
        let contacts = crm.contacts(batch, patient()).await?;
        let leads: BTreeSet<LeadId> = contacts.iter().flat_map(|contact| contact.leads.iter().copied()).collect();
        let leads: Vec<LeadId> = if directory.0.settings.leads { leads.into_iter().collect() } else { Vec::new() };
        let leads = crm.linked_leads(&leads, patient()).await?;
        let leads: HashMap<LeadId, &Lead> = leads.iter().map(|LinkedLead { lead, .. }| (lead.id, lead)).collect();
        let contacts: HashMap<ContactId, Contact> = contacts.into_iter().map(|contact| (contact.id, contact)).collect();
        for id in batch {
            let differences = match (directory.contact(*id)?, contacts.get(id)) {
                (None, None) => Vec::new(),
                (Some(_), None) => vec!["the CRM does not have it"],
                (None, Some(_)) => vec!["the mirror does not have it"],
                (Some(ours), Some(theirs)) => differences(&ours, theirs, &leads, directory.0.settings.leads),
            };
            if !differences.is_empty() {
                verdict.disagreements.insert(*id, differences);
            }
        }
    }
    Ok(verdict)
}

/// What differs, in words that tell nothing about anybody.
fn differences(ours: &Owner, theirs: &Contact, leads: &HashMap<LeadId, &Lead>, with_leads: bool) -> Vec<&'static str> {
    let own = &ours.contact;
    let names = |contact: &Contact| (contact.name.clone(), contact.first_name.clone(), contact.last_name.clone());
    let linked = |contact: &Contact| contact.leads.iter().copied().collect::<BTreeSet<_>>();
    let ours_known: HashMap<LeadId, &Lead> = ours.leads.iter().map(|lead| (lead.id, lead)).collect();
    let same_lead = |id: &LeadId| ours.unknown_leads.contains(id) || ours_known.get(id) == leads.get(id);
    let checks = [
        ("name", names(own) == names(theirs)),
        ("phones", own.phones == theirs.phones),
        ("e-mails", own.emails == theirs.emails),
        ("owner", own.owner == theirs.owner),
        ("company", own.company == theirs.company),
        ("tags", own.tags == theirs.tags),
        ("times", (own.created_at, own.updated_at) == (theirs.created_at, theirs.updated_at)),
        ("task", own.next_task_at == theirs.next_task_at),
        ("elements", own.elements == theirs.elements),
        ("linked leads", linked(own) == linked(theirs)),
        ("details of leads", !with_leads || theirs.leads.iter().all(same_lead)),
    ];
    checks.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect()
}

fn from_mirror(directory: &Directory, size: usize) -> Result<BTreeSet<ContactId>, StoreError> {
    let view = directory.store().view()?;
    let (first, last) = (view.contacts_from(ContactId(0), 1)?, view.last_contact()?);
    let (Some(first), Some(last)) = (first.first().map(|held| held.contact.id.0), last.map(|id| id.0)) else {
        return Ok(BTreeSet::new());
    };
    let mut ids = BTreeSet::new();
    // Places are drawn with repetition: ids have gaps, and a small base is drawn whole soon enough.
    for _ in 0..size.div_ceil(HANDFUL) {
        let held = view.contacts_from(ContactId(fastrand::u64(first..=last)), HANDFUL)?;
        ids.extend(held.into_iter().map(|held| held.contact.id));
    }
    Ok(ids)
}

async fn from_crm(crm: &CrmClient, size: usize) -> Result<BTreeSet<ContactId>, CrmError> {
    let mut ids: BTreeSet<ContactId> =
        crm.latest_contact(Latest::Id, patient()).await?.map(|last| last.id).into_iter().collect();
    let mut pages = last_page(crm).await?;
    for _ in 0..size.div_ceil(MOST_IN_WINDOW) {
        let window = Window { page: fastrand::usize(1..=pages), limit: MOST_IN_WINDOW, changed_since: None };
        let slice = crm.contacts_window(window, patient()).await?;
        pages = if slice.records.is_empty() { window.page.max(2) - 1 } else { pages };
        let mut drawn: Vec<ContactId> = slice.records.into_iter().map(|contact| contact.id).collect();
        fastrand::shuffle(&mut drawn);
        ids.extend(drawn.into_iter().take(size.min(MOST_IN_WINDOW)));
    }
    Ok(ids)
}

/// The number of the list's last page: it is not told, so it is searched for by halves.
async fn last_page(crm: &CrmClient) -> Result<usize, CrmError> {
    let exists = async |page| {
        let window = Window { page, limit: MOST_IN_WINDOW, changed_since: None };
        crm.contacts_window(window, patient()).await.map(|slice| !slice.records.is_empty())
    };
    let mut there = 1;
    while exists(there * 2).await? {
        there *= 2;
    }
    let mut gone = there * 2;
    while gone - there > 1 {
        let middle = there.midpoint(gone);
        if exists(middle).await? { there = middle } else { gone = middle }
    }
    Ok(there)
}

fn patient() -> Ask {
    Ask::background(std::time::Duration::from_secs(60))
}
