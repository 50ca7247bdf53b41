//! The map, and wishes to change it, in bytes.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::id::Epoch;
use crate::limits;
use crate::map::{Map, Member, Phase, Wish};
use crate::message::Edition;

/// A map by itself, as nodes keep it and hand it to those who join: the format version, then the map.
pub fn encode(map: &Arc<Map>) -> Vec<u8> {
    let mut out = Vec::new();
    FORMAT.put(&mut out);
    map.put(&mut out);
    out
}

/// Reads such a map. It has no flaw when it is read.
pub fn decode(bytes: Bytes) -> Result<Arc<Map>, DecodeError> {
    let mut from = Reader::new(bytes);
    let version: u8 = from.take("format version")?;
    if version != FORMAT {
        return Err(DecodeError::Format { version, known: FORMAT });
    }
    let map = from.take("map")?;
    from.finish()?;
    Ok(map)
}

/// The version of the format of a map by itself.
const FORMAT: u8 = 1;

/// The length, 8 bits, then the bytes, which are UTF-8.
impl Wire for String {
    fn put(&self, out: &mut impl Sink) {
        u8::try_from(self.len()).expect("names and addresses are checked against their limit").put(out);
        out.put(self.as_bytes());
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let length: u8 = from.take(field)?;
        let bytes = from.bytes(usize::from(length), field)?;
        core::str::from_utf8(&bytes).map(String::from).map_err(|_| DecodeError::Text { field })
    }
}

impl Wire for Edition {
    fn put(&self, out: &mut impl Sink) {
        self.epoch.0.put(out);
        self.by.put(out);
        self.boot.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        let epoch = Epoch(from.take("epoch of the edition")?);
        Ok(Edition { epoch, by: from.take("maker of the edition")?, boot: from.take("start of the maker")? })
    }
}

impl Wire for Phase {
    fn put(&self, out: &mut impl Sink) {
        let tag: u8 = match self {
            Phase::Steady => 0,
            Phase::Filling => 1,
            Phase::Handing => 2,
        };
        tag.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            0_u8 => Phase::Steady,
            1 => Phase::Filling,
            2 => Phase::Handing,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

/// Of a member: it is leaving; it stood in another zone before, which stands behind its own; others stand in for it;
/// others did so before; it may have the only copies of something.
const LEAVING: u8 = 1;
const MOVED: u8 = 2;
const AWAY: u8 = 4;
const WAS_AWAY: u8 = 8;
const SOLE: u8 = 16;

impl Wire for Member {
    fn put(&self, out: &mut impl Sink) {
        self.id.put(out);
        self.name.put(out);
        self.weight.put(out);
        self.was.put(out);
        let away = [(self.away, AWAY), (self.was_away, WAS_AWAY), (self.sole, SOLE)];
        let flags = [(self.leaving, LEAVING), (self.moved_from.is_some(), MOVED)].into_iter().chain(away);
        flags.map(|(set, flag)| if set { flag } else { 0 }).sum::<u8>().put(out);
        self.zone.put(out);
        if let Some(before) = &self.moved_from {
            before.put(out);
        }
        self.peer_address.put(out);
        self.http_address.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        let (id, name, weight) = (from.take("member")?, from.take("name")?, from.take("weight")?);
        let was = from.take("earlier weight")?;
        let flags: u8 = from.take("state of a member")?;
        if flags & !(LEAVING | MOVED | AWAY | WAS_AWAY | SOLE) != 0 {
            return Err(DecodeError::Tag { field: "state of a member", tag: flags });
        }
        Ok(Member {
            id,
            name,
            weight,
            was,
            leaving: flags & LEAVING != 0,
            away: flags & AWAY != 0,
            was_away: flags & WAS_AWAY != 0,
            sole: flags & SOLE != 0,
            zone: from.take("zone")?,
            moved_from: if flags & MOVED == 0 { None } else { Some(from.take("earlier zone")?) },
            peer_address: from.take("peer address")?,
            http_address: from.take("HTTP address")?,
        })
    }
}

/// The number of members, 16 bits, stands before them; they are in order.
impl Wire for Arc<Map> {
    fn put(&self, out: &mut impl Sink) {
        self.edition().put(out);
        self.phase.put(out);
        self.highest.put(out);
        self.replicas.put(out);
        self.virtual_nodes.put(out);
        u16::try_from(self.members.len()).expect("a map has at most 1,024 members").put(out);
        self.members.iter().for_each(|member| member.put(out));
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let Edition { epoch, by, boot } = from.take(field)?;
        let (phase, highest) = (from.take("phase")?, from.take("highest number")?);
        let (replicas, virtual_nodes) = (from.take("copies")?, from.take("points")?);
        let count: u16 = from.take("members")?;
        if usize::from(count) > limits::MAX_MEMBERS {
            let (value, limit) = (u64::from(count), limits::MAX_MEMBERS as u64);
            return Err(DecodeError::Limit { field: "members", value, limit });
        }
        let members = (0..count).map(|_| from.take("member")).collect::<Result<Vec<Member>, _>>()?;
        let map = Map { epoch, by, boot, phase, members, highest, replicas, virtual_nodes };
        map.flaw().map_or_else(|| Ok(Arc::new(map)), |flaw| Err(DecodeError::Map { flaw }))
    }
}

impl Wire for Wish {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Wish::Join { name, weight, zone, peer_address, http_address } => {
                1_u8.put(out);
                name.put(out);
                weight.put(out);
                zone.put(out);
                peer_address.put(out);
                http_address.put(out);
            }
            Wish::Weight { name, weight } => {
                2_u8.put(out);
                name.put(out);
                weight.put(out);
            }
            Wish::Leave { name, force } => {
                3_u8.put(out);
                name.put(out);
                force.put(out);
            }
            Wish::Zone { name, zone } => {
                4_u8.put(out);
                name.put(out);
                zone.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Wish::Join {
                name: from.take("name")?,
                weight: from.take("weight")?,
                zone: from.take("zone")?,
                peer_address: from.take("peer address")?,
                http_address: from.take("HTTP address")?,
            },
            2 => Wish::Weight { name: from.take("name")?, weight: from.take("weight")? },
            3 => Wish::Leave { name: from.take("name")?, force: from.take("force")? },
            4 => Wish::Zone { name: from.take("name")?, zone: from.take("zone")? },
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}
