//! The rules of the log, over one in memory: who may add to it, and who may write what is in it.

use std::sync::Mutex;

use super::super::batch::Changes;
use super::super::identity::Identity;
use super::super::state::State;
use super::super::store::Store;
use super::super::{Directory, STATE, Settings};
use super::follow::{Applied, apply};
use super::*;

/// Entries and their bytes. Only what a leader needs of a log is there.
#[derive(Debug, Default)]
struct Memory(Mutex<Kept>);

/// The entries, and whether answers get lost.
type Kept = (Vec<(Position, Vec<u8>)>, bool);

impl Memory {
    fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().0.iter().map(|(_, body)| Entry::from_bytes(body).unwrap()).collect()
    }

    fn go_away(&self) {
        self.0.lock().unwrap().1 = true;
    }
}

impl Log for Memory {
    fn append(&self, end: Option<Position>, at: Position, body: Vec<u8>) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async move {
            let mut log = self.0.lock().unwrap();
            if log.0.last().map(|(last, _)| *last) != end {
                return Ok(false);
            }
            // It went in, and the answer got lost.
            log.0.push((at, body));
            if log.1 { Err(Away) } else { Ok(true) }
        })
    }

    fn end(&self) -> BoxFuture<'_, Result<Option<Position>, Away>> {
        Box::pin(async { Ok(self.0.lock().unwrap().0.last().map(|(last, _)| *last)) })
    }

    fn read(&self, _: Option<Position>) -> BoxFuture<'_, Result<Vec<Logged>, Away>> {
        Box::pin(async { Err(Away) })
    }

    fn lead(&self) -> BoxFuture<'_, Option<Box<dyn Right>>> {
        Box::pin(async { None })
    }

    fn is_led(&self) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async { Err(Away) })
    }

    fn tell(&self, _: Vec<u8>) -> BoxFuture<'_, Result<(), Away>> {
        Box::pin(async { Err(Away) })
    }

    fn told(&self) -> BoxFuture<'_, Result<Vec<Vec<u8>>, Away>> {
        Box::pin(async { Err(Away) })
    }

    fn want_rows(&self) -> BoxFuture<'_, Result<(), Away>> {
        Box::pin(async { Err(Away) })
    }

    fn are_rows_wanted(&self) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async { Err(Away) })
    }

    fn put_piece<'a>(&'a self, _: &'a str, _: Vec<u8>) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async { Err(Away) })
    }

    fn piece<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Away>> {
        Box::pin(async { Err(Away) })
    }
}

struct Replica {
    directory: Directory,
    _folder: tempfile::TempDir,
}

impl Replica {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().join("mirror"), "acme".to_owned(), "US".parse().unwrap());
        Self { directory: Directory::open(settings).unwrap(), _folder: folder }
    }

    fn store(&self) -> Arc<Store> {
        self.directory.store()
    }

    fn begins_term(&self, log: &Arc<Memory>, term: u64, end: Option<Position>) -> Arc<Leading> {
        let identity = Identity::of(&self.directory.0.settings);
        Arc::new(Leading::new(Arc::clone(log) as Arc<dyn Log>, identity, term, end))
    }

    /// One commit of a leader; whether it came to be.
    async fn writes(&self, leading: &Arc<Leading>, account: u64) -> bool {
        let (store, leading) = (self.store(), Arc::clone(leading));
        let writing = tokio::task::spawn_blocking(move || {
            store.write_if(|batch| {
                let is_fresh = batch.is_fresh()?;
                batch.record();
                batch.put_meta(STATE, &State { account: Some(account), ..State::default() })?;
                Ok(leading.append(batch, &Changes::default(), 0, is_fresh)?.then_some(()))
            })
        });
        writing.await.unwrap().unwrap().is_some()
    }

    fn applies(&self, entry: Entry) -> bool {
        matches!(self.store().write(|batch| apply(batch, entry)).unwrap(), Applied::Yes(..))
    }

    fn account(&self) -> Option<u64> {
        self.directory.state().account
    }
}

#[tokio::test]
async fn who_was_overtaken_neither_appends_nor_commits() {
    let (log, old, new) = (Arc::new(Memory::default()), Replica::new(), Replica::new());
    let sleeps = old.begins_term(&log, 1, None);
    assert!(old.writes(&sleeps, 1).await);
    let overtakes = new.begins_term(&log, 2, old.directory.position().unwrap());
    assert!(new.writes(&overtakes, 2).await);

    assert!(!old.writes(&sleeps, 3).await);
    assert_eq!((old.account(), log.entries().len()), (Some(1), 2));
}

#[tokio::test]
async fn what_may_have_got_in_is_not_committed_and_comes_from_the_log() {
    let (log, leader) = (Arc::new(Memory::default()), Replica::new());
    let leading = leader.begins_term(&log, 1, None);
    assert!(leader.writes(&leading, 1).await);
    log.go_away();
    assert!(!leader.writes(&leading, 2).await);
    assert_eq!(leader.account(), Some(1));
    assert!(leader.applies(log.entries().pop().unwrap()));
    assert_eq!(leader.account(), Some(2));
}

#[tokio::test]
async fn a_follower_takes_each_entry_once_in_order_and_none_of_another_history() {
    let (log, leader, follower) = (Arc::new(Memory::default()), Replica::new(), Replica::new());
    let leading = leader.begins_term(&log, 1, None);
    for account in 1..=3 {
        assert!(leader.writes(&leading, account).await);
    }
    let [first, second, third] = <[Entry; 3]>::try_from(log.entries()).ok().unwrap();
    assert!(!follower.applies(second), "not without the first");
    assert!(follower.applies(first));
    assert!(!follower.applies(third), "not across a gap");
    for entry in log.entries().split_off(1) {
        assert!(follower.applies(entry));
    }
    assert!(follower.applies(log.entries().pop().unwrap()), "once more does no harm");
    assert_eq!(
        (follower.account(), follower.directory.position().unwrap()),
        (Some(3), leader.directory.position().unwrap())
    );

    let (other_log, other) = (Arc::new(Memory::default()), Replica::new());
    let elsewhere = other.begins_term(&other_log, 1, None);
    for account in 11..=14 {
        assert!(other.writes(&elsewhere, account).await);
    }
    for entry in other_log.entries() {
        assert!(!follower.applies(entry), "equal places, another history");
    }
    assert_eq!(follower.account(), Some(3));
}
