//! `/v1/entries/{key}`: one entry, read, written and removed. What changes it in place is in `change.rs`.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, body::Incoming};
use vitrine_engine::effect::Served;
use vitrine_engine::id::Version;
use vitrine_engine::limits;
use vitrine_engine::request::{self as ask, Answer, Condition, Entry, Key, Operation, ReadLevel, Value, WriteLevel};
use vitrine_engine::time::{Time, UnixMs};

use super::problem::Problem;
use super::query::{Parameters, percent_decoded};
use super::{Body, Front, answer};
use crate::shards::Read;
use crate::span;

/// The parameters of `PUT`.
pub const PUT_TAKES: &[&str] = &["ttl", "write", "timeout"];
/// The methods of this path.
pub const ALLOW: &str = "GET, HEAD, PUT, DELETE";

/// Answers a read that this node can answer by itself, without waiting for anything; `None` when it takes more.
pub fn at_once(
    front: &Front,
    time: Time,
    key: &[u8],
    request: &Request<Incoming>,
) -> Option<Result<Response<Body>, Problem>> {
    let level = match ReadParameters::parse(request.uri().query().unwrap_or(""), front.request_timeout) {
        Ok(parameters) => parameters.level,
        Err(problem) => return Some(Err(problem)),
    };
    match front.shards.read(time, key, level) {
        Read::Found(entry) => Some(read_answer(request.headers(), entry, time.unix)),
        Read::Missing => Some(Err(Problem::missing())),
        Read::Elsewhere => None,
    }
}

/// Carries out a request on an entry. `by` becomes the node that answered, where another one was asked.
pub async fn handle(
    front: &Front,
    time: Time,
    key: Key,
    request: Request<Incoming>,
    served: &mut Served,
) -> Result<Response<Body>, Problem> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let parameters = ReadParameters::parse(request.uri().query().unwrap_or(""), front.request_timeout)?;
            let operation = Operation::Get { level: parameters.level };
            let outcome = front.ask(ask::Request { key, operation, timeout: parameters.timeout }).await.noting(served);
            match outcome {
                Ok(Answer::Found(entry)) => read_answer(request.headers(), entry, front.shards.now().unix),
                other => answer::outcome(other, time.unix),
            }
        }
        Method::PUT => {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or("");
            let parameters = WriteParameters::parse(query, PUT_TAKES, front.request_timeout)?;
            let condition = condition(&parts.headers)?;
            let media = media(&parts.headers)?;
            if let Some(failure) = front.shards.refusal(key.slot()) {
                let mut problem = Problem::from(failure);
                problem.close = true;
                return Err(problem);
            }
            let taken = front.intake.take(body, front.max_value).await?;
            let deadline = parameters.deadline(|| front.shards.now().unix)?;
            let value = Value { bytes: unshared(taken.bytes.clone()), media };
            let operation = Operation::Set { value, deadline, condition, level: parameters.level };
            let reply = front.ask(ask::Request { key, operation, timeout: parameters.timeout }).await;
            answer::outcome(reply.noting(served), time.unix)
        }
        Method::DELETE => {
            let query = request.uri().query().unwrap_or("");
            let parameters = WriteParameters::parse(query, &["write", "timeout"], front.request_timeout)?;
            let operation = Operation::Delete { condition: condition(request.headers())?, level: parameters.level };
            let reply = front.ask(ask::Request { key, operation, timeout: parameters.timeout }).await;
            answer::outcome(reply.noting(served), time.unix)
        }
        _ => Err(Problem::method(ALLOW, format!("this path takes {ALLOW}"))),
    }
}

/// The key of a path's last segment.
pub fn key_bytes(segment: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let bytes = percent_decoded(segment)?;
    if bytes.is_empty() || bytes.len() > limits::MAX_KEY {
        // For its message.
        Key::new(Bytes::copy_from_slice(&bytes))?;
    }
    Ok(bytes)
}

/// The parameters that every write takes.
pub struct WriteParameters {
    /// How long the entry lives; `None` is for ever.
    pub ttl: Option<Duration>,
    /// Who must have it.
    pub level: WriteLevel,
    /// How long the client waits.
    pub timeout: Duration,
}

impl WriteParameters {
    /// Out of a query.
    pub fn parse(query: &str, known: &[&str], default: Duration) -> Result<WriteParameters, Problem> {
        WriteParameters::of(&Parameters::parse(query, known)?, default)
    }

    /// Out of parameters.
    pub fn of(parameters: &Parameters<'_>, default: Duration) -> Result<WriteParameters, Problem> {
        Ok(WriteParameters {
            ttl: parameters.read("ttl", TTL_TAKES, lifetime)?,
            level: level(parameters)?,
            timeout: timeout(parameters, default)?,
        })
    }

    /// When an entry written now expires. The time is asked for when there is a deadline at all.
    pub fn deadline(&self, now: impl FnOnce() -> UnixMs) -> Result<Option<UnixMs>, Problem> {
        let past_the_end = || Problem::malformed("bad_ttl", format!("`ttl` is too long; it takes {TTL_TAKES}"));
        self.ttl.map(|ttl| now().checked_add(ttl).ok_or_else(past_the_end)).transpose()
    }
}

/// How long an entry lives.
pub(super) fn lifetime(text: &str) -> Option<Duration> {
    span::parse(text).filter(|span| *span <= limits::MAX_TTL)
}

/// Who must have a write.
pub(super) fn level(parameters: &Parameters<'_>) -> Result<WriteLevel, Problem> {
    let named = parameters.read("write", "one, live, quorum or all", WriteLevel::named)?;
    Ok(named.unwrap_or_default())
}

/// What `ttl` takes, in words.
pub(super) const TTL_TAKES: &str =
    "a whole number of seconds, or a whole number with a unit (ms, s, m, h, d), more than 0 and at most 36500d";

/// The parameters that every read takes.
pub struct ReadParameters {
    /// Who may answer.
    pub level: ReadLevel,
    /// How long the client waits.
    pub timeout: Duration,
}

impl ReadParameters {
    /// Out of a query.
    pub fn parse(query: &str, default: Duration) -> Result<ReadParameters, Problem> {
        if query.is_empty() {
            return Ok(ReadParameters { level: ReadLevel::Primary, timeout: default });
        }
        let parameters = Parameters::parse(query, &["read", "timeout"])?;
        Ok(ReadParameters {
            level: parameters.read("read", "primary, one or quorum", ReadLevel::named)?.unwrap_or_default(),
            timeout: timeout(&parameters, default)?,
        })
    }
}

/// How long the client waits.
pub(super) fn timeout(parameters: &Parameters<'_>, default: Duration) -> Result<Duration, Problem> {
    let given = parameters.read("timeout", "a span of 1ms to 60s, such as 500ms or 2s", |text| {
        span::parse(text).filter(|span| *span <= limits::MAX_TIMEOUT)
    })?;
    Ok(given.unwrap_or(default))
}

/// 200, or what the conditions of a read make of it (RFC 9110, 13.2.2).
fn read_answer(headers: &HeaderMap, entry: Entry, now: UnixMs) -> Result<Response<Body>, Problem> {
    if let Some(tags) = headers.get(header::IF_MATCH)
        && !names(tags, entry.version)
    {
        return Err(Problem::unmet(Some(entry.version)));
    }
    match headers.get(header::IF_NONE_MATCH) {
        Some(tags) if names(tags, entry.version) => Ok(answer::not_modified(entry.version, entry.deadline, now)),
        _ => Ok(answer::found(entry, now)),
    }
}

/// Is that version among the entity tags?
fn names(tags: &HeaderValue, version: Version) -> bool {
    let Ok(text) = tags.to_str() else { return false };
    text.split(',').map(str::trim).any(|tag| tag == "*" || parse_tag(tag.trim_start_matches("W/")) == Some(version))
}

fn parse_tag(tag: &str) -> Option<Version> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The condition of a write.
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let (matches, none) = (headers.get(header::IF_MATCH), headers.get(header::IF_NONE_MATCH));
    let bad = |detail: &str| Err(Problem::malformed("bad_condition", detail));
    match (matches, none) {
        (None, None) => Ok(Condition::Always),
        (Some(_), Some(_)) => bad("If-Match and If-None-Match exclude each other"),
        (None, Some(tag)) if tag == "*" => Ok(Condition::Absent),
        (None, Some(_)) => bad("on a write, If-None-Match takes `*` only: the entry must not exist"),
        (Some(tag), None) if tag == "*" => Ok(Condition::Present),
        (Some(tag), None) => {
            let text = tag.to_str().unwrap_or("");
            match parse_tag(text) {
                Some(version) => Ok(Condition::Is(version)),
                // A well-formed tag that this cache never gave matches nothing.
                None if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') && !text.contains(',') => {
                    Ok(Condition::Is(Version::ZERO))
                }
                None => bad("on a write, If-Match takes `*` or one strong entity tag, as in an ETag of this cache"),
            }
        }
    }
}

fn media(headers: &HeaderMap) -> Result<Bytes, Problem> {
    let media = headers.get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    if media.len() > limits::MAX_MEDIA {
        let detail = format!("Content-Type has {} bytes; it takes at most {}", media.len(), limits::MAX_MEDIA);
        return Err(Problem::malformed("bad_content_type", detail));
    }
    Ok(Bytes::copy_from_slice(media))
}

/// A small value in an allocation of its own: a slice of the connection's buffer would keep all of that alive.
pub fn unshared(bytes: Bytes) -> Bytes {
    if bytes.len() <= 4_096 { Bytes::copy_from_slice(&bytes) } else { bytes }
}
