//! Entries side by side in chunks, named by 32-bit numbers, and the list of their recency threaded through them.
//!
//! Depends on `block`. A slab never moves an entry to another number, and growing moves at most one chunk.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

use super::block::Block;

/// No entry: the end of a list.
pub const NIL: u32 = u32::MAX;

/// One entry: all that is needed to find, order, expire and judge it without touching its block. Half a cache line.
#[derive(Clone)]
#[repr(C, align(32))]
pub struct Entry {
    /// The stamp of its version; the node is in the block.
    pub stamp: u64,
    /// Key, value and media type; `None` while the place is free.
    pub block: Option<Block>,
    /// The entry used next before this one; the next free place while this one is free.
    pub older: u32,
    /// The entry used next after this one.
    pub newer: u32,
    /// The hash bits that the index knows it by.
    pub hash: u32,
    /// Its timer in the wheel, or [`NIL`].
    pub timer: u32,
}

/// All entries, from the most recently used to the least, and the places that are free.
#[derive(Clone)]
pub struct Slab {
    entries: Chunked<Entry>,
    free: u32,
    newest: u32,
    oldest: u32,
    len: u32,
}

impl Slab {
    /// Nothing, and nothing allocated.
    pub fn new() -> Slab {
        Slab { entries: Chunked::new(), free: NIL, newest: NIL, oldest: NIL, len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Every entry's number is below this.
    pub fn places(&self) -> u32 {
        self.entries.len()
    }

    /// The most recently used entry, or [`NIL`].
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// The least recently used entry, or [`NIL`].
    pub fn oldest(&self) -> u32 {
        self.oldest
    }

    /// Puts an entry at the most recent end and returns its number.
    pub fn insert(&mut self, mut entry: Entry) -> u32 {
        entry.newer = NIL;
        entry.older = self.newest;
        let id = self.free;
        let id = if id == NIL {
            self.entries.push(entry)
        } else {
            let place = &mut self.entries[id];
            self.free = place.older;
            *place = entry;
            id
        };
        self.link_newest(id);
        self.len += 1;
        id
    }

    /// Takes an entry out; its number may be given to another from now on.
    pub fn remove(&mut self, id: u32) -> Entry {
        self.unlink(id);
        self.len -= 1;
        let vacant = Entry { stamp: 0, block: None, older: self.free, newer: NIL, hash: 0, timer: NIL };
        self.free = id;
        core::mem::replace(&mut self.entries[id], vacant)
    }

    /// Makes an entry the most recently used one.
    #[inline]
    pub fn touch(&mut self, id: u32) {
        if self.newest == id {
            return;
        }
        self.unlink(id);
        let newest = self.newest;
        let entry = &mut self.entries[id];
        entry.newer = NIL;
        entry.older = newest;
        self.link_newest(id);
    }

    /// Hangs the entry, whose own links are set already, before the newest.
    #[inline]
    fn link_newest(&mut self, id: u32) {
        match self.newest {
            NIL => self.oldest = id,
            newest => self.entries[newest].newer = id,
        }
        self.newest = id;
    }

    #[inline]
    fn unlink(&mut self, id: u32) {
        let Entry { older, newer, .. } = self.entries[id];
        match newer {
            NIL => self.newest = older,
            newer => self.entries[newer].older = older,
        }
        match older {
            NIL => self.oldest = newer,
            older => self.entries[older].newer = newer,
        }
    }
}

impl Index<u32> for Slab {
    type Output = Entry;

    #[inline]
    fn index(&self, id: u32) -> &Entry {
        &self.entries[id]
    }
}

impl IndexMut<u32> for Slab {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut Entry {
        &mut self.entries[id]
    }
}

/// A vector in chunks: the first one grows by doubling, so that a small one stays small; the others come whole.
#[derive(Clone)]
pub struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Chunked<T> {
    /// Nothing, and nothing allocated.
    pub fn new() -> Chunked<T> {
        Chunked { chunks: Vec::new(), len: 0 }
    }

    /// How many items there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Puts an item behind the others and returns its number.
    pub fn push(&mut self, item: T) -> u32 {
        let id = self.len;
        let chunk = (id >> CHUNK_BITS) as usize;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(if chunk == 0 { 0 } else { 1 << CHUNK_BITS }));
        }
        self.chunks[chunk].push(item);
        self.len += 1;
        id
    }
}

impl<T> Index<u32> for Chunked<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.chunks[(id >> CHUNK_BITS) as usize][(id & CHUNK_MASK) as usize]
    }
}

impl<T> IndexMut<u32> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.chunks[(id >> CHUNK_BITS) as usize][(id & CHUNK_MASK) as usize]
    }
}

const CHUNK_BITS: u32 = 12;
const CHUNK_MASK: u32 = (1 << CHUNK_BITS) - 1;
const _: () = assert!(size_of::<Entry>() == 32);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn entry(stamp: u64) -> Entry {
        Entry { stamp, block: None, older: NIL, newer: NIL, hash: 0, timer: NIL }
    }

    fn order(slab: &Slab) -> Vec<u64> {
        let mut forth = Vec::new();
        let mut at = slab.newest();
        while at != NIL {
            forth.push(slab[at].stamp);
            at = slab[at].older;
        }
        let mut back = Vec::new();
        at = slab.oldest();
        while at != NIL {
            back.push(slab[at].stamp);
            at = slab[at].newer;
        }
        back.reverse();
        assert_eq!(forth, back);
        assert_eq!(forth.len() as u32, slab.len());
        forth
    }

    #[test]
    fn recency_follows_use_and_places_are_reused() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..4).map(|stamp| slab.insert(entry(stamp))).collect();
        assert_eq!(order(&slab), [3, 2, 1, 0]);
        slab.touch(ids[3]);
        assert_eq!(order(&slab), [3, 2, 1, 0]);
        slab.touch(ids[0]);
        assert_eq!(order(&slab), [0, 3, 2, 1]);
        slab.touch(ids[3]);
        assert_eq!(order(&slab), [3, 0, 2, 1]);
        assert_eq!(slab.remove(ids[2]).stamp, 2);
        assert_eq!(slab.remove(ids[1]).stamp, 1);
        assert_eq!(order(&slab), [3, 0]);
        assert_eq!((slab.insert(entry(9)), slab.places()), (ids[1], 4));
        assert_eq!(order(&slab), [9, 3, 0]);
        for id in [ids[0], ids[3], ids[1]] {
            slab.remove(id);
        }
        assert_eq!((order(&slab), slab.newest(), slab.oldest()), (Vec::new(), NIL, NIL));
    }

    #[test]
    fn chunks_hold_everything_in_place() {
        let mut items = Chunked::new();
        let count = if cfg!(miri) { 100 } else { 3 * (CHUNK_MASK + 1) + 5 };
        for item in 0..count {
            assert_eq!(items.push(item), item);
        }
        assert!((0..items.len()).all(|id| items[id] == id));
        assert_eq!(items.chunks.len() as u32, count.div_ceil(CHUNK_MASK + 1));
    }
}
