//! Bodies of requests: taken in as they arrive, within the limit, and within the memory that all of them may hold.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};

use super::problem::Problem;

/// What all bodies in flight hold together, and may hold.
#[derive(Debug)]
pub struct Intake {
    held: AtomicUsize,
    limit: usize,
    pause: Duration,
}

/// A body that was taken in; its bytes count until it is dropped.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The whole body.
    pub bytes: Bytes,
    _held: Held<'a>,
}

impl Intake {
    /// At most `limit` bytes at a time; a body that pauses longer than `pause` is given up.
    pub fn new(limit: usize, pause: Duration) -> Intake {
        Intake { held: AtomicUsize::new(0), limit, pause }
    }

    /// Reads a body of at most `limit` bytes.
    pub async fn take(&self, body: Incoming, limit: usize) -> Result<Taken<'_>, Problem> {
        let too_large = || Problem::too_large(format!("the body is longer than {limit} bytes; nothing was stored"));
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let mut held = Held { intake: self, bytes: 0 };
        let mut body = body;
        // One piece is the rule, and is not copied.
        let mut whole = Bytes::new();
        let mut pieces = BytesMut::new();
        while !body.is_end_stream() {
            let Some(frame) = tokio::time::timeout(self.pause, body.frame()).await.map_err(|_| slow())? else { break };
            let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
            if whole.len() + pieces.len() + data.len() > limit {
                return Err(too_large());
            }
            held.grow(data.len())?;
            if whole.is_empty() && pieces.is_empty() {
                whole = data;
                continue;
            }
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&data);
        }
        Ok(Taken { bytes: if pieces.is_empty() { whole } else { pieces.freeze() }, _held: held })
    }
}

#[derive(Debug)]
struct Held<'a> {
    intake: &'a Intake,
    bytes: usize,
}

impl Held<'_> {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes;
        let before = self.intake.held.fetch_add(bytes, Ordering::Relaxed);
        // The only body in flight is always let in: the limit is for many at once.
        if before + bytes > self.intake.limit && before + bytes > self.bytes {
            let mut problem = Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too many bodies are being received; nothing was stored, try again later",
            );
            problem.close = true;
            return Err(problem);
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.intake.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn slow() -> Problem {
    let mut problem =
        Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", "the body paused for too long; nothing was stored");
    problem.close = true;
    problem
}

fn broken() -> Problem {
    let mut problem = Problem::malformed("bad_body", "the body ended before its declared length; nothing was stored");
    problem.close = true;
    problem
}
