//! Reading a disk back when its node starts, as the server does: `native/src/wal/recover.rs`.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Disk, Saved, Segment, Versions, digest};
use crate::codec::snapshot::{Decoder, HEADER, Step};
use crate::codec::wal::{HEAD, Scan, Start};
use crate::id::Lsn;
use crate::record::Record;
use crate::request::Key;

/// What was read back from a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The records, in order: first those of the snapshot that it began with.
    pub records: Vec<Record>,
    /// The number from which the log was read over a snapshot, and how many of them were in that; `None` where there
    /// was none.
    pub snapshot: Option<(Lsn, u64)>,
    /// Newer snapshots that were not whole, and passed over.
    pub passed: u64,
    /// The number that follows the last of them.
    pub next: Lsn,
    /// Bytes of torn tails that were cut off.
    pub torn: u64,
    /// The byte of the last segment where there is nothing behind it that is to be kept.
    pub(super) whole: Option<u64>,
    /// What had been synced is not as it was, from that record on, or cannot be read: it is refused, all of it.
    pub damaged: Option<Lsn>,
    /// A record that was taken in, and is not the one that was written under its number, or follows a gap.
    pub wrong: Option<Lsn>,
    /// A key of which something else was read than was written.
    pub differs: Option<Key>,
}

impl Recovered {
    /// For each key that it leaves an entry of, its version.
    pub(super) fn versions(&self) -> Versions {
        let mut versions = Versions::default();
        self.records.iter().for_each(|record| versions.apply(record));
        versions
    }
}

impl Disk {
    /// What a start would read: the newest whole snapshot and the segments behind it, held to what was written. Nothing
    /// is cut off or changed.
    pub fn read(&self) -> Recovered {
        let mut recovered = Recovered::default();
        let mut start = Start::with(None);
        // Who cannot read anything knows of no snapshot either.
        let mut is_whole = !self.unreadable;
        let mut passed = Lsn(1);
        for saved in self.snapshots.iter().rev().filter(|_| is_whole) {
            if let Some((records, until)) = saved.read() {
                start = Start::with(Some((saved.first, until)));
                recovered.snapshot = Some((saved.first, records.len() as u64));
                recovered.records = records;
                recovered.wrong = Some(saved.first).filter(|_| digest(&saved.bytes) != saved.sum);
                break;
            }
            recovered.passed += 1;
            passed = passed.max(saved.first);
        }
        start = start.reaches(passed);
        recovered.next = start.next();
        for at in 0..self.segments.len() {
            is_whole = is_whole && self.read_segment(at, &mut start, &mut recovered).is_some();
        }
        if !is_whole || start.end().is_err() {
            recovered.damaged = Some(recovered.next);
            recovered.records.clear();
        }
        recovered
    }

    /// Reads one, up to where the next one begins; `None` when it is not as it was.
    fn read_segment(&self, at: usize, start: &mut Start, recovered: &mut Recovered) -> Option<()> {
        let Segment { bytes, first, .. } = &self.segments[at];
        let follows = self.segments.get(at + 1).map(|next| next.first);
        if start.passes(follows) {
            return Some(());
        }
        let mut scan = Scan::new(Bytes::copy_from_slice(bytes)).ok()?;
        if scan.header().first != *first {
            return None;
        }
        start.begins(*first).ok()?;
        while follows.is_none_or(|follows| scan.next_lsn() < follows) {
            let Some((begins, number, record)) = scan.next() else { break };
            if !start.takes(number) {
                continue;
            }
            let said = digest(&bytes[begins as usize + HEAD..scan.at() as usize]);
            let right = self.truth.is(number, said) && number == recovered.next;
            recovered.wrong = recovered.wrong.or(Some(number).filter(|_| !right));
            recovered.records.push(record);
            recovered.next = Lsn(number.0 + 1);
        }
        let tail = start.ends(&scan, follows).ok()?;
        recovered.next = start.next();
        recovered.torn += tail.torn;
        recovered.whole = Some(tail.at).filter(|_| tail.is_last);
        Some(())
    }
}

impl Saved {
    /// What is in it, and how far its log has to reach, if it is whole.
    pub(super) fn read(&self) -> Option<(Vec<Record>, Lsn)> {
        let bytes = &self.bytes[..];
        let mut decoder = Decoder::plain(&bytes[..bytes.len().min(HEADER)]).ok()?;
        let (mut rest, mut records) = (bytes.get(HEADER..)?, Vec::new());
        loop {
            let (part, behind) = rest.split_at(decoder.wants().min(rest.len()));
            rest = behind;
            match decoder.feed(part).ok()? {
                Step::More => {}
                Step::Block(block) => records.extend(block),
                Step::End(footer) => {
                    let whole = rest.is_empty() && decoder.header().first == self.first && !self.unreadable;
                    return whole.then_some((records, footer.until));
                }
            }
        }
    }
}
