//! The texts, held still.

use super::*;

fn all() -> Vec<ApiError> {
    let retry_after = Duration::from_millis(1200);
    vec![
        ApiError::InvalidPhone(InvalidPhone::TooShort),
        ApiError::InvalidParameter(vec![
            Fault { parameter: "region", why: "must be an ISO 3166 code of two letters" },
            Fault { parameter: "max", why: "is too long" },
        ]),
        ApiError::Unauthorized,
        ApiError::Forbidden("keys of scope text may ask for format=text only"),
        ApiError::NoSuchRoute,
        ApiError::NoSuchEntry,
        ApiError::MethodNotAllowed,
        ApiError::NotAcceptable,
        ApiError::BodyTimeout,
        ApiError::BodyTooLarge,
        LookupError::UpstreamFailed.into(),
        LookupError::UpstreamUnavailable { retry_after }.into(),
        LookupError::Overloaded { retry_after }.into(),
        LookupError::UpstreamTimeout.into(),
        ApiError::Internal,
    ]
}

fn id() -> RequestId {
    let mut headers = HeaderMap::new();
    headers.insert(super::super::request_id::X_REQUEST_ID, HeaderValue::from_static("r-1"));
    RequestId::of(&headers)
}

#[test]
fn every_error_body_is_what_it_was() {
    let bodies: Vec<_> = all().iter().map(|error| serde_json::to_string(&error.problem(&id())).unwrap()).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"type":"urn:callcard:problem:invalid-phone","title":"Not a possible phone number","status":400,"detail":"the number has too few digits for its country","code":"invalid-phone","reason":"TOO_SHORT","request_id":"r-1"}
    {"type":"urn:callcard:problem:invalid-parameter","title":"Invalid parameter","status":400,"detail":"region must be an ISO 3166 code of two letters; max is too long","code":"invalid-parameter","request_id":"r-1"}
    {"type":"urn:callcard:problem:unauthorized","title":"A key is needed","status":401,"detail":"send a known key as 'Authorization: Bearer', as user or password of 'Authorization: Basic', or as 'X-Api-Key'","code":"unauthorized","request_id":"r-1"}
    {"type":"urn:callcard:problem:forbidden","title":"Not with this key","status":403,"detail":"keys of scope text may ask for format=text only","code":"forbidden","request_id":"r-1"}
    {"type":"urn:callcard:problem:no-such-route","title":"No such route","status":404,"detail":"there is nothing at this path; /openapi.json lists what there is","code":"no-such-route","request_id":"r-1"}
    {"type":"urn:callcard:problem:no-such-entry","title":"No such entry","status":404,"detail":"nothing is kept under this name","code":"no-such-entry","request_id":"r-1"}
    {"type":"urn:callcard:problem:method-not-allowed","title":"Method not allowed","status":405,"detail":"the Allow header lists the methods of this path","code":"method-not-allowed","request_id":"r-1"}
    {"type":"urn:callcard:problem:not-acceptable","title":"Not acceptable","status":406,"detail":"Accept takes none of the media types on offer; ask with format=json, text, html, vcard, xml, flat or hash","code":"not-acceptable","request_id":"r-1"}
    {"type":"urn:callcard:problem:body-timeout","title":"The body came too slowly","status":408,"detail":"the request's body did not arrive in time","code":"body-timeout","request_id":"r-1"}
    {"type":"urn:callcard:problem:body-too-large","title":"The body is too large","status":413,"detail":"the request's body is larger than this endpoint takes","code":"body-too-large","request_id":"r-1"}
    {"type":"urn:callcard:problem:upstream-failed","title":"The CRM failed","status":502,"detail":"the CRM's answer could not be used, and nothing is cached for this number","code":"upstream-failed","request_id":"r-1"}
    {"type":"urn:callcard:problem:upstream-unavailable","title":"The CRM is unavailable","status":503,"detail":"calls to the CRM are suspended, and nothing is cached for this number","code":"upstream-unavailable","request_id":"r-1"}
    {"type":"urn:callcard:problem:overloaded","title":"Overloaded","status":503,"detail":"the CRM's request quota cannot be met within the deadline","code":"overloaded","request_id":"r-1"}
    {"type":"urn:callcard:problem:upstream-timeout","title":"The CRM is slow","status":504,"detail":"the deadline passed; the answer is still being fetched and the next call will find it","code":"upstream-timeout","request_id":"r-1"}
    {"type":"urn:callcard:problem:internal","title":"Internal error","status":500,"detail":"the request met a defect of the service; the request id finds it in the log","code":"internal","request_id":"r-1"}
    "#);
}

#[test]
fn every_code_is_its_own() {
    let mut codes: Vec<_> = all().iter().map(ApiError::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all().len());
}

#[test]
fn retry_after_is_rounded_up_and_stands_only_where_it_is_known() {
    for error in all() {
        let response = error.respond(&id());
        let wait = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(wait.as_deref(), (error.status().as_u16() == 503).then_some("2"), "{}", error.code());
    }
    assert_eq!(whole_seconds(Duration::ZERO), 1);
}

#[test]
fn a_401_offers_basic_first() {
    let response = ApiError::Unauthorized.respond(&id());
    let offers: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
    assert_eq!(offers, [r#"Basic realm="callcard", charset="UTF-8""#, r#"Bearer realm="callcard""#]);
}
