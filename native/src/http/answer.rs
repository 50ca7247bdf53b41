//! What was found or done, as responses of the entry API.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use vitrine_engine::id::Version;
use vitrine_engine::request::{Answer, Entry, Outcome};
use vitrine_engine::time::UnixMs;

use super::Body;
use super::problem::Problem;

/// How long the entry has yet to live, in milliseconds.
pub const TTL: HeaderName = HeaderName::from_static("x-ttl-ms");
/// How many copies of a write are known to exist.
pub const COPIES: HeaderName = HeaderName::from_static("x-vitrine-copies");
/// The name of the node that served: the primary of the key's slot.
pub const NODE: HeaderName = HeaderName::from_static("x-vitrine-node");
/// The request's name in logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 200 with the entry.
pub fn found(entry: Entry, now: UnixMs) -> Response<Body> {
    let mut response = Response::new(Full::new(entry.value.bytes));
    let headers = response.headers_mut();
    let media = HeaderValue::from_maybe_shared(entry.value.media).ok().filter(|media| !media.is_empty());
    headers.insert(header::CONTENT_TYPE, media.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    describe(headers, entry.version, entry.deadline, now);
    response
}

/// 304: what the client has is what is there.
pub fn not_modified(version: Version, deadline: Option<UnixMs>, now: UnixMs) -> Response<Body> {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    describe(response.headers_mut(), version, deadline, now);
    response
}

/// The answer to a request that went through a shard.
pub fn outcome(outcome: Outcome, now: UnixMs) -> Result<Response<Body>, Problem> {
    Ok(match outcome? {
        Answer::Found(entry) => found(entry, now),
        Answer::Missing => return Err(Problem::missing()),
        Answer::Stored { version, copies, created } => {
            let mut response = empty(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
            response.headers_mut().insert(header::ETAG, etag(version));
            response.headers_mut().insert(COPIES, HeaderValue::from(u16::from(copies)));
            response
        }
        Answer::Deleted { copies, existed } => {
            let mut response = match existed {
                true => empty(StatusCode::NO_CONTENT),
                false => Problem::missing().into_response(),
            };
            response.headers_mut().insert(COPIES, HeaderValue::from(u16::from(copies)));
            response
        }
        Answer::Unmet { present } => return Err(Problem::unmet(present)),
        Answer::Inspected(_) => empty(StatusCode::NO_CONTENT),
    })
}

/// A version as an entity tag.
pub fn etag(version: Version) -> HeaderValue {
    let mut text = BytesMut::with_capacity(40);
    // A version prints hexadecimal digits and dashes: always a header value.
    let _ = write!(text, "\"{version}\"");
    HeaderValue::from_maybe_shared(text.freeze()).unwrap_or(HeaderValue::from_static("\"\""))
}

/// A JSON document.
pub fn json(status: StatusCode, document: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{document}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Plain text.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// No body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn describe(headers: &mut header::HeaderMap, version: Version, deadline: Option<UnixMs>, now: UnixMs) {
    headers.insert(header::ETAG, etag(version));
    headers.insert(header::AGE, HeaderValue::from(now.since(version.unix()).as_secs()));
    if let Some(deadline) = deadline {
        headers.insert(TTL, HeaderValue::from(deadline.0.saturating_sub(now.0)));
    }
}
