//! Reading a snapshot: a block at a time, and exactly what is wrong where.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::super::bytes::{DecodeError, Reader};
use super::super::peer::ClusterTag;
use super::super::wal::other_format;
use super::*;
use crate::record::Record;

/// Takes a snapshot apart. It says how many bytes it wants next ([`Decoder::wants`]) and is given them
/// ([`Decoder::feed`]), or as many as the file still has.
#[derive(Clone, Debug)]
pub struct Decoder {
    header: Header,
    /// How what was packed is unpacked.
    unpack: fn(&[u8], u32) -> Option<Vec<u8>>,
    /// The byte where the next part begins.
    at: u64,
    blocks: u64,
    entries: u64,
    floors: u64,
    next: Next,
}

/// What it made of what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to be read before it can say anything.
    More,
    /// A block: puts and floors, and nothing else. Keys and values share the block's memory.
    Block(Vec<Record>),
    /// The end: the snapshot is whole. Nothing may follow.
    End(Footer),
}

/// Why a file is no whole snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotError {
    /// The byte where the part begins that is wrong: header, block or footer.
    pub at: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The file begins with other bytes.
    Magic,
    /// Another version of the format.
    Format {
        /// The version that it names.
        version: u8,
    },
    /// The file ends before the part does: it was cut off, or never ended.
    Cut {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// No block begins with that byte.
    Tag {
        /// The byte.
        tag: u8,
    },
    /// No block has that length.
    Length {
        /// What it says.
        length: u32,
    },
    /// The checksum is wrong.
    Checksum,
    /// The checksum is right, and what it covers does not unpack to the length that it says.
    Packed,
    /// The checksum is right, and it says what no node writes.
    Record(DecodeError),
    /// It has another number of things than it says.
    Count {
        /// Of what.
        what: &'static str,
        /// What it says.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// Something stands behind the end.
    Trailing {
        /// How many bytes.
        bytes: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Head,
    Body { tag: u8, count: u32, raw: u32, stored: u32, sum: u32, head: [u8; HEAD - 4] },
    Footer { begun: [u8; HEAD] },
    Nothing,
}

impl Decoder {
    /// Begins with the first [`HEADER`] bytes of a file, or all that it has.
    pub fn new(bytes: &[u8]) -> Result<Decoder, SnapshotError> {
        Ok(Decoder { unpack, ..Decoder::plain(bytes)? })
    }

    /// The same for what [`Encoder::plain`] has written.
    pub fn plain(bytes: &[u8]) -> Result<Decoder, SnapshotError> {
        let header = header(bytes).map_err(|flaw| SnapshotError { at: 0, flaw })?;
        Ok(Decoder {
            header,
            unpack: |_, _| None,
            at: HEADER as u64,
            blocks: 0,
            entries: 0,
            floors: 0,
            next: Next::Head,
        })
    }

    /// What the snapshot says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many bytes it takes next; 0 at the end.
    pub fn wants(&self) -> usize {
        match self.next {
            Next::Head => HEAD,
            Next::Body { stored, .. } => stored as usize,
            Next::Footer { .. } => FOOTER - HEAD,
            Next::Nothing => 0,
        }
    }

    /// Takes as many bytes as it [wants](Decoder::wants). Fewer are the end of the file; at the end, so is nothing.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Step, SnapshotError> {
        let at = self.at;
        self.part(bytes).map_err(|flaw| SnapshotError { at, flaw })
    }

    fn part(&mut self, bytes: &[u8]) -> Result<Step, Flaw> {
        let before = match self.next {
            Next::Head => 0,
            Next::Body { .. } | Next::Footer { .. } => HEAD,
            Next::Nothing if bytes.is_empty() => return Ok(Step::More),
            Next::Nothing => return Err(Flaw::Trailing { bytes: bytes.len() as u64 }),
        };
        let cut = |needed: usize| Flaw::Cut { needed: needed as u64, left: (before + bytes.len()) as u64 };
        if bytes.len() < self.wants() {
            return Err(cut(before + self.wants()));
        }
        match self.next {
            Next::Head => {
                let head: [u8; HEAD] = *bytes.first_chunk().ok_or(cut(HEAD))?;
                self.next = head_of(head)?;
                Ok(Step::More)
            }
            Next::Body { tag, count, raw, stored, sum, head } => {
                if checksum(self.header.salt, self.blocks, &head, bytes) != sum {
                    return Err(Flaw::Checksum);
                }
                let records = records(&self.unpacked(tag, raw, bytes)?, count)?;
                let entries = records.iter().filter(|record| matches!(record, Record::Put { .. })).count() as u64;
                self.entries += entries;
                self.floors += records.len() as u64 - entries;
                self.blocks += 1;
                self.at += HEAD as u64 + u64::from(stored);
                self.next = Next::Head;
                Ok(Step::Block(records))
            }
            Next::Footer { begun } => {
                let footer = self.footer(&[&begun[..], bytes].concat())?;
                self.at += FOOTER as u64;
                self.next = Next::Nothing;
                Ok(Step::End(footer))
            }
            Next::Nothing => Ok(Step::More),
        }
    }

    fn unpacked(&self, tag: u8, raw: u32, stored: &[u8]) -> Result<Bytes, Flaw> {
        match tag {
            PLAIN => Ok(Bytes::copy_from_slice(stored)),
            _ => (self.unpack)(stored, raw).map(Bytes::from).ok_or(Flaw::Packed),
        }
    }

    fn footer(&self, bytes: &[u8]) -> Result<Footer, Flaw> {
        let (said, sum) = bytes.split_at(FOOTER - 4);
        if checksum(self.header.salt, self.blocks, said, &[]).to_le_bytes() != sum {
            return Err(Flaw::Checksum);
        }
        let mut from = Reader::new(Bytes::copy_from_slice(&said[1..]));
        let mut number = |field| from.take::<u64>(field).map_err(Flaw::Record);
        let (blocks, entries, floors) = (number("blocks")?, number("entries")?, number("floors")?);
        for (what, said, found) in
            [("blocks", blocks, self.blocks), ("entries", entries, self.entries), ("floors", floors, self.floors)]
        {
            if said != found {
                return Err(Flaw::Count { what, said, found });
            }
        }
        Ok(Footer { blocks, entries, floors, until: Lsn(number("last number")?), ended: UnixMs(number("time")?) })
    }
}

fn header(bytes: &[u8]) -> Result<Header, Flaw> {
    let common = bytes.len().min(MAGIC.len());
    if bytes[..common] != MAGIC[..common] {
        return Err(Flaw::Magic);
    }
    if let Some(version) = other_format(bytes, FORMAT, HEADER) {
        return Err(Flaw::Format { version });
    }
    let cut = Flaw::Cut { needed: HEADER as u64, left: bytes.len() as u64 };
    let (said, sum) = bytes.get(..HEADER).ok_or(cut)?.split_at(HEADER - 4);
    if CRC.checksum(said).to_le_bytes() != sum {
        return Err(Flaw::Checksum);
    }
    let mut from = Reader::new(Bytes::copy_from_slice(&said[MAGIC.len() + 1..]));
    let mut fields = || {
        let (cluster, node) = (ClusterTag(from.take("cluster")?), from.take("node")?);
        let (first, begun, salt) = (from.take("first number")?, from.take("time")?, from.take("salt")?);
        Ok(Header { cluster, node, first, begun, salt })
    };
    fields().map_err(Flaw::Record)
}

fn head_of(head: [u8; HEAD]) -> Result<Next, Flaw> {
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (tag, count, raw, stored, sum) = (head[0], number(1), number(5), number(9), number(13));
    match tag {
        END => return Ok(Next::Footer { begun: head }),
        PLAIN | PACKED => {}
        tag => return Err(Flaw::Tag { tag }),
    }
    if raw > MAX_RAW {
        return Err(Flaw::Length { length: raw });
    }
    let fits = match tag {
        PLAIN => stored == raw,
        _ => stored < raw && u64::from(raw) <= MAX_RATIO * u64::from(stored),
    };
    if !fits {
        return Err(Flaw::Length { length: stored });
    }
    let head = *head.first_chunk().expect("it is shorter");
    Ok(Next::Body { tag, count, raw, stored, sum, head })
}

fn unpack(stored: &[u8], raw: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; raw as usize];
    let length = lz4_flex::block::decompress_into(stored, &mut bytes).ok()?;
    (length == bytes.len()).then_some(bytes)
}

fn records(bytes: &Bytes, count: u32) -> Result<Vec<Record>, Flaw> {
    let mut from = Reader::new(bytes.clone());
    let mut records = Vec::new();
    while from.left() > 0 {
        // What else is in a log has no place here: there is nothing that it could be about.
        let tag = bytes[bytes.len() - from.left()];
        match from.take("entry").map_err(Flaw::Record)? {
            record @ (Record::Put { .. } | Record::Floor { .. }) => records.push(record),
            _ => return Err(Flaw::Record(DecodeError::Tag { field: "entry of a snapshot", tag })),
        }
    }
    let (said, found) = (u64::from(count), records.len() as u64);
    if said != found {
        return Err(Flaw::Count { what: "entries and floors in this block", said, found });
    }
    Ok(records)
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.flaw)
    }
}

impl SnapshotError {
    /// Has a later version of Vitrine written the file? It is no damage, and nothing to be repaired.
    pub fn is_newer(&self) -> bool {
        matches!(self.flaw, Flaw::Format { version } if version > FORMAT)
    }
}

impl core::error::Error for SnapshotError {}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Magic => f.write_str("it is not a snapshot of this cache: its first bytes are others"),
            Flaw::Format { version } if *version > FORMAT => {
                write!(f, "a newer version wrote it: format {version}, and this one reads format {FORMAT}")
            }
            Flaw::Format { version } => write!(f, "format {version} is not known; this one reads {FORMAT}"),
            Flaw::Cut { needed, left } => {
                write!(f, "it was cut off: what follows takes {needed} bytes, and {left} are left")
            }
            Flaw::Tag { tag } => write!(f, "no block begins with {tag}"),
            Flaw::Length { length } => write!(f, "no block has a length of {length}"),
            Flaw::Checksum => f.write_str("the checksum is wrong"),
            Flaw::Packed => f.write_str("the checksum is right, and the block does not unpack to what it says"),
            Flaw::Record(error) => write!(f, "the checksum is right, and it cannot be read: {error}"),
            Flaw::Count { what, said, found } => write!(f, "it says {said} {what}, and there are {found}"),
            Flaw::Trailing { bytes } => write!(f, "{bytes} bytes or more stand behind its end"),
        }
    }
}
