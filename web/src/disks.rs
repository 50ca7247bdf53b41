//! The logs of the nodes as flat arrays: how long they are, how far they are synced, and their latest records.

use vitrine_engine::sim::{Block, Disk, Machine, World};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Playground;
use crate::picture::text;

/// Records of a log that are shown: the latest.
const MOST_BLOCKS: usize = 64;
/// A log longer than this, in bytes, is not read ten times a second: only its length is shown.
const MOST_BYTES: u64 = 256 << 10;

#[wasm_bindgen]
impl Playground {
    /// Of each node that writes a log: its number, bytes, those of them that a crash leaves, records, or NaN where they
    /// are too many to count, and how many of the latest follow; then of each of those its kind, bytes, and whether it
    /// is synced and solid as bits 1 and 2.
    ///
    /// Kinds count up from 0: put, remove, touch, forget, floor, synced, torn, damaged.
    pub fn disks(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        each(self.history.world(), |machine, disk, blocks| {
            let (bytes, solid) = disk.bytes();
            let records = blocks.as_ref().map_or(f64::NAN, |blocks| blocks.len() as f64);
            let latest = latest(blocks.as_deref());
            let head = [f64::from(machine.id().0), bytes as f64, solid as f64, records, latest.len() as f64];
            numbers.extend(head);
            for block in latest {
                let bits = u8::from(block.synced) | u8::from(block.solid) << 1;
                numbers.extend([f64::from(block.kind as u8), f64::from(block.bytes), f64::from(bits)]);
            }
        });
        numbers
    }

    /// The keys of the same records, empty where there is none.
    pub fn disk_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        each(self.history.world(), |_, _, blocks| {
            let key = |block: &Block| block.key.as_ref().map_or_else(String::new, |key| text(key.as_bytes()));
            keys.extend(latest(blocks.as_deref()).iter().map(key));
        });
        keys
    }
}

fn each(world: &World, mut of: impl FnMut(&Machine, &Disk, Option<Vec<Block>>)) {
    for machine in world.machines().iter().filter(|machine| !machine.has_left()) {
        let Some(disk) = machine.disk() else { continue };
        let blocks = (disk.bytes().0 <= MOST_BYTES).then(|| disk.blocks());
        of(machine, disk, blocks);
    }
}

fn latest(blocks: Option<&[Block]>) -> &[Block] {
    let blocks = blocks.unwrap_or_default();
    &blocks[blocks.len().saturating_sub(MOST_BLOCKS)..]
}

#[cfg(test)]
mod tests {
    use crate::{Playground, Settings};

    #[test]
    fn the_logs_are_told_node_by_node() {
        let mut playground = Playground::new(Settings { fsync: 1, ..Settings::default() }).expect("good settings");
        playground.command("c1 set k v").expect("a write");
        while playground.now() < 200_000.0 {
            playground.run(200_000.0, 250);
        }
        let (numbers, keys) = (playground.disks(), playground.disk_keys());
        let (mut at, mut records) = (0, 0);
        for node in 1..=3 {
            let [id, bytes, solid, _, shown] = numbers[at..at + 5] else { panic!("{numbers:?}") };
            assert_eq!(id, f64::from(node));
            assert!(bytes > 0.0 && solid <= bytes);
            at += 5 + 3 * shown as usize;
            records += shown as usize;
        }
        assert_eq!((at, records), (numbers.len(), keys.len()));
        assert_eq!(keys.iter().filter(|key| *key == "k").count(), 2, "{keys:?}");
        let without = Playground::new(Settings::default()).expect("good settings");
        assert_eq!(without.disks(), Vec::<f64>::new());
    }
}
