//! `callcard directory`, by its exit codes and words; and the service beside it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Running, ended, err, eventually, get, out, sandbox, with_crm};

/// `callcard directory …` over this CRM and this snapshot: exit code, output, complaints.
fn directory(crm: &str, snapshot: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let place = [("CALLCARD_DIRECTORY_PATH", snapshot.to_str().unwrap())];
    let output = ended(&[&["directory"], words].concat(), &[&with_crm(crm, "sandbox-token")[..], &place].concat());
    (output.status.code(), out(&output).to_owned(), err(&output).to_owned())
}

#[test]
fn a_mirror_is_made_looked_at_taken_out_and_held_against_the_crm() {
    let (_sandbox, crm) = sandbox(&["--rate", "0", "--contacts", "40"]);
    let folder = tempfile::tempdir().unwrap();
    let (snapshot, file) = (folder.path().join("mirror"), folder.path().join("contacts.jsonl"));

    let (code, _, told) = directory(&crm, &snapshot, &["status"]);
    assert!(code == Some(1) && told.contains("callcard directory sync"), "{told}");
    let (code, told, _) = directory(&crm, &snapshot, &["sync"]);
    assert!(code == Some(0) && told.starts_with("complete, "), "{told}");
    let (code, table, _) = directory(&crm, &snapshot, &["status"]);
    assert!(code == Some(0) && table.contains("complete   yes") && table.contains("events     read"), "{table}");

    let (code, ..) = directory(&crm, &snapshot, &["export", "--out", file.to_str().unwrap()]);
    let rows = std::fs::read_to_string(&file).unwrap();
    let anna = rows.lines().find(|row| row.starts_with(r#"{"id":7,"#)).unwrap();
    assert!(code == Some(0) && anna.contains(r#""name":"Anna Ivanova""#) && anna.contains(r#""stage":"Negotiation""#));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let (code, told, _) = directory(&crm, &snapshot, &["verify"]);
    assert!(code == Some(0) && told.contains("mirror and CRM agree"), "{told}");
}

#[test]
fn without_a_place_or_with_a_folder_for_one_it_is_bad_usage() {
    let (_sandbox, crm) = sandbox(&["--rate", "0"]);
    let output = ended(&["directory", "status"], &with_crm(&crm, "sandbox-token"));
    assert!(output.status.code() == Some(64) && err(&output).contains("CALLCARD_DIRECTORY_PATH"), "{}", err(&output));
    let folder = tempfile::tempdir().unwrap();
    let (code, _, told) = directory(&crm, folder.path(), &["status"]);
    assert!(code == Some(64) && told.contains("is a folder"), "{told}");
}

#[test]
fn the_service_mirrors_and_says_how_far_it_is_and_nobody_else_may_write_meanwhile() {
    let (_sandbox, crm) = sandbox(&["--rate", "0", "--contacts", "40"]);
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("mirror");
    let flags = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];
    let place = ["--directory", "mirror", "--directory-path", snapshot.to_str().unwrap(), "--kommo-url", crm.as_str()];
    let token = ["--kommo-token", "sandbox-token", "--drain-delay", "0s"];
    let mut service = Running::start_logging(&[&flags[..], &place, &token].concat());
    let (lookup, admin) = (service.logged("lookup"), service.logged("admin"));
    eventually("the mirror answers", || {
        get(&lookup, "/lookup?phone=%2B14155559999").1.contains(r#""status":"directory""#)
    });
    let (_, checks) = get(&admin, "/readyz?verbose");
    assert!(checks.contains(r#""directory":{"detail":"complete, "#), "{checks}");

    let (code, _, told) = directory(&crm, &snapshot, &["sync"]);
    assert!(code == Some(1) && told.contains("another process has the snapshot"), "{told}");
    let (code, table, _) = directory(&crm, &snapshot, &["status"]);
    assert!(code == Some(0) && table.contains("complete   yes"), "{table}");
    assert_eq!(service.stop("-TERM").0, Some(0));
}
