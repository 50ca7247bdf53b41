//! What was written to a disk, whatever has become of it there: what is read back is held to that.

use alloc::vec::Vec;

use super::Versions;
use crate::id::{Lsn, Version};
use crate::record::Record;
use crate::request::Key;

/// The records of a log. Those that are in a snapshot are folded into what they leave.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// What the records below `from` leave of each key.
    base: Versions,
    from: Lsn,
    /// What each record said from there on, in one number, and without its value.
    wrote: Vec<(u64, Record)>,
    /// The highest version of a key that the node let go for want of room or time, which its log does not say.
    dropped: Versions,
}

impl Truth {
    pub(super) fn new() -> Truth {
        Truth { base: Versions::default(), from: Lsn(1), wrote: Vec::new(), dropped: Versions::default() }
    }

    /// The next record is written.
    pub(super) fn push(&mut self, sum: u64, record: &Record) {
        let mut record = record.clone();
        if let Record::Put { entry, .. } = &mut record {
            entry.value = Default::default();
        }
        self.wrote.push((sum, record));
    }

    /// A version of a key is not kept any more, for want of room or time.
    pub(super) fn dropped(&mut self, key: &Key, version: Version) {
        let dropped = self.dropped.of(key);
        *dropped = (*dropped).max(version);
    }

    /// The records from that number on are lost, and the next one is written under it.
    pub(super) fn cut(&mut self, next: Lsn) {
        self.wrote.truncate(next.0.saturating_sub(self.from.0) as usize);
    }

    /// The records below that number are in a snapshot.
    pub(super) fn fold(&mut self, below: Lsn) {
        let count = below.0.saturating_sub(self.from.0).min(self.wrote.len() as u64);
        self.wrote.drain(..count as usize).for_each(|(_, record)| self.base.apply(&record));
        self.from.0 += count;
    }

    /// Is that what was written under that number? Of what was folded that is not known any more.
    pub(super) fn is(&self, number: Lsn, sum: u64) -> bool {
        number < self.from
            || self.wrote.get((number.0 - self.from.0) as usize).is_some_and(|(written, _)| *written == sum)
    }

    /// A key of which something else was found than all records leave, and which was not dropped.
    pub(super) fn differs(&self, found: &Versions) -> Option<Key> {
        let mut all = self.base.clone();
        self.wrote.iter().for_each(|(_, record)| all.apply(record));
        let is_right = |key: &Key| {
            let (version, found) = (all.get(key), found.get(key));
            found == version || found == Version::ZERO && self.dropped.get(key) >= version
        };
        all.keys().chain(found.keys()).find(|key| !is_right(key)).cloned()
    }
}
