//! What a machine does with its disk: writes what its node hands to the log, syncs it, holds back what waits for that,
//! and hands the node what is left when it starts again. Where the disk takes nothing, its node turns writes away until
//! another segment has taken what could not be written: as the server does, `native/src/wal/`.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Due, World};
use crate::effect::{Effect, Event, Outbox};
use crate::error::Failure;
use crate::id::{Lsn, NodeId, Version};
use crate::message::{Message, Origin};
use crate::record::Fsync;
use crate::request::Answer;
use crate::sim::client::Reply;
use crate::sim::disk::{Disk, Recovered, Versions};
use crate::sim::fault::DiskFault;
use crate::sim::mark::Mark;
use crate::sim::trace::{DiskNote, What};
use crate::time::Time;

/// Between two syncs, where they come by time.
const EVERY: Duration = Duration::from_secs(1);
/// How long a sync takes, in microseconds: a good disk, and a busy one.
const SYNC: (u64, u64) = (200, 20_000);
/// The same of a disk that is slow.
const SLOW: (u64, u64) = (100_000, 3_000_000);

/// How far a disk was when its machine started, and whether a fault has changed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Was {
    solid: Lsn,
    tampered: bool,
}

impl Was {
    pub(super) fn of(disk: &Disk) -> Was {
        Was { solid: disk.solid_below(), tampered: disk.is_tampered() }
    }
}

impl World {
    /// Writes down what the node has handed to the log.
    pub(super) fn write_down(&mut self, index: usize, out: &mut Outbox) {
        let Some(disk) = &mut self.machines[index].disk else { return };
        let before = disk.next_lsn();
        let mut taken = true;
        out.records.drain(..).for_each(|record| taken &= disk.append(&record));
        if before == disk.next_lsn() || disk.is_given_up() {
            return;
        }
        if !taken {
            return self.give_up_writing(index);
        }
        let (waiting, first) = (disk.waiting(), before == disk.synced_below());
        let bound = self.config.log_bytes;
        if waiting > bound {
            self.refuse(index, Some(Failure::Busy { limit: "MAX_LOG_BYTES" }));
        }
        let machine = &self.machines[index];
        let due = Due::Sync { machine: index as u16, boots: machine.boots };
        match self.config.fsync {
            Some(Fsync::Always) => self.begin_sync(index),
            // What is kept for a sync that fails is bounded.
            _ if waiting > bound / 2 => self.begin_sync(index),
            // The first record behind what was synced starts the clock.
            Some(Fsync::EverySecond) if first => self.queue(self.now + EVERY, due),
            Some(Fsync::EverySecond | Fsync::Never) | None => {}
        }
    }

    /// Has the node so much to write down that it takes in no changes that others have decided? They repeat them.
    pub(super) fn is_overfull(&self, index: usize, message: &Message) -> bool {
        let waiting = || self.machines[index].disk.as_ref().map_or(0, Disk::waiting);
        matches!(message, Message::Replicate { .. } | Message::Fetched { .. } | Message::Listed { .. })
            && waiting() > self.config.log_bytes.saturating_mul(2)
    }

    /// Must the effect wait for the disk?
    pub(super) fn waits(&self, index: usize, effect: &Effect) -> bool {
        let disk = self.machines[index].disk.as_ref().filter(|_| self.config.fsync == Some(Fsync::Always));
        effect.after().zip(disk).is_some_and(|(after, disk)| after >= disk.synced_below())
    }

    /// Where every write is synced, an answer counts no copies but those that a crash of all nodes leaves.
    pub(super) fn judge_copies(&mut self, id: u64, reply: &Reply) {
        let Some(open) = self.open.get(&id).filter(|_| self.config.fsync == Some(Fsync::Always)) else { return };
        let key = &open.ask.key;
        let (versions, copies) = match reply {
            Reply::Outcome(Ok(
                Answer::Stored { version, copies, .. }
                | Answer::Added { version, copies, .. }
                | Answer::Touched { version, copies },
            )) => (vec![*version], *copies),
            Reply::Outcome(Ok(Answer::Deleted { copies, .. })) => {
                // Of several at once it is not known which one that was: the one that most disks keep counts.
                let Some(versions) = self.checks.removals(key, open.asked) else { return };
                (versions, *copies)
            }
            _ => return,
        };
        let disks = || self.machines.iter().filter_map(|machine| machine.disk.as_ref());
        let lasting = |version: Version| disks().filter(|disk| disk.keeps(key, version)).count();
        let best = versions.into_iter().map(|version| (lasting(version), version)).max();
        let (lasting, version) = best.unwrap_or((0, Version::ZERO));
        self.checks.lasting(&open.ask, open.asked, (version, copies), lasting, self.now);
    }

    pub(super) fn sync_due(&mut self, index: usize, boots: u32) {
        if self.machines[index].boots == boots && self.machines[index].node.is_some() {
            self.begin_sync(index);
        }
    }

    pub(super) fn begin_sync(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(disk) = &mut machine.disk else { return };
        match disk.begin_sync() {
            None => {}
            Some(false) => self.give_up_writing(index),
            Some(true) => {
                let slow = disk.is_slow();
                let (least, most) = if slow { SLOW } else { SYNC };
                let span = Duration::from_micros(self.disks.between(least, most).min(self.disks.between(least, most)));
                let due = Due::Synced { machine: index as u16, boots: machine.boots };
                if slow {
                    self.marks.note(Mark::SlowSync);
                }
                self.queue(self.now + span, due);
            }
        }
    }

    /// A sync has ended: what waited for it goes on its way, and what has been written meanwhile is synced next.
    pub(super) fn synced(&mut self, index: usize, boots: u32) {
        let machine = &mut self.machines[index];
        if machine.boots != boots || machine.node.is_none() {
            return;
        }
        let Some(disk) = &mut machine.disk else { return };
        if disk.is_given_up() {
            return;
        }
        if !disk.end_sync() {
            return self.give_up_writing(index);
        }
        disk.turn_after_sync(machine.clock.read(self.now), || self.saves.u64());
        if machine.refusing && disk.waiting() <= self.config.log_bytes {
            self.refuse(index, None);
        }
        self.marks.note(Mark::Synced);
        if !self.machines[index].paused {
            self.release_synced(index);
        }
        let Some(disk) = &self.machines[index].disk else { return };
        let (waiting, rest) = (disk.waiting(), disk.next_lsn() != disk.synced_below());
        match self.config.fsync {
            Some(Fsync::Always) => self.begin_sync(index),
            // Where too much waits for another write to be taken, none comes that would ask for a sync.
            _ if waiting > self.config.log_bytes / 2 => self.begin_sync(index),
            Some(Fsync::EverySecond) if rest => {
                self.queue(self.now + EVERY, Due::Sync { machine: index as u16, boots })
            }
            Some(Fsync::EverySecond | Fsync::Never) | None => {}
        }
    }

    /// Performs what waits for the disk no longer, or waits for it in vain: whoever asked is told that the outcome is
    /// unknown, and nobody is told that anything is kept here.
    pub(super) fn release_synced(&mut self, index: usize) {
        let held = core::mem::take(&mut self.machines[index].held);
        let (wait, go): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, effect)| self.waits(index, effect));
        for (origin, effect) in go {
            self.perform(index, origin, effect);
        }
        wait.into_iter().for_each(|(origin, effect)| self.hold(index, origin, effect));
    }

    /// Keeps an effect until the disk is as far.
    pub(super) fn hold(&mut self, index: usize, origin: Origin, effect: Effect) {
        let machine = &mut self.machines[index];
        let disk = machine.disk.as_ref();
        let (given_up, slow) = disk.map_or((false, false), |disk| (disk.is_given_up(), disk.is_slow()));
        if !given_up {
            let client = if let Effect::Reply { client, .. } = &effect { Some(client.0) } else { None };
            machine.held.push((origin, effect));
            // It does not wait for a disk for ever.
            return client.filter(|_| slow).into_iter().for_each(|id| self.will_give_up(id));
        }
        if let Effect::Send { .. } = &effect {
            self.marks.note(Mark::Unconfirmed);
        }
        if let Some(effect) = effect.unlogged() {
            self.perform(index, origin, effect);
        }
    }

    /// Something could not be written or synced: the node turns writes away, and tries again before long.
    fn give_up_writing(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(disk) = &mut machine.disk else { return };
        disk.give_up(&mut self.disks);
        let (me, due) = (machine.id, Due::WriteAgain { machine: index as u16, boots: machine.boots });
        self.refuse(index, Some(Failure::ReadOnly));
        self.marks.note(Mark::ReadOnly);
        self.trace.push(self.now, What::Disk(me, DiskNote::GivenUp));
        self.queue(self.now + EVERY, due);
        if !self.machines[index].paused {
            self.release_synced(index);
        }
    }

    /// The disk may take again what it did not.
    pub(super) fn write_again(&mut self, index: usize, boots: u32) {
        let machine = &mut self.machines[index];
        if machine.boots != boots || machine.node.is_none() {
            return;
        }
        let (me, unix) = (machine.id, machine.clock.read(self.now));
        let Some(disk) = &mut machine.disk else { return };
        if machine.paused || !disk.write_again(unix, self.disks.u64()) {
            return self.queue(self.now + EVERY, Due::WriteAgain { machine: index as u16, boots });
        }
        self.refuse(index, None);
        self.marks.note(Mark::WroteAgain);
        self.trace.push(self.now, What::Disk(me, DiskNote::WritesAgain));
        self.release_synced(index);
    }

    fn refuse(&mut self, index: usize, failure: Option<Failure>) {
        let machine = &mut self.machines[index];
        machine.refusing = failure.is_some();
        if let Some(node) = &mut machine.node {
            node.refuse_writes(failure);
        }
    }

    /// Something happens to a node's disk, where it has one.
    pub(super) fn suffer(&mut self, node: NodeId, fault: DiskFault) {
        let machine = &mut self.machines[super::index(node)];
        let Some(disk) = &mut machine.disk else { return };
        if !disk.suffer(fault, &mut self.damages) {
            return;
        }
        // What a disk had when its machine went down is known: it has less now, or what was damaged while it could not
        // be read is read.
        let changes = DiskFault::DAMAGES.contains(&fault) || fault == DiskFault::Heals;
        if self.config.checks && machine.node.is_none() && changes {
            let left = disk.versions();
            self.checks.crashed_leaving(node, self.now, &left);
        }
        self.marks.note(if fault == DiskFault::Heals { Mark::DiskHealed } else { Mark::DiskFailed });
        if fault == DiskFault::Lies {
            self.marks.note(Mark::DiskLied);
        }
        self.trace.push(self.now, What::Disk(node, DiskNote::Suffers(fault)));
        if fault == DiskFault::Slow {
            // What waits for it already does not do so for ever, either.
            let held = self.machines[super::index(node)].held.iter();
            let asked = |(_, effect): &(Origin, Effect)| match effect {
                Effect::Reply { client, .. } => Some(client.0),
                _ => None,
            };
            held.filter_map(asked).collect::<Vec<_>>().into_iter().for_each(|id| self.will_give_up(id));
        }
    }

    /// The machine goes down, or its process alone where that is another matter: returns what its log leaves.
    pub(super) fn lose_unsynced(&mut self, index: usize) -> Versions {
        let machine = &mut self.machines[index];
        machine.held.clear();
        let Some(disk) = &mut machine.disk else { return Versions::default() };
        match self.config.fsync {
            // All that was written is in the system's memory, and goes on its way to the disk.
            Some(Fsync::Never) if disk.is_well() && self.disks.chance(500_000) => disk.end_process(),
            // What a machine that went down has left of such a log its node does not believe when it starts.
            Some(Fsync::Never) => disk.discard(),
            Some(Fsync::Always | Fsync::EverySecond) | None => disk.crash(&mut self.disks),
        }
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

    /// What a node lets go for want of room or time its log does not say.
    pub(super) fn note_dropped(&mut self, index: usize, event: &Event) {
        if let (Event::Dropped { key, version, .. }, Some(disk)) = (event, &mut self.machines[index].disk) {
            disk.dropped(key, *version);
        }
    }

    /// A node that has just started takes in what its log has left.
    pub(super) fn recover(&mut self, index: usize, was: Was, recovered: Recovered) {
        let Recovered { records, snapshot, passed, next, torn, damaged, wrong, differs, .. } = recovered;
        let machine = &mut self.machines[index];
        let me = machine.id;
        if torn > 0 {
            self.marks.note(Mark::Torn);
        }
        if let Some(wrong) = wrong {
            self.checks.misread(me, wrong, self.now);
        }
        if let Some(key) = differs {
            self.checks.differs(me, &key, self.now);
        }
        if passed > 0 {
            self.marks.note(Mark::SnapshotPassed);
            self.trace.push(self.now, What::Disk(me, DiskNote::PassedOver));
        }
        if snapshot.is_some() && damaged.is_none() {
            self.marks.note(Mark::StartedFromSnapshot);
        }
        match damaged {
            Some(at) if !was.tampered => self.checks.damaged(me, at, self.now),
            Some(_) => {
                self.marks.note(Mark::DamageNoticed);
                self.trace.push(self.now, What::Disk(me, DiskNote::Discarded));
            }
            None if next < was.solid && !was.tampered => self.checks.shortened(me, (next, was.solid), self.now),
            None => {}
        }
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        let Some(node) = &mut machine.node else { return };
        let mut out = core::mem::take(&mut self.outbox);
        out.log_from(None);
        records.iter().for_each(|record| node.recover(time, record, &mut out));
        node.recovered(time, &mut out);
        let held: u32 = node.shards().iter().map(|shard| shard.store().len()).sum();
        if held > 0 {
            self.marks.note(Mark::Recovered);
        }
        for event in out.events.drain(..) {
            self.note_dropped(index, &event);
            if self.config.checks {
                self.checks.happened(me, &event, self.now, |_| true);
            }
            if self.trace.is_on() {
                self.trace.push(self.now, What::Node { node: me, event });
            }
        }
        self.outbox = out;
        if !records.is_empty() {
            let records = records.len() as u64 - snapshot.map_or(0, |(_, held)| held);
            self.trace.push(self.now, What::Recovered { node: me, snapshot, records, torn });
        }
    }
}
