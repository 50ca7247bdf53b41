//! One store: look-up, recency, expiry and bytes. It knows nothing of clusters, and decides by nothing but its input.
//!
//! Depends on `time`, `id`, `hash` and `limits`. Every operation takes constant time (SIEVE and S3-FIFO on average: see
//! `eviction`), `get` allocates nothing, and no value is copied but once, on its way in. A look-up goes hash, line of
//! the index, entry: `docs/store.md` says why.
//! The same calls give the same state, answers and orders on every platform: sizes are accounted by named constants,
//! not by what a pointer takes.

mod chunks;
mod digests;
mod entries;
mod eviction;
mod ghosts;
mod index;
mod order;
mod policy;
mod prefetch;
mod sketch;
mod wheel;

use alloc::boxed::Box;
use core::fmt;

use crate::hash::KeyHasher;
use crate::id::{Slot, Version};
use crate::limits::{MAX_KEY, MAX_MEDIA, MAX_VALUE};
use crate::time::UnixMs;
use digests::Digests;
pub use digests::number as digest_of;
use entries::{At, Entries, NO_TIMER, New, Removed};
use eviction::Eviction;
use index::Index;
use order::Order;
pub use policy::Policy;
use wheel::{Due, Wheel};

/// A cache in memory: eviction under two limits, and a deadline for whoever wants one. Who goes is the least recently
/// used, unless another [`Policy`] is asked for.
///
/// Deadlines are compared with the `now` that each call brings. A clock that goes back makes an entry that nobody has
/// missed yet live a little longer; what was reported as removed stays removed.
pub struct Store {
    // Before the entries that they name, so that they are dropped before them.
    index: Index,
    wheel: Wheel<At>,
    entries: Entries,
    eviction: Eviction,
    hasher: KeyHasher,
    limits: Limits,
    /// The limits as they are checked: the policy takes something of the bytes for itself.
    most_entries: u32,
    most_bytes: u64,
    bytes: u64,
    /// While somebody asks for them.
    digests: Option<Box<Digests>>,
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
    /// The limit of entries was reached, and the policy chose it.
    Entries,
    /// The limit of bytes was reached, and the policy chose it.
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
        Store {
            index: Index::new(expected),
            wheel: Wheel::new(),
            entries: Entries::new(0),
            eviction: Eviction::new(Policy::Lru, 0),
            hasher,
            limits,
            most_entries: limits.entries.map_or(MAX_ENTRIES, |limit| limit.min(MAX_ENTRIES)),
            most_bytes: limits.bytes.unwrap_or(u64::MAX),
            bytes: 0,
            digests: None,
        }
    }

    /// Chooses by that policy who goes, from now on. What the policy remembers besides the entries comes out of the
    /// limit in bytes.
    ///
    /// # Panics
    /// When something is held: what was used how often is not known of it.
    pub fn evict_by(&mut self, policy: Policy) {
        assert!(self.is_empty(), "the policy is chosen before entries come");
        // With a limit in bytes alone nobody knows how many entries there will be: what is remembered is bounded.
        let by_bytes = self.limits.bytes.map_or(u64::from(MOST_REMEMBERED), |bytes| bytes / BYTES_EXPECTED);
        let by_entries = self.limits.entries.map_or(by_bytes, u64::from);
        let limited = self.limits != Limits::default();
        let remembered = if limited { by_entries.min(by_bytes) as u32 } else { 0 }.min(MOST_REMEMBERED);
        self.entries = Entries::new(Eviction::names(policy));
        self.eviction = Eviction::new(policy, remembered);
        self.most_bytes = self.limits.bytes.map_or(u64::MAX, |bytes| bytes - Eviction::bytes(policy, remembered));
    }

    /// The policy by which it chooses who goes.
    pub fn policy(&self) -> Policy {
        self.eviction.policy()
    }

    /// The hash that the other methods take, so that a caller computes it once. The store spends the lower 32 bits;
    /// who spreads keys over several stores chooses by the upper 32, or the stores fill unevenly.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// The live entry of a key, which counts as a use of it. An expired one is removed, and is a miss.
    #[inline]
    pub fn get(
        &mut self,
        now: UnixMs,
        hash: u64,
        key: &[u8],
        removed: &mut impl FnMut(Removal<'_>),
    ) -> Option<EntryRef<'_>> {
        let at = self.find(hash, key)?;
        let deadline = self.deadline(at);
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.discard(at, Cause::Expired, removed);
            return None;
        }
        self.eviction.used(&mut self.entries, at);
        Some(self.entry_until(at, deadline))
    }

    /// The live entry of a key, its recency untouched. An expired one stays where it is, and is a miss.
    pub fn peek(&self, now: UnixMs, hash: u64, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(hash, key).filter(|at| !self.expired(*at, now)).map(|at| self.entry(at))
    }

    /// Inserts, or replaces, which counts as a use, and evicts others until all is within the limits. Returns the
    /// version replaced, if that was live.
    pub fn set(
        &mut self,
        now: UnixMs,
        hash: u64,
        key: &[u8],
        entry: EntryRef<'_>,
        removed: &mut impl FnMut(Removal<'_>),
    ) -> Result<Option<Version>, TooLarge> {
        let bytes = self.check_size(key, entry)?;
        let mut over = self.over(1, bytes);
        if over.is_some() {
            // The memory that the eviction needs comes while that of the look-up does.
            self.index.prefetch(hash as u32);
            self.prefetch_oldest();
        }
        let mut found = self.find(hash, key);
        if let Some(at) = found.filter(|at| self.expired(*at, now)) {
            self.discard(at, Cause::Expired, removed);
            (found, over) = (None, self.over(1, bytes));
        }
        if let Some(at) = found {
            let replaced = self.entries.version(at);
            self.eviction.used(&mut self.entries, at);
            self.bytes -= self.bytes_of(at);
            if let Some(cause) = self.over(0, bytes) {
                // It fits, so it need not go; whoever does, it is the newest of its list then.
                self.entries.lift(at);
                drop(self.evict(now, cause, 0, bytes, removed));
                self.entries.put_back(at);
            }
            self.bytes += bytes;
            self.replace(now, at, entry);
            return Ok(Some(replaced));
        }
        let list = self.eviction.admit(hash as u32);
        let spare = over.map(|cause| self.evict(now, cause, 1, bytes, removed));
        self.bytes += bytes;
        let EntryRef { version, value, media, deadline } = entry;
        let at = self.entries.insert(&New { version, hash: hash as u32, key, value, media }, list, spare);
        if let Some(digests) = &mut self.digests {
            digests.change(hash as u32, key, None, Some(version));
        }
        self.index.insert(hash as u32, at, |at| self.entries.hash(at));
        if let Some(deadline) = deadline {
            self.entries.set_timer(at, self.wheel.insert(now, deadline, at));
        }
        Ok(None)
    }

    /// Removes a key and returns its version, if it was live. An expired entry is removed too, and is `None`.
    pub fn remove(&mut self, now: UnixMs, hash: u64, key: &[u8]) -> Option<Version> {
        let at = self.find(hash, key)?;
        let version = (!self.expired(at, now)).then(|| self.entries.version(at));
        self.discard(at, Cause::Expired, &mut |_| ());
        version
    }

    /// Removes the entry of a key, and reports it, when its deadline has passed. Any other stays as it is.
    pub fn purge(&mut self, now: UnixMs, hash: u64, key: &[u8], removed: &mut impl FnMut(Removal<'_>)) {
        if let Some(at) = self.find(hash, key).filter(|at| self.expired(*at, now)) {
            self.discard(at, Cause::Expired, removed);
        }
    }

    /// Changes the version of a key in place, and nothing else. False when the key is not there.
    pub fn restamp(&mut self, hash: u64, key: &[u8], version: Version) -> bool {
        let Some(at) = self.find(hash, key) else { return false };
        if let Some(digests) = &mut self.digests {
            digests.change(hash as u32, key, Some(self.entries.version(at)), Some(version));
        }
        self.entries.set_version(at, version);
        true
    }

    /// Removes entries whose deadlines have passed, soonest first, and visits at most `budget` entries for it. True
    /// when there is more to do at this moment.
    pub fn expire(&mut self, now: UnixMs, mut budget: u32, removed: &mut impl FnMut(Removal<'_>)) -> bool {
        loop {
            match self.wheel.due(now, &mut budget) {
                Due::Owner(at) => {
                    // The wheel has taken the timer back; the bytes of the deadline are still accounted.
                    self.entries.set_timer(at, NO_TIMER);
                    self.bytes -= DEADLINE_OVERHEAD;
                    self.discard(at, Cause::Expired, removed);
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
        self.entries.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accounted bytes of all entries, overhead included. Together with [`Store::reserved`] never above the limit.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the policy takes at most for what it remembers besides the entries: nothing with LRU and SIEVE, and
    /// otherwise less than a twentieth of the limit. Where no limit in bytes is set they are not accounted.
    pub fn reserved(&self) -> u64 {
        self.limits.bytes.map_or(0, |limit| limit - self.most_bytes)
    }

    /// Is there room for one more entry of so many accounted bytes, without another going?
    pub fn has_room(&self, bytes: u64) -> bool {
        self.over(1, bytes).is_none()
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
        let this = self.find(hash, key)?;
        let looks = u64::from(at_most) * 8 + 1_024;
        let mut order = (0..=at_most).zip(Order::new(&self.entries, &self.eviction, false, looks));
        order.find(|(_, at)| *at == this).map(|(rank, _)| rank)
    }

    /// Every entry, from who would stay longest to who would go next: with LRU the most recently used first. Exact with
    /// LRU and SIEVE; with the other policies who goes next is, and the rest is in the order of their queues.
    pub fn by_recency(&self) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        self.walk(true, u64::MAX)
    }

    /// Every entry, from who would go next to who would stay longest: the reverse of [`Store::by_recency`].
    pub fn oldest_first(&self) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        self.walk(false, u64::MAX)
    }

    /// Who would go next. `None` when nothing is held, and when it is not found among a few.
    pub fn next_to_go(&self) -> Option<(&[u8], EntryRef<'_>)> {
        self.walk(false, 64).next()
    }

    /// Shows entries in no particular order, a part at each call: visits `budget` places (at least one) from `cursor`
    /// on, each of which may have an entry, and returns the cursor to go on with, or `None` at the end. It starts at 0.
    /// Between calls the store may change: whoever is there throughout is shown once.
    pub fn scan(&self, cursor: u64, budget: u32, each: &mut dyn FnMut(&[u8], EntryRef<'_>)) -> Option<u64> {
        let hash_of = |at| self.entries.hash(at);
        self.index.scan(cursor, budget, hash_of, &mut |at| each(self.entries.key(at), self.entry(at)))
    }

    /// Goes on with the walk that works out the digests of its slots, through so many places (at least one). True when
    /// it is over: from then on [`Store::digest`] follows every change, until they are forgotten.
    pub fn digest_some(&mut self, budget: u32) -> bool {
        let mut digests = self.digests.take().unwrap_or_else(|| Box::new(Digests::new()));
        if let Some(from) = digests.rest() {
            let next = self.scan(from, budget, &mut |key, entry| digests.meet(key, entry.version));
            digests.walk_to(next);
        }
        let over = digests.rest().is_none();
        self.digests = Some(digests);
        over
    }

    /// One number for the keys that are held of a slot, with their versions: 0 for none. Stores with the same ones have
    /// the same number. `None` while that is not known: see [`Store::digest_some`].
    pub fn digest(&self, slot: Slot) -> Option<u64> {
        self.digests.as_ref().filter(|digests| digests.rest().is_none()).map(|digests| digests.of(slot))
    }

    /// Are there digests, or is a walk for them under way?
    pub fn has_digests(&self) -> bool {
        self.digests.is_some()
    }

    /// Nobody asks for digests any more: changes cost nothing from now on, and the memory is given back.
    pub fn forget_digests(&mut self) {
        self.digests = None;
    }

    /// Removes everything, and gives the memory back.
    pub fn clear(&mut self) {
        self.index.clear();
        self.wheel = Wheel::new();
        self.entries = Entries::new(0);
        self.bytes = 0;
        self.digests = None;
        self.evict_by(self.policy());
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<At> {
        self.index.find(hash as u32, |at| {
            // Where its key and value are is known by its header; that they follow it is known before.
            self.entries.prefetch_rest(at);
            self.entries.key(at) == key
        })
    }

    #[inline]
    fn expired(&self, at: At, now: UnixMs) -> bool {
        self.deadline(at).is_some_and(|deadline| deadline <= now)
    }

    #[inline]
    fn deadline(&self, at: At) -> Option<UnixMs> {
        let timer = self.entries.timer(at);
        (timer != NO_TIMER).then(|| self.wheel.deadline(timer))
    }

    #[inline]
    fn entry(&self, at: At) -> EntryRef<'_> {
        self.entry_until(at, self.deadline(at))
    }

    /// An entry whose deadline is known.
    #[inline]
    fn entry_until(&self, at: At, deadline: Option<UnixMs>) -> EntryRef<'_> {
        let (value, media, version) = (self.entries.value(at), self.entries.media(at), self.entries.version(at));
        EntryRef { value, media, version, deadline }
    }

    fn bytes_of(&self, at: At) -> u64 {
        let (key, value, media) = (self.entries.key(at), self.entries.value(at), self.entries.media(at));
        Store::entry_bytes(key.len(), value.len(), media.len(), self.entries.timer(at) != NO_TIMER)
    }

    /// The accounted bytes of a new entry, if it may be stored at all.
    fn check_size(&self, key: &[u8], entry: EntryRef<'_>) -> Result<u64, TooLarge> {
        let (value, media, has_deadline) = (entry.value.len(), entry.media.len(), entry.deadline.is_some());
        let bytes = Store::entry_bytes(key.len(), value, media, has_deadline);
        let (key, value, media) = (key.len().min(MAX_KEY), value.min(MAX_VALUE), media.min(MAX_MEDIA));
        let longest = Store::entry_bytes(key, value, media, has_deadline);
        let most = if self.limits.entries == Some(0) { 0 } else { self.most_bytes };
        let limit = longest.min(most);
        if bytes > limit { Err(TooLarge { bytes, limit }) } else { Ok(bytes) }
    }

    /// Makes room for so many more, who would be above that limit, and returns who left last.
    fn evict(
        &mut self,
        now: UnixMs,
        mut over: Cause,
        entries: u32,
        bytes: u64,
        removed: &mut impl FnMut(Removal<'_>),
    ) -> Removed {
        loop {
            let at = self.eviction.victim(&mut self.entries);
            let cause = if self.expired(at, now) { Cause::Expired } else { over };
            let last = self.discard(at, cause, removed);
            match self.over(entries, bytes) {
                Some(next) => over = next,
                None => return last,
            }
        }
    }

    /// The limit that so many more would be above.
    #[inline]
    fn over(&self, entries: u32, bytes: u64) -> Option<Cause> {
        if self.len() + entries > self.most_entries {
            Some(Cause::Entries)
        } else if self.bytes.saturating_add(bytes) > self.most_bytes {
            Some(Cause::Bytes)
        } else {
            None
        }
    }

    /// Begins to load what evicting the oldest entry needs: its line of the index, and, for the next time, the header
    /// of who is the oldest then, so that the hash in it is here by then.
    #[inline]
    fn prefetch_oldest(&self) {
        if let Some(oldest) = self.entries.oldest(eviction::NEW) {
            self.entries.prefetch_newer(oldest);
            self.index.prefetch(self.entries.hash(oldest));
        }
    }

    /// Puts another value in the place of an old one. The bytes are accounted already.
    fn replace(&mut self, now: UnixMs, at: At, new: EntryRef<'_>) {
        if let Some(digests) = &mut self.digests {
            let (hash, before) = (self.entries.hash(at), self.entries.version(at));
            digests.change(hash, self.entries.key(at), Some(before), Some(new.version));
        }
        let timer = self.entries.timer(at);
        let moved = self.entries.replace(at, new.version, new.value, new.media);
        let at = moved.as_ref().map_or(at, |(to, _)| *to);
        if let Some((to, old)) = moved {
            self.index.replace(old.hash(), old.at(), to);
            if timer != NO_TIMER {
                self.wheel.set_owner(timer, to);
            }
        }
        match (timer, new.deadline) {
            (NO_TIMER, None) => {}
            (NO_TIMER, Some(deadline)) => self.entries.set_timer(at, self.wheel.insert(now, deadline, at)),
            (timer, Some(deadline)) => self.wheel.set_deadline(now, timer, deadline),
            (timer, None) => {
                self.entries.set_timer(at, NO_TIMER);
                self.wheel.remove(timer);
            }
        }
    }

    /// Takes an entry out of everything, then reports it, and returns what is left of it.
    fn discard(&mut self, at: At, cause: Cause, removed: &mut impl FnMut(Removal<'_>)) -> Removed {
        self.bytes -= self.bytes_of(at);
        self.index.remove(self.entries.hash(at), at);
        let entry: Removed = self.entries.remove(at);
        if entry.timer() != NO_TIMER {
            self.wheel.remove(entry.timer());
        }
        if let Some(digests) = &mut self.digests {
            digests.change(entry.hash(), entry.key(), Some(entry.version()), None);
        }
        removed(Removal { key: entry.key(), version: entry.version(), cause });
        entry
    }

    fn walk(&self, backwards: bool, looks: u64) -> impl Iterator<Item = (&[u8], EntryRef<'_>)> {
        let all = Order::new(&self.entries, &self.eviction, backwards, looks);
        all.map(|at| (self.entries.key(at), self.entry(at)))
    }
}

impl Clone for Store {
    /// A store of its own in the same state: what is asked of both from now on has the same answers and orders.
    fn clone(&self) -> Store {
        let (mut index, mut wheel) = (self.index.clone(), self.wheel.clone());
        let entries = self.entries.copy(&mut |original, copy| {
            index.replace(self.entries.hash(original), original, copy);
            if self.entries.timer(original) != NO_TIMER {
                wheel.set_owner(self.entries.timer(original), copy);
            }
        });
        let (eviction, digests) = (self.eviction.clone(), self.digests.clone());
        Store { index, wheel, entries, eviction, digests, ..*self }
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

/// What an entry costs besides its bytes: 40 before its key, some 13 in the index, and what an allocator adds (8 of its
/// own, and rounding up to 16).
const ENTRY_OVERHEAD: u64 = 64;
/// What a deadline costs: its timer.
const DEADLINE_OVERHEAD: u64 = 24;
/// Timers and the heads of the wheel's lists share numbers of 29 bits, so entries end a little before them.
const MAX_ENTRIES: u32 = NO_TIMER - 1_024;
/// With a limit in bytes a policy remembers one key for so many of them.
const BYTES_EXPECTED: u64 = 8 * ENTRY_OVERHEAD;
/// Keys that a policy remembers at most.
const MOST_REMEMBERED: u32 = 1 << 24;
/// What a store without limits is laid out for; it may grow past it.
const UNLIMITED_EXPECTED: u64 = 1 << 20;

#[cfg(test)]
mod tests;
