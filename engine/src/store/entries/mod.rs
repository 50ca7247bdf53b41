//! Every entry of a store, in the order of its last use.
//!
//! Depends on `block`, its own part, which says how an entry lies in memory. The links of the list are addresses:
//! following one takes one step. What makes the unsafe code of the two sound: an [`At`] comes from [`Entries::insert`]
//! alone, names an entry of that one list, and is forgotten with [`Entries::remove`]. `At` does not leave the module
//! `store`, whose parts keep to that: the index and the wheel drop theirs before the entry goes.

mod block;

use core::mem::ManuallyDrop;

use crate::id::Version;
use block::Header;
pub use block::{At, NO_TIMER, New};

/// All entries, from the most recently used to the least. Owns them.
pub struct Entries {
    newest: Option<At>,
    oldest: Option<At>,
    len: u32,
}

/// An entry that is no longer in the list, and gone when this is dropped.
pub struct Removed(At);

impl Entries {
    /// None.
    pub fn new() -> Entries {
        Entries { newest: None, oldest: None, len: 0 }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// The most recently used one.
    pub fn newest(&self) -> Option<At> {
        self.newest
    }

    /// The least recently used one.
    #[inline]
    pub fn oldest(&self) -> Option<At> {
        self.oldest
    }

    /// The one used next before this one.
    pub fn older(&self, at: At) -> Option<At> {
        at.header().older
    }

    /// The one used next after this one.
    pub fn newer(&self, at: At) -> Option<At> {
        at.header().newer
    }

    /// Makes an entry, the most recently used one, without a timer, in the place of a removed one if that was as long.
    /// Panics past the bounds of `limits`, which callers check.
    pub fn insert(&mut self, new: &New<'_>, spare: Option<Removed>) -> At {
        let at = match spare {
            Some(spare) if spare.0.size() == new.size() => {
                let at = ManuallyDrop::new(spare).0;
                // SAFETY: the sizes are equal, and it is out of the list: nobody reaches it any more.
                unsafe { at.write(new) };
                at
            }
            other => {
                drop(other);
                At::allocate(new)
            }
        };
        at.header_mut().older = self.newest;
        match self.newest {
            Some(newest) => newest.header_mut().newer = Some(at),
            None => self.oldest = Some(at),
        }
        self.newest = Some(at);
        self.len += 1;
        at
    }

    /// Takes an entry out.
    pub fn remove(&mut self, at: At) -> Removed {
        let (older, newer) = (at.header().older, at.header().newer);
        self.join(older, newer);
        self.len -= 1;
        Removed(at)
    }

    /// Makes an entry the most recently used one.
    #[inline]
    pub fn touch(&mut self, at: At) {
        let header = at.header();
        let (older, Some(newer)) = (header.older, header.newer) else { return };
        self.join(older, Some(newer));
        let header = at.header_mut();
        header.older = self.newest;
        header.newer = None;
        if let Some(newest) = self.newest {
            newest.header_mut().newer = Some(at);
        }
        self.newest = Some(at);
    }

    /// Puts another value, media type and version into an entry. It moves when the lengths differ: it keeps its place
    /// in the order, its timer and its hash, and the old one is what is returned last, to be forgotten.
    pub fn replace(&mut self, at: At, version: Version, value: &[u8], media: &[u8]) -> Option<(At, Removed)> {
        if at.rewrite(value, media) {
            self.set_version(at, version);
            return None;
        }
        let (hash, timer) = (at.header().hash, at.header().timer);
        let (older, newer) = (at.header().older, at.header().newer);
        let new = At::allocate(&New { version, hash, key: at.key(), value, media });
        let header = new.header_mut();
        (header.older, header.newer, header.timer) = (older, newer, timer);
        self.join(older, Some(new));
        self.join(Some(new), newer);
        Some((new, Removed(at)))
    }

    /// Begins to load the header of the one used next after this one.
    #[inline]
    pub fn prefetch_newer(&self, at: At) {
        if let Some(newer) = at.header().newer {
            newer.prefetch();
        }
    }

    /// Begins to load what follows an entry's header, which whoever looks at the header needs next.
    #[inline]
    pub fn prefetch_rest(&self, at: At) {
        at.prefetch_rest();
    }

    /// The key.
    #[inline]
    pub fn key(&self, at: At) -> &[u8] {
        at.key()
    }

    /// The value.
    #[inline]
    pub fn value(&self, at: At) -> &[u8] {
        at.value()
    }

    /// The media type; empty when there is none.
    #[inline]
    pub fn media(&self, at: At) -> &[u8] {
        at.media()
    }

    /// The version.
    #[inline]
    pub fn version(&self, at: At) -> Version {
        at.version()
    }

    /// Another version for the same value.
    pub fn set_version(&mut self, at: At, version: Version) {
        let header = at.header_mut();
        header.stamp = version.stamp;
        header.node = version.node.0;
    }

    /// The hash bits that the index knows it by.
    #[inline]
    pub fn hash(&self, at: At) -> u32 {
        at.header().hash
    }

    /// Its timer in the wheel, or [`NO_TIMER`].
    #[inline]
    pub fn timer(&self, at: At) -> u32 {
        at.header().timer
    }

    /// Gives it another timer, or [`NO_TIMER`].
    pub fn set_timer(&mut self, at: At, timer: u32) {
        at.header_mut().timer = timer;
    }

    /// A copy of every entry in the same order, shown as pairs of the original and the copy.
    pub fn copy(&self, each: &mut impl FnMut(At, At)) -> Entries {
        let mut copies = Entries::new();
        let mut next = self.oldest;
        while let Some(at) = next {
            let Header { hash, timer, newer, .. } = *at.header();
            let new = New { version: at.version(), hash, key: at.key(), value: at.value(), media: at.media() };
            let copy = copies.insert(&new, None);
            copies.set_timer(copy, timer);
            each(at, copy);
            next = newer;
        }
        copies
    }

    /// Makes neighbours of two; `None` is the end of the list on that side.
    #[inline]
    fn join(&mut self, older: Option<At>, newer: Option<At>) {
        match newer {
            Some(newer) => newer.header_mut().older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => older.header_mut().newer = newer,
            None => self.oldest = newer,
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        let mut next = self.oldest;
        while let Some(at) = next {
            next = at.header().newer;
            drop(Removed(at));
        }
    }
}

// SAFETY: a list owns its entries and shares them with nobody.
unsafe impl Send for Entries {}
// SAFETY: as above; through `&` there are only reads.
unsafe impl Sync for Entries {}
impl Removed {
    /// The key.
    pub fn key(&self) -> &[u8] {
        self.0.key()
    }

    /// The version it had.
    pub fn version(&self) -> Version {
        self.0.version()
    }

    /// What it was known by.
    pub fn at(&self) -> At {
        self.0
    }

    /// The hash bits that the index knew it by.
    pub fn hash(&self) -> u32 {
        self.0.header().hash
    }

    /// The timer it had.
    pub fn timer(&self) -> u32 {
        self.0.header().timer
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        // SAFETY: it is out of the list: nobody reaches it any more.
        unsafe { self.0.free() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::limits::{MAX_KEY, MAX_MEDIA};
    use alloc::vec;
    use alloc::vec::Vec;

    fn new<'a>(stamp: u64, key: &'a [u8], value: &'a [u8], media: &'a [u8]) -> New<'a> {
        New { version: Version { stamp, node: NodeId(7) }, hash: stamp as u32, key, value, media }
    }

    fn check(key: &[u8], value: &[u8], media: &[u8]) {
        let mut entries = Entries::new();
        let at = entries.insert(&new(1, key, value, media), None);
        entries.set_timer(at, 5);
        let shown = |entries: &Entries, at| {
            (entries.key(at).to_vec(), entries.value(at).to_vec(), entries.media(at).to_vec(), entries.version(at))
        };
        let version = |stamp| Version { stamp, node: NodeId(stamp as u16 + 6) };
        assert_eq!(shown(&entries, at), (key.to_vec(), value.to_vec(), media.to_vec(), version(1)));
        let (other, kind) = (vec![0xAA; value.len()], vec![0xBB; media.len()]);
        let copied = entries.copy(&mut |_, _| ());
        assert!(entries.replace(at, version(2), &other, &kind).is_none(), "equal lengths stay in their place");
        assert_eq!(shown(&entries, at), (key.to_vec(), other, kind, version(2)));
        let copy = copied.newest().unwrap();
        assert_eq!(shown(&copied, copy), (key.to_vec(), value.to_vec(), media.to_vec(), version(1)), "a copy is apart");
        let longer = vec![1; value.len() + 1];
        let (moved, old) = entries.replace(at, version(3), &longer, b"t").expect("other lengths move");
        assert_eq!((old.key(), old.version(), old.timer(), old.hash()), (key, version(2), 5, 1));
        drop(old);
        assert_eq!(shown(&entries, moved), (key.to_vec(), longer, b"t".to_vec(), version(3)));
        assert_eq!((entries.timer(moved), entries.hash(moved), copied.timer(copy)), (5, 1, 5));
        assert_eq!((entries.newest(), entries.oldest(), entries.len()), (Some(moved), Some(moved), 1));
    }

    #[test]
    fn entries_give_back_what_they_were_made_of() {
        check(b"", b"", b"");
        check(b"k", b"", b"");
        check(b"k", b"v", b"");
        check(b"key", b"", b"text/plain");
        check(b"key", b"value", b"k");
        check(&[1; MAX_KEY], &[2; 1000], &[3; MAX_MEDIA]);
    }

    /// The stamps from the most recently used to the least, the same both ways.
    fn order(entries: &Entries) -> Vec<u64> {
        let walk = |from, step: fn(&Entries, At) -> Option<At>| {
            let all = core::iter::successors(from, |at| step(entries, *at));
            all.map(|at| entries.version(at).stamp).collect::<Vec<u64>>()
        };
        let forth = walk(entries.newest(), Entries::older);
        let mut back = walk(entries.oldest(), Entries::newer);
        back.reverse();
        assert_eq!(forth, back);
        assert_eq!(forth.len() as u32, entries.len());
        forth
    }

    #[test]
    fn recency_follows_use() {
        let mut entries = Entries::new();
        let at: Vec<At> = (0..4).map(|stamp| entries.insert(&new(stamp, b"k", b"v", b""), None)).collect();
        assert_eq!(order(&entries), [3, 2, 1, 0]);
        entries.touch(at[3]);
        assert_eq!(order(&entries), [3, 2, 1, 0]);
        entries.touch(at[0]);
        assert_eq!(order(&entries), [0, 3, 2, 1]);
        entries.touch(at[3]);
        assert_eq!(order(&entries), [3, 0, 2, 1]);
        let moved = entries.replace(at[2], Version { stamp: 8, node: NodeId(1) }, b"longer", b"");
        assert_eq!(order(&entries), [3, 0, 8, 1]);
        let (at_2, _) = moved.expect("it is longer");
        assert_eq!(order(&entries.copy(&mut |_, _| ())), [3, 0, 8, 1]);
        assert_eq!(entries.remove(at_2).version().stamp, 8);
        assert_eq!(entries.remove(at[1]).version().stamp, 1);
        assert_eq!(order(&entries), [3, 0]);
        entries.insert(&new(9, b"k", b"v", b""), None);
        assert_eq!(order(&entries), [9, 3, 0]);
        for at in [at[0], at[3]] {
            entries.remove(at);
        }
        assert_eq!(order(&entries), [9]);
    }

    #[test]
    fn the_memory_of_a_removed_entry_is_used_again() {
        let mut entries = Entries::new();
        let kept = entries.insert(&new(1, b"kept", b"value", b""), None);
        let old = entries.insert(&new(2, b"old", b"value", b"t"), None);
        entries.set_timer(old, 5);
        let spare = entries.remove(old);
        // The same size in other parts.
        let at = entries.insert(&new(3, b"newer", b"val", b"u"), Some(spare));
        assert_eq!((at, entries.timer(at), order(&entries)), (old, NO_TIMER, [3, 1].to_vec()));
        assert_eq!((entries.key(at), entries.value(at), entries.media(at)), (&b"newer"[..], &b"val"[..], &b"u"[..]));
        let spare = entries.remove(at);
        let longer = entries.insert(&new(4, b"newer", b"value", b"u"), Some(spare));
        assert_eq!((entries.key(longer), entries.value(longer)), (&b"newer"[..], &b"value"[..]));
        assert_eq!((entries.key(kept), order(&entries)), (&b"kept"[..], [4, 1].to_vec()));
    }

    #[test]
    fn entries_go_to_other_threads() {
        fn sendable<T: Send + Sync>(_: &T) {}
        sendable(&Entries::new());
    }

    #[test]
    #[should_panic(expected = "lengths are checked")]
    fn a_key_past_its_bound_is_refused() {
        Entries::new().insert(&new(1, &[0; MAX_KEY + 1], b"", b""), None);
    }
}
