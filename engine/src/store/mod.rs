//! One store: look-up, recency, expiry and bytes. It knows nothing of clusters, and decides by nothing but its input.
//!
//! Depends on `time`, `id`, `hash` and `limits`. Every operation takes constant time, `get` allocates nothing, and no
//! value is copied but once, on its way in. A look-up goes hash, segment of the index, entry, block: one cache line
//! each. The same calls give the same state, answers and orders on every platform: sizes are accounted by named
//! constants, not by what a pointer takes.

mod block;
mod index;
mod slab;
mod wheel;

use core::fmt;

use crate::hash::KeyHasher;
use crate::id::Version;
use crate::limits::{MAX_KEY, MAX_MEDIA, MAX_VALUE};
use crate::time::UnixMs;
use block::Block;
use index::Index;
use slab::{Entry, NIL, Slab};
use wheel::{Due, Wheel};

/// A cache in memory: exact least-recently-used eviction under two limits, and a deadline for whoever wants one.
///
/// Deadlines are compared with the `now` that each call brings. A clock that goes back makes an entry that nobody has
/// missed yet live a little longer; what was reported as removed stays removed.
#[derive(Clone)]
pub struct Store {
    index: Index,
    slab: Slab,
    wheel: Wheel,
    hasher: KeyHasher,
    limits: Limits,
    bytes: u64,
}

/// How much a store may hold; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: Option<u32>,
    /// Accounted bytes, as [`Store::entry_bytes`] counts them.
    pub bytes: Option<u64>,
}

/// What is kept under a key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The value.
    pub value: &'a [u8],
    /// Its media type; empty when the writer named none.
    pub media: &'a [u8],
    /// When it was written.
    pub version: Version,
    /// From this moment on it is a miss. `None`: it does not expire.
    pub deadline: Option<UnixMs>,
}

/// An entry that left the store by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// The version it had.
    pub version: Version,
    /// Why it left.
    pub cause: Cause,
}

/// Why an entry left the store by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its deadline passed.
    Expired,
    /// The limit of entries was reached, and it was the least recently used.
    Entries,
    /// The limit of bytes was reached, and it was the least recently used.
    Bytes,
}

/// The entry does not fit, even alone. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Accounted bytes that the entry would take.
    pub bytes: u64,
    /// Accounted bytes that it may take.
    pub limit: u64,
}

impl Store {
    /// An empty store. Memory is taken as entries come.
    pub fn new(limits: Limits, hasher: KeyHasher) -> Store {
        let by_entries = u64::from(limits.entries.unwrap_or(u32::MAX));
        let by_bytes = limits.bytes.unwrap_or(u64::MAX) / (2 * ENTRY_OVERHEAD);
        let expected = if limits == Limits::default() { UNLIMITED_EXPECTED } else { by_entries.min(by_bytes) };
        Store { index: Index::new(expected), slab: Slab::new(), wheel: Wheel::new(), hasher, limits, bytes: 0 }
    }

    /// The hash that the other methods take, so that a caller computes it once. The store spends the lower 32 bits;
    /// who spreads keys over several stores chooses by the upper 32, or the stores fill unevenly.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// The live entry of a key, which becomes the most recently used. An expired one is removed, and is a miss.
    #[inline]
    pub fn get(
        &mut self,
        now: UnixMs,
        hash: u64,
        key: &[u8],
        removed: &mut impl FnMut(Removal<'_>),
    ) -> Option<EntryRef<'_>> {
        let id = self.find(hash, key)?;
        if self.expired(id, now) {
            self.discard(id, Cause::Expired, removed);
            return None;
        }
        self.slab.touch(id);
        Some(self.entry(id))
    }

    /// The live entry of a key, its recency untouched. An expired one stays where it is, and is a miss.
    pub fn peek(&self, now: UnixMs, hash: u64, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(hash, key).filter(|id| !self.expired(*id, now)).map(|id| self.entry(id))
    }

    /// Inserts or replaces, as the most recently used, and evicts from the other end until all is within the limits.
    /// Returns the version replaced, if that was live.
    pub fn set(
        &mut self,
        now: UnixMs,
        hash: u64,
        key: &[u8],
        entry: EntryRef<'_>,
        removed: &mut impl FnMut(Removal<'_>),
    ) -> Result<Option<Version>, TooLarge> {
        let bytes = self.check_size(key, entry)?;
        let mut found = self.find(hash, key);
        if let Some(id) = found.filter(|id| self.expired(*id, now)) {
            self.discard(id, Cause::Expired, removed);
            found = None;
        }
        if let Some(id) = found {
            let replaced = self.entry(id).version;
            self.slab.touch(id);
            self.bytes -= self.bytes_of(id);
            self.evict(now, 0, bytes, removed);
            self.bytes += bytes;
            self.replace(now, id, key, entry);
            return Ok(Some(replaced));
        }
        self.evict(now, 1, bytes, removed);
        self.bytes += bytes;
        let block = Some(Block::new(entry.version.node, key, entry.value, entry.media));
        let stamp = entry.version.stamp;
        let id = self.slab.insert(Entry { stamp, block, older: NIL, newer: NIL, hash: hash as u32, timer: NIL });
        self.index.insert(hash as u32, id);
        if let Some(deadline) = entry.deadline {
            self.slab[id].timer = self.wheel.insert(now, deadline, id);
        }
        Ok(None)
    }

    /// Removes a key and returns its version, if it was live. An expired entry is removed too, and is `None`.
    pub fn remove(&mut self, now: UnixMs, hash: u64, key: &[u8]) -> Option<Version> {
        let id = self.find(hash, key)?;
        let version = (!self.expired(id, now)).then(|| self.entry(id).version);
        self.discard(id, Cause::Expired, &mut |_| ());
        version
    }

    /// Removes the entry of a key, and reports it, when its deadline has passed. Any other stays as it is.
    pub fn purge(&mut self, now: UnixMs, hash: u64, key: &[u8], removed: &mut impl FnMut(Removal<'_>)) {
        if let Some(id) = self.find(hash, key).filter(|id| self.expired(*id, now)) {
            self.discard(id, Cause::Expired, removed);
        }
    }

    /// Changes the version of a key in place, and nothing else. False when the key is not there.
    pub fn restamp(&mut self, hash: u64, key: &[u8], version: Version) -> bool {
        let Some(id) = self.find(hash, key) else { return false };
        let entry = &mut self.slab[id];
        entry.stamp = version.stamp;
        entry.block.as_mut().expect(PRESENT).set_node(version.node);
        true
    }

    /// Removes entries whose deadlines have passed, soonest first, and visits at most `budget` entries for it. True
    /// when there is more to do at this moment.
    pub fn expire(&mut self, now: UnixMs, mut budget: u32, removed: &mut impl FnMut(Removal<'_>)) -> bool {
        loop {
            match self.wheel.due(now, &mut budget) {
                Due::Owner(id) => {
                    // The wheel has taken the timer back; the bytes of the deadline are still accounted.
                    self.slab[id].timer = NIL;
                    self.bytes -= DEADLINE_OVERHEAD;
                    self.discard(id, Cause::Expired, removed);
                }
                Due::Later => return true,
                Due::Nothing => return false,
            }
        }
    }

    /// When [`Store::expire`] should be called next: called then, it frees every entry within 128 ms of its deadline.
    /// `None` while no entry has a deadline.
    pub fn next_expiry(&self) -> Option<UnixMs> {
        self.wheel.next()
    }

    /// Entries held, those included whose deadline has passed and that were not freed yet.
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accounted bytes of all entries, overhead included. Never above the limit.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The limits it was made with.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Accounted bytes of one entry, overhead included.
    pub fn entry_bytes(key_len: usize, value_len: usize, media_len: usize, has_deadline: bool) -> u64 {
        let media = if media_len == 0 { 0 } else { 1 + media_len as u64 };
        let deadline = if has_deadline { DEADLINE_OVERHEAD } else { 0 };
        ENTRY_OVERHEAD + key_len as u64 + value_len as u64 + media + deadline
    }

    /// How many entries would be evicted before this one. `None` when it is not there, or when they are more than
    /// `at_most`, which bounds the work.
    pub fn rank(&self, hash: u64, key: &[u8], at_most: u32) -> Option<u32> {
        let id = self.find(hash, key)?;
        let (mut rank, mut older) = (0, self.slab[id].older);
        while older != NIL {
            if rank == at_most {
                return None;
            }
            rank += 1;
            older = self.slab[older].older;
        }
        Some(rank)
    }

    /// Every entry, the most recently used first.
    pub fn by_recency(&self) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        self.walk(self.slab.newest(), |entry| entry.older)
    }

    /// Every entry, the least recently used first.
    pub fn oldest_first(&self) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        self.walk(self.slab.oldest(), |entry| entry.newer)
    }

    /// Shows entries in no particular order, a part at each call: visits at most `budget` places (at least one) from
    /// `cursor` on, and returns the cursor to go on with, or `None` at the end. It starts at 0. Between calls the store
    /// may change: whoever is there throughout is shown at least once.
    pub fn scan(&self, cursor: u32, budget: u32, each: &mut impl FnMut(&[u8], EntryRef<'_>)) -> Option<u32> {
        let places = self.slab.places();
        let end = cursor.saturating_add(budget.max(1)).min(places);
        for id in cursor..end {
            if let Some(block) = &self.slab[id].block {
                each(block.key(), self.entry(id));
            }
        }
        (end < places).then_some(end)
    }

    /// Removes everything, and gives the memory back.
    pub fn clear(&mut self) {
        self.index.clear();
        self.slab = Slab::new();
        self.wheel = Wheel::new();
        self.bytes = 0;
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash as u32, |id| self.block(id).key() == key)
    }

    #[inline]
    fn expired(&self, id: u32, now: UnixMs) -> bool {
        self.deadline(id).is_some_and(|deadline| deadline <= now)
    }

    #[inline]
    fn deadline(&self, id: u32) -> Option<UnixMs> {
        let timer = self.slab[id].timer;
        (timer != NIL).then(|| self.wheel.deadline(timer))
    }

    #[inline]
    fn block(&self, id: u32) -> &Block {
        self.slab[id].block.as_ref().expect(PRESENT)
    }

    #[inline]
    fn entry(&self, id: u32) -> EntryRef<'_> {
        let block = self.block(id);
        let version = Version { stamp: self.slab[id].stamp, node: block.node() };
        EntryRef { value: block.value(), media: block.media(), version, deadline: self.deadline(id) }
    }

    fn bytes_of(&self, id: u32) -> u64 {
        let block = self.block(id);
        let has_deadline = self.slab[id].timer != NIL;
        Store::entry_bytes(block.key().len(), block.value().len(), block.media().len(), has_deadline)
    }

    /// The accounted bytes of a new entry, if it may be stored at all.
    fn check_size(&self, key: &[u8], entry: EntryRef<'_>) -> Result<u64, TooLarge> {
        let (value, media, has_deadline) = (entry.value.len(), entry.media.len(), entry.deadline.is_some());
        let bytes = Store::entry_bytes(key.len(), value, media, has_deadline);
        let (key, value, media) = (key.len().min(MAX_KEY), value.min(MAX_VALUE), media.min(MAX_MEDIA));
        let longest = Store::entry_bytes(key, value, media, has_deadline);
        let most = if self.limits.entries == Some(0) { 0 } else { self.limits.bytes.unwrap_or(u64::MAX) };
        let limit = longest.min(most);
        if bytes > limit { Err(TooLarge { bytes, limit }) } else { Ok(bytes) }
    }

    /// Makes room for so many more. Ends before the most recent entry when that is the one to be replaced: it fits.
    fn evict(&mut self, now: UnixMs, entries: u32, bytes: u64, removed: &mut impl FnMut(Removal<'_>)) {
        let most_entries = self.limits.entries.map_or(MAX_ENTRIES, |limit| limit.min(MAX_ENTRIES));
        let most_bytes = self.limits.bytes.unwrap_or(u64::MAX);
        loop {
            let cause = if self.len() + entries > most_entries {
                Cause::Entries
            } else if self.bytes.saturating_add(bytes) > most_bytes {
                Cause::Bytes
            } else {
                return;
            };
            let id = self.slab.oldest();
            let cause = if self.expired(id, now) { Cause::Expired } else { cause };
            self.discard(id, cause, removed);
        }
    }

    /// Puts another value in the place of an old one. The bytes are accounted already.
    fn replace(&mut self, now: UnixMs, id: u32, key: &[u8], new: EntryRef<'_>) {
        let entry = &mut self.slab[id];
        entry.stamp = new.version.stamp;
        if !entry.block.as_mut().expect(PRESENT).rewrite(new.version.node, new.value, new.media) {
            entry.block = Some(Block::new(new.version.node, key, new.value, new.media));
        }
        match (entry.timer, new.deadline) {
            (NIL, None) => {}
            (NIL, Some(deadline)) => entry.timer = self.wheel.insert(now, deadline, id),
            (timer, Some(deadline)) => self.wheel.set_deadline(now, timer, deadline),
            (timer, None) => {
                entry.timer = NIL;
                self.wheel.remove(timer);
            }
        }
    }

    /// Takes an entry out of everything, then reports it.
    fn discard(&mut self, id: u32, cause: Cause, removed: &mut impl FnMut(Removal<'_>)) {
        self.bytes -= self.bytes_of(id);
        let entry = self.slab.remove(id);
        self.index.remove(entry.hash, id);
        if entry.timer != NIL {
            self.wheel.remove(entry.timer);
        }
        let block = entry.block.expect(PRESENT);
        removed(Removal { key: block.key(), version: Version { stamp: entry.stamp, node: block.node() }, cause });
    }

    fn walk(&self, from: u32, next: fn(&Entry) -> u32) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        let some = |id: u32| (id != NIL).then_some(id);
        let ids = core::iter::successors(some(from), move |id| some(next(&self.slab[*id])));
        ids.map(|id| (self.block(id).key(), self.entry(id)))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entry takes {} bytes and the limit is {}; nothing was stored", self.bytes, self.limit)
    }
}

impl core::error::Error for TooLarge {}

/// What an entry costs besides its bytes: 32 in the slab, 10 in the index, 8 of header, and 14 for what an allocator
/// adds to a block (8 of its own, and rounding up to 16).
const ENTRY_OVERHEAD: u64 = 64;
/// What a deadline costs: its timer.
const DEADLINE_OVERHEAD: u64 = 20;
/// Timers and the heads of the wheel's lists share 32-bit numbers, so entries end a little before them.
const MAX_ENTRIES: u32 = u32::MAX - 1_024;
/// What a store without limits is laid out for; it may grow past it.
const UNLIMITED_EXPECTED: u64 = 1 << 20;
const PRESENT: &str = "an entry in the index or in a list has its block";

#[cfg(test)]
mod tests;
