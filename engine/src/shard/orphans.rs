//! Slots of which this node cannot tell whether what it holds is current, and of which nobody is left who could.
//!
//! A node that was away, because it started or stood still, asks the other replicas what it missed. A slot is an
//! *orphan* for it from then on until it has heard out a *witness*, a replica for which the slot is no orphan itself,
//! or all replicas, who then keep the newest of what they have together. While another replica is heard, the slot is in
//! doubt, and that one is asked. Where none is, what this node wrote before may have been replaced or deleted by
//! somebody who is gone: it is a miss, and is kept for as long as somebody may come back who knows. What is written
//! from then on is above what was before, and is served.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::Shard;
use crate::id::{LANES, Lanes, NodeId, SLOTS, Slot, Version};
use crate::sorted::SortedMap;

/// What is done with the entries of a slot of whose replicas none is left that knows whether they are current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDoubt {
    /// They are misses. The default: a cache may forget, and must not remember wrongly.
    #[default]
    Miss,
    /// They are served, as the latest that is left.
    Serve,
}

impl OnDoubt {
    /// All of them.
    pub const ALL: [OnDoubt; 2] = [OnDoubt::Miss, OnDoubt::Serve];

    /// Its name, as it is typed and shown.
    pub fn name(self) -> &'static str {
        match self {
            OnDoubt::Miss => "miss",
            OnDoubt::Serve => "serve",
        }
    }
}

/// The orphans of a shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Orphans {
    policy: OnDoubt,
    /// Nothing, most of the time.
    slots: Option<Box<Set>>,
    /// What this node held when it came back is not above this version.
    before: Version,
}

#[derive(Clone, Debug)]
struct Set {
    /// Slots about which neither a witness nor all others have been heard.
    unheard: [u64; WORDS],
    /// Slots of which another replica has left the map that had not been heard out, and the version up to which it may
    /// have replaced what is here.
    bereft: SortedMap<Slot, Version>,
    /// Slots that came to this node from replicas for which they were orphans, and withheld what they had: all that it
    /// has of them is as good as any, and it vouches for nothing else.
    unsworn: [u64; WORDS],
}

impl Set {
    const EMPTY: Set = Set { unheard: [0; WORDS], bereft: SortedMap::new(), unsworn: [0; WORDS] };

    fn is_unheard(&self, slot: Slot) -> bool {
        let (word, bit) = place(slot);
        self.unheard[word] & bit != 0
    }

    fn is_orphan(&self, slot: Slot) -> bool {
        self.is_unheard(slot) || self.bereft.contains_key(&slot)
    }

    /// All orphans, and where so said the slots besides for which this node does not vouch; in order.
    fn slots(&self, unsworn: bool) -> Vec<Slot> {
        let mut words = self.unheard;
        if unsworn {
            words.iter_mut().zip(&self.unsworn).for_each(|(word, unsworn)| *word |= unsworn);
        }
        for slot in self.bereft.keys() {
            let (word, bit) = place(*slot);
            words[word] |= bit;
        }
        (0..WORDS).flat_map(|word| slots_of(word, words[word])).collect()
    }
}

/// How much is known of what an orphan has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A witness has been heard, or it does not matter any more.
    All,
    /// What all replicas know together that there are.
    Together,
    /// Somebody is to be heard yet.
    Little,
}

const WORDS: usize = SLOTS as usize / 64;
const _: () = assert!(LANES == 64, "a lane has the same place in each word");

impl Orphans {
    pub(super) fn set_policy(&mut self, policy: OnDoubt) {
        self.policy = policy;
        if policy == OnDoubt::Serve {
            self.slots = None;
        }
    }

    /// This node was away, and holds nothing above that version. The slots for which that matters are added to those
    /// that are orphans already.
    pub(super) fn begin(&mut self, before: Version, slots: impl Iterator<Item = Slot>) {
        if self.policy == OnDoubt::Serve {
            return;
        }
        for slot in slots {
            let set = self.slots.get_or_insert_with(|| Box::new(Set::EMPTY));
            let (word, bit) = place(slot);
            set.unheard[word] |= bit;
        }
        if self.slots.is_some() {
            self.before = self.before.max(before);
        }
    }

    /// This node has come to keep that slot, of which it held nothing, from replicas that do not know all that there is
    /// of it.
    pub(super) fn inherit(&mut self, slot: Slot) {
        if self.policy == OnDoubt::Serve {
            return;
        }
        let (word, bit) = place(slot);
        self.slots.get_or_insert_with(|| Box::new(Set::EMPTY)).unsworn[word] |= bit;
    }

    /// Slots of which this node cannot say that there is nothing else, orphans among them.
    pub(super) fn unsworn(&self) -> impl Iterator<Item = Slot> {
        self.slots.as_ref().map_or_else(Vec::new, |set| set.slots(true)).into_iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_none()
    }

    #[inline]
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.slots.as_ref().is_some_and(|set| set.is_orphan(slot))
    }

    /// Is there somebody left to be heard about that slot, who is expected to say what it has?
    pub(super) fn is_unheard(&self, slot: Slot) -> bool {
        self.slots.as_ref().is_some_and(|set| set.is_unheard(slot))
    }

    /// Up to this version a replica of that slot that has left unheard may have replaced what is here.
    pub(super) fn bereft_up_to(&self, slot: Slot) -> Version {
        self.slots.as_ref().and_then(|set| set.bereft.get(&slot)).copied().unwrap_or_default()
    }

    /// The slots of which another replica has left unheard.
    pub(super) fn bereft(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().flat_map(|set| set.bereft.keys().copied())
    }

    /// Those of them of which all who are left have been heard, and up to which version there is nobody any more who
    /// could vouch for what is here.
    pub(super) fn given_up(&self) -> impl Iterator<Item = (Slot, Version)> {
        let given_up = |set: &Set, slot: Slot| !set.is_unheard(slot);
        let bereft = self.slots.iter().flat_map(|set| set.bereft.iter().map(move |slot| (set, slot)));
        bereft.filter(move |(set, (slot, _))| given_up(set, **slot)).map(|(_, (slot, version))| (*slot, *version))
    }

    /// What was here of that slot up to that version has been dropped: what is here now is all that there is.
    pub(super) fn dropped(&mut self, slot: Slot, up_to: Version) {
        let Some(set) = &mut self.slots else { return };
        if set.bereft.get(&slot) == Some(&up_to) {
            set.bereft.remove(&slot);
        }
    }

    /// What is written to that slot has to be above this version, so that it is told from what was there before.
    pub(super) fn floor(&self, slot: Slot) -> Version {
        let Some(set) = &self.slots else { return Version::ZERO };
        if set.is_unheard(slot) {
            return self.before;
        }
        let (word, bit) = place(slot);
        // It is above nothing that there is, and says that nobody is vouched for by it.
        let least = if set.unsworn[word] & bit != 0 { Version { stamp: 0, node: NodeId(1) } } else { Version::ZERO };
        set.bereft.get(&slot).map_or(least, |version| least.max(*version))
    }

    /// Another replica of that slot has left the map before it was heard out.
    pub(super) fn bereave(&mut self, slot: Slot) {
        if let Some(set) = self.slots.as_mut().filter(|set| set.is_unheard(slot)) {
            set.bereft.insert(slot, self.before);
        }
    }

    /// Looks at each orphan of those lanes again: `judge` says what is known of it by now, `is_sworn` of one of the
    /// others whether somebody vouches for it.
    pub(super) fn retain(
        &mut self,
        lanes: Lanes,
        mut judge: impl FnMut(Slot) -> Known,
        is_sworn: impl Fn(Slot) -> bool,
    ) {
        let Some(set) = &mut self.slots else { return };
        let Set { unheard, bereft, unsworn } = &mut **set;
        let mut known = |slot: Slot, unheard: bool| match judge(slot) {
            Known::All => (false, false),
            Known::Together => (false, true),
            Known::Little => (unheard, true),
        };
        bereft.retain(|slot, _| {
            if !lanes.contains(*slot) {
                return true;
            }
            let (word, bit) = place(*slot);
            let (stays, bereft) = known(*slot, unheard[word] & bit != 0);
            if !stays {
                unheard[word] &= !bit;
            }
            bereft
        });
        let (mut left, mut inherited) = (false, false);
        for word in 0..WORDS {
            // A lane has the same place in each word.
            for slot in slots_of(word, unheard[word] & lanes.0).filter(|slot| !bereft.contains_key(slot)) {
                if !known(slot, true).0 {
                    unheard[word] &= !place(slot).1;
                }
            }
            for slot in slots_of(word, unsworn[word] & lanes.0).filter(|slot| is_sworn(*slot)) {
                unsworn[word] &= !place(slot).1;
            }
            left |= unheard[word] != 0;
            inherited |= unsworn[word] != 0;
        }
        if !left {
            self.before = Version::ZERO;
        }
        if !left && !inherited && bereft.is_empty() {
            self.slots = None;
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.slots.as_ref().map_or_else(Vec::new, |set| set.slots(false)).into_iter()
    }

    pub(super) fn count(&self) -> u32 {
        let Some(set) = &self.slots else { return 0 };
        let unheard: u32 = set.unheard.iter().map(|word| word.count_ones()).sum();
        unheard + set.bereft.keys().filter(|slot| !set.is_unheard(**slot)).count() as u32
    }

    pub(super) fn digest(&self, state: &mut impl Hasher) {
        self.before.hash(state);
        if let Some(set) = &self.slots {
            (set.unheard, set.unsworn).hash(state);
            set.bereft.iter().for_each(|bereft| bereft.hash(state));
        }
    }
}

impl Shard {
    /// What becomes of entries of which nobody is left who knows whether they are current; [`OnDoubt::Miss`] at first.
    pub fn on_doubt(&mut self, policy: OnDoubt) {
        self.sources.orphans.set_policy(policy);
    }

    /// Does somebody vouch for that version of that key, if it is what this node holds?
    pub(crate) fn is_vouched(&self, slot: Slot, version: Version) -> bool {
        !self.sources.is_unvouched(slot, version)
    }

    /// May this node answer that it has nothing where it holds that version? It had it before it was away, and who
    /// could say whether it is current has not.
    pub(crate) fn may_hide(&self, slot: Slot, version: Version) -> bool {
        version <= self.sources.orphans.floor(slot)
    }

    /// Slots of which nobody is left who knows whether what this node had before it was away is current.
    pub fn orphans(&self) -> u32 {
        self.sources.orphans.count()
    }
}

/// The slots whose bits are set in that word.
fn slots_of(word: usize, mut bits: u64) -> impl Iterator<Item = Slot> {
    core::iter::from_fn(move || {
        let bit = bits.trailing_zeros() as u16;
        bits &= bits.wrapping_sub(1);
        Slot::new(word as u16 * 64 + bit).filter(|_| bit < 64)
    })
}

fn place(slot: Slot) -> (usize, u64) {
    (usize::from(slot.number() / 64), 1 << (slot.number() % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    const EVERY: Lanes = Lanes(u64::MAX);

    #[test]
    fn only_those_of_the_lanes_that_are_named_are_judged() {
        let slot = |number| Slot::new(number).unwrap();
        let mut orphans = Orphans::default();
        let away = [0, 63, 64, 127, 128].map(slot);
        orphans.begin(Version { stamp: 5, node: NodeId(1) }, away.into_iter());
        [64, 127].map(slot).into_iter().for_each(|slot| orphans.bereave(slot));
        [1, 2].map(slot).into_iter().for_each(|slot| orphans.inherit(slot));
        orphans.retain(Lanes::of(slot(0)), |_| Known::All, |_| true);
        assert_eq!(orphans.iter().collect::<Vec<_>>(), [63, 127].map(slot), "slots 0, 64 and 128 are of one lane");
        orphans.retain(Lanes::NONE, |_| Known::All, |_| true);
        assert_eq!(orphans.unsworn().collect::<Vec<_>>(), [1, 2, 63, 127].map(slot));
        orphans.retain(Lanes::of(slot(63)).or(Lanes::of(slot(1))), |_| Known::All, |_| true);
        assert_eq!(orphans.unsworn().collect::<Vec<_>>(), [slot(2)]);
    }

    #[test]
    fn slots_are_orphans_until_they_are_judged_otherwise() {
        let slot = |number| Slot::new(number).unwrap();
        let version = |stamp| Version { stamp, node: NodeId(1) };
        let mut orphans = Orphans::default();
        orphans.begin(version(5), [].into_iter());
        assert_eq!((orphans.count(), orphans.floor(slot(3))), (0, Version::ZERO), "none, and nothing to be above");
        let all = [0, 63, 64, 16_383].map(slot);
        orphans.begin(version(5), all.into_iter());
        orphans.begin(version(4), [slot(1)].into_iter());
        assert_eq!(orphans.iter().collect::<Vec<_>>(), [0, 1, 63, 64, 16_383].map(slot));
        assert_eq!((orphans.floor(slot(1)), orphans.floor(slot(2))), (version(5), Version::ZERO));
        orphans.bereave(slot(64));
        orphans.bereave(slot(65));
        let mut asked = Vec::new();
        let judge = |slot: Slot| {
            asked.push(slot.number());
            if slot.number() == 0 { Known::All } else { Known::Little }
        };
        orphans.retain(EVERY, judge, |_| true);
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 63, 64, 16_383]);
        assert_eq!((orphans.count(), orphans.bereft_up_to(slot(64))), (4, version(5)));
        assert_eq!(orphans.bereft_up_to(slot(63)), Version::ZERO);
        orphans.begin(version(6), [slot(64)].into_iter());
        assert_eq!((orphans.floor(slot(64)), orphans.bereft_up_to(slot(64))), (version(6), version(5)));
        orphans.retain(EVERY, |_| Known::Together, |_| true);
        assert_eq!(orphans.iter().collect::<Vec<_>>(), [slot(64)], "those who are left do not know what was before");
        assert_eq!((orphans.floor(slot(64)), orphans.is_unheard(slot(64))), (version(5), false));
        orphans.bereave(slot(64));
        assert_eq!(orphans.bereft_up_to(slot(64)), version(5), "it was there all the time");
        orphans.retain(EVERY, |_| Known::All, |_| true);
        assert_eq!((orphans.count(), orphans.floor(slot(0))), (0, Version::ZERO));
        // Of what it has been given it can tell that it is current, and not that there is nothing else.
        orphans.begin(version(7), [slot(2)].into_iter());
        orphans.inherit(slot(3));
        assert_eq!((orphans.floor(slot(2)), orphans.contains(slot(3))), (version(7), false));
        assert!(Version::ZERO < orphans.floor(slot(3)) && orphans.floor(slot(3)) < version(1));
        assert_eq!(orphans.unsworn().collect::<Vec<_>>(), [2, 3].map(slot));
        orphans.begin(version(8), [slot(3)].into_iter());
        assert_eq!(orphans.floor(slot(3)), version(8), "it was away with what it had been given");
        orphans.retain(EVERY, |_| Known::All, |_| false);
        assert_eq!(orphans.unsworn().collect::<Vec<_>>(), [slot(3)], "what was withheld is not known all the same");
        orphans.retain(EVERY, |_| Known::All, |_| true);
        assert!(orphans.is_empty());
        orphans.set_policy(OnDoubt::Serve);
        orphans.begin(version(9), all.into_iter());
        assert_eq!(orphans.count(), 0);
    }
}
