//! json, text, flat, hash, vcard, xml: each whole body as its readers get it.

use callcard::card::{Card, Slot};
use callcard::lookup::{Answer, Finding};
use callcard::matching::MatchKind;
use callcard::render::{Asked, Failure, Format, json_body, render, render_error};
use http::StatusCode;
use insta::assert_snapshot;

use super::samples::*;

fn shown(format: Format, answer: &Answer) -> String {
    body(&render(format, answer, &asked(), &options()))
}

fn body(rendered: &callcard::render::Rendered) -> String {
    String::from_utf8(rendered.body.to_vec()).unwrap()
}

fn failure(code: &'static str) -> Failure<'static> {
    Failure { status: StatusCode::GATEWAY_TIMEOUT, code, detail: "Too slow.", request_id: "r1", number: None }
}

#[test]
#[expect(clippy::too_many_lines, reason = "the whole document is shown")]
fn json_has_the_members_of_the_contract_in_its_order() {
    let mut card = anna();
    card.leads.truncate(1);
    card.tags.truncate(1);
    let answer = found_among(card, vec![bare(9)]);

    assert_snapshot!(indented(&shown(Format::Json, &answer)), @r##"
    {
      "found": true,
      "phone": {
        "input": "(415) 555-0123",
        "e164": "+14155550123",
        "national": "(415) 555-0123",
        "international": "+1 415-555-0123",
        "region": "US",
        "extension": null
      },
      "contact": {
        "kind": "contact",
        "id": 7,
        "name": "Anna Ivanova",
        "first_name": "Anna",
        "last_name": "Ivanova",
        "url": "https://acme.kommo.com/contacts/detail/7",
        "phones": [
          "+14155550123",
          "+14155550177"
        ],
        "emails": [
          "anna@northwind-roofing.example"
        ],
        "company": {
          "id": 5,
          "name": "Northwind Roofing"
        },
        "owner": {
          "id": 71,
          "name": "Olivia Owner",
          "group": {
            "id": 0,
            "name": "Sales"
          }
        },
        "tags": [
          {
            "name": "VIP",
            "color": "#d21f3c"
          }
        ],
        "created_at": "2023-03-14T09:30:00Z",
        "updated_at": "2026-11-24T08:15:00Z",
        "next_task_at": "2026-11-22T10:00:00Z"
      },
      "leads": [
        {
          "id": 1,
          "name": "Warehouse roof, 2 400 m²",
          "price": 184000,
          "pipeline": "Sales",
          "stage": "Negotiation",
          "state": "open",
          "url": "https://acme.kommo.com/leads/detail/1",
          "updated_at": "2026-11-24T09:00:00Z"
        }
      ],
      "matches": {
        "count": 2,
        "kind": "exact",
        "others": [
          {
            "id": 9,
            "name": "",
            "url": "https://acme.kommo.com/contacts/detail/9"
          }
        ]
      },
      "cache": {
        "status": "hit",
        "age_s": 12,
        "stale": false
      }
    }
    "##);
    assert_eq!(shown(Format::Json, &answer).into_bytes(), json_body(&answer, &asked()));
}

/// A line a member, in the order in which they are written.
fn indented(json: &str) -> String {
    let (mut text, mut depth, mut is_text, mut before) = (String::new(), 0, false, ' ');
    let line = |depth| format!("\n{}", "  ".repeat(depth));
    for c in json.chars() {
        match c {
            '"' if before != '\\' => {
                is_text = !is_text;
                text.push(c);
            }
            '{' | '[' if !is_text => {
                depth += 1;
                text.push(c);
                text.push_str(&line(depth));
            }
            '}' | ']' if !is_text => {
                depth -= 1;
                text.push_str(&line(depth));
                text.push(c);
            }
            ',' if !is_text => text.push_str(&format!(",{}", line(depth))),
            ':' if !is_text => text.push_str(": "),
            c => text.push(c),
        }
        before = c;
    }
    text
}

#[test]
fn what_is_kept_on_a_card_is_what_is_written_without_it() {
    let keeping = found(Card { ready: Slot::open(), ..anna() });
    let first = shown(Format::Json, &keeping);
    assert_eq!(first, shown(Format::Json, &found(anna())));

    let again = |answer: &Answer| {
        let asked = Asked { input: "say \"415\"".into() };
        let rendered = render(Format::Json, answer, &asked, &options());
        (body(&rendered), rendered.tag)
    };
    let (mut kept, mut bare) = (keeping, found(anna()));
    (kept.freshness, bare.freshness) = (stale(), stale());
    let (text, tag) = again(&kept);
    assert_ne!(text, first, "the spelling, the status and the age are another");
    assert_eq!((text, tag), again(&bare));
}

#[test]
fn json_says_why_there_is_nobody() {
    assert_snapshot!(shown(Format::Json, &nobody()), @r##"{"found":false,"reason":"not_found","phone":{"input":"(415) 555-0123","e164":"+14155550123","national":"(415) 555-0123","international":"+1 415-555-0123","region":"US","extension":null},"contact":null,"leads":[],"matches":{"count":0,"kind":null,"others":[]},"cache":{"status":"hit","age_s":12,"stale":false}}"##);
    assert_snapshot!(shown(Format::Json, &withheld()), @r##"{"found":false,"reason":"withheld","phone":{"input":"(415) 555-0123","e164":null,"national":null,"international":null,"region":null,"extension":null},"contact":null,"leads":[],"matches":{"count":0,"kind":null,"others":[]},"cache":{"status":"skipped","age_s":0,"stale":false}}"##);
    assert_snapshot!(shown(Format::Json, &extension()), @r##"{"found":false,"reason":"extension","phone":{"input":"(415) 555-0123","e164":null,"national":null,"international":null,"region":null,"extension":"204"},"contact":null,"leads":[],"matches":{"count":0,"kind":null,"others":[]},"cache":{"status":"skipped","age_s":0,"stale":false}}"##);
}

#[test]
fn json_says_that_the_leads_are_partial_and_the_card_stale() {
    let mut card = bare(7);
    card.partial.leads = true;
    let mut answer = found(card);
    answer.freshness = stale();
    if let Finding::Found(found) = &mut answer.finding {
        found.kind = MatchKind::Equivalent;
    }

    let json: serde_json::Value = serde_json::from_str(&shown(Format::Json, &answer)).unwrap();

    assert_eq!(json["partial"], serde_json::json!(["leads"]));
    assert_eq!(json["matches"]["kind"], "equivalent");
    assert_eq!(json["cache"], serde_json::json!({"status": "stale", "age_s": 10_800, "stale": true}));
}

#[test]
fn only_programs_are_told_not_found_by_the_status() {
    for format in Format::ALL {
        let status = |answer: &Answer, not_found_ok| {
            let options = callcard::render::Options { not_found_ok, ..options() };
            render(*format, answer, &asked(), &options).status
        };
        let by_status = matches!(format, Format::Json | Format::Flat | Format::Vcard);
        let expected = if by_status { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(status(&nobody(), false), expected, "{format}");
        assert_eq!(status(&nobody(), true), StatusCode::OK, "{format}");
        assert_eq!(status(&found(anna()), false), StatusCode::OK, "{format}");
    }
}

#[test]
fn text_shows_the_best_name_there_is() {
    let mut named_by_a_pbx = anna();
    named_by_a_pbx.name = "+1 415 555-0123".to_owned();
    named_by_a_pbx.first_name = None;
    named_by_a_pbx.last_name = None;

    assert_eq!(shown(Format::Text, &found(anna())), "Anna Ivanova");
    assert_eq!(shown(Format::Text, &found(named_by_a_pbx)), "Northwind Roofing");
    assert_eq!(shown(Format::Text, &found(bare(7))), "");
    assert_eq!(shown(Format::Text, &nobody()), "");
    assert_eq!(shown(Format::Text, &withheld()), "");
}

#[test]
fn the_default_text_is_cleaned_and_stands_for_every_missing_name() {
    let mut options = options();
    options.default = Some("\"Unknown\"\n".to_owned());
    let text = |answer: &Answer| body(&render(Format::Text, answer, &asked(), &options));

    assert_eq!(text(&nobody()), "Unknown");
    assert_eq!(text(&found(bare(7))), "Unknown");
    assert_eq!(text(&found(anna())), "Anna Ivanova");
    let failed = render_error(Format::Text, &failure("upstream-timeout"), &asked(), &options).unwrap();
    assert_eq!((failed.status, body(&failed).as_str()), (StatusCode::OK, "Unknown"));
}

#[test]
fn flat_is_one_object_of_strings() {
    assert_snapshot!(shown(Format::Flat, &found(anna())), @r##"{"found":"1","reason":"","phone":"+14155550123","extension":"","kind":"contact","name":"Anna Ivanova","first_name":"Anna","last_name":"Ivanova","company":"Northwind Roofing","email":"anna@northwind-roofing.example","owner":"Olivia Owner","owner_id":"71","tags":"VIP, wholesale, net 30","url":"https://acme.kommo.com/contacts/detail/7","lead":"Warehouse roof, 2 400 m²","pipeline":"Sales","stage":"Negotiation","state":"open","price":"184000","lead_url":"https://acme.kommo.com/leads/detail/1","leads":"4","open_leads":"2","matches":"1","stale":"0","age_s":"12"}"##);
}

#[test]
fn flat_has_the_same_names_for_everybody_and_stays_small() {
    let mut huge = anna();
    huge.name = "\"\\".repeat(50_000);
    huge.first_name = Some("\u{1}".repeat(50_000));
    huge.tags = (0..1000).map(|_| tag(&"ю".repeat(300), None)).collect();
    huge.emails = vec!["\"".repeat(50_000)];

    let names = |text: &str| {
        let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
        assert!(map.values().all(serde_json::Value::is_string));
        map.keys().cloned().collect::<Vec<_>>()
    };
    let text = shown(Format::Flat, &found(huge));
    assert!(text.len() <= 32 * 1024, "{}", text.len());
    assert_eq!(names(&text), names(&shown(Format::Flat, &withheld())));
}

#[test]
fn hash_encodes_for_asterisk_and_disarms_what_people_typed() {
    let mut card = anna();
    card.name = "Ann \"${EVIL}\" & Söhne".to_owned();
    card.leads.truncate(1);
    card.tags.clear();

    assert_snapshot!(shown(Format::Hash, &found(card)), @r##"found=1&reason=&phone=%2B14155550123&extension=&kind=contact&name=Ann%20%7BEVIL%7D%20%26%20S%C3%B6hne&first_name=Anna&last_name=Ivanova&company=Northwind%20Roofing&email=anna%40northwind-roofing.example&owner=Olivia%20Owner&owner_id=71&tags=&url=https%3A%2F%2Facme.kommo.com%2Fcontacts%2Fdetail%2F7&lead=Warehouse%20roof%2C%202%20400%20m%C2%B2&pipeline=Sales&stage=Negotiation&state=open&price=184000&lead_url=https%3A%2F%2Facme.kommo.com%2Fleads%2Fdetail%2F1&leads=1&open_leads=1&matches=1&stale=0&age_s=12"##);
    let mut card = anna();
    card.emails = vec!["-x;@evil.example".to_owned()];
    assert!(shown(Format::Hash, &found(card)).contains("&email=&"), "a changed address is somebody else's");
    let failed = render_error(Format::Hash, &failure("upstream-timeout"), &asked(), &options()).unwrap();
    assert_eq!((failed.status, body(&failed).as_str()), (StatusCode::OK, "found=0&reason=upstream-timeout"));
}

#[test]
fn vcard_escapes_and_folds() {
    let mut card = anna();
    card.phones.push("ask for Bob".to_owned());
    card.name = "Ivanova, Anna; \\ line\nbreak\r".to_owned();
    card.tags.push(tag(&"ж".repeat(70), None));

    let text = shown(Format::Vcard, &found(card));

    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
    assert_snapshot!(text.replace("\r\n", "\n"), @r##"
    BEGIN:VCARD
    VERSION:4.0
    UID;VALUE=uri:https://acme.kommo.com/contacts/detail/7
    FN:Ivanova\, Anna\; \\ line\nbreak
    N:Ivanova;Anna;;;
    ORG:Northwind Roofing
    TEL;VALUE=uri:tel:+14155550123
    TEL;VALUE=uri:tel:+14155550177
    TEL:ask for Bob
    EMAIL:anna@northwind-roofing.example
    CATEGORIES:VIP,wholesale,net 30,жжжжжжжжжжжжжжжжжжжжж
     жжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжж
     жжжжжжжжжжжж
    URL:https://acme.kommo.com/contacts/detail/7
    REV:20261124T081500Z
    END:VCARD
    "##);
    assert_eq!(shown(Format::Vcard, &nobody()), "");
}

#[test]
fn xml_is_a_directory_that_always_has_an_entry() {
    let mut card = anna();
    card.phones.push("ask for Bob".to_owned());
    card.name = "A & B <\u{1}'\"".to_owned();

    assert_snapshot!(shown(Format::Xml, &found(card)), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <CiscoIPPhoneDirectory>
    <Title>+1 415-555-0123</Title>
    <Prompt></Prompt>
    <DirectoryEntry><Name>A &#38; B &#60;&#39;&#34; (Northwind Roofing)</Name><Telephone>+14155550123</Telephone></DirectoryEntry>
    <DirectoryEntry><Name>A &#38; B &#60;&#39;&#34; (Northwind Roofing)</Name><Telephone>+14155550177</Telephone></DirectoryEntry>
    </CiscoIPPhoneDirectory>
    "##);
    assert_snapshot!(shown(Format::Xml, &nobody()), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <CiscoIPPhoneDirectory>
    <Title>+1 415-555-0123</Title>
    <Prompt>Nobody has this number</Prompt>
    <DirectoryEntry><Name>No entries</Name><Telephone></Telephone></DirectoryEntry>
    </CiscoIPPhoneDirectory>
    "##);
    let failed = render_error(Format::Xml, &failure("upstream-timeout"), &asked(), &options()).unwrap();
    assert_eq!(failed.status, StatusCode::OK);
    assert!(body(&failed).contains("No entries"));
}

#[test]
fn json_flat_and_vcard_leave_failures_to_the_problem_document() {
    for format in [Format::Json, Format::Flat, Format::Vcard] {
        assert!(render_error(format, &failure("upstream-timeout"), &asked(), &options()).is_none());
    }
}

#[test]
fn the_validator_follows_the_card_and_nothing_else() {
    let etag = |answer: &Answer| render(Format::Json, answer, &asked(), &options()).tag.unwrap().as_str().to_owned();
    let first = etag(&found(anna()));
    let mut aged = found(anna());
    aged.freshness = stale();
    let mut edited = anna();
    edited.leads[0].stage = Some("Offer sent".into());

    assert_eq!(etag(&aged), first, "age and status do not count");
    assert_ne!(etag(&found(edited)), first, "a lead's stage does");
    assert_ne!(etag(&found_among(anna(), vec![bare(9)])), first, "so does another match");
    assert_ne!(etag(&nobody()), etag(&withheld()));
    assert!(first.starts_with("W/\"") && first.ends_with('"'));
}
