//! A snapshot that is not ours, or not what we wrote, is set aside and never served.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use callcard::directory::{Directory, OpenError, Settings};
use callcard::phone::Number;
use tokio::time::sleep;

use super::{Mirrored, assert_same, settings};

/// A snapshot of some contacts, written and closed.
async fn written(contacts: u64) -> (tempfile::TempDir, Settings) {
    let mut mirrored = Mirrored::current(|options| options.sandbox.contacts = contacts).await;
    mirrored.stop();
    sleep(Duration::from_millis(1)).await;
    let folder = tempfile::TempDir::new().unwrap();
    fs::copy(mirrored.folder.path().join("mirror"), folder.path().join("mirror")).unwrap();
    let settings = settings(folder.path());
    (folder, settings)
}

fn aside(settings: &Settings) -> bool {
    Path::new(&format!("{}.set-aside", settings.path.display())).exists()
}

fn held(directory: &Directory) -> u64 {
    directory.status().unwrap().contacts
}

#[tokio::test(start_paused = true)]
async fn a_sound_snapshot_is_used_and_belongs_to_its_owner_alone() {
    let (_folder, settings) = written(60).await;
    fs::set_permissions(&settings.path, fs::Permissions::from_mode(0o644)).unwrap();
    let directory = Directory::open(settings.clone()).unwrap();
    assert!(held(&directory) > 50 && !aside(&settings));
    assert_eq!(fs::metadata(&settings.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_no_snapshot_is_replaced_by_an_empty_one() {
    let (_folder, settings) = written(60).await;
    for rubbish in [b"not a snapshot at all".repeat(1_000), vec![0; 100_000]] {
        fs::write(&settings.path, rubbish).unwrap();
        assert_eq!(held(&Directory::open(settings.clone()).unwrap()), 0);
        assert!(aside(&settings));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_has_lost_its_end_is_replaced() {
    let (_folder, settings) = written(400).await;
    let length = fs::metadata(&settings.path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&settings.path).unwrap().set_len(length / 2).unwrap();
    assert_eq!(held(&Directory::open(settings.clone()).unwrap()), 0);
    assert!(aside(&settings));
}

#[tokio::test(start_paused = true)]
async fn a_changed_byte_is_noticed_wherever_it_is() {
    let (_folder, settings) = written(400).await;
    let sound = fs::read(&settings.path).unwrap();
    let whole = held(&Directory::open(settings.clone()).unwrap());
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut noticed, mut harmless) = (0, 0);
    for _ in 0..25 {
        let mut bytes = sound.clone();
        let at = rng.usize(..bytes.len());
        bytes[at] ^= 1 << rng.u8(..8);
        fs::write(&settings.path, &bytes).unwrap();
        // Either it was set aside, or the byte lay in a page that holds nothing.
        match held(&Directory::open(settings.clone()).unwrap()) {
            0 => noticed += 1,
            held => {
                assert_eq!(held, whole);
                harmless += 1;
            }
        }
    }
    assert!(noticed >= 5, "{noticed} noticed, {harmless} harmless");
}

#[tokio::test(start_paused = true)]
async fn one_of_another_account_is_not_served() {
    let (_folder, settings) = written(60).await;
    drop(Directory::open(settings.clone()).unwrap());
    let other = Settings { account: "https://other.kommo.com".to_owned(), ..settings.clone() };
    assert!(matches!(Directory::look_at(other.clone()), Err(OpenError::Unusable { .. })));
    assert_eq!(held(&Directory::open(other).unwrap()), 0);
    assert!(aside(&settings));
}

#[tokio::test(start_paused = true)]
async fn one_whose_numbers_were_read_for_another_country_is_read_anew_without_the_crm() {
    let (_folder, settings) = written(60).await;
    let find = |directory: &Directory, number: &str| {
        let number: Number = number.parse::<callcard::phone::E164>().unwrap().into();
        directory.find(&number, None).map(|known| known.owners.len())
    };
    assert_eq!(find(&Directory::open(settings.clone()).unwrap(), "+79991234570"), Some(0));
    let russian = Settings { region: "RU".parse().unwrap(), ..settings.clone() };
    assert_eq!(find(&Directory::open(russian).unwrap(), "+79991234570"), Some(1));
    assert!(!aside(&settings));
}

#[tokio::test(start_paused = true)]
async fn two_processes_cannot_write_one_snapshot_but_one_may_look_on() {
    let (_folder, settings) = written(60).await;
    let first = Directory::open(settings.clone()).unwrap();
    let error = Directory::open(settings.clone()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }) && error.to_string().contains("another process"), "{error}");
    let onlooker = Directory::look_at(settings.clone()).unwrap();
    assert_eq!(held(&onlooker), held(&first));
    drop(first);
    assert!(matches!(
        Directory::look_at(Settings { path: settings.path.join("no"), ..settings }),
        Err(OpenError::Absent { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn one_that_rots_while_it_is_in_use_is_noticed_and_built_anew() {
    let mirrored = Mirrored::current(|options| options.sandbox.contacts = 1_200).await;
    // Every page but the first, behind the store's back.
    let path = mirrored.folder.path().join("mirror");
    let mut file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0xa5; bytes.len() - 4_096]).unwrap();
    // The sweep, the increments and callers meet it sooner or later.
    for n in 0..200 {
        let got = mirrored.service.lookup(&format!("+1415555{:04}", 100 + n), "").await;
        assert!(got.status.as_u16() < 500, "{}", got.body);
        sleep(Duration::from_secs(1)).await;
    }
    mirrored.sandbox().set_phones(7, &["+1 917 555 0001"]).unwrap();
    sleep(Duration::from_secs(60)).await;
    mirrored.until_current().await;
    assert_same(mirrored.directory(), mirrored.sandbox());
}
