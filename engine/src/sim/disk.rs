//! An imagined disk with the log of one node: what was synced stays, and of the rest a crash leaves what it likes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::peer::ClusterTag;
use crate::codec::wal::{self, End, Scan};
use crate::id::{Lsn, NodeId, Version};
use crate::record::Record;
use crate::request::Key;
use crate::rng::Rng;
use crate::time::UnixMs;

/// The disk of one machine.
#[derive(Clone, Debug)]
pub struct Disk {
    node: NodeId,
    /// The segments, each of another start of the node; the last is written to.
    segments: Vec<Vec<u8>>,
    salt: u64,
    next: Lsn,
    /// Bytes of the last segment that a crash leaves as they are, and the first record behind them.
    synced: (usize, Lsn),
    /// The same once the sync that is under way has ended.
    syncing: Option<(usize, Lsn)>,
    /// For each key, the highest version that a crash leaves word of.
    lasting: Versions,
    /// What else has been written, with the numbers.
    written: VecDeque<(Lsn, Key, Version)>,
}

/// What was read back from a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Bytes of torn tails that were cut off.
    pub torn: u64,
    /// Where what had been synced is not as it was.
    pub damaged: Option<u64>,
}

impl Disk {
    /// An empty disk.
    pub(super) fn new(node: NodeId) -> Disk {
        Disk {
            node,
            segments: Vec::new(),
            salt: 0,
            next: Lsn(1),
            synced: (0, Lsn(1)),
            syncing: None,
            lasting: Versions::default(),
            written: VecDeque::new(),
        }
    }

    /// The node starts: reads back what there is, cuts off what is torn, and begins a segment, which is on disk with
    /// its header before anything is done.
    pub(super) fn open(&mut self, now: UnixMs, salt: u64) -> Recovered {
        let mut recovered = Recovered::default();
        for segment in &mut self.segments {
            let scan = Scan::new(Bytes::copy_from_slice(segment)).ok();
            let mut scan = scan.expect("headers are synced");
            recovered.records.extend(scan.by_ref().map(|(_, _, record)| record));
            match scan.end() {
                Some(End::Torn { at, bytes, .. }) => {
                    recovered.torn += bytes;
                    segment.truncate(at as usize);
                }
                Some(End::Damaged { at, .. }) => recovered.damaged = Some(at),
                Some(End::Whole { at }) => segment.truncate(at as usize),
                None => {}
            }
            self.next = scan.next_lsn();
        }
        self.written = recovered.records.iter().filter_map(|record| about(Lsn(0), record)).collect();
        self.last();
        let mut segment = Vec::new();
        let header = wal::Header { cluster: CLUSTER, node: self.node, first: self.next, begun: now, salt };
        wal::put_header(&header, &mut segment);
        self.salt = salt;
        self.synced = (segment.len(), self.next);
        self.syncing = None;
        self.segments.push(segment);
        recovered
    }

    /// The number of the next record.
    pub(super) fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// Records from this one on may be lost.
    pub(super) fn synced_below(&self) -> Lsn {
        self.synced.1
    }

    /// Bytes of the log, and how many of them a crash leaves.
    pub fn bytes(&self) -> (u64, u64) {
        let whole: usize = self.segments.iter().map(Vec::len).sum();
        let open = self.segments.last().map_or(0, Vec::len);
        (whole as u64, (whole - open + self.synced.0) as u64)
    }

    pub(super) fn append(&mut self, record: &Record) {
        let Some(segment) = self.segments.last_mut() else { return };
        wal::put_record(self.salt, self.next, record, segment);
        self.written.extend(about(self.next, record));
        self.next = Lsn(self.next.0 + 1);
    }

    /// Begins to sync what has been written by now, unless a sync is under way or nothing is new.
    pub(super) fn begin_sync(&mut self) -> bool {
        if self.syncing.is_some() || self.next == self.synced.1 {
            return false;
        }
        self.append(&Record::Synced { below: self.synced.1 });
        self.syncing = self.segments.last().map(|segment| (segment.len(), self.next));
        true
    }

    /// The sync has ended.
    pub(super) fn end_sync(&mut self) {
        self.synced = self.syncing.take().unwrap_or(self.synced);
        self.last();
    }

    /// What was written below the mark of the last sync lasts.
    fn last(&mut self) {
        while let Some((_, key, version)) = self.written.pop_front_if(|(lsn, ..)| *lsn < self.synced.1) {
            let lasting = self.lasting.of(&key);
            *lasting = (*lasting).max(version);
        }
    }

    /// Does a crash leave word of that version of the key, or of a later one?
    pub(super) fn keeps(&self, key: &Key, version: Version) -> bool {
        self.lasting.get(key) >= version
    }

    /// The machine goes down: of each page that was not synced, what was there before or what was written is left.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        self.syncing = None;
        let Some(segment) = self.segments.last_mut() else { return };
        let (synced, _) = self.synced;
        match rng.below(3) {
            0 => segment.truncate(synced),
            1 => segment.truncate(rng.between(synced as u64, segment.len() as u64) as usize),
            // The size is there, and pages between are not.
            _ => segment[synced..].chunks_mut(PAGE).for_each(|page| {
                if rng.chance(500_000) {
                    page.fill(0);
                }
            }),
        }
    }

    /// For each key that the log leaves an entry of, its version.
    pub(super) fn versions(&self) -> Versions {
        let mut versions = Versions::default();
        for record in self.clone().open(UnixMs(0), 0).records {
            match record {
                Record::Put { key, entry } => *versions.of(&key) = entry.version,
                Record::Remove { key, .. } | Record::Forget { key, .. } => *versions.of(&key) = Version::ZERO,
                Record::Touch { key, from, version, .. } => {
                    if versions.get(&key) == from {
                        *versions.of(&key) = version;
                    }
                }
                Record::Floor { .. } | Record::Synced { .. } => {}
            }
        }
        versions
    }
}

/// A version for each key; [`Version::ZERO`] for those that have none. In the order of the keys: one more tree would
/// cost the page more bytes than it saves time.
#[derive(Clone, Debug, Default)]
pub struct Versions(Vec<(Key, Version)>);

impl Versions {
    /// The version of a key.
    pub(super) fn get(&self, key: &Key) -> Version {
        self.0.binary_search_by(|(other, _)| other.cmp(key)).map_or(Version::ZERO, |at| self.0[at].1)
    }

    fn of(&mut self, key: &Key) -> &mut Version {
        let at = self.0.binary_search_by(|(other, _)| other.cmp(key)).unwrap_or_else(|at| {
            self.0.insert(at, (key.clone(), Version::ZERO));
            at
        });
        &mut self.0[at].1
    }
}

impl FromIterator<(Key, Version)> for Versions {
    fn from_iter<T: IntoIterator<Item = (Key, Version)>>(all: T) -> Versions {
        let mut versions = Versions::default();
        all.into_iter().for_each(|(key, version)| *versions.of(&key) = version);
        versions
    }
}

/// What a record says of a key.
fn about(lsn: Lsn, record: &Record) -> Option<(Lsn, Key, Version)> {
    match record {
        Record::Put { key, entry } => Some((lsn, key.clone(), entry.version)),
        Record::Remove { key, version } | Record::Touch { key, version, .. } => Some((lsn, key.clone(), *version)),
        Record::Forget { .. } | Record::Floor { .. } | Record::Synced { .. } => None,
    }
}

const CLUSTER: ClusterTag = ClusterTag(0);
/// What a disk writes at once, in bytes: small, as the records are.
const PAGE: usize = 64;
