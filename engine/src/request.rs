//! What clients ask, and what they are told: plain data, the same for every front end.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::error::Failure;
use crate::id::{NodeId, Slot, Version};
use crate::limits;
use crate::time::UnixMs;

/// One operation on one key, with how long its client waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The key.
    pub key: Key,
    /// What to do with it.
    pub operation: Operation,
    /// How long the client waits: then it gets a [`Failure`]. At most [`limits::MAX_TIMEOUT`].
    pub timeout: Duration,
}

/// A key: 1 to 65,535 bytes, any bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    bytes: Bytes,
    /// Of these bytes: computed once, asked for at every step of a request.
    slot: Slot,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read the value.
    Get {
        /// Who may answer.
        level: ReadLevel,
    },
    /// Write a value.
    Set {
        /// What to write.
        value: Value,
        /// When it expires; `None` is never. A deadline that has passed removes what was there.
        deadline: Option<UnixMs>,
        /// What must be there already.
        condition: Condition,
        /// Who must have it before the answer.
        level: WriteLevel,
    },
    /// Remove the value.
    Delete {
        /// What must be there already.
        condition: Condition,
        /// Who must have removed it before the answer.
        level: WriteLevel,
    },
    /// Add to the decimal number that is there, and answer the sum. Where nothing is, it is 0, and what is made does
    /// not expire; what is there keeps its deadline and its media type.
    Increment {
        /// How much; less than 0 takes away.
        by: i64,
        /// Who must have the sum before the answer.
        level: WriteLevel,
    },
    /// Give what is there another deadline. Its value stays, and gets a new version: it is a write like any other.
    Touch {
        /// When it expires; `None` is never. A deadline that has passed removes what was there.
        deadline: Option<UnixMs>,
        /// Who must have the deadline before the answer.
        level: WriteLevel,
    },
    /// Ask each replica what it holds, for `explain`: no recency changes, no values travel.
    Inspect,
}

/// A value and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Value {
    /// The bytes, as the client sent them.
    pub bytes: Bytes,
    /// The client's media type (`Content-Type`), at most [`limits::MAX_MEDIA`] bytes; empty when it gave none.
    pub media: Bytes,
}

/// A value as it is stored: with its version and deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What was written.
    pub value: Value,
    /// When, and by whom.
    pub version: Version,
    /// When it expires; `None` is never.
    pub deadline: Option<UnixMs>,
}

/// What must be there for a write to happen; decided at the primary, atomically with the write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Anything or nothing.
    #[default]
    Always,
    /// Nothing (NX, `If-None-Match: *`).
    Absent,
    /// Something (XX, `If-Match: *`).
    Present,
    /// Exactly this version (compare-and-set, `If-Match: "v"`).
    Is(Version),
    /// Nothing, or something older than this version: what a restored snapshot asks for.
    OlderThan(Version),
}

/// Who must have a write before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteLevel {
    /// The primary.
    One,
    /// Every replica believed alive.
    #[default]
    Live,
    /// A strict majority of the slot's replicas.
    Quorum,
    /// All of the slot's replicas.
    All,
}

/// Who may answer a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadLevel {
    /// The slot's primary.
    #[default]
    Primary,
    /// This node when it holds a replica of the slot, otherwise the primary.
    One,
    /// A majority; the highest version wins, and the replicas that had an older one are repaired.
    Quorum,
}

/// What a client is told.
pub type Outcome = Result<Answer, Failure>;

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The value of a `Get`.
    Found(Entry),
    /// `Get` found nothing, or nothing whose currency is certain; `Touch` found nothing, and changed nothing.
    Missing,
    /// `Set` was applied.
    Stored {
        /// The version that the value got.
        version: Version,
        /// Replicas that are known to have it, the primary included.
        copies: u8,
        /// Nothing was there before.
        created: bool,
    },
    /// `Delete` was applied.
    Deleted {
        /// Replicas that are known to have removed it, the primary included.
        copies: u8,
        /// The primary had something to remove.
        existed: bool,
    },
    /// `Increment` was applied.
    Added {
        /// The sum.
        value: i64,
        /// The version that it got.
        version: Version,
        /// Replicas that are known to have it, the primary included.
        copies: u8,
        /// Nothing was there before.
        created: bool,
    },
    /// `Touch` was applied.
    Touched {
        /// The version that the entry got.
        version: Version,
        /// Replicas that are known to have it, the primary included.
        copies: u8,
    },
    /// The condition did not hold. Nothing was stored.
    Unmet {
        /// The version that is there; `None` when nothing is.
        present: Option<Version>,
    },
    /// What each replica holds.
    Inspected(Vec<Inspection>),
}

/// What one replica holds for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inspection {
    /// The replica.
    pub node: NodeId,
    /// Its answer; `None` when it gave none in time.
    pub held: Option<Holding>,
}

/// What a replica holds for a key, without the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holding {
    /// The version it has, or `None` when it has nothing.
    pub version: Option<Version>,
    /// Its deadline.
    pub deadline: Option<UnixMs>,
    /// Accounted bytes, overhead included.
    pub bytes: u64,
    /// Entries that would be evicted before it; `None` past the first [`Holding::RANKED`] from the end.
    pub rank: Option<u32>,
    /// What the replica has seen go: for a key of this slot that it does not hold, it vouches for no version below this
    /// one.
    pub floor: Version,
    /// True while it has yet to hear from another replica of the slot what it missed.
    pub doubt: bool,
    /// Where the slot is an orphan to it: it vouches for no version up to this one. [`Version::ZERO`] otherwise.
    pub before: Version,
}

impl Holding {
    /// How many entries from the next-evicted end are counted for a rank: bounded work under a lock.
    pub const RANKED: u32 = 65_536;
}

impl Key {
    /// Checks the length.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Key, KeyError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(KeyError::Empty),
            length if length > limits::MAX_KEY => Err(KeyError::TooLong { length }),
            _ => Ok(Key { slot: crate::hash::slot(&bytes), bytes }),
        }
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key's bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The slot that the key lives in.
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

/// Why bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No bytes.
    Empty,
    /// More than [`limits::MAX_KEY`] bytes.
    TooLong {
        /// How many.
        length: usize,
    },
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "\"{}\"", self.bytes.escape_ascii())
    }
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            KeyError::Empty => write!(f, "the key is empty; a key has 1 to {} bytes", limits::MAX_KEY),
            KeyError::TooLong { length } => {
                write!(f, "the key has {length} bytes; a key has 1 to {} bytes", limits::MAX_KEY)
            }
        }
    }
}

impl core::error::Error for KeyError {}

impl Operation {
    /// True when it may change what is stored.
    pub fn writes(&self) -> bool {
        self.level().is_some()
    }

    /// Who must have it before the answer, where it writes.
    pub fn level(&self) -> Option<WriteLevel> {
        match self {
            Operation::Set { level, .. } | Operation::Delete { level, .. } => Some(*level),
            Operation::Increment { level, .. } | Operation::Touch { level, .. } => Some(*level),
            Operation::Get { .. } | Operation::Inspect => None,
        }
    }

    /// Bytes of key-independent payload that holding the operation keeps in memory.
    pub fn payload(&self) -> usize {
        match self {
            Operation::Set { value, .. } => value.bytes.len() + value.media.len(),
            _ => 0,
        }
    }
}

impl Condition {
    /// Does it hold, with that version present?
    pub fn holds(self, present: Option<Version>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => present.is_none(),
            Condition::Present => present.is_some(),
            Condition::Is(version) => present == Some(version),
            Condition::OlderThan(version) => present.is_none_or(|present| present < version),
        }
    }
}

impl WriteLevel {
    /// Every level, the least demanding first.
    pub const ALL: [WriteLevel; 4] = [WriteLevel::One, WriteLevel::Live, WriteLevel::Quorum, WriteLevel::All];

    /// Its name in every front end.
    pub fn name(self) -> &'static str {
        match self {
            WriteLevel::One => "one",
            WriteLevel::Live => "live",
            WriteLevel::Quorum => "quorum",
            WriteLevel::All => "all",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<WriteLevel> {
        WriteLevel::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl ReadLevel {
    /// Every level.
    pub const ALL: [ReadLevel; 3] = [ReadLevel::Primary, ReadLevel::One, ReadLevel::Quorum];

    /// Its name in every front end.
    pub fn name(self) -> &'static str {
        match self {
            ReadLevel::Primary => "primary",
            ReadLevel::One => "one",
            ReadLevel::Quorum => "quorum",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<ReadLevel> {
        ReadLevel::ALL.into_iter().find(|level| level.name() == name)
    }
}
