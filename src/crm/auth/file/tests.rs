//! The token file on a real file system, and on one that fails.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

fn owner(client_id: &str) -> Owner {
    Owner { account: "https://acme.kommo.com".to_owned(), client_id: client_id.to_owned() }
}

fn pair(number: u32) -> Pair {
    let now = Timestamp::now();
    Pair {
        access: format!("access-{number}").into(),
        refresh: format!("refresh-{number}").into(),
        issued_at: now,
        expires_at: now + jiff::SignedDuration::from_hours(24),
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token.json");
    (folder, path)
}

async fn save(store: &FileStore, number: u32) -> Result<(), StoreError> {
    store.lease(Duration::ZERO).await?.save(&pair(number)).await
}

async fn kept(store: &FileStore) -> Option<String> {
    store.load().await.unwrap().map(|pair| pair.refresh.expose_secret().to_owned())
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_saved_is_there_for_the_next_process_and_for_nobody_else() {
    let (folder, path) = place();
    let store = FileStore::new(&path, owner("8c1f"));
    assert_eq!(kept(&store).await, None);
    save(&store, 1).await.unwrap();
    save(&store, 2).await.unwrap();

    assert_eq!(kept(&FileStore::new(&path, owner("8c1f"))).await.as_deref(), Some("refresh-2"));
    assert_eq!(names(&folder), ["token.json", "token.json.lock"]);
    for name in names(&folder) {
        assert_eq!(fs::metadata(folder.path().join(&name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let shown = format!("{store:?} {:?}", pair(1));
    assert!(!shown.contains("refresh-") && !shown.contains("access-"), "{shown}");
}

#[tokio::test]
async fn one_lease_at_a_time_and_it_ends_when_it_is_dropped() {
    let (folder, path) = place();
    let (one, other) = (FileStore::new(&path, owner("8c1f")), FileStore::new(&path, owner("8c1f")));

    let lease = one.lease(Duration::ZERO).await.unwrap();
    assert_eq!(other.lease(Duration::from_millis(60)).await.err(), Some(StoreError::Busy { path: path.clone() }));
    drop(lease);
    assert!(other.lease(Duration::ZERO).await.is_ok());
    assert_eq!(names(&folder), ["token.json.lock"], "nothing was saved, nothing is left");
}

#[tokio::test]
async fn what_a_crash_left_behind_is_replaced() {
    let (folder, path) = place();
    fs::write(folder.path().join("token.json.new"), "{\"version\": 1, \"acc").unwrap();
    let store = FileStore::new(&path, owner("8c1f"));
    assert_eq!(kept(&store).await, None);
    save(&store, 1).await.unwrap();
    assert_eq!(kept(&store).await.as_deref(), Some("refresh-1"));
}

#[tokio::test]
async fn damaged_and_foreign_files_are_told_apart_and_left_alone() {
    let (_folder, path) = place();
    let store = FileStore::new(&path, owner("8c1f"));
    for text in ["", "{}", "{\"version\":1}", "\u{0}\u{0}\u{0}", "not json"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(store.load().await, Err(StoreError::Damaged { .. })), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    save(&store, 1).await.unwrap();
    let text = fs::read(&path).unwrap();
    let error = FileStore::new(&path, owner("9d20")).load().await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("integration 8c1f; move it away"), "{error}");
    assert!(!error.to_string().contains("refresh-1"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[tokio::test]
async fn there_is_no_lease_where_nothing_could_be_kept() {
    let (folder, _) = place();
    let nowhere = FileStore::new(folder.path().join("missing/token.json"), owner("8c1f"));
    let error = nowhere.lease(Duration::ZERO).await.err().unwrap();
    assert!(matches!(error, StoreError::Io { kind: io::ErrorKind::NotFound, .. }), "{error}");
    assert!(error.to_string().contains("missing/token.json"), "{error}");
}

/// Fails at one step, as a full or broken disk does.
#[derive(Debug)]
struct Failing(&'static str);

impl Failing {
    fn at(&self, step: &str) -> io::Result<()> {
        if self.0 == step { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for Failing {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.at("create").and_then(|()| SystemDisk.create(path))
    }

    fn write(&self, file: &mut File, text: &[u8]) -> io::Result<()> {
        SystemDisk.write(file, &text[..text.len() / 2])?;
        self.at("write").and_then(|()| SystemDisk.write(file, &text[text.len() / 2..]))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.at("sync").and_then(|()| SystemDisk.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.at("rename").and_then(|()| SystemDisk.rename(from, to))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.at("sync_folder").and_then(|()| SystemDisk.sync_folder(folder))
    }
}

#[tokio::test]
async fn a_disk_that_fails_at_any_step_leaves_a_whole_file_and_says_so() {
    for (step, left) in [
        ("create", "refresh-1"),
        ("write", "refresh-1"),
        ("sync", "refresh-1"),
        ("rename", "refresh-1"),
        ("sync_folder", "refresh-2"),
    ] {
        let (_folder, path) = place();
        let store = FileStore::new(&path, owner("8c1f"));
        save(&store, 1).await.unwrap();

        let error = save(&FileStore::on(Failing(step), &path, owner("8c1f")), 2).await.unwrap_err();

        assert!(matches!(error, StoreError::Io { done: "written", .. }), "{step}: {error}");
        assert_eq!(kept(&store).await.as_deref(), Some(left), "{step}");
        save(&store, 3).await.unwrap();
        assert_eq!(kept(&store).await.as_deref(), Some("refresh-3"), "{step}");
    }
}

#[tokio::test]
async fn an_endless_file_is_not_read_to_its_end() {
    let (_folder, path) = place();
    OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let store = FileStore::new(&path, owner("8c1f"));
    assert!(matches!(store.load().await, Err(StoreError::Damaged { .. })));
}
