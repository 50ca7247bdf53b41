//! Every entry of a store, in one list or several, each from the newest to the oldest.
//!
//! With exact LRU there is one list, in the order of the last use. Other policies have up to three, and keep three bits
//! of each entry: which list it is in, as far as there are several, and how often it was used.
//!
//! Depends on `block`, its own part, which says how an entry lies in memory. The links of the list are addresses:
//! following one takes one step. What makes the unsafe code of the two sound: an [`At`] comes from [`Entries::insert`]
//! alone, names an entry of that one list, and is forgotten with [`Entries::remove`]. `At` does not leave the module
//! `store`, whose parts keep to that: the index and the wheel drop theirs before the entry goes.

mod block;

use core::mem::ManuallyDrop;

use crate::id::Version;
pub use block::{At, NO_TIMER, New};
use block::{Header, MARK, MARK_BITS};

/// All entries, in lists. Owns them.
pub struct Entries {
    lists: [List; LISTS],
    len: u32,
    /// The bits of a mark that name its list.
    names: u32,
    /// Where SIEVE goes on; `None` is the oldest.
    hand: Option<At>,
}

/// Entries from the newest to the oldest.
#[derive(Clone, Copy, Default)]
struct List {
    newest: Option<At>,
    oldest: Option<At>,
    /// Those of the first list are all who are in no other, and not counted.
    len: u32,
}

/// An entry that is no longer in a list, and gone when this is dropped.
pub struct Removed(At);

impl Entries {
    /// None, in as many lists as that many bits can name.
    pub fn new(names: u32) -> Entries {
        debug_assert!(names < 3, "there are four names for lists");
        Entries { lists: [List::default(); LISTS], len: 0, names: (1 << names) - 1, hand: None }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many there are in a list, which is not the first.
    pub fn len_of(&self, list: usize) -> u32 {
        debug_assert!(list > 0, "the first list is not counted");
        self.lists[list].len
    }

    /// The newest of a list: who was used last, where that is the order.
    #[inline]
    pub fn newest(&self, list: usize) -> Option<At> {
        self.lists[list].newest
    }

    /// The oldest of a list.
    #[inline]
    pub fn oldest(&self, list: usize) -> Option<At> {
        self.lists[list].oldest
    }

    /// The one before this one in its list.
    #[inline]
    pub fn older(&self, at: At) -> Option<At> {
        at.header().older
    }

    /// The one after this one in its list.
    #[inline]
    pub fn newer(&self, at: At) -> Option<At> {
        at.header().newer
    }

    /// The list that an entry is in.
    #[inline]
    pub fn list(&self, at: At) -> usize {
        (at.header().timer_and_mark & self.names) as usize % LISTS
    }

    /// How often it was used, as far as the policy counts: 0 to 3.
    #[inline]
    pub fn uses(&self, at: At) -> u32 {
        at.mark() >> 1
    }

    /// Notes how often it was used, 0 to 3. With more than two lists there is no room for it.
    pub fn set_uses(&mut self, at: At, uses: u32) {
        let word = &mut at.header_mut().timer_and_mark;
        *word = *word & !(MARK - 1) | uses << 1;
    }

    /// Where SIEVE goes on.
    pub fn hand(&self) -> Option<At> {
        self.hand
    }

    /// Moves the hand of SIEVE. When the entry there is removed, it goes to the next newer one.
    pub fn set_hand(&mut self, hand: At) {
        self.hand = Some(hand);
    }

    /// Makes an entry, the newest of a list, without a timer and without uses, in the place of a removed one if that
    /// was as long. Panics past the bounds of `limits`, which callers check.
    pub fn insert(&mut self, new: &New<'_>, list: usize, spare: Option<Removed>) -> At {
        let list = list % LISTS;
        let newest = self.lists[list].newest;
        let at = match spare {
            Some(spare) if spare.0.size() == new.size() => {
                let at = ManuallyDrop::new(spare).0;
                // SAFETY: the sizes are equal, and it is out of the lists: nobody reaches it any more.
                unsafe { at.write(new, newest, list as u32) };
                at
            }
            other => {
                drop(other);
                At::allocate(new, newest, list as u32)
            }
        };
        self.lead(at, list, newest);
        self.len += 1;
        at
    }

    /// Takes an entry out.
    pub fn remove(&mut self, at: At) -> Removed {
        self.unlink(at);
        Removed(at)
    }

    /// Makes an entry the newest one of the first list, in which it is.
    #[inline]
    pub fn touch(&mut self, at: At) {
        self.touch_in(at, 0);
    }

    /// Makes an entry the newest one of its list, which is that one.
    #[inline]
    pub fn touch_in(&mut self, at: At, list: usize) {
        let header = at.header();
        let (older, Some(newer)) = (header.older, header.newer) else { return };
        self.join(list, older, Some(newer));
        let newest = self.lists[list].newest;
        let header = at.header_mut();
        header.older = newest;
        header.newer = None;
        if let Some(newest) = newest {
            newest.header_mut().newer = Some(at);
        }
        self.lists[list].newest = Some(at);
    }

    /// Makes an entry the newest one of a list. Its uses are kept where there is room for them.
    pub fn move_to(&mut self, at: At, list: usize) {
        self.lift(at);
        let word = &mut at.header_mut().timer_and_mark;
        *word = *word & !self.names | list as u32;
        self.put_back(at);
    }

    /// Takes an entry out of its list for a moment, in which nobody meets it: [`Entries::put_back`] must follow.
    pub fn lift(&mut self, at: At) {
        self.unlink(at);
    }

    /// Ends what [`Entries::lift`] began: the entry is the newest of its list.
    pub fn put_back(&mut self, at: At) {
        self.link(at, self.list(at));
        self.len += 1;
    }

    /// Puts another value, media type and version into an entry. It moves when the lengths differ: it keeps its place
    /// in the order, its timer, its mark and its hash, and the old one is what is returned last, to be forgotten.
    pub fn replace(&mut self, at: At, version: Version, value: &[u8], media: &[u8]) -> Option<(At, Removed)> {
        if at.rewrite(value, media) {
            self.set_version(at, version);
            return None;
        }
        let (hash, timer_and_mark) = (at.header().hash, at.header().timer_and_mark);
        let (older, newer) = (at.header().older, at.header().newer);
        let new = At::allocate(&New { version, hash, key: at.key(), value, media }, None, 0);
        let header = new.header_mut();
        (header.older, header.newer, header.timer_and_mark) = (older, newer, timer_and_mark);
        let list = self.list(at);
        self.join(list, older, Some(new));
        self.join(list, Some(new), newer);
        if self.hand == Some(at) {
            self.hand = Some(new);
        }
        Some((new, Removed(at)))
    }

    /// Begins to load the header of the one after this one.
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
        at.timer()
    }

    /// Gives it another timer, or [`NO_TIMER`].
    pub fn set_timer(&mut self, at: At, timer: u32) {
        let word = &mut at.header_mut().timer_and_mark;
        *word = timer << MARK_BITS | *word & MARK;
    }

    /// A copy of every entry in the same order, shown as pairs of the original and the copy.
    pub fn copy(&self, each: &mut impl FnMut(At, At)) -> Entries {
        let mut copies = Entries { lists: [List::default(); LISTS], len: 0, hand: None, ..*self };
        for list in 0..LISTS {
            let mut next = self.oldest(list);
            while let Some(at) = next {
                let Header { hash, timer_and_mark, newer, .. } = *at.header();
                let new = New { version: at.version(), hash, key: at.key(), value: at.value(), media: at.media() };
                let copy = copies.insert(&new, list, None);
                copy.header_mut().timer_and_mark = timer_and_mark;
                if self.hand == Some(at) {
                    copies.hand = Some(copy);
                }
                each(at, copy);
                next = newer;
            }
        }
        copies
    }

    /// Puts an entry in front of a list.
    #[inline]
    fn link(&mut self, at: At, list: usize) {
        let newest = self.lists[list].newest;
        let header = at.header_mut();
        (header.older, header.newer) = (newest, None);
        self.lead(at, list, newest);
    }

    /// The list begins with that entry, which names the one that was its newest.
    #[inline]
    fn lead(&mut self, at: At, list: usize, newest: Option<At>) {
        self.lists[list].newest = Some(at);
        match newest {
            Some(newest) => newest.header_mut().newer = Some(at),
            None => self.lists[list].oldest = Some(at),
        }
        if list != 0 {
            self.lists[list].len += 1;
        }
    }

    #[inline]
    fn unlink(&mut self, at: At) {
        let (list, older, newer) = (self.list(at), at.header().older, at.header().newer);
        self.join(list, older, newer);
        self.len -= 1;
        if list != 0 {
            self.lists[list].len -= 1;
        }
        if self.hand == Some(at) {
            self.hand = newer;
        }
    }

    /// Makes neighbours of two in a list; `None` is the end of it on that side.
    #[inline]
    fn join(&mut self, list: usize, older: Option<At>, newer: Option<At>) {
        match newer {
            Some(newer) => newer.header_mut().older = older,
            None => self.lists[list].newest = older,
        }
        match older {
            Some(older) => older.header_mut().newer = newer,
            None => self.lists[list].oldest = newer,
        }
    }
}

/// As many as two bits can name. No policy has more than three.
const LISTS: usize = 4;

impl Drop for Entries {
    fn drop(&mut self) {
        for list in 0..LISTS {
            let mut next = self.oldest(list);
            while let Some(at) = next {
                next = at.header().newer;
                drop(Removed(at));
            }
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
        self.0.timer()
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
        let mut entries = Entries::new(0);
        let at = entries.insert(&new(1, key, value, media), 0, None);
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
        let copy = copied.newest(0).unwrap();
        assert_eq!(shown(&copied, copy), (key.to_vec(), value.to_vec(), media.to_vec(), version(1)), "a copy is apart");
        let longer = vec![1; value.len() + 1];
        let (moved, old) = entries.replace(at, version(3), &longer, b"t").expect("other lengths move");
        assert_eq!((old.key(), old.version(), old.timer(), old.hash()), (key, version(2), 5, 1));
        drop(old);
        assert_eq!(shown(&entries, moved), (key.to_vec(), longer, b"t".to_vec(), version(3)));
        assert_eq!((entries.timer(moved), entries.hash(moved), copied.timer(copy)), (5, 1, 5));
        assert_eq!((entries.newest(0), entries.oldest(0), entries.len()), (Some(moved), Some(moved), 1));
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
        let forth = walk(entries.newest(0), Entries::older);
        let mut back = walk(entries.oldest(0), Entries::newer);
        back.reverse();
        assert_eq!(forth, back);
        assert_eq!(forth.len() as u32, entries.len());
        forth
    }

    #[test]
    fn recency_follows_use() {
        let mut entries = Entries::new(0);
        let at: Vec<At> = (0..4).map(|stamp| entries.insert(&new(stamp, b"k", b"v", b""), 0, None)).collect();
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
        entries.insert(&new(9, b"k", b"v", b""), 0, None);
        assert_eq!(order(&entries), [9, 3, 0]);
        for at in [at[0], at[3]] {
            entries.remove(at);
        }
        assert_eq!(order(&entries), [9]);
    }

    #[test]
    fn the_memory_of_a_removed_entry_is_used_again() {
        let mut entries = Entries::new(0);
        let kept = entries.insert(&new(1, b"kept", b"value", b""), 0, None);
        let old = entries.insert(&new(2, b"old", b"value", b"t"), 0, None);
        entries.set_timer(old, 5);
        let spare = entries.remove(old);
        // The same size in other parts.
        let at = entries.insert(&new(3, b"newer", b"val", b"u"), 0, Some(spare));
        assert_eq!((at, entries.timer(at), order(&entries)), (old, NO_TIMER, [3, 1].to_vec()));
        assert_eq!((entries.key(at), entries.value(at), entries.media(at)), (&b"newer"[..], &b"val"[..], &b"u"[..]));
        let spare = entries.remove(at);
        let longer = entries.insert(&new(4, b"newer", b"value", b"u"), 0, Some(spare));
        assert_eq!((entries.key(longer), entries.value(longer)), (&b"newer"[..], &b"value"[..]));
        assert_eq!((entries.key(kept), order(&entries)), (&b"kept"[..], [4, 1].to_vec()));
    }

    #[test]
    fn entries_go_to_other_threads() {
        fn sendable<T: Send + Sync>(_: &T) {}
        sendable(&Entries::new(0));
    }

    #[test]
    #[should_panic(expected = "lengths are checked")]
    fn a_key_past_its_bound_is_refused() {
        Entries::new(0).insert(&new(1, &[0; MAX_KEY + 1], b"", b""), 0, None);
    }
}
