//! What was found or done, as responses of the entry API.

use bytes::Bytes;
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
/// `true` where the node that is asked has lost touch with a majority of the slot's replicas.
pub const ISOLATED: HeaderName = HeaderName::from_static("x-vitrine-isolated");
/// The request's name in logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The type of a value whose writer named none.
pub const NO_MEDIA: &str = "application/octet-stream";

/// 200 with the entry.
pub fn found(entry: Entry, now: UnixMs) -> Response<Body> {
    let mut response = Response::new(Full::new(entry.value.bytes));
    let headers = response.headers_mut();
    let media = HeaderValue::from_maybe_shared(entry.value.media).ok().filter(|media| !media.is_empty());
    headers.insert(header::CONTENT_TYPE, media.unwrap_or(HeaderValue::from_static(NO_MEDIA)));
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
            written(empty(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT }), version, copies)
        }
        Answer::Deleted { copies, existed } => {
            let mut response = match existed {
                true => empty(StatusCode::NO_CONTENT),
                false => Problem::missing().into_response(),
            };
            response.headers_mut().insert(COPIES, HeaderValue::from(u16::from(copies)));
            response
        }
        Answer::Added { value, version, copies, created } => {
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            written(text(status, value.to_string()), version, copies)
        }
        Answer::Touched { version, copies } => written(empty(StatusCode::OK), version, copies),
        Answer::Unmet { present } => return Err(Problem::unmet(present)),
        Answer::Inspected(_) => empty(StatusCode::NO_CONTENT),
    })
}

/// That response, with what every write says.
fn written(mut response: Response<Body>, version: Version, copies: u8) -> Response<Body> {
    response.headers_mut().insert(header::ETAG, etag(version));
    response.headers_mut().insert(COPIES, HeaderValue::from(u16::from(copies)));
    response
}

/// A version as an entity tag: as it prints, in quotation marks.
pub fn etag(version: Version) -> HeaderValue {
    with_etag(version, HeaderValue::from_bytes).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The text of an entity tag.
pub fn with_etag<T>(version: Version, take: impl FnOnce(&[u8]) -> T) -> T {
    // From the end, digit by digit: the formatter takes longer than finding the entry does.
    let mut text = [b'"'; 24];
    let mut at = text.len() - 1;
    for (mut number, before) in
        [(u64::from(version.node.0), b'-'), (version.counter().into(), b'-'), (version.unix().0, b'"')]
    {
        loop {
            at -= 1;
            text[at] = hexadecimal(number);
            number >>= 4;
            if number == 0 {
                break;
            }
        }
        at -= 1;
        text[at] = before;
    }
    take(&text[at..])
}

/// The last hexadecimal digit of a number.
pub fn hexadecimal(number: u64) -> u8 {
    b"0123456789abcdef"[(number & 15) as usize]
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

#[cfg(test)]
mod tests {
    use vitrine_engine::id::NodeId;

    use super::*;

    #[test]
    fn a_tag_is_the_version_as_it_prints() {
        let check = |unix, counter, node| {
            let version = Version::new(UnixMs(unix), counter, NodeId(node));
            assert_eq!(etag(version), format!("\"{version}\""));
        };
        check(0, 0, 0);
        check(1_790_000_000_000, 1, 3);
        check(0x0123_4567_89ab, 0xcdef, 0x10);
        check(u64::MAX, u16::MAX, u16::MAX);
    }
}
