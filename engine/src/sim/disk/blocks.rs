//! A disk as a person sees it: the records of its log as blocks, which of them a crash leaves, and its snapshots.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Disk;
use super::saving::Saving;
use crate::codec::wal::{End, Scan};
use crate::id::Lsn;
use crate::record::Record;
use crate::request::Key;

/// One record of a log, or what stands behind the last that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number, or that of what cannot be read.
    pub number: Lsn,
    /// What it says.
    pub kind: BlockKind,
    /// The key that it is about.
    pub key: Option<Key>,
    /// Bytes that it takes.
    pub bytes: u32,
    /// Its node knows that it is synced.
    pub synced: bool,
    /// A crash leaves it: less than what is synced, where the disk has lied.
    pub solid: bool,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BlockKind {
    /// An entry was stored.
    Put,
    /// It was deleted.
    Remove,
    /// Its deadline moved.
    Touch,
    /// It was let go: evicted, or moved away.
    Forget,
    /// What is older than a version is gone.
    Floor,
    /// How far the log was synced.
    Synced,
    /// Bytes that are no whole record.
    Torn,
    /// A record that had been synced and is not as it was; the rest cannot be read.
    Damaged,
}

/// A snapshot, or as much of one as there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name: the log is read over it from that number on.
    pub first: Lsn,
    /// The log that it stands on reaches at least as far as this.
    pub until: Lsn,
    /// Entries in it.
    pub entries: u64,
    /// Bytes that it takes.
    pub bytes: u64,
    /// Its name is on disk: a crash leaves it.
    pub named: bool,
}

/// What happens next to a snapshot that is being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The segment that was written to ends.
    Turns,
    /// The store is walked.
    Walks,
    /// Its file is synced.
    Syncs,
    /// It gets its name once the log is on disk as far as that.
    Waits,
    /// Its folder is synced, which has its name.
    Named,
    /// The log before it is dropped.
    Drops,
}

impl Disk {
    /// The records of all segments, the oldest first. Nothing is cut off or changed.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let is_last = at + 1 == self.segments.len();
            let length = segment.bytes.len();
            let (synced, solid) = if is_last { (self.synced.0, self.solid.0) } else { (length, length) };
            let mut block = |number, kind, key, begins: u64, ends: u64| {
                let (synced, solid) = (ends <= synced as u64, ends <= solid as u64);
                blocks.push(Block { number, kind, key, bytes: (ends - begins) as u32, synced, solid });
            };
            let Ok(mut scan) = Scan::new(Bytes::copy_from_slice(&segment.bytes)) else {
                block(segment.first, BlockKind::Damaged, None, 0, length as u64);
                continue;
            };
            while let Some((begins, number, record)) = scan.next() {
                let (kind, key) = said(record);
                block(number, kind, key, begins, scan.at());
            }
            let number = scan.next_lsn();
            match scan.end() {
                Some(End::Torn { at, .. }) if at < length as u64 => {
                    block(number, BlockKind::Torn, None, at, length as u64);
                }
                Some(End::Damaged { at, .. }) => block(number, BlockKind::Damaged, None, at, length as u64),
                Some(End::Torn { .. } | End::Whole { .. }) | None => {}
            }
        }
        blocks
    }

    /// The number of the first record that the log has not dropped.
    pub fn begins(&self) -> Lsn {
        self.segments.first().map_or(self.next, |segment| segment.first)
    }

    /// The snapshots that have their names, the oldest first.
    pub fn snapshots(&self) -> impl ExactSizeIterator<Item = Snapshot> {
        self.snapshots.iter().map(|saved| Snapshot {
            first: saved.first,
            until: saved.until,
            entries: saved.entries,
            bytes: saved.bytes.len() as u64,
            named: saved.named,
        })
    }

    /// The one that is being taken, and how far it is.
    pub fn saving(&self) -> Option<(Stage, Snapshot)> {
        let (stage, saved, entries) = match self.saving.as_ref()? {
            Saving::Begun => (Stage::Turns, None, 0),
            Saving::Walking(_, encoder, saved) => (Stage::Walks, Some(saved), encoder.entries()),
            Saving::Written(saved, _) => (Stage::Syncs, Some(saved), saved.entries),
            Saving::Synced(saved, _) => (Stage::Waits, Some(saved), saved.entries),
            Saving::Named => (Stage::Named, self.snapshots.last(), 0),
            Saving::Kept => (Stage::Drops, self.snapshots.last(), 0),
        };
        let (first, bytes) = saved.map_or((self.next, 0), |saved| (saved.first, saved.bytes.len() as u64));
        Some((stage, Snapshot { first, until: first, entries, bytes, named: false }))
    }
}

fn said(record: Record) -> (BlockKind, Option<Key>) {
    match record {
        Record::Put { key, .. } => (BlockKind::Put, Some(key)),
        Record::Remove { key, .. } => (BlockKind::Remove, Some(key)),
        Record::Touch { key, .. } => (BlockKind::Touch, Some(key)),
        Record::Forget { key, .. } => (BlockKind::Forget, Some(key)),
        Record::Floor { .. } => (BlockKind::Floor, None),
        Record::Synced { .. } => (BlockKind::Synced, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Script, World};

    fn world(text: &str) -> World {
        Script::parse(text).and_then(|script| script.run()).expect("it runs")
    }

    fn shown(world: &World) -> Vec<(BlockKind, bool)> {
        let disk = world.machines()[0].disk().expect("it has a disk");
        disk.blocks().iter().map(|block| (block.kind, block.solid)).collect()
    }

    #[test]
    fn what_is_not_synced_is_told_from_what_is() {
        let text =
            "cluster nodes=1 replicas=1 seed=12 fsync=everysec\nc1 set a 1\nsettle\nrun 1500ms\nc1 set b 2\nsettle";
        let kinds = shown(&world(text));
        assert_eq!(kinds[..], [(BlockKind::Put, true), (BlockKind::Synced, true), (BlockKind::Put, false)]);
    }

    #[test]
    fn a_disk_that_lies_says_less_than_its_node_knows() {
        let text = "cluster nodes=1 replicas=1 seed=12 fsync=always\ndisk n1 lies\nc1 set a 1\nsettle";
        let world = world(text);
        let blocks = world.machines()[0].disk().expect("it has a disk").blocks();
        assert!(blocks[0].synced && !blocks[0].solid, "{blocks:?}");
    }

    #[test]
    fn the_blocks_are_the_bytes_of_the_log() {
        let text = "cluster nodes=1 replicas=1 seed=3 fsync=always\nc1 set a 1\nc1 del a\nc2 incr n\n\
            c2 touch n ttl=5s\nsettle";
        let world = world(text);
        let disk = world.machines()[0].disk().expect("it has a disk");
        let sum: u64 = disk.blocks().iter().map(|block| u64::from(block.bytes)).sum();
        assert_eq!(sum + crate::codec::wal::HEADER as u64, disk.bytes().0);
    }

    #[test]
    fn a_snapshot_is_shown_as_it_grows_and_with_its_log() {
        let text = "cluster nodes=1 replicas=1 seed=5 fsync=always save-step=20ms\n\
            c1 set a 1\nc1 set b 2\nc1 set c 3\nc1 del c\nsettle\nn1 save";
        let mut world = world(text);
        let mut stages = Vec::new();
        while let Some((stage, snapshot)) = world.machines()[0].disk().and_then(Disk::saving) {
            stages.push((stage as u8, snapshot.entries));
            assert!(world.step());
        }
        stages.dedup();
        let numbers: Vec<u8> = stages.iter().map(|(stage, _)| *stage).collect();
        assert!(numbers.is_sorted() && numbers.first() == Some(&0) && numbers.last() == Some(&5), "{stages:?}");
        assert!(stages.contains(&(Stage::Syncs as u8, 2)), "{stages:?}");
        let disk = world.machines()[0].disk().expect("it has a disk");
        let snapshots: Vec<_> = disk.snapshots().collect();
        let [Snapshot { first, until, entries: 2, named: true, .. }] = snapshots[..] else { panic!("{snapshots:?}") };
        assert!(first.0 > 4 && until == first && disk.begins() == first, "{snapshots:?}");
        assert_eq!(disk.read().snapshot.map(|(first, _)| first), Some(first));
        assert!(disk.blocks().iter().all(|block| block.number >= first));
        world.command("disk n1 unreadable").expect("a good line");
        let disk = world.machines()[0].disk().expect("it has a disk");
        assert_eq!(disk.read().snapshot, None);
    }
}
