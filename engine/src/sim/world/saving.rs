//! Snapshots that machines take while their nodes serve: on request, or when the log has outgrown the last one. As the
//! server does: `native/src/snapshot/schedule.rs`.

use core::time::Duration;

use super::{Due, World};
use crate::id::NodeId;
use crate::sim::disk::{Disk, Saves};
use crate::sim::mark::Mark;
use crate::sim::trace::{DiskNote, What};

/// Places of a store that are walked in one go: few, so that much changes between.
const PLACES: u32 = 4;
/// After one that failed, the next that nobody asks for.
const RETRY: Duration = Duration::from_secs(5);

impl World {
    /// A node is to take a snapshot. Where it takes one already, or has no disk that can be written, it does not.
    pub(super) fn save(&mut self, node: NodeId) {
        let index = super::index(node);
        let machine = &mut self.machines[index];
        let (true, Some(disk)) = (machine.is_working(), &mut machine.disk) else { return };
        if disk.begin_saving() {
            self.trace.push(self.now, What::Disk(node, DiskNote::Saves));
            self.save_later(index);
        }
    }

    /// Takes one where the log has outgrown the last.
    pub(super) fn save_if_outgrown(&mut self, index: usize) {
        let Some(least) = self.config.save_above else { return };
        let machine = &self.machines[index];
        if self.now >= machine.saves_from && machine.disk.as_ref().is_some_and(|disk| disk.outgrows(least)) {
            self.save(machine.id);
        }
    }

    /// The next step of a snapshot is due.
    pub(super) fn save_due(&mut self, index: usize, boots: u32) {
        let machine = &mut self.machines[index];
        let unix = machine.clock.read(self.now);
        let (Some(disk), Some(node)) = (&mut machine.disk, &machine.node) else { return };
        if machine.boots != boots || !disk.is_saving() {
            return;
        }
        // A process that is stopped goes on with it later.
        let saves = match machine.paused {
            true => Saves::Goes,
            false => disk.save(unix, self.saves.u64(), |cursor, encoder| {
                node.shards().first().and_then(|shard| shard.walk(cursor, PLACES, encoder))
            }),
        };
        let me = machine.id;
        match saves {
            Saves::Goes => {}
            Saves::Waits => self.begin_sync(index),
            Saves::Written => self.strike_a_saver(me),
            Saves::Named => {
                self.trace.push(self.now, What::Disk(me, DiskNote::SnapshotNamed));
                self.strike_a_saver(me);
            }
            Saves::Done(sum) => {
                self.marks.note(Mark::Saved);
                self.mark(b'v', me, sum);
                self.trace.push(self.now, What::Disk(me, DiskNote::LogDropped));
                self.strike_a_saver(me);
            }
            Saves::Failed => {
                self.machines[index].saves_from = self.now + RETRY;
                self.marks.note(Mark::SaveFailed);
                self.trace.push(self.now, What::Disk(me, DiskNote::SaveFailed));
            }
        }
        if self.machines[index].disk.as_ref().is_some_and(Disk::is_saving) {
            self.save_later(index);
        }
    }

    fn save_later(&mut self, index: usize) {
        let most = crate::time::micros(self.config.save_step);
        let wait = Duration::from_micros(self.saves.between(most / 10, most).max(1));
        let machine = index as u16;
        self.queue(self.now + wait, Due::Save { machine, boots: self.machines[index].boots });
    }

    /// The machine goes down: was it taking a snapshot, or about to drop what that has made unnecessary?
    pub(super) fn note_saving(&mut self, index: usize) {
        let machine = &self.machines[index];
        let Some(disk) = machine.disk.as_ref().filter(|disk| disk.is_saving()) else { return };
        if disk.is_dropping() {
            self.marks.note(Mark::CrashedNaming);
        }
        let named = disk.is_dropping();
        self.trace.push(self.now, What::Disk(machine.id, DiskNote::SaveCutOff { named }));
    }
}
