//! What peers say to each other, in bytes: one message a frame. `docs/peer-protocol.md` describes the format.
//!
//! How frames are told apart on a connection is the transport's business; no state is kept between frames.

use bytes::Bytes;

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::id::Epoch;
use crate::limits;
use crate::message::{Change, Envelope, Message, Verdict};

/// Tells clusters apart, so that a node that was given another cluster's address is not listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterTag(pub u64);

impl ClusterTag {
    /// The tag of the cluster of that name (xxh3, 64 bits). Not a secret, and no protection against an attacker.
    pub fn of(name: &str) -> ClusterTag {
        ClusterTag(xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
    }
}

/// Appends the frame of a message.
///
/// # Panics When a value is longer than [`limits::MAX_VALUE`] or its media type than [`limits::MAX_MEDIA`]: front ends
/// check both.
pub fn encode(envelope: &Envelope, cluster: ClusterTag, out: &mut impl Sink) {
    FORMAT.put(out);
    kind(&envelope.message).put(out);
    cluster.0.put(out);
    envelope.from.put(out);
    envelope.to.put(out);
    envelope.epoch.0.put(out);
    match &envelope.message {
        Message::Forward { id, hops, request } => {
            id.put(out);
            hops.put(out);
            request.put(out);
        }
        Message::Answer { id, slot, outcome } => {
            id.put(out);
            slot.put(out);
            outcome.put(out);
        }
        Message::Replicate { id, key, change } => {
            id.put(out);
            key.put(out);
            change.put(out);
        }
        Message::Replicated { id, slot, version, verdict } => {
            id.put(out);
            slot.put(out);
            version.put(out);
            verdict.put(out);
        }
        Message::Fetch { id, key, body } => {
            id.put(out);
            key.put(out);
            body.put(out);
        }
        Message::Fetched { id, slot, holding, entry } => {
            id.put(out);
            slot.put(out);
            holding.put(out);
            entry.put(out);
        }
        Message::Ping { serial } | Message::Pong { serial } => serial.put(out),
    }
}

/// Reads a whole frame. Keys and values share its memory.
pub fn decode(frame: Bytes, cluster: ClusterTag) -> Result<Envelope, DecodeError> {
    if frame.len() > limits::MAX_FRAME {
        return Err(DecodeError::Oversized { length: frame.len() });
    }
    let mut from = Reader::new(frame);
    let version: u8 = from.take("format version")?;
    if version != FORMAT {
        return Err(DecodeError::Format { version, known: FORMAT });
    }
    let kind: u8 = from.take("kind")?;
    let tag: u64 = from.take("cluster tag")?;
    if tag != cluster.0 {
        return Err(DecodeError::Cluster { tag });
    }
    let (sender, to, epoch) = (from.take("sender")?, from.take("receiver")?, Epoch(from.take("epoch")?));
    let message = message(kind, &mut from)?;
    from.finish()?;
    Ok(Envelope { from: sender, to, epoch, message })
}

/// The only version of the format so far. Another one is refused: nodes of both are then told apart at once.
pub const FORMAT: u8 = 1;

/// Bytes that stand before a message: format, kind, cluster tag, sender, receiver, epoch.
pub const HEADER: usize = 1 + 1 + 8 + 2 + 2 + 8;

fn kind(message: &Message) -> u8 {
    match message {
        Message::Forward { .. } => 1,
        Message::Answer { .. } => 2,
        Message::Replicate { .. } => 3,
        Message::Replicated { .. } => 4,
        Message::Fetch { .. } => 5,
        Message::Fetched { .. } => 6,
        Message::Ping { .. } => 7,
        Message::Pong { .. } => 8,
    }
}

fn message(kind: u8, from: &mut Reader) -> Result<Message, DecodeError> {
    Ok(match kind {
        1 => Message::Forward { id: from.take("id")?, hops: from.take("hops")?, request: from.take("request")? },
        2 => Message::Answer { id: from.take("id")?, slot: from.take("slot")?, outcome: from.take("outcome")? },
        3 => Message::Replicate { id: from.take("id")?, key: from.take("key")?, change: from.take("change")? },
        4 => Message::Replicated {
            id: from.take("id")?,
            slot: from.take("slot")?,
            version: from.take("version")?,
            verdict: from.take("verdict")?,
        },
        5 => Message::Fetch { id: from.take("id")?, key: from.take("key")?, body: from.take("body wanted")? },
        6 => Message::Fetched {
            id: from.take("id")?,
            slot: from.take("slot")?,
            holding: from.take("holding")?,
            entry: from.take("entry")?,
        },
        7 => Message::Ping { serial: from.take("serial")? },
        8 => Message::Pong { serial: from.take("serial")? },
        tag => return Err(DecodeError::Tag { field: "kind", tag }),
    })
}

impl Wire for Change {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Change::Put(entry) => {
                1_u8.put(out);
                entry.put(out);
            }
            Change::Remove { version } => {
                2_u8.put(out);
                version.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Change::Put(from.take("entry")?),
            2 => Change::Remove { version: from.take("version")? },
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

impl Wire for Verdict {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Verdict::Applied => 1_u8.put(out),
            Verdict::Refused { held } => {
                2_u8.put(out);
                held.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Verdict::Applied,
            2 => Verdict::Refused { held: from.take("held version")? },
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

#[cfg(test)]
mod tests;
