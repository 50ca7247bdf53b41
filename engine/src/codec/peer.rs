//! What peers say to each other, in bytes: one message a frame. `docs/peer-protocol.md` describes the format.
//!
//! How frames are told apart on a connection is the transport's business; no state is kept between frames.

use alloc::vec::Vec;

use bytes::Bytes;

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::id::Epoch;
use crate::id::{NodeId, Slot, Version};
use crate::limits;
use crate::message::{Change, Envelope, Message, Origin, Verdict};
use crate::request::Key;

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
    envelope.origin.boot.put(out);
    envelope.origin.epoch.0.put(out);
    match &envelope.message {
        Message::Forward { id, boot, hops, request } => {
            id.put(out);
            boot.put(out);
            hops.put(out);
            request.put(out);
        }
        Message::Answer { id, slot, isolated, outcome } => {
            id.put(out);
            slot.put(out);
            isolated.put(out);
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
        Message::Fetch { id, key, wanted } => {
            id.put(out);
            key.put(out);
            wanted.put(out);
        }
        Message::Fetched { id, slot, holding, entry } => {
            id.put(out);
            slot.put(out);
            holding.put(out);
            entry.put(out);
        }
        Message::Ping { serial, path, standing } | Message::Pong { serial, path, standing } => {
            serial.put(out);
            path.put(out);
            standing.put(out);
        }
        Message::Gossip { data } => {
            let data = &data[..data.len().min(limits::MAX_GOSSIP)];
            (data.len() as u16).put(out);
            out.put(data);
        }
        Message::Map { map } => map.put(out),
        Message::Wish { wish } => wish.put(out),
        Message::Sync { id, lanes, since, cursor, gained, slots, lives } => {
            id.put(out);
            lanes.put(out);
            since.put(out);
            cursor.put(out);
            gained.put(out);
            slots.put(out);
            put_pairs(lives, limits::MAX_MEMBERS, out);
        }
        Message::Listed { id, slot, lanes, cursor, next, vouches, floors, keys } => {
            id.put(out);
            slot.put(out);
            lanes.put(out);
            cursor.put(out);
            next.put(out);
            vouches.put(out);
            put_pairs(floors, limits::MAX_PAGE_FLOORS, out);
            put_pairs(keys, limits::MAX_PAGE_KEYS, out);
        }
        Message::Compare { id, lanes, since, cursor, lives } => {
            id.put(out);
            lanes.put(out);
            since.put(out);
            cursor.put(out);
            put_pairs(lives, limits::MAX_MEMBERS, out);
        }
        Message::Compared { id, slot, lanes, cursor, next, digests } => {
            id.put(out);
            slot.put(out);
            lanes.put(out);
            cursor.put(out);
            next.put(out);
            put_pairs(digests, limits::MAX_PAGE_DIGESTS, out);
        }
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
    let (sender, to) = (from.take("sender")?, from.take("receiver")?);
    let origin = Origin { boot: from.take("boot of the sender")?, epoch: Epoch(from.take("epoch")?) };
    let message = message(kind, &mut from)?;
    from.finish()?;
    Ok(Envelope { from: sender, to, origin, message })
}

/// The version of the format. Another one is refused: nodes of both are then told apart at once.
pub const FORMAT: u8 = 13;

/// Bytes that stand before a message: format, kind, cluster tag, sender, receiver, boot of the sender, epoch.
pub const HEADER: usize = 1 + 1 + 8 + 2 + 2 + 8 + 8;

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
        Message::Sync { .. } => 9,
        Message::Listed { .. } => 10,
        Message::Gossip { .. } => 11,
        Message::Map { .. } => 12,
        Message::Wish { .. } => 13,
        Message::Compare { .. } => 14,
        Message::Compared { .. } => 15,
    }
}

fn message(kind: u8, from: &mut Reader) -> Result<Message, DecodeError> {
    Ok(match kind {
        1 => Message::Forward {
            id: from.take("id")?,
            boot: from.take("boot")?,
            hops: from.take("hops")?,
            request: from.take("request")?,
        },
        2 => Message::Answer {
            id: from.take("id")?,
            slot: from.take("slot")?,
            isolated: from.take("isolated")?,
            outcome: from.take("outcome")?,
        },
        3 => Message::Replicate { id: from.take("id")?, key: from.take("key")?, change: from.take("change")? },
        4 => Message::Replicated {
            id: from.take("id")?,
            slot: from.take("slot")?,
            version: from.take("version")?,
            verdict: from.take("verdict")?,
        },
        5 => Message::Fetch { id: from.take("id")?, key: from.take("key")?, wanted: from.take("wanted")? },
        6 => Message::Fetched {
            id: from.take("id")?,
            slot: from.take("slot")?,
            holding: from.take("holding")?,
            entry: from.take("entry")?,
        },
        7 => Message::Ping { serial: from.take("serial")?, path: from.take("path")?, standing: from.take("standing")? },
        8 => Message::Pong { serial: from.take("serial")?, path: from.take("path")?, standing: from.take("standing")? },
        9 => Message::Sync {
            id: from.take("id")?,
            lanes: from.take("lanes")?,
            since: from.take("since")?,
            cursor: from.take("cursor")?,
            gained: from.take("gained")?,
            slots: from.take("slots")?,
            lives: lives(from)?,
        },
        10 => Message::Listed {
            id: from.take("id")?,
            slot: from.take("slot")?,
            lanes: from.take("lanes")?,
            cursor: from.take("cursor")?,
            next: from.take("next")?,
            vouches: from.take("vouches")?,
            floors: floors(from)?,
            keys: keys(from)?,
        },
        11 => {
            let length = count(from, "gossip", limits::MAX_GOSSIP)?;
            Message::Gossip { data: from.bytes(usize::from(length), "gossip")? }
        }
        12 => Message::Map { map: from.take("map")? },
        13 => Message::Wish { wish: from.take("wish")? },
        14 => Message::Compare {
            id: from.take("id")?,
            lanes: from.take("lanes")?,
            since: from.take("since")?,
            cursor: from.take("cursor")?,
            lives: lives(from)?,
        },
        15 => Message::Compared {
            id: from.take("id")?,
            slot: from.take("slot")?,
            lanes: from.take("lanes")?,
            cursor: from.take("cursor")?,
            next: from.take("next")?,
            digests: digests(from)?,
        },
        tag => return Err(DecodeError::Tag { field: "kind", tag }),
    })
}

/// The count, 16 bits, then each pair: so many of them at most.
fn put_pairs<A: Wire, B: Wire>(pairs: &[(A, B)], most: usize, out: &mut impl Sink) {
    let pairs = &pairs[..pairs.len().min(most)];
    (pairs.len() as u16).put(out);
    for (one, other) in pairs {
        one.put(out);
        other.put(out);
    }
}

/// The same, of the field of that name, whose pairs are of these.
fn pairs<A: Wire, B: Wire>(
    from: &mut Reader,
    (field, most): (&'static str, usize),
    (one, other): (&'static str, &'static str),
) -> Result<Vec<(A, B)>, DecodeError> {
    let count = count(from, field, most)?;
    (0..count).map(|_| Ok((from.take(one)?, from.take(other)?))).collect()
}

fn lives(from: &mut Reader) -> Result<Vec<(NodeId, u64)>, DecodeError> {
    pairs(from, ("lives", limits::MAX_MEMBERS), ("member", "life"))
}

fn floors(from: &mut Reader) -> Result<Vec<(Slot, Version)>, DecodeError> {
    pairs(from, ("floors", limits::MAX_PAGE_FLOORS), ("slot", "floor"))
}

fn keys(from: &mut Reader) -> Result<Vec<(Key, Version)>, DecodeError> {
    pairs(from, ("keys", limits::MAX_PAGE_KEYS), ("key", "version"))
}

fn digests(from: &mut Reader) -> Result<Vec<(Slot, u64)>, DecodeError> {
    pairs(from, ("digests", limits::MAX_PAGE_DIGESTS), ("slot", "digest"))
}

fn count(from: &mut Reader, field: &'static str, limit: usize) -> Result<u16, DecodeError> {
    let count: u16 = from.take(field)?;
    let (value, limit) = (u64::from(count), limit as u64);
    if value > limit { Err(DecodeError::Limit { field, value, limit }) } else { Ok(count) }
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
            Verdict::Unlogged => 3_u8.put(out),
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Verdict::Applied,
            2 => Verdict::Refused { held: from.take("held version")? },
            3 => Verdict::Unlogged,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
