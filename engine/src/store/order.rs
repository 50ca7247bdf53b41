//! Who goes next, and who after that, if nobody came and nobody was used meanwhile.
//!
//! Depends on `entries` and `eviction`. With LRU and SIEVE the order is exact. With the two others the first is, and
//! the rest is in the order of their queues: whom the shares of the queues, which change with every one that goes, let
//! go first is not worked out for all.

use super::entries::{At, Entries};
use super::eviction::{self, Eviction, MAIN, NEW, PROTECTED, USED_ENOUGH};
use super::policy::Policy;

/// A walk over all entries, in passes over their lists.
pub struct Order<'a> {
    entries: &'a Entries,
    policy: Policy,
    /// Who goes next where no pass begins with it: shown at that end, and passed over in the passes.
    first: Option<At>,
    shown: bool,
    /// From who stays longest to who goes next.
    backwards: bool,
    /// From 1 on, and after the last.
    pass: u32,
    passes: u32,
    at: Option<At>,
    /// Where the pass ends.
    last: Option<At>,
    /// Entries that it may still look at, whether they are shown or not.
    looks: u64,
}

impl<'a> Order<'a> {
    /// From who goes next to who stays longest, or backwards. Ends early when it has looked at so many.
    pub fn new(entries: &'a Entries, eviction: &Eviction, backwards: bool, looks: u64) -> Order<'a> {
        let policy = eviction.policy();
        let passes = match policy {
            Policy::Lru => 1,
            Policy::Sieve => 4,
            Policy::S3Fifo => 6,
            Policy::WTinyLfu => 3,
        };
        let first = next_to_go(entries, eviction, looks.min(MOST_LOOKS) as usize);
        let pass = if backwards { passes + 1 } else { 0 };
        Order { entries, policy, first, shown: false, backwards, pass, passes, at: None, last: None, looks }
    }

    /// The ends of the part of a list that this pass goes over, the older one first.
    fn part(&self) -> (Option<At>, Option<At>) {
        let list = |list| (self.entries.oldest(list), self.entries.newest(list));
        match (self.policy, self.pass) {
            (Policy::Sieve, pass) => match self.entries.hand() {
                Some(hand) if pass % 2 == 1 => (Some(hand), self.entries.newest(NEW)),
                Some(hand) => (self.entries.older(hand).and(self.entries.oldest(NEW)), self.entries.older(hand)),
                None if pass % 2 == 1 => list(NEW),
                None => (None, None),
            },
            (Policy::Lru, _) | (Policy::S3Fifo, 1 | 3) | (Policy::WTinyLfu, 1) => list(NEW),
            (Policy::S3Fifo, _) | (Policy::WTinyLfu, 2) => list(MAIN),
            (Policy::WTinyLfu, _) => list(PROTECTED),
        }
    }

    /// Is it this pass that shows an entry which it meets?
    fn shows(&self, at: At) -> bool {
        let uses = || self.entries.uses(at);
        match (self.policy, self.pass) {
            (Policy::Lru | Policy::WTinyLfu, _) => true,
            (Policy::Sieve, pass) => (uses() > 0) == (pass > 2),
            (Policy::S3Fifo, 1) => uses() < USED_ENOUGH,
            (Policy::S3Fifo, 2) => uses() == 0,
            // Whom the small queue hands to the main one has no uses there.
            (Policy::S3Fifo, 3) => uses() >= USED_ENOUGH,
            (Policy::S3Fifo, pass) => uses() == pass - 3,
        }
    }

    fn show_first(&mut self) -> Option<At> {
        let first = self.first.filter(|_| !self.shown);
        self.shown = true;
        first
    }
}

impl Iterator for Order<'_> {
    type Item = At;

    fn next(&mut self) -> Option<At> {
        if !self.backwards
            && let Some(first) = self.show_first()
        {
            return Some(first);
        }
        loop {
            while let Some(at) = self.at {
                self.looks = self.looks.checked_sub(1)?;
                self.at = match (self.last == Some(at), self.backwards) {
                    (true, _) => None,
                    (false, true) => self.entries.older(at),
                    (false, false) => self.entries.newer(at),
                };
                if self.first != Some(at) && self.shows(at) {
                    return Some(at);
                }
            }
            if self.backwards {
                if self.pass <= 1 {
                    return self.show_first();
                }
                self.pass -= 1;
                (self.last, self.at) = self.part();
            } else {
                if self.pass == self.passes {
                    return None;
                }
                self.pass += 1;
                (self.at, self.last) = self.part();
            }
        }
    }
}

/// Who goes next, where that is not whom the first pass meets first.
fn next_to_go(entries: &Entries, eviction: &Eviction, looks: usize) -> Option<At> {
    let from = |at| core::iter::successors(at, |at| entries.newer(*at)).take(looks);
    match eviction.policy() {
        Policy::S3Fifo if eviction::main_goes_first(entries) => {
            (0..4).find_map(|uses| from(entries.oldest(MAIN)).find(|at| entries.uses(*at) == uses))
        }
        Policy::WTinyLfu => {
            // Who is too many for the window goes to the main part first, unasked.
            let too_many = eviction::overflow(entries);
            let moved = entries.oldest(NEW).filter(|_| too_many > 0);
            let victim = entries.oldest(MAIN).or(moved).or(entries.oldest(PROTECTED));
            let candidate = from(entries.oldest(NEW)).nth(too_many as usize);
            match (candidate, victim) {
                (Some(candidate), Some(victim)) if !eviction.refuses(entries, candidate, victim) => Some(victim),
                (Some(candidate), _) => Some(candidate),
                (None, victim) => victim,
            }
        }
        _ => None,
    }
}

/// The search for who goes next looks at no more than so many.
const MOST_LOOKS: u64 = 65_536;
