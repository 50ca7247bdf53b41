//! A snapshot in bytes: a header, blocks of entries and floors, each with its checksum, and a footer that says how many
//! there were. `docs/snapshots.md` has the format byte by byte.
//!
//! A block at a time, in both directions: neither writing nor reading takes more memory than the longest block, which
//! is 256 KiB or one entry. A file without its footer was cut off, and is no snapshot: a part of the entries, under a
//! log that begins behind the cut, would be remembered as if it were all.

mod decode;

use alloc::vec::Vec;

use super::bytes::{Sink, Wire};
use super::peer::ClusterTag;
use super::wal::CRC;
use crate::id::{Lsn, NodeId, Slot, Version};
use crate::limits::MAX_FRAME;
use crate::record::Record;
use crate::time::UnixMs;
pub use decode::{Decoder, Flaw, SnapshotError, Step};

/// What a snapshot says of itself before its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The cluster of the node that wrote it.
    pub cluster: ClusterTag,
    /// That node.
    pub node: NodeId,
    /// The cut: what the log has from this number on is read over the snapshot. All that is below it is in here.
    pub first: Lsn,
    /// When it was begun.
    pub begun: UnixMs,
    /// Drawn at random: it goes into every checksum, so that no older file's blocks are taken for this one's.
    pub salt: u64,
}

/// What a snapshot says of itself at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Blocks before it.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Floors of slots in them.
    pub floors: u64,
    /// The first number that the log had not given when the last entry was read. The log behind the snapshot has to
    /// reach as far as this: what is in here may be as new as that.
    pub until: Lsn,
    /// When it was ended.
    pub ended: UnixMs,
}

/// One entry, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// Its key: 1 to [`crate::limits::MAX_KEY`] bytes.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Its media type; may be empty.
    pub media: &'a [u8],
    /// When it was written.
    pub version: Version,
    /// When it expires.
    pub deadline: Option<UnixMs>,
}

/// Writes a snapshot. Entries gather in memory until [`Encoder::end_block`], so that they can be taken under a lock
/// and made into bytes of the file after it.
#[derive(Clone, Debug)]
pub struct Encoder {
    salt: u64,
    /// How blocks are packed, if they are.
    pack: Option<Pack>,
    raw: Vec<u8>,
    packed: Vec<u8>,
    count: u32,
    blocks: u64,
    entries: u64,
    floors: u64,
}

impl Encoder {
    /// Begins a snapshot.
    pub fn new(header: &Header, out: &mut Vec<u8>) -> Encoder {
        Encoder { pack: Some(packed), ..Encoder::plain(header, out) }
    }

    /// Begins one whose blocks all stay as they are: a page need not be sent what would pack them.
    pub fn plain(header: &Header, out: &mut Vec<u8>) -> Encoder {
        let start = out.len();
        out.put(MAGIC);
        FORMAT.put(out);
        header.cluster.0.put(out);
        header.node.put(out);
        header.first.put(out);
        header.begun.put(out);
        header.salt.put(out);
        CRC.checksum(&out[start..]).put(out);
        let (raw, packed) = (Vec::new(), Vec::new());
        Encoder { salt: header.salt, pack: None, raw, packed, count: 0, blocks: 0, entries: 0, floors: 0 }
    }

    /// Takes an entry in.
    ///
    /// # Panics
    /// When the key is empty or a part is longer than [`crate::limits`] allows: no store has such an entry.
    pub fn entry(&mut self, entry: &Kept<'_>) {
        put_entry(entry, &mut self.raw);
        self.count += 1;
        self.entries += 1;
    }

    /// Takes in what a slot has seen go.
    pub fn floor(&mut self, slot: Slot, version: Version) {
        Record::Floor { slot, version }.put(&mut self.raw);
        self.count += 1;
        self.floors += 1;
    }

    /// As much has gathered as a block is to have: it is time for [`Encoder::end_block`].
    pub fn is_full(&self) -> bool {
        self.gathered() >= BLOCK
    }

    /// Bytes that have gathered.
    pub fn gathered(&self) -> usize {
        self.raw.len()
    }

    /// Entries that were taken in.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Makes a block of what has gathered, if anything has.
    pub fn end_block(&mut self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        let (raw, mut packed) = (core::mem::take(&mut self.raw), core::mem::take(&mut self.packed));
        let length = self.pack.map_or(usize::MAX, |pack| pack(&raw, &mut packed));
        let (tag, stored) = if length < raw.len() { (PACKED, &packed[..length]) } else { (PLAIN, &raw[..]) };
        let count = core::mem::take(&mut self.count);
        self.put_block(tag, count, raw.len(), stored, out);
        // The room is used again, but not that of one long value.
        for mut room in [raw, packed].into_iter().filter(|room| room.capacity() <= 4 * BLOCK) {
            room.clear();
            if self.raw.capacity() == 0 { self.raw = room } else { self.packed = room }
        }
    }

    /// A block of anything that is to be taken for so many entries: for tests of what no node writes.
    pub fn raw_block(&mut self, count: u32, bytes: &[u8], out: &mut Vec<u8>) {
        self.entries += u64::from(count);
        self.put_block(PLAIN, count, bytes.len(), bytes, out);
    }

    fn put_block(&mut self, tag: u8, count: u32, raw: usize, stored: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let length = |bytes: usize| u32::try_from(bytes).expect("an entry has bounds, and a block few of them");
        tag.put(out);
        count.put(out);
        length(raw).put(out);
        length(stored.len()).put(out);
        checksum(self.salt, self.blocks, &out[start..], stored).put(out);
        out.put(stored);
        self.blocks += 1;
    }

    /// Ends the snapshot: the log had not given that number yet when the last entry was taken.
    pub fn finish(mut self, until: Lsn, ended: UnixMs, out: &mut Vec<u8>) -> Footer {
        self.end_block(out);
        let Encoder { blocks, entries, floors, .. } = self;
        let start = out.len();
        END.put(out);
        for number in [blocks, entries, floors, until.0, ended.0] {
            number.put(out);
        }
        checksum(self.salt, blocks, &out[start..], &[]).put(out);
        Footer { blocks, entries, floors, until, ended }
    }
}

/// Packs into a buffer that it makes long enough, and says how much it took.
type Pack = fn(&[u8], &mut Vec<u8>) -> usize;

fn packed(raw: &[u8], packed: &mut Vec<u8>) -> usize {
    packed.resize(lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    // The room is the most that it can take, so it does not fail; if it did, the bytes stay as they are.
    lz4_flex::block::compress_into(raw, packed).unwrap_or(usize::MAX)
}

/// The bytes of a [`Record::Put`], without a copy of the value in between.
fn put_entry(entry: &Kept<'_>, out: &mut Vec<u8>) {
    let Kept { key, value, media, version, deadline } = *entry;
    assert!(!key.is_empty(), "a key has bytes");
    1_u8.put(out);
    u16::try_from(key.len()).expect("a key has at most 65,535 bytes").put(out);
    out.put(key);
    version.put(out);
    deadline.put(out);
    u8::try_from(media.len()).expect("a media type has at most 255 bytes").put(out);
    out.put(media);
    u32::try_from(value.len()).expect("a value has at most 512 MiB").put(out);
    out.put(value);
}

/// CRC-32C over the salt, the number of the block, its head, and its bytes: a block that stands elsewhere in the file,
/// or in another file, is told.
fn checksum(salt: u64, block: u64, head: &[u8], stored: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&salt.to_le_bytes());
    digest.update(&block.to_le_bytes());
    digest.update(head);
    digest.update(stored);
    digest.finalize()
}

/// The first bytes of every snapshot.
pub const MAGIC: &[u8; 8] = b"vitr-snp";
/// The version of the format. A newer one is refused.
pub const FORMAT: u8 = 1;
/// Bytes before the first block: magic, format, cluster, node, first number, time, salt, checksum.
pub const HEADER: usize = 8 + 1 + 8 + 2 + 8 + 8 + 8 + 4;
/// From so many bytes on a block is full: what is compressed at a time, and what a reader holds.
pub const BLOCK: usize = 256 << 10;
/// Bytes of a block before what is in it: tag, how many, length, length as stored, checksum.
const HEAD: usize = 1 + 4 + 4 + 4 + 4;
/// Bytes of the footer: tag, five numbers, checksum.
const FOOTER: usize = 1 + 5 * 8 + 4;
/// The longest block: full but for a byte, and the longest entry.
const MAX_RAW: u32 = (BLOCK + MAX_FRAME) as u32;
/// A byte of LZ4 stands for at most 255, and a little for what surrounds it.
const MAX_RATIO: u64 = 256;

/// The footer.
const END: u8 = 0;
/// A block as it is.
const PLAIN: u8 = 1;
/// A block in LZ4's block format.
const PACKED: u8 = 2;

#[cfg(test)]
mod tests;
