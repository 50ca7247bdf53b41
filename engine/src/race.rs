//! Policies side by side on one trace, at any sizes, and Belady's bound: what is known best who knows the future.
//!
//! Depends on `store`, `hash`, `id` and `time`. It counts as simulators do: a request that finds its key is a hit, and
//! one that does not is a miss and writes it. Every cache is a [`Store`] of its own with a limit of entries and nothing
//! in its values, so what wins a race is what a node would run. A race goes on in slices, so that whoever draws it can
//! show how it stands.

mod stack;

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::hash::KeyHasher;
use crate::id::{NodeId, Version};
use crate::store::{EntryRef, Limits, Policy, Store};
use crate::time::UnixMs;

/// A trace being read: keys become numbers.
pub struct Keys {
    requests: Vec<u32>,
    /// The hash of each key, by its number.
    hashes: Vec<u64>,
    /// The number of each key.
    numbers: Store,
}

/// A trace whose keys are numbers, shared by the races over it.
#[derive(Clone)]
pub struct Course {
    requests: Arc<[u32]>,
    hashes: Arc<[u64]>,
    /// For each request, the next one of the same key; where there is none, a number past all requests that only this
    /// one has.
    next: Arc<[u32]>,
}

/// Who races.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Racer {
    /// A store with that policy.
    Policy(Policy),
    /// Belady's MIN (IBM Systems Journal 5(2), 1966): who is asked for latest of all goes. No cache of that size that
    /// takes in what it misses has more hits.
    Belady,
}

/// Caches that are asked the same, at the same time.
pub struct Race {
    course: Course,
    at: u32,
    caches: Vec<Cache>,
}

/// Somebody whom a racer let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The last request for that key before it went, counted from 0.
    pub asked: u32,
    /// The request that made it go.
    pub at: u32,
    /// The next request for it, which is a miss; `None` is never again.
    pub again: Option<u32>,
}

enum Cache {
    Store { store: Box<Store>, hits: u32, gone: Option<Evicted> },
    Oracle(Oracle),
}

/// A key, and the request that made it go.
#[derive(Clone, Copy)]
struct Evicted {
    key: u32,
    at: u32,
}

struct Oracle {
    size: u32,
    hits: u32,
    held: Vec<bool>,
    holds: u32,
    /// The next requests of everybody who is held, the latest first; requests that have been since stay at the bottom.
    next: BinaryHeap<u32>,
    gone: Option<Evicted>,
}

impl Keys {
    /// None yet.
    pub fn new() -> Keys {
        // Nobody else can choose the keys of these stores: a seed that anybody may know is enough.
        let numbers = Store::new(Limits::default(), KeyHasher::new((0, 0)));
        Keys { requests: Vec::new(), hashes: Vec::new(), numbers }
    }

    /// The next request is for that key. False, and nothing changed, when that is one request too many.
    pub fn push(&mut self, key: &[u8]) -> bool {
        if self.requests.len() == MOST_REQUESTS {
            return false;
        }
        let hash = self.numbers.hash(key);
        let number = match self.numbers.peek(UnixMs(0), hash, key) {
            Some(entry) => number(entry.value),
            None => {
                let number = self.hashes.len() as u32;
                let entry = EntryRef { value: &number.to_le_bytes(), ..NOTHING };
                // A key that is longer than a store takes is another one each time. No trace has such keys.
                let _ = self.numbers.set(UnixMs(0), hash, key, entry, &mut |_| ());
                self.hashes.push(hash);
                number
            }
        };
        self.requests.push(number);
        true
    }

    /// That was the trace.
    pub fn finish(self) -> Course {
        let mut last: Vec<Option<u32>> = vec![None; self.hashes.len()];
        let many = self.requests.len() as u32;
        let mut next: Vec<u32> = (many..2 * many).collect();
        for (at, key) in (0..many).zip(&self.requests).rev() {
            if let Some(later) = last[*key as usize].replace(at) {
                next[at as usize] = later;
            }
        }
        Course { requests: self.requests.into(), hashes: self.hashes.into(), next: next.into() }
    }
}

impl Default for Keys {
    fn default() -> Keys {
        Keys::new()
    }
}

impl Course {
    /// How many requests there are.
    pub fn requests(&self) -> u32 {
        self.requests.len() as u32
    }

    /// How many keys they are for.
    pub fn keys(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Sizes for a curve, the smallest first: all keys, three quarters of them, a half, three eighths, a quarter, and
    /// so on, at most so many.
    pub fn sizes(&self, most: u32) -> Vec<u32> {
        let keys = u64::from(self.keys());
        let mut sizes: Vec<u32> =
            (0..most.min(64)).map(|step| (((4 - u64::from(step) % 2) * keys) >> (step / 2 + 2)) as u32).collect();
        sizes.reverse();
        sizes.retain(|size| *size > 0);
        sizes.dedup();
        sizes
    }
}

impl Race {
    /// At the start: a cache for each racer and size.
    pub fn new(course: &Course, racers: impl IntoIterator<Item = (Racer, u32)>) -> Race {
        let cache = |(racer, size)| match racer {
            Racer::Policy(policy) => {
                let mut store = Store::new(Limits { entries: Some(size), bytes: None }, KeyHasher::new((0, 0)));
                store.evict_by(policy);
                Cache::Store { store: Box::new(store), hits: 0, gone: None }
            }
            Racer::Belady => {
                let held = vec![false; course.hashes.len()];
                Cache::Oracle(Oracle { size, hits: 0, held, holds: 0, next: BinaryHeap::new(), gone: None })
            }
        };
        Race { course: course.clone(), at: 0, caches: racers.into_iter().map(cache).collect() }
    }

    /// Asks the next requests, at most so many, of every cache. True when that was the end of the trace.
    pub fn advance(&mut self, most: u32) -> bool {
        let end = self.at.saturating_add(most).min(self.course.requests());
        let slice = self.at as usize..end as usize;
        for cache in &mut self.caches {
            for at in slice.clone() {
                let key = self.course.requests[at];
                match cache {
                    Cache::Store { store, hits, gone } => {
                        let hash = self.course.hashes[key as usize];
                        let mut note = |key: u32| *gone = Some(Evicted { key, at: at as u32 });
                        *hits += u32::from(ask(store, hash, &key.to_le_bytes(), &mut note));
                    }
                    Cache::Oracle(oracle) => oracle.ask(key, at as u32, &self.course),
                }
            }
        }
        self.at = end;
        end == self.course.requests()
    }

    /// Requests so far.
    pub fn requests(&self) -> u32 {
        self.at
    }

    /// Hits so far of each racer, in the order in which they were named.
    pub fn hits(&self) -> impl Iterator<Item = u32> + '_ {
        self.caches.iter().map(|cache| match cache {
            Cache::Store { hits, .. } => *hits,
            Cache::Oracle(oracle) => oracle.hits,
        })
    }

    /// Whom each racer let go last, in the same order; `None` while nobody had to go. Looks back through the trace.
    pub fn gone(&self) -> impl Iterator<Item = Option<Gone>> + '_ {
        self.caches.iter().map(|cache| match cache {
            Cache::Store { gone, .. } | Cache::Oracle(Oracle { gone, .. }) => {
                let Evicted { key, at } = (*gone)?;
                let asked = self.course.requests[..at as usize].iter().rposition(|other| *other == key)?;
                let next = self.course.next[asked];
                Some(Gone { asked: asked as u32, at, again: (next < self.course.requests()).then_some(next) })
            }
        })
    }
}

/// Reads, and writes on a miss. Was it a hit?
fn ask(store: &mut Store, hash: u64, key: &[u8], gone: &mut dyn FnMut(u32)) -> bool {
    let hit = store.get(UnixMs(0), hash, key, &mut |_| ()).is_some();
    if !hit {
        // A store of no entries takes none.
        let _ = store.set(UnixMs(0), hash, key, NOTHING, &mut |removal| gone(number(removal.key)));
    }
    hit
}

/// The number in those bytes, as `to_le_bytes` gives them.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

impl Oracle {
    /// A request for a key.
    fn ask(&mut self, key: u32, at: u32, course: &Course) {
        if self.held[key as usize] {
            self.hits += 1;
        } else if self.holds < self.size {
            self.holds += 1;
        } else if let Some(latest) = self.next.pop() {
            // The request that comes latest is still to come: those of the past are all before it.
            let goes = course.asked_at(latest);
            self.held[goes as usize] = false;
            self.gone = Some(Evicted { key: goes, at });
        } else {
            return;
        }
        self.held[key as usize] = true;
        self.next.push(course.next[at as usize]);
    }
}

impl Course {
    /// The key of a request, or of the one that has this number in the place of its next.
    fn asked_at(&self, number: u32) -> u32 {
        self.requests[(number % self.requests()) as usize]
    }
}

/// An entry without anything in it.
const NOTHING: EntryRef<'static> =
    EntryRef { value: b"", media: b"", version: Version { stamp: 0, node: NodeId(0) }, deadline: None };
/// Twice as many numbers are needed.
const MOST_REQUESTS: usize = i32::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Hits of the best there can be, by trying everybody who could go.
    fn best(requests: &[u32], held: &mut Vec<u32>, size: usize) -> u32 {
        let Some((key, rest)) = requests.split_first() else { return 0 };
        if held.contains(key) {
            return 1 + best(rest, held, size);
        }
        held.push(*key);
        let mut most = 0;
        if held.len() <= size {
            most = best(rest, held, size);
        } else {
            for goes in 0..size {
                let mut others = held.clone();
                others.remove(goes);
                most = most.max(best(rest, &mut others, size));
            }
        }
        most
    }

    #[test]
    fn nobody_has_more_hits_than_belady() {
        let mut rng = Rng::new(1, "race");
        for _ in 0..if cfg!(miri) { 3 } else { 300 } {
            let requests: Vec<u32> = (0..12).map(|_| rng.below(6) as u32).collect();
            let mut keys = Keys::new();
            assert!(requests.iter().all(|key| keys.push(&key.to_be_bytes())));
            let course = keys.finish();
            for size in 1..4 {
                let racers = Policy::ALL.map(Racer::Policy).into_iter().chain([Racer::Belady]);
                let mut race = Race::new(&course, racers.map(|racer| (racer, size)));
                while !race.advance(5) {}
                let hits: Vec<u32> = race.hits().collect();
                assert_eq!(hits[4], best(&requests, &mut Vec::new(), size as usize), "{requests:?} {size}");
                assert!(hits.iter().all(|others| *others <= hits[4]), "{hits:?}");
            }
        }
    }

    #[test]
    fn who_went_last() {
        let mut keys = Keys::new();
        [1, 2, 3, 1, 3, 2].iter().for_each(|key: &u32| assert!(keys.push(&key.to_be_bytes())));
        let mut race = Race::new(&keys.finish(), [(Racer::Policy(Policy::Lru), 2), (Racer::Belady, 2)]);
        let gone = |race: &Race| race.gone().collect::<Vec<_>>();
        race.advance(2);
        assert_eq!(gone(&race), [None, None]);
        // The third key makes 1 go by recency, one request before it is asked for; who knows the future lets 2 go.
        race.advance(1);
        let (one, two) = (Gone { asked: 0, at: 2, again: Some(3) }, Gone { asked: 1, at: 2, again: Some(5) });
        assert_eq!(gone(&race), [Some(one), Some(two)]);
        race.advance(9);
        // In the end 2 comes back, and neither 1 nor 3 is asked for again.
        let last = |asked| Some(Gone { asked, at: 5, again: None });
        assert_eq!(gone(&race), [last(3), last(4)]);
    }

    #[test]
    fn slices_and_sizes() {
        let mut keys = Keys::new();
        (0..1_000_u32).for_each(|key| assert!(keys.push(&(key * key % 128).to_be_bytes())));
        let course = keys.finish();
        let sizes = |most| course.sizes(most);
        assert_eq!((course.requests(), course.keys(), sizes(4)), (1_000, 23, vec![8, 11, 17, 23]));
        assert_eq!(sizes(99), [1, 2, 4, 5, 8, 11, 17, 23]);
        let racers = || Policy::ALL.map(|policy| (Racer::Policy(policy), 9));
        let (mut whole, mut sliced) = (Race::new(&course, racers()), Race::new(&course, racers()));
        assert!(whole.advance(u32::MAX) && whole.advance(1));
        while !sliced.advance(7) {}
        assert_eq!((whole.requests(), sliced.requests()), (1_000, 1_000));
        assert!(whole.hits().eq(sliced.hits()));
        let mut nothing = Race::new(&Keys::new().finish(), racers());
        assert!(nothing.advance(0));
    }
}
