//! The disks of the nodes as flat arrays: how long their logs are, how far they are synced, their latest records, and
//! their snapshots.

use vitrine_engine::sim::{Block, Disk, Machine, Snapshot, World};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Playground;
use crate::picture::text;

/// Records of a log that are shown: the latest.
const MOST_BLOCKS: usize = 64;
/// A log longer than this, in bytes, or one with snapshots that are, is not read ten times a second: only its length
/// is shown.
const MOST_BYTES: u64 = 256 << 10;

#[wasm_bindgen]
impl Playground {
    /// Of each node that writes a log: its number, bytes, those of them that a crash leaves, records, or NaN where they
    /// are too many to count, the number of the first that was not dropped, and what a start would begin with: a
    /// snapshot, by its number, or the log alone (0); whether it would refuse what is there; how many snapshots follow,
    /// whether the last is one that is being taken, and how many of the latest records.
    ///
    /// Of each snapshot its number, that as far as which its log has to reach, entries, bytes, and whether its name is
    /// on disk; of one that is being taken the stage instead, from 0 on: the segment ends, the store is walked, the
    /// file is synced, the log is, the folder is, what came before goes. Of each record its number, kind, bytes, and
    /// whether it is synced and solid as bits 1 and 2.
    ///
    /// Kinds count up from 0: put, remove, touch, forget, floor, synced, torn, damaged.
    pub fn disks(&self) -> Vec<f64> {
        let mut numbers = Vec::new();
        each(self.history.world(), |machine, disk, blocks| {
            let (bytes, solid) = disk.bytes();
            let records = blocks.as_ref().map_or(f64::NAN, |blocks| blocks.len() as f64);
            let latest = latest(blocks.as_deref());
            let reads = blocks.as_ref().map(|_| disk.read());
            let (starts, refused) = reads.map_or((f64::NAN, false), |reads| {
                (reads.snapshot.map_or(0.0, |(first, _)| first.0 as f64), reads.damaged.is_some())
            });
            let (snapshots, saving) = (disk.snapshots(), disk.saving());
            let of = (snapshots.len() + usize::from(saving.is_some())) as f64;
            numbers.extend([f64::from(machine.id().0), bytes as f64, solid as f64, records, disk.begins().0 as f64]);
            numbers.extend([starts, f64::from(refused), of, f64::from(saving.is_some()), latest.len() as f64]);
            let mut snapshot = |of: Snapshot, bits: u8| {
                let whole = [of.first.0, of.until.0, of.entries, of.bytes, u64::from(bits)];
                numbers.extend(whole.map(|number| number as f64));
            };
            snapshots.for_each(|of| snapshot(of, of.named.into()));
            if let Some((stage, of)) = saving {
                snapshot(of, stage as u8);
            }
            for block in latest {
                let bits = u8::from(block.synced) | u8::from(block.solid) << 1;
                let block = [block.number.0, block.kind as u64, u64::from(block.bytes), u64::from(bits)];
                numbers.extend(block.map(|number| number as f64));
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
        let bytes = disk.snapshots().map(|of| of.bytes).sum::<u64>() + disk.bytes().0;
        let blocks = (bytes <= MOST_BYTES).then(|| disk.blocks());
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
            let [id, bytes, solid, _, begins, rest @ ..] = &numbers[at..at + 10] else { panic!("{numbers:?}") };
            assert_eq!((*id, *begins), (f64::from(node), 1.0));
            assert!(*bytes > 0.0 && solid <= bytes);
            let [0.0, 0.0, 0.0, 0.0, shown] = *rest else { panic!("{numbers:?}") };
            at += 10 + 4 * shown as usize;
            records += shown as usize;
        }
        assert_eq!((at, records), (numbers.len(), keys.len()));
        assert_eq!(keys.iter().filter(|key| *key == "k").count(), 2, "{keys:?}");
        let without = Playground::new(Settings::default()).expect("good settings");
        assert_eq!(without.disks(), Vec::<f64>::new());
    }

    #[test]
    fn a_snapshot_is_told_while_it_is_taken_and_behind_it_the_log_begins() {
        let settings = Settings { nodes: 1, replicas: 1, fsync: 1, ..Settings::default() };
        let mut playground = Playground::new(settings).expect("good settings");
        let run = |playground: &mut Playground, until: f64| {
            while playground.now() < until && playground.run(until, 250) > 0 {}
        };
        for line in ["c1 set a 1", "c1 set b 2"] {
            playground.command(line).expect("a write");
        }
        run(&mut playground, 200_000.0);
        playground.command("n1 save").expect("it can be told to");
        let mut stages = Vec::new();
        while playground.disks()[8] == 1.0 {
            // That of the last one; where it has its name, it is among those that have as well.
            let disks = playground.disks();
            stages.push(disks[10 + 5 * disks[7] as usize - 1]);
            assert!(playground.run(1e6, 1) > 0);
        }
        assert!(stages.is_sorted() && stages[0] == 0.0 && stages.last() == Some(&5.0), "{stages:?}");
        let [_, _, _, 0.0, begins, starts, 0.0, 1.0, 0.0, 0.0, first, until, 2.0, bytes, 1.0] = playground.disks()[..]
        else {
            panic!("{:?}", playground.disks())
        };
        assert!(first > 2.0 && (begins, starts, until) == (first, first, first) && bytes > 0.0);
        let Ok(script) = playground.script() else { panic!("the run has a script") };
        assert!(script.contains("\nn1 save\n"), "{script}");
    }
}
