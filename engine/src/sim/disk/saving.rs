//! Snapshots on an imagined disk, taken a part at a time while the node serves, in the steps of the server's:
//! `native/src/snapshot/write.rs`. Between any two of them the machine may go down.

use alloc::vec::Vec;

use super::{CLUSTER, Disk, Failing, digest, lose};
use crate::codec::snapshot::{Encoder, Header};
use crate::codec::wal::{droppable, outgrown};
use crate::id::Lsn;
use crate::mutant::{self, Mutant};
use crate::rng::Rng;
use crate::time::UnixMs;

/// A snapshot that has its name, or is to get it.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// The log is read over it from that number on.
    pub(super) first: Lsn,
    pub(super) bytes: Vec<u8>,
    /// Entries in it.
    pub(super) entries: u64,
    /// As far as this its log reaches.
    pub(super) until: Lsn,
    /// What was written, in one number.
    pub(super) sum: u64,
    /// All of it is on disk.
    pub(super) solid: bool,
    /// Its folder was synced since it got its name.
    pub(super) named: bool,
    pub(super) unreadable: bool,
}

/// How far one is that is being taken: what it does next.
#[derive(Clone, Debug)]
pub(super) enum Saving {
    /// It waits until the segment that was written to has ended.
    Begun,
    /// It goes on with the walk.
    Walking(u64, Encoder, Saved),
    /// It syncs the file.
    Written(Saved, Lsn),
    /// It waits until the log is on disk up to that number, and gives the file its name.
    Synced(Saved, Lsn),
    /// It syncs the folder.
    Named,
    /// It drops what is unnecessary now.
    Kept,
}

/// What has become of one after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Saves {
    /// It goes on.
    Goes,
    /// It goes on once the log is synced.
    Waits,
    /// All is written, and nothing of it synced.
    Written,
    /// It has its name, and goes on.
    Named,
    /// It is on disk, with that sum, and the log before it is dropped.
    Done(u64),
    /// It came to nothing.
    Failed,
}

impl Disk {
    /// Begins a snapshot: first of all the segment that is written to ends, so that it can go. False where one is being
    /// taken, or nothing can be written.
    pub(in crate::sim) fn begin_saving(&mut self) -> bool {
        let begins = self.saving.is_none() && !self.given_up;
        if begins {
            (self.saving, self.turns) = (Some(Saving::Begun), true);
        }
        begins
    }

    /// Is one being taken?
    pub(in crate::sim) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Has it its name, and is the log before it still there?
    pub(in crate::sim) fn is_dropping(&self) -> bool {
        matches!(self.saving, Some(Saving::Named | Saving::Kept))
    }

    /// Is it time for one, because the log is that long at least and has outgrown the last?
    pub(in crate::sim) fn outgrows(&self, least: u64) -> bool {
        let last = self.snapshots.last().map_or(0, |saved| saved.bytes.len());
        let log: usize = self.segments.iter().map(|segment| segment.bytes.len()).sum();
        self.saving.is_none() && !self.given_up && outgrown(log as u64, last as u64, least)
    }

    /// Does the next step of the one that is being taken. `walk` puts a part of the store into it, as [`Shard::walk`].
    ///
    /// [`Shard::walk`]: crate::shard::Shard::walk
    pub(in crate::sim) fn save(
        &mut self,
        now: UnixMs,
        salt: u64,
        walk: impl FnOnce(u64, &mut Encoder) -> Option<u64>,
    ) -> Saves {
        let (does, next) = match self.saving.take() {
            None => (Saves::Failed, None),
            Some(Saving::Begun | Saving::Synced(..)) if self.given_up => (Saves::Failed, None),
            Some(Saving::Begun) if self.turns && !self.turn(now, salt) => (Saves::Waits, Some(Saving::Begun)),
            Some(Saving::Begun) => {
                let header = Header { cluster: CLUSTER, node: self.node, first: self.next, begun: now, salt };
                let mut saved = Saved { first: self.next, ..Saved::default() };
                let encoder = Encoder::plain(&header, &mut saved.bytes);
                (Saves::Goes, Some(Saving::Walking(0, encoder, saved)))
            }
            Some(Saving::Walking(..)) if self.failing == Some(Failing::Writes) => (Saves::Failed, None),
            Some(Saving::Walking(from, mut encoder, mut saved)) => match walk(from, &mut encoder) {
                Some(cursor) => {
                    encoder.end_block(&mut saved.bytes);
                    (Saves::Goes, Some(Saving::Walking(cursor, encoder, saved)))
                }
                None => {
                    let footer = encoder.finish(self.next, now, &mut saved.bytes);
                    (saved.entries, saved.until) = (footer.entries, footer.until);
                    saved.sum = digest(&saved.bytes);
                    if mutant::on(Mutant::DropLogEarly) {
                        self.drop_segments(saved.first);
                    }
                    (Saves::Written, Some(Saving::Written(saved, self.next)))
                }
            },
            Some(Saving::Written(..) | Saving::Named) if self.failing.is_some() => (Saves::Failed, None),
            Some(Saving::Written(mut saved, until)) => {
                saved.solid = !core::mem::take(&mut self.lies);
                (Saves::Goes, Some(Saving::Synced(saved, until)))
            }
            Some(Saving::Synced(saved, until)) if self.synced.1 < until => {
                (Saves::Waits, Some(Saving::Synced(saved, until)))
            }
            Some(Saving::Synced(saved, _)) => {
                self.snapshots.push(saved);
                (Saves::Named, Some(Saving::Named))
            }
            Some(Saving::Named) => {
                match core::mem::take(&mut self.lies) {
                    true => self.tampered = true,
                    false => self.sync_folder(),
                }
                (Saves::Goes, Some(Saving::Kept))
            }
            Some(Saving::Kept) => {
                let (first, sum) = self.snapshots.last().map_or((Lsn(1), 0), |saved| (saved.first, saved.sum));
                let before = self.snapshots.len().saturating_sub(1);
                self.gone.1.extend(self.snapshots.drain(..before));
                self.drop_segments(first);
                (Saves::Done(sum), None)
            }
        };
        self.saving = next;
        does
    }

    /// The names of files that have come and gone are on disk.
    pub(super) fn sync_folder(&mut self) {
        if !mutant::on(Mutant::NoDirectorySync) {
            self.snapshots.iter_mut().for_each(|saved| saved.named = true);
            self.gone = Default::default();
        }
    }

    /// Segments go all of whose records are in a snapshot. Until the folder is synced a crash may bring them back.
    fn drop_segments(&mut self, below: Lsn) {
        let firsts: Vec<Lsn> = self.segments.iter().map(|segment| segment.first).collect();
        self.gone.0.extend(self.segments.drain(..droppable(&firsts, below)));
        self.truth.fold(below);
    }

    /// Goes on in another segment, once all is on disk that was written to this one.
    pub(in crate::sim) fn turn(&mut self, now: UnixMs, salt: u64) -> bool {
        let begun = self.segments.last().is_some_and(|segment| segment.first == self.synced.1);
        let whole = self.syncing.is_none() && self.next == self.synced.1;
        if begun && whole {
            self.turns = false;
        } else if self.turns && whole {
            self.begin_segment(now, salt);
        }
        !self.turns
    }

    /// A sync has ended, and the segment was to end with it: what has been written since stands in the next one, as if
    /// it had waited for it.
    pub(in crate::sim) fn turn_after_sync(&mut self, now: UnixMs, salt: impl FnOnce() -> u64) {
        if !self.turns || self.segments.last().is_some_and(|segment| segment.first == self.synced.1) {
            return;
        }
        let (mut kept, next) = (core::mem::take(&mut self.kept), self.next);
        if let Some(segment) = self.segments.last_mut() {
            segment.bytes.truncate(self.synced.0);
        }
        self.next = self.synced.1;
        let salt = salt();
        self.begin_segment(now, salt);
        crate::codec::wal::seal(salt, self.next, &mut kept);
        if let Some(segment) = self.segments.last_mut() {
            segment.bytes.extend_from_slice(&kept);
        }
        (self.kept, self.next) = (kept, next);
    }

    /// The process ends, and with it the snapshot that it was taking.
    pub(super) fn end_saving(&mut self) {
        (self.saving, self.turns) = (None, false);
    }

    /// The machine goes down: names that are not on disk may be there or not, and what has gone may be back.
    pub(super) fn crash_folder(&mut self, rng: &mut Rng) {
        self.end_saving();
        self.snapshots.retain(|saved| saved.named || rng.chance(500_000));
        for saved in &mut self.snapshots {
            saved.named = true;
            if !core::mem::replace(&mut saved.solid, true) {
                self.tampered = true;
                lose(&mut saved.bytes, 0, rng);
            }
        }
        let (mut segments, mut snapshots) = core::mem::take(&mut self.gone);
        if (!segments.is_empty() || !snapshots.is_empty()) && rng.chance(250_000) {
            segments.append(&mut self.segments);
            self.segments = segments;
            snapshots.append(&mut self.snapshots);
            self.snapshots = snapshots;
        }
        // Of two under one name the later one stays.
        let firsts: Vec<Lsn> = self.snapshots.iter().map(|saved| saved.first).collect();
        let mut at = 0;
        self.snapshots.retain(|saved| {
            at += 1;
            firsts.get(at).is_none_or(|next| *next != saved.first)
        });
    }
}
