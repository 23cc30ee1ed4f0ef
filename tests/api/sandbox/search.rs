//! What `query=` finds, in each kind of account.
use std::time::Duration;

use callcard::sandbox::SearchMode;
use callcard::sandbox::fixtures::people;
use tokio::time::advance;

use super::Client;

fn account(mode: SearchMode) -> Client {
    Client::new(|settings| settings.search = mode)
}

async fn found(client: &Client, query: &str) -> Vec<u64> {
    client.ids(&format!("/api/v4/contacts?limit=250&query={query}")).await
}

#[tokio::test]
async fn digits_find_every_way_of_storing_a_number() {
    let client = account(SearchMode::Digits);
    for (query, id) in [
        ("9991234567", people::RU_BRACKETS),
        ("9991234568", people::RU_EIGHT),
        ("9991234569", people::RU_SEVEN),
        ("9991234570", people::RU_BARE),
        ("4155550114", people::US_DOTS),
        ("4155550120", people::TWO_IN_ONE),
        ("4155550122", people::TWO_WITH_SLASH),
        ("4155550127", people::NUMERIC_VALUE),
    ] {
        assert_eq!(found(&client, query).await, [id], "{query}");
    }
    assert_eq!(found(&client, "4155550124").await, [people::EXTENSION_12, people::EXTENSION_15]);
    assert!(found(&client, "79991234568").await.is_empty(), "stored with an 8 instead");
}

#[tokio::test]
async fn a_search_looks_at_everything_not_only_phones() {
    let client = account(SearchMode::Digits);
    let all = [
        people::DIGITS_IN_NAME,
        people::DIGITS_IN_ORDER,
        people::DIGITS_IN_EMAIL,
        people::DIGITS_IN_TAG,
        people::DIGITS_ABROAD,
    ];
    assert_eq!(found(&client, "4155550130").await, all);
}

#[tokio::test]
async fn raw_finds_a_number_only_as_it_is_written() {
    let client = account(SearchMode::Raw);
    assert_eq!(found(&client, "4155550123").await, [people::ANNA]);
    assert!(found(&client, "4155550114").await.is_empty());
    assert_eq!(found(&client, "415.555.0114").await, [people::US_DOTS]);
    assert_eq!(found(&client, "%28415%29+555-0115").await, [people::US_BRACKETS]);
}

#[tokio::test]
async fn last7_finds_the_twin_in_another_area_too() {
    let client = account(SearchMode::Last7);
    assert_eq!(found(&client, "4155550140").await, [people::TAIL_TWIN_415, people::TAIL_TWIN_212]);
    assert_eq!(found(&client, "4155550122").await, [people::TWO_WITH_SLASH]);
}

#[tokio::test]
async fn the_switchboard_fills_more_than_a_page() {
    let answer = account(SearchMode::Digits).get("/api/v4/contacts?limit=250&query=4155550100").await;
    assert_eq!(answer.ids().len(), 250);
    assert!(answer.json()["_links"]["next"]["href"].is_string());
}

#[tokio::test]
async fn a_deleted_contact_is_never_found() {
    for mode in SearchMode::ALL {
        let client = account(mode);
        assert!(found(&client, "+1+415+555+0189").await.is_empty());
        client.crm.delete_contact(people::ANNA).unwrap();
        assert!(!found(&client, "14155550123").await.contains(&people::ANNA));
    }
}

#[tokio::test(start_paused = true)]
async fn the_index_lags_behind_a_change_while_lists_do_not() {
    let client = Client::new(|settings| settings.index_delay = Duration::from_secs(30));
    let id = client.crm.add_contact("Late Comer", &["+1 415 555 0107"]);
    client.crm.set_phones(people::ANNA, &["+1 415 555 0108"]).unwrap();

    assert!(found(&client, "4155550107").await.is_empty());
    assert!(found(&client, "4155550108").await.is_empty());
    assert!(found(&client, "4155550123").await.contains(&people::ANNA), "the index still shows the old number");
    assert_eq!(client.ids(&format!("/api/v4/contacts?filter[id][]={id}")).await, [id]);
    assert_eq!(client.get(&format!("/api/v4/contacts/{id}")).await.json()["name"], "Late Comer");

    advance(Duration::from_secs(30)).await;
    assert_eq!(found(&client, "4155550107").await, [id]);
    assert_eq!(found(&client, "4155550108").await, [people::ANNA]);
    assert!(!found(&client, "4155550123").await.contains(&people::ANNA));
}

#[tokio::test]
async fn every_number_of_a_generated_account_is_found_by_its_digits() {
    let client = Client::new(|settings| settings.contacts = 3_000);
    let mut asked = 0;
    for contact in client.crm.truth().filter(|contact| contact.id >= 1_000 && contact.id % 5 == 0) {
        for phone in contact.phones() {
            let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
            assert!(found(&client, &digits).await.contains(&contact.id), "{phone}");
            asked += 1;
        }
    }
    assert!(asked > 400);
}
