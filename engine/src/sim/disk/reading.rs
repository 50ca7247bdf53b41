//! Reading a disk back when its node starts, as the server does: `native/src/wal/recover.rs`.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Disk, Segment, digest};
use crate::codec::wal::{End, HEAD, Scan};
use crate::id::Lsn;
use crate::record::Record;

/// What was read back from a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The number that follows the last of them.
    pub next: Lsn,
    /// Bytes of torn tails that were cut off.
    pub torn: u64,
    /// What had been synced is not as it was, from that record on, or cannot be read: it is refused, all of it.
    pub damaged: Option<Lsn>,
    /// A record that was taken in, and is not the one that was written under its number, or follows a gap.
    pub wrong: Option<Lsn>,
}

impl Disk {
    /// Reads all segments, cuts off what is torn, and holds what was read to what was written.
    pub(super) fn read(&mut self) -> Recovered {
        let mut recovered = Recovered { next: Lsn(1), ..Recovered::default() };
        if self.unreadable {
            recovered.damaged = Some(recovered.next);
            return recovered;
        }
        for at in 0..self.segments.len() {
            let follows = self.segments.get(at + 1).map(|next| next.first);
            if self.read_segment(at, follows, &mut recovered).is_none() {
                recovered.damaged = Some(recovered.next);
                recovered.records.clear();
                return recovered;
            }
        }
        recovered
    }

    /// Reads one, up to where the next one begins; `None` when it is not as it was.
    fn read_segment(&mut self, at: usize, follows: Option<Lsn>, recovered: &mut Recovered) -> Option<()> {
        let Segment { bytes, first, .. } = &mut self.segments[at];
        let mut scan = Scan::new(Bytes::copy_from_slice(bytes)).ok()?;
        if scan.header().first != *first || scan.header().first > recovered.next {
            return None;
        }
        while follows.is_none_or(|follows| scan.next_lsn() < follows) {
            let Some((begins, number, record)) = scan.next() else { break };
            let said = digest(&bytes[begins as usize + HEAD..scan.at() as usize]);
            let right = self.truth.get(number.0 as usize - 1) == Some(&said) && number == recovered.next;
            recovered.wrong = recovered.wrong.or(Some(number).filter(|_| !right));
            recovered.records.push(record);
            recovered.next = Lsn(number.0 + 1);
        }
        recovered.next = scan.next_lsn();
        // What stands behind the number that the next one begins with could not be synced once, and was written again.
        if follows.is_some_and(|follows| follows <= scan.next_lsn()) {
            return Some(());
        }
        match (scan.end(), follows) {
            (Some(End::Torn { at, bytes: torn, .. }), None) => {
                recovered.torn += torn;
                bytes.truncate(at as usize);
            }
            (Some(End::Whole { at }), None) => bytes.truncate(at as usize),
            (None, None) => {}
            // It had been synced before the next one was begun.
            (_, Some(_)) | (Some(End::Damaged { .. }), None) => return None,
        }
        Some(())
    }
}
