//! The page: safe whatever is in the CRM, and the right things on it.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use callcard::card::{Company, LeadState};
use callcard::lookup::{Answer, Finding};
use callcard::matching::MatchKind;
use callcard::render::{Asked, Failure, Format, content_security_policy, render, render_error};
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::samples::*;

fn page(answer: &Answer) -> String {
    let rendered = render(Format::Html, answer, &asked(), &options());
    assert_eq!((rendered.status, rendered.content_type), (StatusCode::OK, "text/html; charset=utf-8"));
    String::from_utf8(rendered.body.to_vec()).unwrap()
}

fn failed(code: &str, status: StatusCode, detail: &str) -> String {
    let number = number();
    let number = (code != "invalid-phone").then_some(&number);
    let failure = Failure { status, code, detail, request_id: "01HZX3", number };
    let rendered = render_error(Format::Html, &failure, &asked(), &options()).unwrap();
    assert_eq!(rendered.status, status);
    String::from_utf8(rendered.body.to_vec()).unwrap()
}

/// A link without a number.
fn unasked() -> String {
    let failure = Failure {
        status: StatusCode::BAD_REQUEST,
        code: "invalid-parameter",
        detail: "phone is missing",
        request_id: "01HZX3",
        number: None,
    };
    let nothing = Asked { input: "".into() };
    let rendered = render_error(Format::Html, &failure, &nothing, &options()).unwrap();
    String::from_utf8(rendered.body.to_vec()).unwrap()
}

fn hostile() -> Answer {
    const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'";
    let mut card = anna();
    card.name = EVIL.to_owned();
    card.company = Some(Company { id: callcard::contact::CompanyId(5), name: Some(EVIL.into()) });
    card.tags = vec![tag(EVIL, Some("#fff\"/><script>")), tag("</style>", Some("url(x)"))];
    card.emails = vec![format!("a@b.example?bcc=x&body={EVIL}")];
    card.phones = vec![format!("javascript:{EVIL}")];
    card.leads[0].name = Some(EVIL.to_owned());
    card.leads[0].stage = Some("</li></ul><style>*{display:none}</style>".into());
    let mut other = bare(9);
    other.name = EVIL.to_owned();
    found_among(card, vec![other])
}

fn sixty() -> Answer {
    let mut card = anna();
    card.leads = (1..=60)
        .map(|id| {
            let state = if id <= 14 { LeadState::Open } else { LeadState::Won };
            lead(id, Some("Repair"), Some(id * 1_250), Some("Negotiation"), state, "2026-11-01T00:00:00Z")
        })
        .collect();
    found(card)
}

fn long() -> Answer {
    let mut card = anna();
    card.name = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe Hubert Blaine"
        .to_owned();
    card.company = Some(Company {
        id: callcard::contact::CompanyId(5),
        name: Some("Gesellschaft für außerordentlich lange Firmennamen mit beschränkter Haftung & Co. KG".into()),
    });
    card.tags = (1..=14).map(|i| tag(&format!("a rather long tag number {i}"), Some("#3f51b5"))).collect();
    card.emails = vec![format!("{}@example.com", "very.".repeat(20))];
    card.leads[0].name = Some("Supercalifragilisticexpialidocious".repeat(4));
    found(card)
}

fn chinese() -> Answer {
    let mut card = anna();
    card.name = "欧阳娜娜".to_owned();
    card.company = Some(Company {
        id: callcard::contact::CompanyId(5),
        name: Some("株式会社サンプル・テクノロジーズ".into()),
    });
    card.tags = vec![tag("重要なお客様", Some("#2e7d32")), tag("단골", Some("#b0bec5"))];
    card.leads[0].name = Some("二〇二七年度保守契約および機器更新一式（東京本社）".to_owned());
    found(card)
}

fn emoji() -> Answer {
    let mut card = anna();
    card.name = "🦊 Zoë O’Brien 👩‍🚀🇧🇷".to_owned();
    card.company =
        Some(Company { id: callcard::contact::CompanyId(5), name: Some("☕️ Café Ñandú & Söhne".into()) });
    card.tags = vec![tag("🔥 hot", Some("#ffffff")), tag("❄️", Some("#000000"))];
    card.leads[0].name = Some("Z̴̢͝a̷͘l̶̛g̵͝o̷͞ 👨‍👩‍👧‍👦".to_owned());
    found(card)
}

/// A switchboard's number.
fn shared() -> Answer {
    let others = (10..34)
        .map(|id| {
            let mut card = bare(id);
            card.name = format!("Colleague {id}");
            card.company =
                Some(Company { id: callcard::contact::CompanyId(5), name: Some("Northwind Roofing".into()) });
            card
        })
        .collect();
    found_among(anna(), others)
}

fn right_to_left() -> Answer {
    let mut card = anna();
    card.name = "محمد عبد الرحمن".to_owned();
    card.company =
        Some(Company { id: callcard::contact::CompanyId(5), name: Some("شركة النور للتجارة".into()) });
    card.leads[0].name = Some("عقد صيانة 2027".to_owned());
    found(card)
}

fn old() -> Answer {
    let mut second = bare(9);
    second.name = "Boris Ivanov".to_owned();
    second.company = Some(Company { id: callcard::contact::CompanyId(6), name: Some("Southwind Ltd".into()) });
    let mut answer = found_among(anna(), vec![second, bare(11)]);
    answer.freshness = stale();
    if let Finding::Found(found) = &mut answer.finding {
        found.kind = MatchKind::Equivalent;
    }
    answer
}

fn partial() -> Answer {
    let mut card = anna();
    card.partial.leads = true;
    for lead in &mut card.leads {
        (lead.name, lead.price, lead.stage, lead.pipeline, lead.state, lead.updated_at) =
            (None, None, None, None, None, None);
    }
    found(card)
}

fn every_page() -> Vec<(&'static str, String)> {
    vec![
        ("card", page(&found(anna()))),
        ("stale", page(&old())),
        ("partial", page(&partial())),
        ("sixty", page(&sixty())),
        ("long", page(&long())),
        ("rtl", page(&right_to_left())),
        ("cjk", page(&chinese())),
        ("emoji", page(&emoji())),
        ("shared", page(&shared())),
        ("hostile", page(&hostile())),
        ("bare", page(&found(bare(7)))),
        ("not-found", page(&nobody())),
        ("withheld", page(&withheld())),
        ("extension", page(&extension())),
        (
            "timeout",
            failed(
                "upstream-timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "the CRM did not answer before the deadline; the lookup goes on",
            ),
        ),
        ("down", failed("upstream-unavailable", StatusCode::SERVICE_UNAVAILABLE, "calls to the CRM are suspended")),
        ("unauthorized", failed("unauthorized", StatusCode::UNAUTHORIZED, "send a known key")),
        ("no-number", unasked()),
        ("invalid", failed("invalid-phone", StatusCode::BAD_REQUEST, "the number has too few digits for its country")),
    ]
}

/// The names of all elements that `html` opens.
fn elements(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_page_keeps_its_own_policy() {
    for (name, html) in every_page() {
        let (_, rest) = html.split_once("<style>").unwrap();
        let (style, body) = rest.split_once("</style>").unwrap();
        let hash = BASE64_STANDARD.encode(Sha256::digest(style));

        assert!(content_security_policy().contains(&format!("'sha256-{hash}'")), "{name}");
        assert!(!elements(body).iter().any(|element| ["script", "style", "img", "iframe"].contains(element)), "{name}");
        assert!(!body.contains(" style=") && !body.contains("=\"javascript:"), "{name}");
        assert!(
            !html.contains("{{") && html.contains("<html lang=\"en\">") && html.contains("content=\"no-referrer\""),
            "{name}"
        );
    }
}

#[test]
fn hostile_text_adds_no_element_and_no_attribute() {
    let mut harmless = hostile();
    if let Finding::Found(found) = &mut harmless.finding {
        let card = std::sync::Arc::make_mut(&mut found.best);
        card.name = "x".repeat(60);
        card.company = Some(Company { id: callcard::contact::CompanyId(5), name: Some("x".into()) });
        card.tags = vec![tag("x", None), tag("x", None)];
        card.emails = vec!["x@x".to_owned()];
        card.phones = vec!["x".to_owned()];
        card.leads[0].name = Some("x".to_owned());
        card.leads[0].stage = Some("x".into());
        found.others = vec![std::sync::Arc::new(bare(9))];
    }

    let (hostile, harmless) = (page(&hostile()), page(&harmless));

    assert_eq!(elements(&hostile), elements(&harmless));
    assert_eq!(hostile.matches('"').count(), harmless.matches('"').count());
}

#[test]
fn a_name_cannot_turn_the_title_around() {
    let mut card = anna();
    card.name = "Anna\u{202e}\u{2068}".to_owned();
    assert!(page(&found(card)).contains("<title>Anna · +1 415-555-0123</title>"));
}

#[test]
fn the_card_says_what_an_agent_needs() {
    let html = page(&found(anna()));

    for text in [
        "<title>Anna Ivanova · +1 415-555-0123</title>",
        "<h1 dir=\"auto\">Anna Ivanova</h1>",
        "Northwind Roofing",
        "VIP",
        "Olivia Owner",
        "overdue by 2 days",
        "Warehouse roof",
        "184\u{202f}000",
        "Negotiation",
        "2 open of 4",
        "Lead 4",
        "mailto:anna@northwind-roofing.example",
        "href=\"tel:+14155550123\"",
        "href=\"https://acme.kommo.com/contacts/detail/7\"",
        "Read from the CRM just now.",
        "refresh=1",
        "14 Mar 2023",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("class=\"notice\""));
}

#[test]
fn doubts_are_said_on_the_card() {
    let stale = page(&old());
    assert!(stale.contains("The CRM does not answer. This is how it was 3 h ago."));
    let mut slow = old();
    slow.freshness.detail = Some("soft-deadline");
    assert!(page(&slow).contains("The CRM is slow."));
    assert!(
        stale.contains("re-numbering") && stale.contains("Boris Ivanov") && stale.contains("Contact without a name")
    );
    assert!(page(&partial()).contains("not names or stages"));
}

#[test]
fn sixty_leads_fold_after_ten() {
    let html = page(&sixty());
    let (open, folded) = html.split_once("<details>").unwrap();
    assert_eq!((open.matches("class=\"lead ").count(), folded.matches("class=\"lead ").count()), (10, 50));
    assert!(folded.contains("<summary>50 more</summary>"));
}

#[test]
fn an_unknown_caller_can_be_made_a_contact() {
    let html = page(&nobody());
    assert!(html.contains("<h1 dir=\"auto\">+1 415-555-0123</h1>"));
    assert!(html.contains("href=\"https://acme.kommo.com/contacts/add?phone=%2B14155550123\""));
    assert!(!page(&withheld()).contains("contacts/add") && page(&extension()).contains("Extension 204"));
}

#[test]
fn a_failure_keeps_the_number_and_offers_another_try() {
    let html = failed("upstream-timeout", StatusCode::GATEWAY_TIMEOUT, "too slow");
    assert!(
        html.contains("+1 415-555-0123")
            && html.contains("Try again")
            && html.contains("01HZX3")
            && html.contains("still being fetched")
    );
    let html = failed("invalid-phone", StatusCode::BAD_REQUEST, "too short");
    assert!(html.contains("Too short.") && !html.contains("Try again") && !html.contains("tel:"));
    assert!(html.contains("name=\"phone\" type=\"tel\" value=\"(415) 555-0123\""), "the number can be corrected");
    assert!(failed("unauthorized", StatusCode::UNAUTHORIZED, "").contains("Sign in"));
}

#[test]
fn many_others_are_counted_at_the_top_and_fold_after_five() {
    let html = page(&shared());
    let (top, below) = html.split_once("id=\"others\"").unwrap();
    assert!(top.contains("<a class=\"sharing\" href=\"#others\">shared with 24 others</a>"));
    let (open, folded) = below.split_once("<details>").unwrap();
    assert_eq!((open.matches("<li>").count(), folded.matches("<li>").count()), (5, 19));
    assert!(!page(&found(anna())).contains("shared with"));
}

#[test]
fn pages_are_left_for_the_screenshots() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("card-pages");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, html) in every_page() {
        std::fs::write(folder.join(name).with_extension("html"), html).unwrap();
    }
    std::fs::write(folder.join("policy.txt"), content_security_policy()).unwrap();
    assert!(folder.join("card.html").is_file());
}
