//! `/v1/export` and `/v1/import`: what a cluster holds, out of it and into it, a page at a time in the form of
//! `cache.json`. A page is bounded, and a node remembers nothing between two: a cache of any size goes through.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use serde_json::json;
use vitrine_engine::hash;
use vitrine_engine::limits;
use vitrine_engine::request::{self as ask, Answer, Condition, Operation};

use super::entries::WriteParameters;
use super::problem::Problem;
use super::query::Parameters;
use super::{Body, Front, answer};
use crate::snapshot_json::{self, Bounds, Restored};

/// A page ends once it has so many bytes.
const PAGE: usize = 512 << 10;
/// And once so many parts of the store were looked at: most of what a replica holds is not its own to tell.
const PARTS: usize = 64;
/// A body may have so many bytes, however short values are.
const LEAST_BODY: usize = 8 << 20;
/// Entries of one request that are written at a time.
const AT_ONCE: usize = 64;

/// `GET /v1/export?cursor=`: entries of slots of which this node is the primary, each in a line; the first line says
/// how to go on.
pub fn export(front: &Front, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let parameters = Parameters::parse(query.unwrap_or(""), &["cursor"])?;
    let cursor = parameters.read("cursor", "what the page before said", Cursor::read)?.unwrap_or(Cursor {
        boot: front.boot,
        stripe: 0,
        place: 0,
    });
    if cursor.boot != front.boot {
        let why = "this node has started again since that cursor was given; begin anew without one";
        return Err(Problem::new(StatusCode::CONFLICT, "stale_cursor", why));
    }
    let view = front.shards.view();
    let (stripes, mut at, mut lines) = (front.shards.stripes(), Some(cursor), Vec::new());
    for _ in 0..PARTS {
        let Some(Cursor { stripe, place, .. }) = at.filter(|_| lines.len() < PAGE) else { break };
        let own = |key: &[u8]| view.primary(hash::slot(key)) == Some(view.me);
        let next = snapshot_json::page(&front.shards, stripe, place, own, &mut lines);
        at = match next {
            Some(place) => Some(Cursor { place, ..cursor_in(cursor, stripe) }),
            None => Some(cursor_in(cursor, stripe + 1)).filter(|next| next.stripe < stripes),
        };
    }
    // Places are hashes, which are spread evenly.
    let walked = |at: Cursor| (at.stripe as u64 * 1_000 + at.place / (u64::MAX / 1_000)) / stripes as u64;
    let alive = view.map.members.iter().map(|member| member.id).filter(|member| view.is_alive(*member));
    let head = json!({
        // By these a client knows whether all nodes have told what is theirs by one and the same view.
        "alive": alive.map(|member| member.0).collect::<Vec<_>>(),
        "epoch": view.map.epoch.0,
        "phase": view.map.phase.to_string(),
        "generation": view.generation,
        "reconciling": front.shards.in_doubt() > 0,
        "walked_permille": at.map_or(1_000, walked),
        "next": at.map(|at| format!("{:x}-{:x}-{:x}", at.boot, at.stripe, at.place)),
    });
    let mut body = format!("{head}\n").into_bytes();
    body.append(&mut lines);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// Tells this run of the node from others: places mean nothing to them.
    boot: u32,
    stripe: usize,
    place: u64,
}

fn cursor_in(cursor: Cursor, stripe: usize) -> Cursor {
    Cursor { stripe, place: 0, ..cursor }
}

impl Cursor {
    fn read(text: &str) -> Option<Cursor> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let mut part = || parts.next().flatten();
        let (boot, stripe, place) = (part()?, part()?, part()?);
        let cursor = Cursor { boot: u32::try_from(boot).ok()?, stripe: usize::try_from(stripe).ok()?, place };
        parts.next().is_none().then_some(cursor)
    }
}

/// `POST /v1/import?write=`: writes the entries of a `cache.json` into the cluster, where nothing newer is, with the
/// deadlines that they have. Nothing is written unless all of the body can be read.
pub async fn import(front: &Front, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Problem::method("POST", "this path takes POST"));
    }
    let query = parts.uri.query().unwrap_or("");
    let write = WriteParameters::parse(query, &["write", "timeout"], front.request_timeout)?;
    // An escape takes six bytes for one.
    let limit = front.max_value.saturating_add(limits::MAX_KEY).saturating_mul(6).max(LEAST_BODY);
    let taken = front.intake.take(body, limit).await?;
    // One value that is too long is no reason to refuse the others.
    let bounds = Bounds { max_value: limits::MAX_VALUE, max_file: limit as u64 };
    let mut entries: Vec<Restored> = Vec::new();
    let read = snapshot_json::decode(&taken.bytes[..], bounds, &mut |entry| {
        entries.push(entry);
        Ok(())
    });
    read.map_err(|error| Problem::malformed("bad_snapshot", format!("{error}; nothing was stored")))?;
    let now = front.shards.now().unix;
    let write_one = |(index, entry): (usize, Restored)| {
        let write = &write;
        async move {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                return Became::Expired;
            }
            if entry.value.bytes.len() > front.max_value {
                return Became::Failed(index, "too_large");
            }
            let condition = entry.version.map_or(Condition::Always, Condition::OlderThan);
            let Restored { key, value, deadline, .. } = entry;
            let operation = Operation::Set { value, deadline, condition, level: write.level };
            match front.ask(ask::Request { key, operation, timeout: write.timeout }).await.outcome {
                Ok(Answer::Unmet { .. }) => Became::KeptNewer,
                Ok(_) => Became::Stored,
                Err(failure) => Became::Failed(index, failure.code()),
            }
        }
    };
    let became: Vec<Became> =
        stream::iter(entries.into_iter().enumerate()).map(write_one).buffer_unordered(AT_ONCE).collect().await;
    let count = |what: Became| became.iter().filter(|one| **one == what).count();
    let failed = became.iter().filter_map(|one| match one {
        Became::Failed(index, code) => Some(json!({ "entry": index, "code": code })),
        _ => None,
    });
    let document = json!({
        "stored": count(Became::Stored),
        "expired": count(Became::Expired),
        "kept_newer": count(Became::KeptNewer),
        "failed": failed.collect::<Vec<_>>(),
    });
    Ok(answer::json(StatusCode::OK, &document))
}

/// What has become of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Stored,
    Expired,
    KeptNewer,
    /// By its place in the list, with the code of why.
    Failed(usize, &'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_a_page_said_or_nothing() {
        for (text, expected) in [
            ("1-2-ff", Some(Cursor { boot: 1, stripe: 2, place: 255 })),
            ("ffffffff-0-ffffffffffffffff", Some(Cursor { boot: u32::MAX, stripe: 0, place: u64::MAX })),
            ("100000000-0-0", None),
            ("1-2", None),
            ("1-2-3-4", None),
            ("", None),
            ("1-2-x", None),
            ("1--3", None),
        ] {
            assert_eq!(Cursor::read(text), expected, "{text}");
        }
    }
}
