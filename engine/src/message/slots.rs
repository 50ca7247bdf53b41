//! Some of the slots: what a pull is about once digests have said where two nodes differ.

use alloc::boxed::Box;
use core::fmt;

use crate::id::{SLOTS, Slot};

/// A set of slots, a bit each.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Slots(Box<[u64; WORDS]>);

const WORDS: usize = SLOTS as usize / 64;

impl Slots {
    /// No slot.
    pub fn none() -> Slots {
        Slots(Box::new([0; WORDS]))
    }

    /// Adds one.
    pub fn insert(&mut self, slot: Slot) {
        self.0[usize::from(slot.number() / 64)] |= 1 << (slot.number() % 64);
    }

    /// Is it among them?
    pub fn contains(&self, slot: Slot) -> bool {
        self.0[usize::from(slot.number() / 64)] >> (slot.number() % 64) & 1 == 1
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> {
        Slot::all().filter(|slot| self.contains(*slot))
    }

    /// A bit for each slot, the lowest first.
    pub fn words(&self) -> &[u64; WORDS] {
        &self.0
    }

    /// As [`Slots::words`] says it.
    pub fn from_words(words: [u64; WORDS]) -> Slots {
        Slots(Box::new(words))
    }
}

impl Extend<Slot> for Slots {
    fn extend<I: IntoIterator<Item = Slot>>(&mut self, slots: I) {
        slots.into_iter().for_each(|slot| self.insert(slot));
    }
}

impl FromIterator<Slot> for Slots {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Slots {
        let mut all = Slots::none();
        all.extend(slots);
        all
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Slot::number)).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn what_is_put_in_is_there_and_nothing_else() {
        let some = [0, 63, 64, 16_383].map(Slot::of_hash);
        let slots: Slots = some.into_iter().collect();
        assert_eq!(slots.iter().collect::<Vec<_>>(), some);
        assert_eq!((slots.len(), slots.is_empty(), Slots::none().is_empty()), (4, false, true));
        assert_eq!(Slots::from_words(*slots.words()), slots);
    }
}
