//! The mirror of the contact base, in front of the sandbox CRM: read whole, kept current, trusted no further than it may be.

mod answers;
mod changes;
mod damage;
mod interrupted;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use callcard::contact::ContactId;
use callcard::directory::{self, Directory, Owner};
use callcard::phone::{self, E164};
use callcard::sandbox::{self, Sandbox};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::harness::service::{Options, Service, region};

/// A service with a mirror, and the folder in which its snapshot is.
struct Mirrored {
    service: Service,
    folder: TempDir,
    feed: Option<JoinHandle<()>>,
}

impl Mirrored {
    /// The feed is not running yet.
    fn still(change: impl FnOnce(&mut Options)) -> Self {
        let folder = TempDir::new().unwrap();
        let service = Service::new(|options| {
            options.directory = Some(settings(folder.path()));
            options.gate.background_share = 1.0 / 3.0;
            change(options);
        });
        Self { service, folder, feed: None }
    }

    /// The feed runs.
    fn running(change: impl FnOnce(&mut Options)) -> Self {
        let mut mirrored = Self::still(change);
        mirrored.start();
        mirrored
    }

    /// The feed has read everything, and the calls for that are forgotten.
    async fn current(change: impl FnOnce(&mut Options)) -> Self {
        let mirrored = Self::running(change);
        mirrored.until_current().await;
        mirrored.service.sandbox.reset_calls();
        mirrored
    }

    fn start(&mut self) {
        self.feed = Some(tokio::spawn(self.service.feed().run()));
    }

    fn stop(&mut self) {
        self.feed.take().expect("the feed runs").abort();
    }

    fn directory(&self) -> &Directory {
        self.service.directory.as_ref().unwrap()
    }

    fn sandbox(&self) -> &Sandbox {
        &self.service.sandbox
    }

    async fn until_current(&self) {
        self.until("the mirror is current", |directory| {
            let status = directory.status().unwrap();
            status.complete && status.lag.is_some()
        })
        .await;
    }

    /// Waits, on the paused clock, until the mirror is like this.
    async fn until(&self, what: &str, is_so: impl Fn(&Directory) -> bool) {
        let began = Instant::now();
        while !is_so(self.directory()) {
            assert!(began.elapsed() < Duration::from_secs(24 * 3_600), "{what}: not within a day");
            sleep(Duration::from_millis(250)).await;
        }
    }
}

impl Drop for Mirrored {
    fn drop(&mut self) {
        self.feed.iter().for_each(JoinHandle::abort);
    }
}

fn settings(folder: &Path) -> directory::Settings {
    directory::Settings::new(folder.join("mirror"), "https://acme.kommo.com".to_owned(), region())
}

/// What the CRM knows of a contact, as far as the mirror has to know it too.
#[derive(Debug, PartialEq)]
struct Facts {
    name: String,
    phones: Vec<String>,
    numbers: BTreeSet<E164>,
    emails: Vec<String>,
    owner: u64,
    company: Option<(u64, Option<String>)>,
    updated_at: i64,
    leads: BTreeMap<u64, (String, String, u64, u64)>,
}

/// Everything that is true at the CRM, by contact.
fn truth(sandbox: &Sandbox) -> BTreeMap<u64, Facts> {
    sandbox.truth().filter(|contact| !contact.is_deleted).map(|contact| (contact.id, fact(sandbox, &contact))).collect()
}

fn fact(sandbox: &Sandbox, contact: &sandbox::Contact) -> Facts {
    let numbers = contact.phones().into_iter().flat_map(|value| phone::read_stored(&value, region()));
    let leads = contact.leads.iter().filter_map(|id| sandbox.lead(*id)).filter(|lead| !lead.is_deleted);
    let company = |id| (id, sandbox.company(id).map(|company| company.name));
    Facts {
        name: contact.name.clone(),
        phones: contact.phones().into_iter().filter(|value| !value.is_empty()).collect(),
        numbers: numbers.map(|number| number.e164).collect(),
        emails: contact.emails(),
        owner: contact.owner,
        company: contact.company.map(company),
        updated_at: contact.updated_at,
        leads: leads.map(|lead| (lead.id, (lead.name, lead.price.to_string(), lead.pipeline, lead.status))).collect(),
    }
}

/// Everything that the mirror holds.
fn mirrored(directory: &Directory) -> BTreeMap<u64, Facts> {
    let (mut all, mut from) = (BTreeMap::new(), ContactId(0));
    loop {
        let owners = directory.contacts_from(from, 1_000).unwrap();
        let Some(last) = owners.last() else { return all };
        from = ContactId(last.contact.id.0 + 1);
        all.extend(owners.into_iter().map(|owner| (owner.contact.id.0, held(owner))));
    }
}

fn held(owner: Owner) -> Facts {
    assert_eq!(owner.unknown_leads, []);
    let lead = |lead: callcard::contact::Lead| {
        let price = lead.price.map(|price| price.to_string()).unwrap_or_default();
        (lead.id.0, (lead.name.unwrap_or_default(), price, lead.pipeline.unwrap().0, lead.stage.unwrap().0))
    };
    Facts {
        name: owner.contact.name,
        phones: owner.contact.phones,
        numbers: owner.numbers.iter().map(|number| number.e164).collect(),
        emails: owner.contact.emails,
        owner: owner.contact.owner.unwrap().0,
        company: owner.contact.company.map(|id| (id.0, owner.company)),
        updated_at: owner.contact.updated_at.unwrap().0,
        leads: owner.leads.into_iter().map(lead).collect(),
    }
}

/// Fails with the few contacts that differ instead of with two whole accounts.
fn assert_same(directory: &Directory, sandbox: &Sandbox) {
    let (ours, theirs) = (mirrored(directory), truth(sandbox));
    let ids: BTreeSet<u64> = ours.keys().chain(theirs.keys()).copied().collect();
    let differing: Vec<_> = ids.into_iter().filter(|id| ours.get(id) != theirs.get(id)).collect();
    let shown: Vec<_> = differing.iter().take(3).map(|id| (id, ours.get(id), theirs.get(id))).collect();
    assert!(differing.is_empty(), "{} contacts differ, for instance {shown:#?}", differing.len());
}
