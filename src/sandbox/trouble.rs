//! Makes answers go wrong in the way a [`Fault`] says.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt, stream};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, DATE};
use http_body_util::BodyExt;
use tokio::time::sleep;

use super::fault::Fault;
use super::problem;

/// What a body is made of.
type Piece = io::Result<Bytes>;

/// Pieces in which a dripping body comes.
const DROPS: usize = 10;
/// White space is sent in pieces of this size.
static BLANK: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// The answer that a fault gives instead of carrying out the request; none for faults that [spoil](Fault::spoils).
pub(super) fn answer_instead(fault: &Fault) -> Option<Response> {
    Some(match fault {
        Fault::BadRequest => problem::validation_errors(),
        Fault::Unauthorized => problem::unauthorized(),
        Fault::PaymentRequired => problem::problem(402, "Payment Required", "Account subscription has expired"),
        Fault::Forbidden => problem::Refusal::Forbidden.into_response(),
        Fault::Blocked => problem::blocked(),
        Fault::NotFound => problem::Refusal::NoSuchPath.into_response(),
        Fault::Unprocessable => problem::Refusal::LimitTooLarge.into_response(),
        Fault::RateLimited(wait) => problem::rate_limited(*wait, false),
        Fault::RateLimitedHeader(wait) => problem::rate_limited(*wait, true),
        Fault::RateLimitedHtml => problem::html(429, "Too Many Requests"),
        Fault::ServerError => problem::server_error(),
        Fault::Edge(status) => problem::html(*status, edge_title(*status)),
        Fault::Redirect(to) => problem::redirect(to),
        _ => return None,
    })
}

const fn edge_title(status: u16) -> &'static str {
    match status {
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        _ => "Gateway Time-out",
    }
}

/// Spoils an answer that is otherwise complete.
pub(super) async fn spoil(fault: Option<Fault>, response: Response) -> Response {
    let Some(fault) = fault else { return response };
    match fault {
        Fault::Slow(time) => {
            sleep(time).await;
            response
        }
        Fault::Stall => std::future::pending().await,
        Fault::NoContent => problem::no_content(),
        Fault::Empty => problem::with_body(200, "application/hal+json", Body::empty()),
        Fault::Html => problem::html(200, "Welcome"),
        Fault::Skew(behind) => dated(behind, response),
        Fault::Hollow => problem::with_body(200, "application/hal+json", "{}"),
        spoiling_body => spoil_body(spoiling_body, response).await,
    }
}

async fn spoil_body(fault: Fault, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    head.headers.remove(CONTENT_LENGTH);
    let half = bytes.slice(..bytes.len() / 2);
    let body = match fault {
        Fault::Drip(time) => Body::from_stream(dripping(&bytes, time)),
        Fault::StallBody => Body::from_stream(once(half).chain(stream::pending())),
        Fault::Reset => Body::from_stream(broken()),
        Fault::Cut => Body::from_stream(once(half).chain(broken_later())),
        Fault::Truncated => Body::from(half),
        Fault::Huge(size) => Body::from_stream(once(bytes).chain(blank(size))),
        Fault::Gzip => {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Body::from(compressed(&bytes))
        }
        _ => Body::from(bytes),
    };
    Response::from_parts(head, body)
}

/// With a date of its own; the HTTP server sets one only where there is none.
fn dated(behind: Duration, mut response: Response) -> Response {
    let date = SystemTime::now().checked_sub(behind).unwrap_or(SystemTime::UNIX_EPOCH);
    let date = httpdate::fmt_http_date(date.max(SystemTime::UNIX_EPOCH));
    response.headers_mut().insert(DATE, HeaderValue::try_from(date).expect("a date is printable"));
    response
}

fn once(bytes: Bytes) -> impl Stream<Item = Piece> {
    stream::iter([Ok(bytes)])
}

/// A body that fails makes the HTTP server drop the connection.
fn broken() -> impl Stream<Item = Piece> {
    stream::iter([Err(io::ErrorKind::ConnectionReset.into())])
}

/// The same, once what went before has left the process.
fn broken_later() -> impl Stream<Item = Piece> {
    stream::once(async {
        sleep(Duration::from_millis(5)).await;
        Err(io::ErrorKind::ConnectionReset.into())
    })
}

fn dripping(bytes: &Bytes, time: Duration) -> impl Stream<Item = Piece> + use<> {
    let size = bytes.len().div_ceil(DROPS).max(1);
    let drops: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    let pause = time / u32::try_from(drops.len().max(1)).expect("ten drops at most");
    stream::iter(drops).then(move |drop| async move {
        sleep(pause).await;
        Ok(drop)
    })
}

fn blank(size: u64) -> impl Stream<Item = Piece> {
    stream::unfold(size, |left| async move {
        let piece = usize::try_from(left).map_or(BLANK.len(), |left| left.min(BLANK.len()));
        (piece > 0).then(|| (Ok(Bytes::from_static(&BLANK[..piece])), left - piece as u64))
    })
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}
