//! What the log and the snapshots keep: what became of a key here, as plain data.
//!
//! A record is written for what was decided, not for what was asked: a sum and not an increment, an absolute deadline
//! and not a TTL, so that reading the same records again gives the same entries at any later time. Evictions and
//! expiries are not recorded: an entry that was evicted is still the latest that its key had, and a deadline passes
//! by itself.

use crate::id::{Lsn, Slot, Version};
use crate::request::{Entry, Key};
use crate::time::UnixMs;

/// One step of what is to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The key has this entry.
    Put {
        /// The key.
        key: Key,
        /// All of its entry.
        entry: Entry,
    },
    /// The key has no value from that version on, and what is older does not come back.
    Remove {
        /// The key.
        key: Key,
        /// The version of the removal.
        version: Version,
    },
    /// The value stays, under another version or deadline: long values are not written again. It says nothing about an
    /// entry of any other version than `from`.
    Touch {
        /// The key.
        key: Key,
        /// The version that its entry had.
        from: Version,
        /// The version that it has now.
        version: Version,
        /// The deadline that it has now.
        deadline: Option<UnixMs>,
    },
    /// The entry of that version, or an older one, is not kept here any more, though nobody removed it.
    Forget {
        /// The key.
        key: Key,
        /// The version that it had.
        version: Version,
    },
    /// What the slot has seen go: see [`crate::message::Message::Listed`].
    Floor {
        /// The slot.
        slot: Slot,
        /// The highest version that was removed from it.
        version: Version,
    },
    /// Every record below that one was on disk when this one was written: what is wrong with them is damage, and not
    /// the tail of a write that was cut off.
    Synced {
        /// The first that was not.
        below: Lsn,
    },
}

impl Record {
    /// The slot that it is about; `None` when it is about the log itself.
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Record::Put { key, .. }
            | Record::Remove { key, .. }
            | Record::Touch { key, .. }
            | Record::Forget { key, .. } => Some(key.slot()),
            Record::Floor { slot, .. } => Some(*slot),
            Record::Synced { .. } => None,
        }
    }
}

/// How far the disk must be before an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// What is acknowledged is on disk: answers wait for a sync, which many of them share.
    Always,
    /// The log is synced once a second: a crash of the machine costs what was written since.
    EverySecond,
    /// The operating system decides.
    Never,
}

impl Fsync {
    /// Its name in settings and scripts.
    pub fn name(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::EverySecond => "everysec",
            Fsync::Never => "never",
        }
    }
}
