//! The shapes that the CRM sends, and what else may come.

use super::*;

fn region() -> Region {
    "US".parse().unwrap()
}

fn form(pairs: &[(&str, &str)]) -> String {
    ::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn hints(pairs: &[(&str, &str)]) -> Vec<Hint> {
    read(form(pairs).as_bytes(), region()).unwrap()
}

fn hint(subject: Subject, change: Change, phones: &[&str]) -> Hint {
    Hint { subject, change, phones: phones.iter().map(|phone| phone.parse().unwrap()).collect() }
}

#[test]
fn an_edited_contact_names_its_id_and_its_numbers() {
    let body = [
        ("contacts[update][0][id]", "7"),
        ("contacts[update][0][name]", "Anna +1 415 555 0000"),
        ("contacts[update][0][type]", "contact"),
        ("contacts[update][0][linked_leads_id][15][ID]", "15"),
        ("contacts[update][0][custom_fields][0][id]", "640211"),
        ("contacts[update][0][custom_fields][0][values][0][value]", "(415) 555-0123"),
        ("contacts[update][0][custom_fields][0][values][1][value]", "+7 999 123-45-67; +7 999 123-45-68"),
        ("contacts[update][0][custom_fields][0][code]", "PHONE"),
        ("contacts[update][0][custom_fields][1][code]", "EMAIL"),
        ("contacts[update][0][custom_fields][1][values][0][value]", "4155550199@example.com"),
        ("account[id]", "31402211"),
    ];
    let numbers = ["+14155550123", "+79991234567", "+79991234568"];
    assert_eq!(hints(&body), [hint(Subject::Contact(ContactId(7)), Change::Changed, &numbers)]);
}

#[test]
fn every_action_is_a_change_or_a_deletion() {
    for action in ["add", "update", "restore", "responsible", "status"] {
        let name = format!("contacts[{action}][0][id]");
        assert_eq!(hints(&[(&name, "7")]), [hint(Subject::Contact(ContactId(7)), Change::Changed, &[])], "{action}");
        let name = format!("leads[{action}][0][id]");
        assert_eq!(hints(&[(&name, "3")]), [hint(Subject::Lead(LeadId(3)), Change::Changed, &[])], "{action}");
    }
    let deleted = hints(&[("contacts[delete][0][id]", "7"), ("contacts[delete][0][type]", "contact")]);
    assert_eq!(deleted, [hint(Subject::Contact(ContactId(7)), Change::Deleted, &[])]);
    assert_eq!(hints(&[("contacts[note][0][id]", "7"), ("leads[note][0][id]", "7")]), []);
}

#[test]
fn a_company_is_told_of_among_the_contacts() {
    let body = [
        ("contacts[add][0][type]", "company"),
        ("contacts[add][0][id]", "5"),
        ("contacts[add][0][custom_fields][0][code]", "PHONE"),
        ("contacts[add][0][custom_fields][0][values][0]", "+14155550198"),
    ];
    assert_eq!(hints(&body), [hint(Subject::Company(CompanyId(5)), Change::Changed, &["+14155550198"])]);
}

#[test]
fn several_records_in_one_body_keep_their_order() {
    let body = [
        ("contacts[update][1][id]", "9"),
        ("leads[status][0][id]", "3"),
        ("contacts[update][0][id]", "7"),
        ("contacts[delete][0][id]", "8"),
        ("contacts[update][1][type]", "contact"),
    ];
    let subjects: Vec<_> = hints(&body).into_iter().map(|hint| hint.subject).collect();
    let contact = |id| Subject::Contact(ContactId(id));
    assert_eq!(subjects, [contact(9), Subject::Lead(LeadId(3)), contact(7), contact(8)]);
}

#[test]
fn an_incoming_lead_is_told_by_what_it_belongs_to() {
    let accepted = [
        ("unsorted[delete][0][uid]", "a1"),
        ("unsorted[delete][0][action]", "accept"),
        ("unsorted[delete][0][accept_result][leads][0]", "3"),
        ("unsorted[delete][0][accept_result][contacts][0]", "7"),
    ];
    let both = [
        hint(Subject::Lead(LeadId(3)), Change::Changed, &[]),
        hint(Subject::Contact(ContactId(7)), Change::Changed, &[]),
    ];
    assert_eq!(hints(&accepted), both);
    let added = [
        ("unsorted[add][0][lead_id]", "3"),
        ("unsorted[add][0][data][contacts][0][id]", "7"),
        ("unsorted[add][0][data][contacts][0][name]", "Anna"),
        ("unsorted[add][0][data][leads][0][id]", "3"),
    ];
    assert_eq!(hints(&added), both);
}

#[test]
fn a_record_without_an_id_is_no_hint() {
    for id in ["", "0", "-1", "7.5", "seven", "18446744073709551616", "7\0"] {
        assert_eq!(hints(&[("contacts[update][0][id]", id), ("contacts[update][0][name]", "x")]), [], "{id:?}");
    }
}

#[test]
fn what_is_no_form_of_ours_holds_no_hints() {
    let bodies: [&[u8]; 8] = [
        b"",
        b"&&&===",
        br#"{"contacts":{"update":[{"id":7}]}}"#,
        b"<contacts/>",
        b"\xff\xfe\x00",
        b"contacts=7",
        b"contacts[update]=7",
        b"contacts%5Bupdate%5D%5B0%5D%5Bid=7&contacts%5",
    ];
    for body in bodies {
        assert_eq!(read(body, region()), Ok(vec![]));
    }
}

#[test]
fn broken_encoding_spoils_its_own_field_only() {
    let body = b"contacts[update][0][name]=%zz%&contacts[update][0][id]=7&contacts[update][0][x]=\xff%ff%00\
        &contacts[update][0][custom_fields][0][code]=PHONE\
        &contacts[update][0][custom_fields][0][values][0][value]=%2B1%20415%20555%200123%ff";
    assert_eq!(
        read(body, region()).unwrap(),
        [hint(Subject::Contact(ContactId(7)), Change::Changed, &["+14155550123"])]
    );
}

#[test]
fn every_bound_is_enforced_and_named() {
    let records: String = (0..=MAX_RECORDS).map(|n| format!("contacts[update][{n}][id]={}&", n + 1)).collect();
    for (body, refusal) in [
        ("a".repeat(MAX_BYTES + 1), Refusal::TooLarge),
        ("a=1&".repeat(MAX_FIELDS + 1), Refusal::TooManyFields),
        (format!("{}=1", "k".repeat(MAX_KEY + 1)), Refusal::LongName),
        (format!("contacts{}=1", "[x]".repeat(MAX_DEPTH)), Refusal::TooDeep),
        (records, Refusal::TooManyRecords),
    ] {
        assert_eq!(read(body.as_bytes(), region()), Err(refusal));
    }
    let most: String = (0..MAX_RECORDS).map(|n| format!("contacts[update][{n}][id]={}&", n + 1)).collect();
    assert_eq!(read(most.as_bytes(), region()).unwrap().len(), MAX_RECORDS);
}

#[test]
fn debug_shows_no_number() {
    let hint = hint(Subject::Contact(ContactId(7)), Change::Changed, &["+14155550123"]);
    assert!(!format!("{hint:?}").contains("4155550123"), "{hint:?}");
}
