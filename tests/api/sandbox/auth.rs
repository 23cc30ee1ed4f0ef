//! Tokens, rights and the token endpoint.
use std::time::Duration;

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::{office, people};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::advance;

use super::{Answer, Client};

fn client() -> Client {
    Client::new(|_| {})
}

fn grant(more: &Value) -> Value {
    let mut grant = json!({
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "redirect_uri": "https://calls.example.net/oauth",
    });
    grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    grant
}

async fn refresh(client: &Client, token: &str) -> Answer {
    let grant = grant(&json!({"grant_type": "refresh_token", "refresh_token": token}));
    client.post_json("/oauth2/access_token", grant).await
}

async fn redeem(client: &Client, code: &str) -> Answer {
    client.post_json("/oauth2/access_token", grant(&json!({"grant_type": "authorization_code", "code": code}))).await
}

fn text(answer: &Answer, member: &str) -> String {
    answer.json()[member].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wrong_token_is_a_401_problem() {
    let answer = client().with_token("nonsense").get("/api/v4/account").await;
    assert_eq!((answer.status, answer.content_type()), (StatusCode::UNAUTHORIZED, Some("application/problem+json")));
    assert_eq!(answer.json()["status"], 401);
}

#[tokio::test(start_paused = true)]
async fn a_long_lived_token_ends_when_it_says() {
    let client = Client::new(|settings| settings.token_ttl = Some(Duration::from_hours(24)));
    assert_eq!(client.get("/api/v4/account").await.status, StatusCode::OK);
    advance(Duration::from_hours(24)).await;
    assert_eq!(client.get("/api/v4/account").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_a_new_one_works() {
    let client = client();
    let token = client.crm.issue_token(office::MARCO, None);
    let marco = client.with_token(&token);
    assert_eq!(marco.get("/api/v4/account").await.json()["current_user_id"], office::MARCO);
    client.crm.revoke_token(&token);
    assert_eq!(marco.get("/api/v4/account").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_user_with_narrow_rights_sees_fewer_contacts_and_no_users() {
    let client = client();
    let nina = client.with_token("sandbox-narrow-token");
    assert_eq!(nina.ids("/api/v4/contacts?query=4155550195").await, [people::NINAS]);
    assert!(nina.ids("/api/v4/contacts?query=4155550123").await.is_empty());
    assert_eq!(nina.get("/api/v4/contacts/7").await.status, StatusCode::NO_CONTENT);
    assert_eq!(nina.get("/api/v4/users").await.status, StatusCode::FORBIDDEN);
    assert_eq!(nina.get("/api/v4/events").await.status, StatusCode::FORBIDDEN);
    assert_eq!(nina.get("/api/v4/webhooks").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(nina.get("/api/v4/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_may_act_for_another_user() {
    let client = client();
    let as_user = async |user: &str| {
        client.send(Method::GET, "/api/v4/contacts?query=4155550123", "", &[("x-context-user-id", user)]).await.status
    };
    assert_eq!(as_user("72").await, StatusCode::OK);
    assert_eq!(as_user("73").await, StatusCode::NO_CONTENT);
    assert_eq!(as_user("74").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_code_gives_a_pair_once() {
    let client = client();
    let pair = redeem(&client, "sandbox-code").await;
    assert_eq!(pair.status, StatusCode::OK);
    assert_eq!((&pair.json()["token_type"], &pair.json()["expires_in"]), (&json!("Bearer"), &json!(86_400)));
    assert_eq!(client.with_token(&text(&pair, "access_token")).get("/api/v4/account").await.status, StatusCode::OK);
    assert_eq!(redeem(&client, "sandbox-code").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(redeem(&client, &client.crm.authorization_code()).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_code_lives_for_twenty_minutes() {
    let client = client();
    advance(Duration::from_mins(20)).await;
    assert_eq!(redeem(&client, "sandbox-code").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refresh_rotates_the_pair_and_the_old_token_is_revoked() {
    let client = client();
    let first = refresh(&client, "sandbox-refresh-token").await;
    assert_eq!(first.status, StatusCode::OK);
    let again = refresh(&client, "sandbox-refresh-token").await;
    assert_eq!((again.status, &again.json()["hint"]), (StatusCode::UNAUTHORIZED, &json!("Token has been revoked")));
    assert_eq!(again.content_type(), Some("application/problem+json"));
    assert_eq!(refresh(&client, &text(&first, "refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn with_grace_a_lost_answer_can_be_asked_for_again() {
    let client = Client::new(|settings| settings.oauth.grace = true);
    client.crm.inject("oauth:truncated*1".parse().unwrap());
    assert!(serde_json::from_slice::<Value>(&refresh(&client, "sandbox-refresh-token").await.body).is_err());
    let second = refresh(&client, "sandbox-refresh-token").await;
    assert_eq!(second.status, StatusCode::OK);
    client.with_token(&text(&second, "access_token")).get("/api/v4/account").await;
    assert_eq!(refresh(&client, "sandbox-refresh-token").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_grace_a_lost_answer_is_a_lost_token() {
    let client = client();
    client.crm.inject("oauth:empty*1".parse().unwrap());
    refresh(&client, "sandbox-refresh-token").await;
    assert_eq!(refresh(&client, "sandbox-refresh-token").await.json()["hint"], "Token has been revoked");
}

#[tokio::test]
async fn the_integrations_own_data_must_be_right() {
    let client = client();
    let wrong = [
        (json!({"client_secret": "other", "grant_type": "refresh_token"}), StatusCode::UNAUTHORIZED),
        (json!({"redirect_uri": "https://other.example", "grant_type": "refresh_token"}), StatusCode::BAD_REQUEST),
        (json!({"grant_type": "password"}), StatusCode::BAD_REQUEST),
    ];
    for (more, status) in wrong {
        let answer = client.post_json("/oauth2/access_token", grant(&more)).await;
        assert_eq!(answer.status, status, "{more}");
    }
    assert_eq!(client.post_json("/oauth2/access_token", json!("nonsense")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.crm.count(Endpoint::Oauth), 4);
}
