//! Maps and sets in the order of their keys, kept as a list of short sorted runs.
//!
//! They do what `BTreeMap` and `BTreeSet` of the standard library do, in the same order, and compile to a fraction of
//! its code for each type that is kept in one: a third of what the page downloaded for its simulator was trees. Most
//! keys here are numbers that grow, for which a run fills to its end and is left full. A change costs a move within
//! one run and, when a run is made or goes, within the list of runs: for 100,000 entries that list has some 4,000
//! places of 24 bytes. Nothing here is a promise about more entries than queues of a node may have ([`crate::limits`]).

mod order;

use alloc::vec::{self, Vec};
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::iter::Flatten;
use core::ops::RangeBounds;
use core::slice;

pub use self::order::sort_by_key;

/// Values by key, in the order of the keys.
pub struct SortedMap<K, V> {
    /// None is empty, none is longer than [`RUN`]; keys rise within and across them.
    runs: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Keys in their order.
pub struct SortedSet<K>(SortedMap<K, ()>);

/// Entries of a run at most: what is moved for a change, so small; and what lies together for a walk, so not tiny.
const RUN: usize = 32;

/// Where a key is, or where it would stand: the run, and the place in it.
struct Place {
    run: usize,
    at: usize,
    there: bool,
}

impl<K, V> SortedMap<K, V> {
    /// An empty one; allocates nothing.
    pub const fn new() -> SortedMap<K, V> {
        SortedMap { runs: Vec::new(), len: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All, lowest key first.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.runs.iter().flatten())
    }

    /// All, lowest key first, with values that may be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        self.runs.iter_mut().flatten().map(|(key, value)| (&*key, value))
    }

    /// The keys, lowest first.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.runs.iter().flatten().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.runs.iter().flatten().map(|(_, value)| value)
    }

    /// The values, in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.runs.iter_mut().flatten().map(|(_, value)| value)
    }

    /// That with the lowest key.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.runs.first()?.first().map(|(key, value)| (key, value))
    }

    /// That with the highest key.
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.runs.last()?.last().map(|(key, value)| (key, value))
    }

    /// Takes that with the lowest key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        if self.len == 0 { None } else { Some(self.take(0, 0)) }
    }

    /// Keeps those of which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.len = 0;
        self.runs.retain_mut(|run| {
            run.retain_mut(|(key, value)| keep(key, value));
            self.len += run.len();
            !run.is_empty()
        });
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.len = 0;
    }

    fn take(&mut self, run: usize, at: usize) -> (K, V) {
        let taken = self.runs[run].remove(at);
        self.len -= 1;
        if self.runs[run].is_empty() {
            self.runs.remove(run);
            return taken;
        }
        // Runs that have become short are joined, so that their list stays short as well.
        for first in [run, run.saturating_sub(1)] {
            if let Some([one, next]) = self.runs.get(first..first + 2)
                && one.len() + next.len() <= RUN / 2
            {
                let mut next = self.runs.remove(first + 1);
                self.runs[first].append(&mut next);
                break;
            }
        }
        taken
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        // The first run whose last key is not below the one looked for; past the end, the place after the last run.
        let run = self.runs.partition_point(|run| run.last().is_some_and(|(last, _)| last.borrow() < key));
        let Some(entries) = self.runs.get(run) else { return Place { run, at: 0, there: false } };
        let (at, there) = match entries.binary_search_by(|(other, _)| other.borrow().cmp(key)) {
            Ok(at) => (at, true),
            Err(at) => (at, false),
        };
        Place { run, at, there }
    }

    /// The value of that key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let Place { run, at, there } = self.place(key);
        there.then(|| &self.runs[run][at].1)
    }

    /// The value of that key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let Place { run, at, there } = self.place(key);
        there.then(|| &mut self.runs[run][at].1)
    }

    /// Is there a value of that key?
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).there
    }

    /// Puts a value there, and gives back the one that was.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        if place.there {
            return Some(core::mem::replace(&mut self.runs[place.run][place.at].1, value));
        }
        self.put(place, key, value);
        None
    }

    /// The value of that key, which is made where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let mut place = self.place(&key);
        if !place.there {
            place = self.put(place, key, make());
        }
        &mut self.runs[place.run][place.at].1
    }

    /// The value of that key, which is the type's own default where there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// Takes the value of that key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Place { run, at, there } = self.place(key);
        there.then(|| self.take(run, at).1)
    }

    /// Puts one where no other is, and says where it stands then.
    fn put(&mut self, place: Place, key: K, value: V) -> Place {
        let Place { mut run, mut at, .. } = place;
        self.len += 1;
        if run == self.runs.len() {
            // Above all others: behind the last, where that has room. Keys that rise fill run after run.
            match self.runs.last().map(Vec::len) {
                Some(last) if last < RUN => (run, at) = (run - 1, last),
                _ => self.runs.push(Vec::new()),
            }
        } else if self.runs[run].len() == RUN {
            let upper = self.runs[run].split_off(RUN / 2);
            self.runs.insert(run + 1, upper);
            if at > RUN / 2 {
                (run, at) = (run + 1, at - RUN / 2);
            }
        }
        self.runs[run].insert(at, (key, value));
        Place { run, at, there: true }
    }
}

impl<K> SortedSet<K> {
    /// An empty one; allocates nothing.
    pub const fn new() -> SortedSet<K> {
        SortedSet(SortedMap::new())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// All, lowest first.
    pub fn iter(&self) -> Keys<'_, K> {
        Keys(self.0.runs.iter().flatten())
    }

    /// The lowest.
    pub fn first(&self) -> Option<&K> {
        self.0.first_key_value().map(|(key, ())| key)
    }

    /// The highest.
    pub fn last(&self) -> Option<&K> {
        self.0.last_key_value().map(|(key, ())| key)
    }

    /// Takes the lowest out.
    pub fn pop_first(&mut self) -> Option<K> {
        self.0.pop_first().map(|(key, ())| key)
    }

    /// Keeps those of which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.0.retain(|key, ()| keep(key));
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Ord> SortedSet<K> {
    /// Is it there?
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Puts it there; false when it was.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// Takes it out; false when it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).is_some()
    }

    /// The lowest of those in the range.
    pub fn first_within(&self, range: impl RangeBounds<K>) -> Option<&K> {
        let from = match range.start_bound() {
            core::ops::Bound::Included(key) => (key, false),
            core::ops::Bound::Excluded(key) => (key, true),
            core::ops::Bound::Unbounded => return self.first().filter(|key| range.contains(*key)),
        };
        let Place { run, at, there } = self.0.place(from.0);
        let at = at + usize::from(there && from.1);
        let found = self.0.runs.get(run)?.get(at).or_else(|| self.0.runs.get(run + 1)?.first());
        found.map(|(key, ())| key).filter(|key| range.contains(*key))
    }

    /// Those that the other has not, lowest first.
    pub fn difference<'a>(&'a self, other: &'a SortedSet<K>) -> impl Iterator<Item = &'a K> {
        self.iter().filter(|key| !other.contains(*key))
    }

    /// Takes over all that the other has.
    pub fn append(&mut self, other: &mut SortedSet<K>) {
        self.extend(core::mem::take(other));
    }
}

/// See [`SortedMap::iter`].
pub struct Iter<'a, K, V>(Flatten<slice::Iter<'a, Vec<(K, V)>>>);

/// See [`SortedSet::iter`].
pub struct Keys<'a, K>(Flatten<slice::Iter<'a, Vec<(K, ())>>>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter(self.0.clone())
    }
}

impl<'a, K> Iterator for Keys<'a, K> {
    type Item = &'a K;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, ())| key)
    }
}

impl<K> DoubleEndedIterator for Keys<'_, K> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, ())| key)
    }
}

impl<K> Clone for Keys<'_, K> {
    fn clone(&self) -> Self {
        Keys(self.0.clone())
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = Flatten<vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.runs.into_iter().flatten()
    }
}

impl<'a, K> IntoIterator for &'a SortedSet<K> {
    type Item = &'a K;
    type IntoIter = Keys<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K> IntoIterator for SortedSet<K> {
    type Item = K;
    type IntoIter = core::iter::Map<Flatten<vec::IntoIter<Vec<(K, ())>>>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, ())| key)
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SortedMap::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Ord, const N: usize> From<[K; N]> for SortedSet<K> {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K: Ord> Extend<K> for SortedSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        self.0.extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<K: Ord> FromIterator<K> for SortedSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = SortedSet::new();
        set.extend(keys);
        set
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap::new()
    }
}

impl<K> Default for SortedSet<K> {
    fn default() -> Self {
        SortedSet::new()
    }
}

impl<K: Clone, V: Clone> Clone for SortedMap<K, V> {
    fn clone(&self) -> Self {
        SortedMap { runs: self.runs.clone(), len: self.len }
    }
}

impl<K: Clone> Clone for SortedSet<K> {
    fn clone(&self) -> Self {
        SortedSet(self.0.clone())
    }
}

// Where one run ends and the next begins is no part of what they hold.
impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K: PartialEq> PartialEq for SortedSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq> Eq for SortedSet<K> {}

impl<K: PartialOrd> PartialOrd for SortedSet<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other.iter())
    }
}

impl<K: Ord> Ord for SortedSet<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: fmt::Debug> fmt::Debug for SortedSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
