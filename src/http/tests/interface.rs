//! The description of the interface, held against the interface.

use std::collections::BTreeSet;

use super::super::{openapi, public_routes};
use super::*;

fn document() -> Value {
    serde_json::from_str(openapi::json()).unwrap()
}

#[tokio::test]
async fn every_route_and_method_is_described_and_nothing_else() {
    let client = Client::open();
    let document = document();
    let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routed: BTreeSet<_> = public_routes().iter().map(|(path, _)| *path).collect();
    assert_eq!(described, routed);
    for path in routed {
        let got = client.send(Request::builder().method("BREW").uri(path), "").await;
        let allowed: BTreeSet<_> = got.header("allow").split(',').map(str::to_ascii_lowercase).collect();
        let methods: BTreeSet<_> = document["paths"][path].as_object().unwrap().keys().cloned().collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

#[test]
fn the_committed_document_is_the_one_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == openapi::json(), "docs/openapi.json is not current: write it anew with `callcard openapi`");
}

#[test]
fn operations_have_ids_of_their_own_and_every_reference_leads_somewhere() {
    let document = document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for reference in openapi::json().split("\"$ref\": \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn real_answers_have_the_members_that_are_described_and_no_others() {
    let client = Client::open();
    for (path, schema) in [
        (asking(KNOWN), "Card"),
        (asking(UNKNOWN), "Card"),
        ("/lookup?phone=anonymous".to_owned(), "Card"),
        ("/lookup?phone=%2B1415555".to_owned(), "Problem"),
        (asking(FAILING), "Problem"),
    ] {
        let got = client.get(&path).await;
        check(&document(), &document()["components"]["schemas"][schema], &got.json(), schema);
    }
}

/// A small part of JSON Schema, and stricter: a member that is not described is a fault.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, document.pointer(&reference[1..]).unwrap(), value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|choice| (choice["type"] == "null") == value.is_null());
        return check(document, choice.unwrap_or_else(|| panic!("{place} may not be {value}")), value, place);
    }
    assert!(has_type(&schema["type"], value), "{place} is {value}, described as {}", schema["type"]);
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place} is {value}");
    }
    if let Some(members) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
        }
        for (name, member) in members {
            let described = &schema["properties"][name];
            assert!(described.is_object(), "{place}.{name} is not described");
            check(document, described, member, &format!("{place}.{name}"));
        }
    }
    for member in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], member, &format!("{place}[]"));
    }
}

fn has_type(described: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    };
    match described {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => false,
    }
}

#[tokio::test]
async fn the_page_loads_nothing_and_lists_every_operation() {
    let got = Client::open().get("/docs").await;

    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(got.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    for (path, _) in public_routes() {
        assert!(got.body.contains(path), "{path}");
    }
    for word in ["<script", "src=", "http://", "https://", "@import", "url("] {
        assert!(!got.body.contains(word), "{word}");
    }
}
