//! `callcard webhooks`, by its exit codes and words, and its row in `check`.

use super::{TOKEN, ended, err, out, sandbox, with_crm};

const HOOK_SECRET: &str = "hook-secret-of-the-test";

/// `callcard webhooks …` against this CRM: exit code and everything it said.
fn webhooks(url: &str, token: &str, words: &[&str]) -> (Option<i32>, String) {
    let variables = [&with_crm(url, token)[..], &[("CALLCARD_WEBHOOK_SECRET", HOOK_SECRET)]].concat();
    let output = ended(&[&["webhooks"], words].concat(), &variables);
    let told = format!("{}{}", out(&output), err(&output));
    assert!(!told.contains(HOOK_SECRET) && !told.contains(token), "{told}");
    (output.status.code(), told)
}

#[test]
fn the_subscription_is_made_looked_at_and_ended_and_each_can_be_done_again() {
    let (_sandbox, crm) = sandbox(&["--rate", "0"]);
    let install = ["install", "--url", "https://calls.example.com/hooks/kommo"];
    for (words, code, told) in [
        (&["status"][..], 1, "absent"),
        (&install, 0, "from now on the CRM sends its webhooks to https://calls.example.com/hooks/kommo/…"),
        (&install, 0, "nothing to do"),
        (&["status"], 0, "installed"),
        (
            &["install", "--url", "http://127.0.0.1:8080/hooks/kommo"],
            0,
            "warning: http:// sends the secret unencrypted",
        ),
        (&["remove"], 0, "removed"),
        (&["remove"], 0, "there was no subscription"),
        (&["status"], 1, "absent"),
    ] {
        let (ended, said) = webhooks(&crm, "sandbox-token", words);
        assert_eq!(ended, Some(code), "{words:?}: {said}");
        assert!(said.contains(told), "{words:?}: {said}");
    }
}

#[test]
fn check_has_a_row_for_the_webhooks() {
    let (_sandbox, crm) = sandbox(&["--rate", "0"]);
    let check = |more: &[(&'static str, &'static str)]| {
        let output = ended(&["check"], &[&with_crm(&crm, "sandbox-token")[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let table = out(&output);
        assert!(!table.contains(HOOK_SECRET), "{table}");
        table.lines().find(|line| line.split_whitespace().nth(1) == Some("webhooks")).unwrap().to_owned()
    };
    let secret = [("CALLCARD_WEBHOOK_SECRET", HOOK_SECRET)];
    assert!(check(&[]).starts_with("ok") && check(&[]).contains("not enabled"));
    assert!(check(&secret).starts_with("odd") && check(&secret).contains("absent"));
    webhooks(&crm, "sandbox-token", &["install", "--url", "https://calls.example.com/hooks/kommo"]);
    assert!(check(&secret).starts_with("ok") && check(&secret).contains("installed"));
}

#[test]
fn who_may_not_manage_webhooks_is_told_so() {
    let (_sandbox, crm) = sandbox(&["--rate", "0"]);
    for words in [&["status"][..], &["remove"], &["install", "--url", "https://calls.example.com/hooks/kommo"]] {
        let (code, told) = webhooks(&crm, "sandbox-narrow-token", words);
        assert!(code == Some(1) && told.contains("only an administrator"), "{words:?}: {told}");
    }
}

#[test]
fn webhooks_without_a_good_secret_or_address_are_bad_usage() {
    let crm = with_crm("http://127.0.0.1:9", TOKEN);
    let install = |url: &str, secret: &str| {
        let variables = [&crm[..], &[("CALLCARD_WEBHOOK_SECRET", secret)]].concat();
        let output = ended(&["webhooks", "install", "--url", url], &variables);
        assert_eq!(output.status.code(), Some(64), "{}", err(&output));
        err(&output).to_owned()
    };
    let url = "https://calls.example.com/hooks/kommo";
    assert!(install(url, "short").contains("CALLCARD_WEBHOOK_SECRET: must have 16 to 256 characters"));
    assert!(install(url, "").contains("CALLCARD_WEBHOOK_SECRET"));
    assert!(install("calls.example.com", HOOK_SECRET).contains("--url is not a URL"));
    assert!(install("https://calls.example.com", HOOK_SECRET).contains("has no path"));
}
