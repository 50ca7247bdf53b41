//! Carries out what the fast path takes, and prints its answer in one go.
//!
//! What is printed is what [`super::super::answer`] and hyper would print. Whatever is not the common outcome of a
//! well-formed request is not decided here: nothing is done, and hyper is handed the request.

use std::cell::RefCell;
use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use vitrine_engine::id::Version;
use vitrine_engine::request::{self as ask, Answer, Condition, Key, Operation, Value};
use vitrine_engine::store::EntryRef;
use vitrine_engine::time::{Instant, Time, UnixMs};

use super::super::problem::Problem;
use super::super::{Front, answer, entries, is_request_id};
use super::head::Simple;
use crate::metrics::Command;
use crate::shards::Read;

/// Carries a request out and appends its answer; when that was. `None`, with nothing done and nothing printed, when it
/// takes more.
pub fn act(front: &Front, worker: usize, simple: &Simple<'_>, body: &[u8], out: &mut Vec<u8>) -> Option<Instant> {
    let started = front.shards.now();
    let printed = out.len();
    let mut page = Page { front, worker, id: simple.id, now: started, isolated: false, out };
    let done = if simple.writes { put(&mut page, simple, body) } else { get(&mut page, simple) };
    let Some(status) = done else {
        out.truncate(printed);
        return None;
    };
    let command = if simple.writes { Command::Put } else { Command::Get };
    let answered = front.shards.instant();
    front.metrics.worker(worker).answered(command, status, answered.since(started.instant));
    Some(answered)
}

fn get(page: &mut Page<'_>, simple: &Simple<'_>) -> Option<StatusCode> {
    let key = entries::key_bytes(simple.segment).ok()?;
    let level = entries::ReadParameters::parse(simple.query, page.front.request_timeout).ok()?.level;
    page.isolated = page.front.shards.is_key_isolated(&key);
    match page.front.shards.read_as(page.now, &key, level, |entry| page.found(entry)) {
        Read::Found(()) => Some(StatusCode::OK),
        Read::Missing => {
            page.problem(&MISSING);
            Some(MISSING.status)
        }
        Read::Elsewhere => None,
    }
}

fn put(page: &mut Page<'_>, simple: &Simple<'_>, body: &[u8]) -> Option<StatusCode> {
    let front = page.front;
    let parameters = entries::WriteParameters::parse(simple.query, entries::PUT_TAKES, front.request_timeout).ok()?;
    let key = Key::new(Bytes::copy_from_slice(&entries::key_bytes(simple.segment).ok()?)).ok()?;
    if body.len() > front.max_value || !front.shards.writes_at_once(key.slot(), parameters.level) {
        return None;
    }
    let deadline = parameters.deadline(|| page.now.unix).ok()?;
    page.isolated = front.shards.is_isolated(key.slot());
    let value =
        Value { bytes: Bytes::copy_from_slice(body), media: simple.media.map_or(Bytes::new(), Bytes::copy_from_slice) };
    let operation = Operation::Set { value, deadline, condition: Condition::Always, level: parameters.level };
    let request = ask::Request { key, operation, timeout: parameters.timeout };
    match front.shards.submit_at_once(page.now, request)? {
        Ok(Answer::Stored { version, copies, created }) => {
            page.stored(version, copies, created);
            Some(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
        }
        // A write is answered by what was stored or by a failure.
        Ok(_) => Some(page.problem(&Printed::of(Problem::internal("a set was answered as something else")))),
        Err(failure) => Some(page.problem(&Printed::of(failure.into()))),
    }
}

/// One answer in the making.
struct Page<'a> {
    front: &'a Front,
    worker: usize,
    id: Option<&'a [u8]>,
    now: Time,
    /// The key's slot has lost its majority.
    isolated: bool,
    out: &'a mut Vec<u8>,
}

/// A problem, printed as far as it is the same for every request.
struct Printed {
    status: StatusCode,
    /// The status line and the headers.
    head: Vec<u8>,
    body: Bytes,
}

static MISSING: LazyLock<Printed> = LazyLock::new(|| Printed::of(Problem::missing()));

impl Printed {
    fn of(problem: Problem) -> Printed {
        let (parts, body) = problem.printed().into_parts();
        let mut head = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
        for (name, value) in &parts.headers {
            line(&mut head, name.as_str().as_bytes(), value.as_bytes());
        }
        Printed { status: parts.status, head, body }
    }
}

impl Page<'_> {
    /// 200. Called under the stripe's lock: what is borrowed is copied straight into the answer.
    fn found(&mut self, entry: &EntryRef<'_>) {
        // More than all headers take, so that the room grows once.
        self.out.reserve(entry.value.len() + entry.media.len() + 640);
        self.out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: ");
        let media = if is_header_value(entry.media) { entry.media } else { answer::NO_MEDIA.as_bytes() };
        self.out.extend_from_slice(media);
        self.tag(entry.version);
        self.number(b"\r\nage: ", self.now.unix.since(entry.version.unix()).as_secs());
        if let Some(deadline) = entry.deadline {
            self.number(b"\r\nx-ttl-ms: ", deadline.0.saturating_sub(self.now.unix.0));
        }
        self.out.extend_from_slice(b"\r\n");
        self.end(Some(entry.value));
    }

    /// 201 or 204.
    fn stored(&mut self, version: Version, copies: u8, created: bool) {
        self.out.reserve(640);
        let status: &[u8] = if created { b"HTTP/1.1 201 Created" } else { b"HTTP/1.1 204 No Content" };
        self.out.extend_from_slice(status);
        self.tag(version);
        self.number(b"\r\nx-vitrine-copies: ", u64::from(copies));
        self.out.extend_from_slice(b"\r\n");
        // 204 has no body, and says no length (RFC 9110, 8.6).
        self.end(created.then_some(&[]));
    }

    fn problem(&mut self, printed: &Printed) -> StatusCode {
        self.out.extend_from_slice(&printed.head);
        self.end(Some(&printed.body));
        printed.status
    }

    fn tag(&mut self, version: Version) {
        self.out.extend_from_slice(b"\r\netag: ");
        answer::with_etag(version, |tag| self.out.extend_from_slice(tag));
    }

    fn number(&mut self, before: &[u8], number: u64) {
        self.out.extend_from_slice(before);
        decimal(self.out, number);
    }

    /// What every answer has, and the body.
    fn end(&mut self, body: Option<&[u8]>) {
        self.out.extend_from_slice(b"x-request-id: ");
        match self.id.filter(|id| is_request_id(id)) {
            Some(id) => self.out.extend_from_slice(id),
            None => self.out.extend_from_slice(&self.front.new_request_id(self.worker)),
        }
        self.out.extend_from_slice(&self.front.node_line);
        if self.isolated {
            self.out.extend_from_slice(b"x-vitrine-isolated: true\r\n");
        }
        if let Some(body) = body {
            self.number(b"content-length: ", body.len() as u64);
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b"date: ");
        with_date(self.now.unix, |date| self.out.extend_from_slice(date));
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(body.unwrap_or_default());
    }
}

/// May it stand after a header's name? An empty one is no media type.
fn is_header_value(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The date in the form of RFC 9110, printed once a second.
fn with_date(now: UnixMs, take: impl FnOnce(&[u8])) {
    thread_local! {
        static LAST: RefCell<(u64, [u8; 29])> = const { RefCell::new((u64::MAX, [0; 29])) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != now.0 / 1_000 {
            *second = now.0 / 1_000;
            // Past the year 9999 there is no such date: the last one that can be printed stands for it.
            let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs((*second).min(253_402_300_799));
            text.copy_from_slice(httpdate::fmt_http_date(moment).as_bytes());
        }
        take(text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_print() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
        let check = |ms, expected: &str| with_date(UnixMs(ms), |date| assert_eq!(date, expected.as_bytes()));
        check(784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(784_111_778_000, "Sun, 06 Nov 1994 08:49:38 GMT");
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
