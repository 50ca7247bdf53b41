//! An imagined disk with the log and the snapshots of one node: what was synced stays, and of the rest a crash leaves
//! what it likes.
//!
//! It fails as real ones do ([`DiskFault`]): it takes nothing more, its syncs fail and lose what they should have
//! synced, it says that something is synced and it is not, and what was synced changes. It remembers what was written,
//! so that what is read back is held to that.

mod blocks;
mod reading;
mod saving;
#[cfg(test)]
mod tests;
mod truth;
mod versions;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

pub use self::blocks::{Block, BlockKind, Snapshot, Stage};
pub use self::reading::Recovered;
use self::saving::Saved;
pub(super) use self::saving::Saves;
use self::saving::Saving;
use self::truth::Truth;
pub use self::versions::Versions;
use crate::codec::peer::ClusterTag;
use crate::codec::wal::{self, HEAD, seal};
use crate::id::{Lsn, NodeId, Version};
use crate::mutant::{self, Mutant};
use crate::record::Record;
use crate::request::Key;
use crate::rng::Rng;
use crate::sim::fault::DiskFault;
use crate::time::UnixMs;

/// The disk of one machine.
#[derive(Clone, Debug)]
pub struct Disk {
    node: NodeId,
    /// The segments; the last is written to, unless it was given up.
    segments: Vec<Segment>,
    /// Snapshots, the oldest first: those that have their names.
    snapshots: Vec<Saved>,
    /// One that is being taken.
    saving: Option<Saving>,
    /// The last segment is to end as soon as all that was written to it is on disk.
    turns: bool,
    /// Files that were removed since the folder was synced: a crash may bring them back.
    gone: (Vec<Segment>, Vec<Saved>),
    /// The last segment is not written to any more: something of it could not be written or synced.
    given_up: bool,
    salt: u64,
    next: Lsn,
    /// As far as the node knows: bytes of the last segment that are on disk, and the first record behind them.
    synced: (usize, Lsn),
    /// What in truth a crash leaves: less, where the disk has lied.
    solid: (usize, Lsn),
    /// The same once the sync that is under way has ended.
    syncing: Option<(usize, Lsn)>,
    /// The records behind what was synced, as the node keeps them to write them once more.
    kept: Vec<u8>,
    /// It takes nothing: syncs fail, or writes do.
    failing: Option<Failing>,
    slow: bool,
    /// The sync under way began while it was.
    dragging: bool,
    /// The next sync is said to be done, and is not.
    lies: bool,
    unreadable: bool,
    /// Something was synced and is not there as it was, by a fault.
    tampered: bool,
    truth: Truth,
    /// For each key, the highest version that a crash leaves word of.
    lasting: Versions,
    /// What else has been written, with the numbers.
    written: VecDeque<(Lsn, Key, Version)>,
}

/// One file of the log, and the number in its name.
#[derive(Clone, Debug)]
struct Segment {
    first: Lsn,
    bytes: Vec<u8>,
    /// Its folder was synced since it got its name.
    named: bool,
}

/// How a disk takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    /// Writes reach the system's memory, and no sync the disk.
    Syncs,
    /// There is no room.
    Writes,
}

impl Disk {
    /// An empty disk.
    pub(super) fn new(node: NodeId) -> Disk {
        Disk {
            node,
            segments: Vec::new(),
            snapshots: Vec::new(),
            saving: None,
            turns: false,
            gone: Default::default(),
            given_up: false,
            salt: 0,
            next: Lsn(1),
            synced: (0, Lsn(1)),
            solid: (0, Lsn(1)),
            syncing: None,
            kept: Vec::new(),
            failing: None,
            slow: false,
            dragging: false,
            lies: false,
            unreadable: false,
            tampered: false,
            truth: Truth::new(),
            lasting: Versions::default(),
            written: VecDeque::new(),
        }
    }

    /// The node starts: reads back what there is, cuts off what is torn, and begins a segment, which is on disk with
    /// its header before anything is done. What is damaged is thrown away, as an operator does who lets other members
    /// fill the node again.
    pub(super) fn open(&mut self, now: UnixMs, salt: u64) -> Recovered {
        let mut recovered = self.read();
        if recovered.damaged.is_some() {
            self.discard();
            recovered.next = Lsn(1);
        }
        self.next = recovered.next;
        self.truth.cut(self.next);
        recovered.differs = self.truth.differs(&recovered.versions());
        if let (Some(whole), Some(last)) = (recovered.whole, self.segments.last_mut()) {
            last.bytes.truncate(whole as usize);
        }
        self.kept.clear();
        self.written = recovered.records.iter().filter_map(|record| about(Lsn(0), record)).collect();
        self.synced.1 = self.next;
        self.last();
        self.begin_segment(now, salt);
        recovered
    }

    fn begin_segment(&mut self, now: UnixMs, salt: u64) {
        let first = self.synced.1;
        let mut bytes = Vec::new();
        let header = wal::Header { cluster: CLUSTER, node: self.node, first, begun: now, salt };
        wal::put_header(&header, &mut bytes);
        let begun = bytes.len();
        bytes.extend_from_slice(&self.kept);
        let next = seal(salt, first, &mut bytes[begun..]);
        debug_assert_eq!(next, self.next);
        // Of two under one name the later one stays: nothing of the other had been synced.
        self.segments.pop_if(|segment| segment.first == first);
        (self.salt, self.given_up, self.syncing) = (salt, false, None);
        self.synced = (bytes.len(), self.next);
        self.solid = self.synced;
        self.segments.push(Segment { first, bytes, named: !mutant::on(Mutant::NoDirectorySync) });
        self.kept.clear();
        self.turns = false;
        self.sync_folder();
        self.last();
    }

    /// The number of the next record.
    pub(super) fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// Records from this one on may be lost, as far as the node knows.
    pub(super) fn synced_below(&self) -> Lsn {
        self.synced.1
    }

    /// Records from this one on may be lost, in truth. Below it nothing may be missing, unless [`Disk::is_tampered`].
    pub(super) fn solid_below(&self) -> Lsn {
        self.solid.1
    }

    /// Has a fault changed what was synced?
    pub(super) fn is_tampered(&self) -> bool {
        self.tampered
    }

    /// Is nothing written to it since something could not be?
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Bytes that wait to be synced.
    pub(super) fn waiting(&self) -> usize {
        self.kept.len()
    }

    /// Do syncs take long?
    pub(super) fn is_slow(&self) -> bool {
        self.slow || self.dragging && self.syncing.is_some()
    }

    /// Does it take everything, and in time?
    pub(super) fn is_well(&self) -> bool {
        self.failing.is_none() && !self.slow && !self.given_up
    }

    /// Can a segment be begun?
    pub(super) fn takes_segments(&self) -> bool {
        self.failing.is_none()
    }

    /// Bytes of the log, and how many of them a crash leaves.
    pub fn bytes(&self) -> (u64, u64) {
        let whole: usize = self.segments.iter().map(|segment| segment.bytes.len()).sum();
        let open = self.segments.last().map_or(0, |segment| segment.bytes.len());
        (whole as u64, (whole - open + self.solid.0.min(open)) as u64)
    }

    /// Writes a record. False when it was not taken: the node has it still.
    pub(super) fn append(&mut self, record: &Record) -> bool {
        let start = self.kept.len();
        wal::put_record(self.salt, self.next, record, &mut self.kept);
        self.truth.push(digest(&self.kept[start + HEAD..]), record);
        self.written.extend(about(self.next, record));
        self.next = Lsn(self.next.0 + 1);
        let taken = !self.given_up && self.failing != Some(Failing::Writes);
        if let Some(segment) = self.segments.last_mut().filter(|_| taken) {
            segment.bytes.extend_from_slice(&self.kept[start..]);
        }
        taken
    }

    /// Begins to sync what has been written by now: `None` where a sync is under way or nothing is new, false where the
    /// mark that goes before it could not be written.
    pub(super) fn begin_sync(&mut self) -> Option<bool> {
        if self.syncing.is_some() || self.given_up || self.next == self.synced.1 {
            return None;
        }
        let taken = self.append(&Record::Synced { below: self.synced.1 });
        self.dragging = self.slow;
        self.syncing = self.segments.last().filter(|_| taken).map(|segment| (segment.bytes.len(), self.next));
        Some(taken)
    }

    /// The sync has ended. False when it has failed.
    pub(super) fn end_sync(&mut self) -> bool {
        let Some(syncing) = self.syncing.take() else { return true };
        if self.failing.is_some() {
            return false;
        }
        self.kept.drain(..syncing.0 - self.synced.0);
        self.synced = syncing;
        if !core::mem::take(&mut self.lies) {
            self.solid = syncing;
        }
        self.last();
        true
    }

    /// Something could not be written or synced. What was not synced is lost to this segment, whatever is shown of it,
    /// and nothing is written to it any more; the node has it still, for another one.
    pub(super) fn give_up(&mut self, rng: &mut Rng) {
        (self.given_up, self.syncing) = (true, None);
        self.lose_from(self.synced.0, rng);
    }

    /// Writes to another segment what could not be written or synced. False when the disk does not take it.
    pub(super) fn write_again(&mut self, now: UnixMs, salt: u64) -> bool {
        if self.takes_segments() {
            self.begin_segment(now, salt);
        }
        self.takes_segments()
    }

    /// What was written below the mark of the last sync lasts.
    fn last(&mut self) {
        while let Some((_, key, version)) = self.written.pop_front_if(|(lsn, ..)| *lsn < self.synced.1) {
            let lasting = self.lasting.of(&key);
            *lasting = (*lasting).max(version);
        }
    }

    /// Does a crash leave word of that version of the key, or of a later one, as far as the disk has said?
    pub(super) fn keeps(&self, key: &Key, version: Version) -> bool {
        self.lasting.get(key) >= version
    }

    /// The machine goes down: of each page that was not synced, what was there before or what was written is left.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        self.syncing = None;
        self.tampered |= self.solid.0 < self.synced.0;
        self.lose_from(self.solid.0, rng);
        self.segments.retain(|segment| segment.named || rng.chance(500_000));
        self.segments.iter_mut().for_each(|segment| segment.named = true);
        self.crash_folder(rng);
    }

    /// The process of the node ends, and the machine goes on: what was written is there.
    pub(super) fn end_process(&mut self) {
        self.syncing = None;
        self.end_saving();
    }

    /// The log and the snapshots are thrown away: nobody vouches for what is in them.
    pub(super) fn discard(&mut self) {
        *self = Disk { failing: self.failing, slow: self.slow, lies: self.lies, ..Disk::new(self.node) };
    }

    fn lose_from(&mut self, synced: usize, rng: &mut Rng) {
        if let Some(Segment { bytes, .. }) = self.segments.last_mut() {
            lose(bytes, synced, rng);
        }
    }

    /// Something goes wrong with it, or is mended. False when there is nothing that it could go wrong with.
    pub(super) fn suffer(&mut self, fault: DiskFault, rng: &mut Rng) -> bool {
        match fault {
            DiskFault::Fails => self.failing = Some(Failing::Syncs),
            DiskFault::Full => self.failing = Some(Failing::Writes),
            DiskFault::Slow => self.slow = true,
            DiskFault::Lies => self.lies = true,
            DiskFault::Unreadable => {
                self.tampered = true;
                // All of it, or the newest snapshot, where there is one.
                match self.snapshots.last_mut().filter(|_| rng.chance(500_000)) {
                    Some(saved) => saved.unreadable = true,
                    None => self.unreadable = true,
                }
            }
            DiskFault::Rots => return self.rot(rng),
            DiskFault::Misdirects => return self.misdirect(rng),
            // What has changed stays so.
            DiskFault::Heals => {
                (self.failing, self.slow, self.lies, self.unreadable) = (None, false, false, false);
                self.snapshots.iter_mut().for_each(|saved| saved.unreadable = false);
            }
        }
        true
    }

    /// A bit is not what was written.
    fn rot(&mut self, rng: &mut Rng) -> bool {
        let Some([byte, ..]) = self.some_byte(rng) else { return false };
        *byte ^= 1 << rng.below(8);
        self.tampered = true;
        true
    }

    /// The last block that was written stands in another place, over what was there, and not in its own.
    fn misdirect(&mut self, rng: &mut Rng) -> bool {
        let Some(last) = self.segments.last_mut() else { return false };
        let begins = last.bytes.len().saturating_sub(PAGE) / PAGE * PAGE;
        let block = last.bytes[begins..].to_vec();
        last.bytes[begins..].fill(0);
        let Some(over) = self.some_byte(rng) else { return false };
        let length = over.len().min(block.len());
        over[..length].copy_from_slice(&block[..length]);
        self.tampered = true;
        true
    }

    /// A byte of a segment or of a snapshot.
    fn some_byte(&mut self, rng: &mut Rng) -> Option<&mut [u8]> {
        let files = self.segments.iter_mut().map(|segment| &mut segment.bytes);
        let mut files: Vec<_> = files.chain(self.snapshots.iter_mut().map(|saved| &mut saved.bytes)).collect();
        let file = rng.below((files.len() as u64).max(1)) as usize;
        let bytes = files.get_mut(file)?;
        let at = rng.below((bytes.len() as u64).max(1)) as usize;
        Some(&mut files.swap_remove(file)[at..]).filter(|rest| !rest.is_empty())
    }

    /// A version of a key is not kept any more, for want of room or time: the log does not say so.
    pub(super) fn dropped(&mut self, key: &Key, version: Version) {
        self.truth.dropped(key, version);
    }

    /// For each key that the disk leaves an entry of, its version.
    pub(super) fn versions(&self) -> Versions {
        self.read().versions()
    }
}

/// Of each page from there on is left what was there before, or what was written.
fn lose(bytes: &mut Vec<u8>, synced: usize, rng: &mut Rng) {
    let length = bytes.len();
    match rng.below(3) {
        0 => bytes.truncate(synced),
        1 => bytes.truncate(rng.between(synced.min(length) as u64, length as u64) as usize),
        // The size is there, and pages between are not.
        _ => bytes[synced.min(length)..].chunks_mut(PAGE).for_each(|page| {
            if rng.chance(500_000) {
                page.fill(0);
            }
        }),
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

/// What a record says, in one number.
fn digest(body: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(body)
}

const CLUSTER: ClusterTag = ClusterTag(0);
/// What a disk writes at once, in bytes: small, as the records are.
const PAGE: usize = 64;
