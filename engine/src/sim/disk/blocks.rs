//! A log as a person sees it: its records as blocks, and which of them a crash leaves.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Disk;
use crate::codec::wal::{End, Scan};
use crate::record::Record;
use crate::request::Key;

/// One record of a log, or what stands behind the last that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
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

impl Disk {
    /// The records of all segments, the oldest first. Nothing is cut off or changed.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let is_last = at + 1 == self.segments.len();
            let length = segment.bytes.len();
            let (synced, solid) = if is_last { (self.synced.0, self.solid.0) } else { (length, length) };
            let mut block = |kind, key, begins: u64, ends: u64| {
                let (synced, solid) = (ends <= synced as u64, ends <= solid as u64);
                blocks.push(Block { kind, key, bytes: (ends - begins) as u32, synced, solid });
            };
            let Ok(mut scan) = Scan::new(Bytes::copy_from_slice(&segment.bytes)) else {
                block(BlockKind::Damaged, None, 0, length as u64);
                continue;
            };
            while let Some((begins, _, record)) = scan.next() {
                let (kind, key) = said(record);
                block(kind, key, begins, scan.at());
            }
            match scan.end() {
                Some(End::Torn { at, .. }) if at < length as u64 => block(BlockKind::Torn, None, at, length as u64),
                Some(End::Damaged { at, .. }) => block(BlockKind::Damaged, None, at, length as u64),
                Some(End::Torn { .. } | End::Whole { .. }) | None => {}
            }
        }
        blocks
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
}
