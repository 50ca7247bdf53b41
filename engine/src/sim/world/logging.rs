//! What a machine does with its disk: writes what its node hands to the log, syncs it, holds back what waits for that,
//! and hands the node what is left when it starts again.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Due, World};
use crate::effect::{Effect, Outbox};
use crate::record::Fsync;
use crate::request::Answer;
use crate::sim::client::Reply;
use crate::sim::disk::{Disk, Recovered, Versions};
use crate::sim::mark::Mark;
use crate::sim::trace::What;
use crate::time::Time;

/// Between two syncs, where they come by time.
const EVERY: Duration = Duration::from_secs(1);
/// How long a sync takes, in microseconds: a good disk, and a busy one.
const SYNC: (u64, u64) = (200, 20_000);

impl World {
    /// Writes down what the node has handed to the log.
    pub(super) fn write_down(&mut self, index: usize, out: &mut Outbox) {
        let machine = &mut self.machines[index];
        let Some(disk) = &mut machine.disk else { return };
        let before = disk.next_lsn();
        out.records.drain(..).for_each(|record| disk.append(&record));
        if before == disk.next_lsn() {
            return;
        }
        let due = Due::Sync { machine: index as u16, boots: machine.boots };
        match self.config.fsync {
            Some(Fsync::Always) => self.begin_sync(index),
            // The first record behind what was synced starts the clock.
            Some(Fsync::EverySecond) if before == disk.synced_below() => self.queue(self.now + EVERY, due),
            Some(Fsync::EverySecond | Fsync::Never) | None => {}
        }
    }

    /// Must the effect wait for the disk?
    pub(super) fn waits(&self, index: usize, effect: &Effect) -> bool {
        let after = match effect {
            Effect::Send { after, .. } | Effect::Reply { after, .. } => *after,
            Effect::Publish(_) => None,
        };
        let disk = self.machines[index].disk.as_ref().filter(|_| self.config.fsync == Some(Fsync::Always));
        after.zip(disk).is_some_and(|(after, disk)| after >= disk.synced_below())
    }

    /// Where every write is synced, an answer counts no copies but those that a crash of all nodes leaves.
    pub(super) fn judge_copies(&mut self, id: u64, reply: &Reply) {
        let Some(open) = self.open.get(&id).filter(|_| self.config.fsync == Some(Fsync::Always)) else { return };
        let (version, copies) = match reply {
            Reply::Outcome(Ok(
                Answer::Stored { version, copies, .. }
                | Answer::Added { version, copies, .. }
                | Answer::Touched { version, copies },
            )) => (*version, *copies),
            _ => return,
        };
        let key = &open.ask.key;
        let disks = self.machines.iter().filter_map(|machine| machine.disk.as_ref());
        let lasting = disks.filter(|disk| disk.keeps(key, version)).count();
        self.checks.lasting(&open.ask, open.asked, (version, copies), lasting, self.now);
    }

    pub(super) fn sync_due(&mut self, index: usize, boots: u32) {
        if self.machines[index].boots == boots && self.machines[index].node.is_some() {
            self.begin_sync(index);
        }
    }

    fn begin_sync(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if machine.disk.as_mut().is_some_and(Disk::begin_sync) {
            let (least, most) = SYNC;
            let span = Duration::from_micros(self.disks.between(least, most).min(self.disks.between(least, most)));
            let due = Due::Synced { machine: index as u16, boots: self.machines[index].boots };
            self.queue(self.now + span, due);
        }
    }

    /// A sync has ended: what waited for it goes on its way, and what has been written meanwhile is synced next.
    pub(super) fn synced(&mut self, index: usize, boots: u32) {
        let machine = &mut self.machines[index];
        if machine.boots != boots || machine.node.is_none() {
            return;
        }
        let Some(disk) = &mut machine.disk else { return };
        disk.end_sync();
        self.marks.note(Mark::Synced);
        if !self.machines[index].paused {
            self.release_synced(index);
        }
        if self.config.fsync == Some(Fsync::Always) {
            self.begin_sync(index);
        }
    }

    /// Performs what waits for the disk no longer.
    pub(super) fn release_synced(&mut self, index: usize) {
        let held = core::mem::take(&mut self.machines[index].held);
        let (wait, go): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, effect)| self.waits(index, effect));
        self.machines[index].held = wait;
        for (epoch, effect) in go {
            self.perform(index, epoch, effect);
        }
    }

    /// The machine goes down: returns what its log leaves.
    pub(super) fn lose_unsynced(&mut self, index: usize) -> Versions {
        let machine = &mut self.machines[index];
        machine.held.clear();
        let Some(disk) = &mut machine.disk else { return Versions::default() };
        disk.crash(&mut self.disks);
        if self.config.checks { disk.versions() } else { Versions::default() }
    }

    /// The machine gets a new disk.
    pub(super) fn lose_disk(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if let Some(disk) = &mut machine.disk {
            *disk = Disk::new(machine.id);
            self.checks.crashed(machine.id, self.now);
        }
    }

    /// A node that has just started takes in what its log has left.
    pub(super) fn recover(&mut self, index: usize, recovered: Recovered) {
        let Recovered { records, torn, damaged } = recovered;
        let machine = &mut self.machines[index];
        let me = machine.id;
        if torn > 0 {
            self.marks.note(Mark::Torn);
        }
        if let Some(at) = damaged {
            self.checks.damaged(me, at, self.now);
        }
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        let Some(node) = &mut machine.node else { return };
        let mut out = core::mem::take(&mut self.outbox);
        out.log_from(None);
        records.iter().for_each(|record| node.recover(time, record, &mut out));
        let held: u32 = node.shards().iter().map(|shard| shard.store().len()).sum();
        if held > 0 {
            self.marks.note(Mark::Recovered);
        }
        for event in out.events.drain(..) {
            if self.config.checks {
                self.checks.happened(me, &event, self.now, |_| true);
            }
            if self.trace.is_on() {
                self.trace.push(self.now, What::Node { node: me, event });
            }
        }
        self.outbox = out;
        if !records.is_empty() {
            self.trace.push(self.now, What::Recovered { node: me, records: records.len() as u64, torn });
        }
    }
}
