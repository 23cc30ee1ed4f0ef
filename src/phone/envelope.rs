//! What phone systems wrap around a number: SIP and `tel:` URIs, display names, escapes, parameters.
//!
//! Taken off here: `"Anna" <sip:%2B14155550123;ext=12@pbx.example;user=phone>` is left as `+14155550123;ext=12`. Only the parameters that
//! belong to a number stay (`ext`, and `phone-context` where it completes the number); the rest routes calls. Whether what is
//! left is a number is for [`reading`](super::reading) to say.

use super::{InvalidPhone, digits};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::net::IpAddr;

/// The number's own text in `raw`, possibly empty. A leading space is kept: it may have been a plus.
pub(super) fn open(raw: &str) -> Result<Cow<'_, str>, InvalidPhone> {
    if !raw.contains(['%', '<', '@', ';', ':']) {
        return Ok(Cow::Borrowed(raw));
    }
    // An escape that is not UTF-8 was none.
    let raw = percent_decode_str(raw).decode_utf8().unwrap_or(Cow::Borrowed(raw));
    let address = without_name(&raw);
    let (scheme, address) = split_scheme(address);
    let is_uri = scheme != Scheme::None || address.contains('@');
    let (number, parameters) = split_parameters(user(address, scheme), is_uri);
    complete(number, &parameters).map(Cow::Owned)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Sip,
    Tel,
    None,
}

/// `"Name" <address>;tag=…` → `address`.
fn without_name(text: &str) -> &str {
    let Some((_, address)) = text.rsplit_once('<') else { return text };
    address.split_once('>').map_or(address, |(address, _)| address)
}

fn split_scheme(text: &str) -> (Scheme, &str) {
    let trimmed = text.trim_start();
    for (name, scheme) in
        [("sip:", Scheme::Sip), ("sips:", Scheme::Sip), ("tel:", Scheme::Tel), ("callto:", Scheme::Tel)]
    {
        if let Some((start, rest)) = trimmed.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return if scheme == Scheme::Tel && is_label(start, rest) {
                (Scheme::None, rest.trim_start())
            } else {
                (scheme, rest)
            };
        }
    }
    (Scheme::None, text)
}

/// `Tel: 415 555 0123` was typed by somebody; `tel: 14155550123` was sent, and the space was a plus.
fn is_label(name: &str, rest: &str) -> bool {
    rest.starts_with(' ') && (name.starts_with('T') || rest.trim().contains(' '))
}

/// The part before the host. A SIP URI without one is taken for a number if it is not an address.
fn user(address: &str, scheme: Scheme) -> &str {
    match (scheme, address.split_once('@')) {
        (Scheme::Sip, Some((user, _))) => user.split_once(':').map_or(user, |(user, _password)| user),
        // `anna1234567@…` is an e-mail address, and its digits are nobody's number.
        (Scheme::None, Some((user, _))) if user.contains(char::is_alphabetic) && digits::count(user) > 0 => address,
        (Scheme::None, Some((user, _))) => user,
        (Scheme::Sip, None) if is_host(address) => "",
        (Scheme::Sip, None) => address.split(['?', ':']).next().unwrap_or_default(),
        (Scheme::Tel, _) | (Scheme::None, None) => address,
    }
}

fn is_host(address: &str) -> bool {
    let host = address.split([';', '?']).next().unwrap_or_default();
    let without_port = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host.starts_with('[') || without_port.parse::<IpAddr>().is_ok()
}

/// What stands after semicolons, if it is `name=value`; other semicolons are the number's (`;12` is an extension).
#[derive(Default)]
struct Parameters<'t> {
    extension: Option<&'t str>,
    context: Option<&'t str>,
}

fn split_parameters(user: &str, is_uri: bool) -> (String, Parameters<'_>) {
    let mut parts = user.split(';');
    let mut number = parts.next().unwrap_or_default().to_owned();
    let mut parameters = Parameters::default();
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("ext") => parameters.extension = Some(value),
            Some((name, value)) if name.eq_ignore_ascii_case("phone-context") => parameters.context = Some(value),
            Some(_) => {}
            None if is_uri && part.starts_with(|c: char| c.is_ascii_alphabetic()) => {}
            None => number.extend([";", part]),
        }
    }
    (number, parameters)
}

/// The number with the context's digits in front, where the context is a prefix, and its extension behind.
fn complete(number: String, parameters: &Parameters<'_>) -> Result<String, InvalidPhone> {
    let mut text = match parameters.context {
        None => number,
        Some(context) if is_prefix(context) => format!("{context}{number}"),
        Some(context) if is_domain(context) => number,
        Some(_) => return Err(InvalidPhone::NotANumber),
    };
    if let Some(extension) = parameters.extension {
        text.push_str(";ext=");
        text.extend(extension.chars().filter(char::is_ascii_digit));
    }
    Ok(text)
}

/// RFC 3966 `global-number-digits`.
fn is_prefix(context: &str) -> bool {
    let is_separator = |c| matches!(c, '-' | '.' | '(' | ')');
    context
        .strip_prefix('+')
        .is_some_and(|rest| digits::count(rest) > 0 && rest.chars().all(|c| c.is_ascii_digit() || is_separator(c)))
}

/// RFC 3966 `domainname`: labels of letters, digits and inner dashes, the last beginning with a letter.
fn is_domain(context: &str) -> bool {
    let mut labels = context.strip_suffix('.').unwrap_or(context).rsplit('.').peekable();
    let is_top = labels.peek().is_some_and(|top| top.starts_with(|c: char| c.is_ascii_alphabetic()));
    is_top
        && labels.all(|label| {
            let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            let is_inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_inner && is_edge(label.chars().next()) && is_edge(label.chars().last())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(raw: &str) -> String {
        open(raw).unwrap().into_owned()
    }

    #[test]
    fn a_bare_number_is_left_alone() {
        assert!(matches!(open(" 14155550123"), Ok(Cow::Borrowed(" 14155550123"))));
    }

    #[test]
    fn uris_are_taken_off() {
        let forms = [
            "sip:+14155550123@pbx.example;user=phone",
            "sips:+14155550123@pbx.example:5061;transport=tls?x=y",
            "SIP:%2B14155550123@[2001:db8::1]",
            "sip:+14155550123:secret@pbx.example",
            "sip:+14155550123",
            "tel:+14155550123",
            "<sip:+14155550123@pbx.example>;tag=1",
            "\"Anna <VIP>\" <sip:+14155550123@pbx.example>",
            "Anna <tel:+14155550123>",
            "+14155550123@pbx.example",
            "sip:+14155550123;npdi;rn=+14155559999@pbx.example",
            "%2b14155550123",
        ];
        for raw in forms {
            assert_eq!(opened(raw), "+14155550123", "{raw}");
        }
    }

    #[test]
    fn an_extension_stays() {
        assert_eq!(opened("tel:+1-415-555-0123;isub=1;ext=1-2"), "+1-415-555-0123;ext=12");
        assert_eq!(opened("sip:+14155550123;ext=12@pbx.example"), "+14155550123;ext=12");
        assert_eq!(opened("415 555 0123;12"), "415 555 0123;12");
    }

    #[test]
    fn a_context_completes_the_number_or_means_nothing() {
        assert_eq!(opened("tel:253-0000;phone-context=+1-650"), "+1-650253-0000");
        assert_eq!(opened("tel:253-0000;phone-context=pbx.example."), "253-0000");
        for context in ["", "64", "+", "+a", "-a.com", "a-.com", "a..b"] {
            assert_eq!(
                open(&format!("tel:253-0000;phone-context={context}")),
                Err(InvalidPhone::NotANumber),
                "{context}"
            );
        }
    }

    #[test]
    fn a_typed_label_is_no_scheme() {
        assert_eq!(opened("Tel: 4155550123"), "4155550123");
        assert_eq!(opened("tel: 415 555 0123"), "415 555 0123");
        assert_eq!(opened("tel: 14155550123"), " 14155550123");
    }

    #[test]
    fn a_host_is_not_a_number() {
        for raw in ["sip:192.168.100.200", "sip:192.168.100.200:5060;lr", "sip:[2001:db8::1]:5060", "sip:@pbx.example"]
        {
            assert_eq!(opened(raw), "", "{raw}");
        }
    }
}
