//! The CRM account: where it is, how we prove who we are, how we may treat it.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::reader::Reader;
use super::variable::{Variable, variables};
use crate::crm::auth::{Credentials, Integration};
use crate::lookup::{Leads, SearchMode};
use crate::phone::Region;

variables! { "CRM":
    /// The account's address, such as `https://acme.kommo.com`
    KOMMO_URL = "CALLCARD_KOMMO_URL" as "URL";
    /// Where links to contacts and leads point, if not to `CALLCARD_KOMMO_URL`
    KOMMO_WEB_URL = "CALLCARD_KOMMO_WEB_URL" as "URL";
    /// `on`: allow http:// to a CRM beyond this machine; the token travels unencrypted. For a sandbox in another container
    KOMMO_PLAIN_HTTP = "CALLCARD_KOMMO_PLAIN_HTTP" as "on|off" or "off";
    /// A long-lived token of a private integration
    KOMMO_TOKEN = secret "CALLCARD_KOMMO_TOKEN" as "TOKEN";
    /// OAuth2, instead of the token: the integration's id
    KOMMO_CLIENT_ID = "CALLCARD_KOMMO_CLIENT_ID" as "ID";
    /// OAuth2: the integration's secret
    KOMMO_CLIENT_SECRET = secret "CALLCARD_KOMMO_CLIENT_SECRET" as "SECRET";
    /// OAuth2: the redirect address as the integration has it
    KOMMO_REDIRECT_URI = "CALLCARD_KOMMO_REDIRECT_URI" as "URL";
    /// OAuth2: the first refresh token; later ones are kept in `CALLCARD_TOKEN_STORE`
    KOMMO_REFRESH_TOKEN = secret "CALLCARD_KOMMO_REFRESH_TOKEN" as "TOKEN";
    /// OAuth2: the file in which rotated tokens are kept
    TOKEN_STORE = "CALLCARD_TOKEN_STORE" as "PATH" or "./callcard-token.json";
    /// How to read numbers without a country code: ISO 3166, two letters
    DEFAULT_REGION = "CALLCARD_DEFAULT_REGION" as "REGION" or "US";
    /// `full`: name, stage, pipeline and price of each lead. `ids`: what the contacts answer holds, one CRM call less
    LEADS = "CALLCARD_LEADS" as "full|ids" or "full";
    /// How this account's search finds phone numbers: `digits`, `raw` or `last7`; `auto` measures it after the start and daily
    SEARCH = "CALLCARD_SEARCH" as "auto|digits|raw|last7" or "auto";
    /// `on`: a number that no contact has is looked for on companies too: one CRM call more for each number that nobody has, where the search ignores formatting
    COMPANIES = "CALLCARD_COMPANIES" as "on|off" or "off";
    /// CRM requests per second, all replicas together; no second ever sees more than one above it
    UPSTREAM_RATE = "CALLCARD_UPSTREAM_RATE" as "NUMBER" or "6";
}

/// Kommo suspends an address that sends more than this in a second, and we may send one above our rate.
const KOMMO_LIMIT: u32 = 7;
const SWITCH: &[(&str, bool)] = &[("on", true), ("off", false)];

/// The CRM account and how to talk to it.
pub(super) struct Crm {
    pub(super) url: Url,
    pub(super) web_url: Url,
    pub(super) credentials: Credentials,
    pub(super) default_region: Region,
    pub(super) leads: Leads,
    pub(super) search: SearchMode,
    pub(super) companies: bool,
    pub(super) rate: u32,
}

impl Crm {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (url, web_url) = read_urls(reader).unzip();
        let credentials = read_credentials(reader);
        judge_host(reader, url.as_ref(), credentials.as_ref());
        let default_region = reader.required(&DEFAULT_REGION, parse_region);
        let leads = reader.choice(&LEADS, &[("full", Leads::Full), ("ids", Leads::Ids)]);
        let search = reader.choice(
            &SEARCH,
            &[
                ("auto", SearchMode::Auto),
                ("digits", SearchMode::Digits),
                ("raw", SearchMode::Raw),
                ("last7", SearchMode::Last7),
            ],
        );
        let rate = read_rate(reader);
        let companies = reader.choice(&COMPANIES, SWITCH);
        Some(Self {
            url: url?,
            web_url: web_url?,
            credentials: credentials?,
            default_region: default_region?,
            leads: leads?,
            search: search?,
            companies: companies?,
            rate: rate?,
        })
    }
}

/// The API's address and the one that links point to.
fn read_urls(reader: &mut Reader<'_>) -> Option<(Url, Url)> {
    let plain_http = reader.choice(&KOMMO_PLAIN_HTTP, SWITCH);
    let url = reader.required(&KOMMO_URL, |text| parse_account_url(text, plain_http.unwrap_or(true)));
    let web_url = reader.optional(&KOMMO_WEB_URL, parse_origin)?;
    let url = url?;
    if web_url.is_none() && is_shared_api_host(&url) {
        return reader.fault(
            &KOMMO_WEB_URL,
            format!(
                "must be set: {} is not an account's own host, so links to contacts cannot point there",
                KOMMO_URL.name
            ),
        );
    }
    let web_url = web_url.unwrap_or_else(|| url.clone());
    plain_http.map(|_| (url, web_url))
}

fn parse_account_url(text: &str, plain_http: bool) -> Result<Url, String> {
    let url = parse_origin(text)?;
    if matches!(url.host_str(), Some("www.kommo.com" | "kommo.com")) {
        return Err("is not an account's own host, such as https://acme.kommo.com".to_owned());
    }
    if url.scheme() == "http" && !plain_http && !is_loopback(&url) {
        return Err(format!("would send the token unencrypted; use https://, or say {}=on", KOMMO_PLAIN_HTTP.name));
    }
    Ok(url)
}

/// An address that consists of scheme, host and perhaps a port.
fn parse_origin(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not a URL such as https://acme.kommo.com".to_owned())?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err("is neither https:// nor http:// with a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or a password; leave them out".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("has more than a host; leave out what follows it".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// `api-c.kommo.com` and the like serve every account's API, but nobody's pages.
fn is_shared_api_host(url: &Url) -> bool {
    let host = url.host_str().and_then(|host| host.split_once('.'));
    host.is_some_and(|(first, rest)| {
        first.starts_with("api-") && matches!(rest, "kommo.com" | "amocrm.com" | "amocrm.ru")
    })
}

fn read_rate(reader: &mut Reader<'_>) -> Option<u32> {
    let rate = reader.within(&UPSTREAM_RATE, "a whole number", 1..=1000)?;
    if rate >= KOMMO_LIMIT {
        reader.warn(&UPSTREAM_RATE, format!("the CRM suspends addresses that send more than {KOMMO_LIMIT} a second"));
    }
    Some(rate)
}

/// Either a token, or all of OAuth2.
fn read_credentials(reader: &mut Reader<'_>) -> Option<Credentials> {
    const OAUTH: [&Variable; 4] = [&KOMMO_CLIENT_ID, &KOMMO_CLIENT_SECRET, &KOMMO_REDIRECT_URI, &KOMMO_REFRESH_TOKEN];
    if OAUTH.iter().any(|variable| reader.is_set(variable)) {
        if reader.is_set(&KOMMO_TOKEN) {
            reader.fault::<()>(&KOMMO_TOKEN, format!("is set, and {} too; keep one", KOMMO_CLIENT_ID.name));
        }
        return read_oauth(reader);
    }
    match read_token(reader, &KOMMO_TOKEN)? {
        Some(token) => Some(Credentials::LongLived(token)),
        None => {
            let oauth = OAUTH.map(|variable| variable.name).join(", ");
            reader.fault(
                &KOMMO_TOKEN,
                format!("must be set: a long-lived token of a private integration; or, for OAuth2, {oauth}"),
            )
        }
    }
}

/// The token endpoint is documented at the account's own host only.
fn judge_host(reader: &mut Reader<'_>, url: Option<&Url>, credentials: Option<&Credentials>) {
    if let (Some(url), Some(Credentials::OAuth { .. })) = (url, credentials)
        && is_shared_api_host(url)
    {
        reader.fault::<()>(&KOMMO_URL, "must be the account's own host for OAuth2: tokens are renewed there");
    }
}

fn read_oauth(reader: &mut Reader<'_>) -> Option<Credentials> {
    let client_id = reader.required(&KOMMO_CLIENT_ID, |text| Ok::<_, String>(text.to_owned()));
    let client_secret = required_token(reader, &KOMMO_CLIENT_SECRET);
    let redirect_uri = reader.required(&KOMMO_REDIRECT_URI, parse_redirect);
    let refresh_token = required_token(reader, &KOMMO_REFRESH_TOKEN);
    let store = reader.required(&TOKEN_STORE, parse_store);
    let integration = Integration {
        client_id: client_id?,
        client_secret: client_secret?,
        redirect_uri: redirect_uri?,
        refresh_token: refresh_token?,
    };
    Some(Credentials::OAuth { integration, store: store? })
}

fn required_token(reader: &mut Reader<'_>, variable: &Variable) -> Option<SecretString> {
    match read_token(reader, variable)? {
        Some(token) => Some(token),
        None => reader.fault(variable, format!("must be set: {}", variable.help.trim())),
    }
}

/// A secret that fits into a header.
fn read_token(reader: &mut Reader<'_>, variable: &Variable) -> Option<Option<SecretString>> {
    let token = reader.secret(variable)?;
    match &token {
        Some(text) if !text.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
            reader.fault(variable, "holds white space or characters beyond ASCII; give the bare token")
        }
        _ => Some(token),
    }
}

/// Kept as it was typed: the CRM compares it letter by letter.
fn parse_redirect(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if url.scheme() == "https" && url.has_host() { Ok(text.to_owned()) } else { Err("is not an https:// URL") }
}

fn parse_store(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match path.file_name() {
        Some(_) if !text.ends_with('/') => Ok(path),
        _ => Err("is not the path of a file"),
    }
}

fn parse_region(text: &str) -> Result<Region, &'static str> {
    text.parse().map_err(|_| "is not a region of two letters such as US or BR")
}
