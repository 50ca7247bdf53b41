//! Imagined clients: what they ask, and what they are told.

use core::time::Duration;

use alloc::vec::Vec;
use bytes::Bytes;

use crate::error::Failure;
use crate::id::NodeId;
use crate::request::{Answer, Condition, Key, Operation, Outcome, ReadLevel, Request, Value, WriteLevel};
use crate::time::{Instant, UnixMs};

/// A client's request as it leaves the client: its time to live is still a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The number of the operation in this world.
    pub id: u64,
    /// Who asks.
    pub client: u16,
    /// Whom it asks.
    pub node: NodeId,
    /// The key.
    pub key: Key,
    /// What to do with it.
    pub verb: Verb,
    /// How long the client waits.
    pub timeout: Duration,
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read.
    Get(ReadLevel),
    /// Write.
    Set {
        /// The value.
        value: Bytes,
        /// Its time to live.
        ttl: Option<Duration>,
        /// What must be there.
        condition: Condition,
        /// Who must have it.
        level: WriteLevel,
    },
    /// Delete.
    Delete(WriteLevel),
    /// Add to the number that is there.
    Increment {
        /// How much.
        by: i64,
        /// Who must have the sum.
        level: WriteLevel,
    },
    /// Move the deadline of what is there.
    Touch {
        /// Its time to live from now on; `None` is for ever.
        ttl: Option<Duration>,
        /// Who must have the deadline.
        level: WriteLevel,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The node's answer.
    Outcome(Outcome),
    /// Nobody listens there: nothing was done.
    Refused,
    /// The connection broke before an answer came: the outcome is unknown.
    Lost,
}

/// An operation that has ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it asked.
    pub ask: Ask,
    /// When it asked.
    pub asked: Instant,
    /// When it was told.
    pub told: Instant,
    /// What it was told.
    pub reply: Reply,
}

/// Who asked: its answer goes on to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Typed,
    Workload,
    Replay,
}

/// An operation that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) ask: Ask,
    pub(super) asked: Instant,
    pub(super) source: Source,
    /// How often its client has asked the same before.
    pub(super) attempt: u8,
}

/// How long a client waits past its request's own timeout before it gives up: time for the way there and back.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

impl Ask {
    /// The request of a client as the node's front end makes it: a time to live becomes a deadline by the node's clock.
    pub(super) fn request(&self, now: UnixMs) -> Request {
        let deadline = |ttl: &Option<Duration>| ttl.and_then(|ttl| now.checked_add(ttl));
        let operation = match &self.verb {
            Verb::Get(level) => Operation::Get { level: *level },
            Verb::Delete(level) => Operation::Delete { condition: Condition::Always, level: *level },
            Verb::Set { value, ttl, condition, level } => Operation::Set {
                value: Value { bytes: value.clone(), ..Value::default() },
                deadline: deadline(ttl),
                condition: *condition,
                level: *level,
            },
            Verb::Increment { by, level } => Operation::Increment { by: *by, level: *level },
            Verb::Touch { ttl, level } => Operation::Touch { deadline: deadline(ttl), level: *level },
        };
        Request { key: self.key.clone(), operation, timeout: self.timeout }
    }
}

impl Reply {
    /// A word for logs and scripts: `hit`, `miss`, `stored`, a failure's code, and so on.
    pub fn word(&self) -> &'static str {
        match self {
            Reply::Outcome(Ok(answer)) => match answer {
                Answer::Found(_) => "hit",
                Answer::Missing => "miss",
                Answer::Stored { .. } => "stored",
                Answer::Deleted { existed: true, .. } => "deleted",
                Answer::Deleted { existed: false, .. } => "absent",
                Answer::Unmet { .. } => "unmet",
                Answer::Inspected(_) => "inspected",
                Answer::Added { .. } => "added",
                Answer::Touched { .. } => "touched",
            },
            Reply::Outcome(Err(failure)) => failure.code(),
            Reply::Refused => "refused",
            Reply::Lost => "lost",
        }
    }

    /// The bytes that tell this reply from every other, for fingerprints.
    pub(super) fn digest(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.word().as_bytes());
        match self {
            Reply::Outcome(Ok(Answer::Found(entry))) => {
                bytes.extend_from_slice(&entry.version.stamp.to_le_bytes());
                bytes.extend_from_slice(&entry.version.node.0.to_le_bytes());
                bytes.extend_from_slice(&entry.deadline.map_or(0, |deadline| deadline.0).to_le_bytes());
                bytes.extend_from_slice(&entry.value.bytes);
            }
            Reply::Outcome(Ok(Answer::Stored { version, copies, .. })) => {
                bytes.extend_from_slice(&version.stamp.to_le_bytes());
                bytes.push(*copies);
            }
            Reply::Outcome(Ok(Answer::Added { value, version, copies, .. })) => {
                bytes.extend_from_slice(&value.to_le_bytes());
                bytes.extend_from_slice(&version.stamp.to_le_bytes());
                bytes.push(*copies);
            }
            Reply::Outcome(Ok(Answer::Touched { version, copies })) => {
                bytes.extend_from_slice(&version.stamp.to_le_bytes());
                bytes.push(*copies);
            }
            Reply::Outcome(Ok(Answer::Deleted { copies, .. }))
            | Reply::Outcome(Err(Failure::Indeterminate { copies })) => bytes.push(*copies),
            _ => {}
        }
    }
}
