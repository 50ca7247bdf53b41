//! The log in bytes: segments of records, each with its length, a checksum and its number. `docs/log.md` has the format
//! byte by byte.
//!
//! What stands at the end of a log after a crash may be cut off, mixed with zeros, or there in parts out of order: all
//! that was never synced. The reader tells that from damage to what had been synced: records say how far the log was
//! on disk when they were written ([`Record::Synced`]), so that a flaw below such a mark is damage, and any other is
//! the torn tail of a write that nobody was told of.

mod scan;
mod start;

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use crc::{CRC_32_ISCSI, Crc};

use super::bytes::{Reader, Sink, Wire};
use super::peer::ClusterTag;
use crate::id::{Lsn, NodeId};
use crate::limits::MAX_FRAME;
use crate::record::Record;
use crate::time::UnixMs;
use scan::length_at;
pub use scan::{End, Flaw, Scan};
pub use start::{Refused, Start, Tail, droppable, outgrown};

/// What a segment says of itself before its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The cluster of the node that wrote it.
    pub cluster: ClusterTag,
    /// That node.
    pub node: NodeId,
    /// The number of its first record. All records below it had been synced when the segment was begun.
    pub first: Lsn,
    /// When it was begun.
    pub begun: UnixMs,
    /// Drawn at random: it goes into every checksum of the segment, so that neither an older file's bytes nor a value
    /// that looks like records are taken for records.
    pub salt: u64,
}

/// Why a file is no segment that can be read. Nothing was taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It begins with other bytes.
    Magic,
    /// It ends before its header does: it was cut off while it was begun, and holds no record.
    Short {
        /// Bytes in it.
        length: usize,
    },
    /// Another version of the format.
    Format {
        /// The version that it names.
        version: u8,
    },
    /// Its checksum is wrong.
    Checksum,
}

/// Appends the header of a segment.
pub fn put_header(header: &Header, out: &mut Vec<u8>) {
    let start = out.len();
    out.put(MAGIC);
    FORMAT.put(out);
    header.cluster.0.put(out);
    header.node.put(out);
    header.first.put(out);
    header.begun.put(out);
    header.salt.put(out);
    CRC.checksum(&out[start..]).put(out);
}

/// Reads the header of a segment.
pub fn header(segment: &Bytes) -> Result<Header, HeaderError> {
    let common = segment.len().min(MAGIC.len());
    if segment[..common] != MAGIC[..common] {
        return Err(HeaderError::Magic);
    }
    if let Some(version) = other_format(segment, FORMAT, HEADER) {
        return Err(HeaderError::Format { version });
    }
    let short = HeaderError::Short { length: segment.len() };
    let (Some(said), Some(sum)) = (segment.get(..HEADER - 4), segment.get(HEADER - 4..HEADER)) else {
        return Err(short);
    };
    if CRC.checksum(said).to_le_bytes() != *sum {
        return Err(HeaderError::Checksum);
    }
    let mut from = Reader::new(segment.slice(MAGIC.len() + 1..HEADER));
    let mut fields = || {
        let (cluster, node) = (ClusterTag(from.take("cluster")?), from.take("node")?);
        let (first, begun, salt) = (from.take("first record")?, from.take("time")?, from.take("salt")?);
        Ok(Header { cluster, node, first, begun, salt })
    };
    fields().map_err(|_: super::bytes::DecodeError| short)
}

/// The version that a file names behind its magic bytes, where that is another one than ours. Where the checksum of our
/// header is right but for that byte, the file is ours, and the byte is not as it was written.
pub(super) fn other_format(file: &[u8], ours: u8, header: usize) -> Option<u8> {
    let version = *file.get(MAGIC.len())?;
    let was_ours = |(said, sum): (&[u8], &[u8])| {
        let mut digest = CRC.digest();
        digest.update(&said[..MAGIC.len()]);
        digest.update(&[ours]);
        digest.update(&said[MAGIC.len() + 1..]);
        digest.finalize().to_le_bytes() == *sum
    };
    let head = file.get(..header).map(|head| head.split_at(header - 4));
    (version != ours && !head.is_some_and(was_ours)).then_some(version)
}

/// Appends a record under that number to a segment with that salt.
///
/// # Panics
/// When a value is longer than [`crate::limits::MAX_VALUE`] or its media type than [`crate::limits::MAX_MEDIA`].
pub fn put_record(salt: u64, lsn: Lsn, record: &Record, out: &mut Vec<u8>) {
    put_frame(salt, lsn, |out| record.put(out), out);
}

/// The same for anything that is to be taken for a record: for tests of what no node writes.
pub fn put_frame(salt: u64, lsn: Lsn, body: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    put_open_frame(body, out);
    seal(salt, lsn, &mut out[start..]);
}

/// Appends a record that has neither its number nor its checksum yet: both are whoever's who writes it to a segment,
/// see [`seal`].
///
/// # Panics
/// As [`put_record`].
pub fn put_open_record(record: &Record, out: &mut Vec<u8>) {
    put_open_frame(|out| record.put(out), out);
}

/// Numbers records that stand one after the other, from `first` on, and gives them their checksums under that salt:
/// whatever they had before. Returns the number that follows.
///
/// # Panics
/// When these are not records as [`put_open_record`] leaves them.
pub fn seal(salt: u64, first: Lsn, records: &mut [u8]) -> Lsn {
    let (mut rest, mut next) = (records, first);
    while !rest.is_empty() {
        let length = length_at(rest, 0).expect("a record begins with its length");
        let (record, behind) = rest.split_at_mut(8 + length as usize);
        record[8..HEAD].copy_from_slice(&next.0.to_le_bytes());
        let sum = checksum(salt, &record[8..], length);
        record[4..8].copy_from_slice(&sum.to_le_bytes());
        (rest, next) = (behind, Lsn(next.0 + 1));
    }
    next
}

fn put_open_frame(body: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    out.put(&[0; HEAD]);
    body(out);
    let length = u32::try_from(out.len() - start - 8).expect("a key, a value and a media type have bounds");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// The first bytes of every segment.
pub const MAGIC: &[u8; 8] = b"vitr-log";
/// The version of the format. A newer one is refused.
pub const FORMAT: u8 = 1;
/// Bytes of a segment before its first record: magic, format, cluster, node, first record, time, salt, checksum.
pub const HEADER: usize = 8 + 1 + 8 + 2 + 8 + 8 + 8 + 4;
/// Bytes of a record before what it says: the length of the rest but for the checksum, the checksum, the number.
pub const HEAD: usize = 4 + 4 + 8;
/// The longest length that a record may name.
const MAX_LENGTH: usize = MAX_FRAME;

/// CRC-32C over the salt, the length, and all that follows the checksum.
fn checksum(salt: u64, rest: &[u8], length: u32) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&salt.to_le_bytes());
    digest.update(&length.to_le_bytes());
    digest.update(rest);
    digest.finalize()
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) static CRC: Crc<u32, crc::Table<16>> = Crc::<u32, crc::Table<16>>::new(&CRC_32_ISCSI);
/// The same sums by a sixteenth of the tables: a page is downloaded.
#[cfg(target_arch = "wasm32")]
pub(super) static CRC: Crc<u32, crc::Table<1>> = Crc::<u32, crc::Table<1>>::new(&CRC_32_ISCSI);

impl HeaderError {
    /// Has a later version of Vitrine written the file? It is no damage, and nothing to be repaired.
    pub fn is_newer(&self) -> bool {
        matches!(self, HeaderError::Format { version } if *version > FORMAT)
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::Magic => f.write_str("it is not a log of this cache: its first bytes are others"),
            HeaderError::Short { length } => {
                write!(f, "it has {length} bytes, and the header of a log's segment has {HEADER}")
            }
            HeaderError::Format { version } if *version > FORMAT => {
                write!(f, "a newer version wrote it: format {version}, and this one reads format {FORMAT}")
            }
            HeaderError::Format { version } => write!(f, "format {version} is not known; this one reads {FORMAT}"),
            HeaderError::Checksum => f.write_str("the checksum of its header is wrong"),
        }
    }
}

impl core::error::Error for HeaderError {}

#[cfg(test)]
mod tests;
