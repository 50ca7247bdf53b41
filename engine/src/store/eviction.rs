//! What each policy does when an entry comes, is used, and has to go.
//!
//! Depends on `entries` and on what the policies remember: `ghosts` and `sketch`. Shares (a tenth, a hundredth) are of
//! the entries that are held, so that they mean the same under a limit of entries and under one of bytes. SIEVE and
//! S3-FIFO pass over whoever was used on their way to who goes: constant time on average, and in the worst case once
//! over everybody.

use super::entries::{At, Entries};
use super::ghosts::Ghosts;
use super::policy::Policy;
use super::sketch::Sketch;

/// A policy, and what it remembers besides the entries.
#[derive(Clone)]
pub struct Eviction {
    policy: Policy,
    ghosts: Ghosts,
    sketch: Sketch,
}

/// The lists of S3-FIFO and of W-TinyLFU: the new first. LRU and SIEVE have the first alone.
pub const NEW: usize = 0;
/// S3-FIFO's main queue, and the part of W-TinyLFU's main part that was not used again since.
pub const MAIN: usize = 1;
/// The part of W-TinyLFU's main part that was used again.
pub const PROTECTED: usize = 2;
/// Uses in S3-FIFO's small queue that lead to the main one.
pub const USED_ENOUGH: u32 = 2;

impl Eviction {
    /// A policy for about so many entries.
    pub fn new(policy: Policy, entries: u32) -> Eviction {
        let of = |wanted| if policy == wanted { entries } else { 0 };
        let (ghosts, sketch) = (of(Policy::S3Fifo), of(Policy::WTinyLfu));
        Eviction { policy, ghosts: Ghosts::new(most_ghosts(ghosts)), sketch: Sketch::new(sketch) }
    }

    /// The bytes that it takes at most besides the entries.
    pub fn bytes(policy: Policy, entries: u32) -> u64 {
        match policy {
            Policy::Lru | Policy::Sieve => 0,
            Policy::S3Fifo => Ghosts::bytes(most_ghosts(entries)),
            Policy::WTinyLfu => Sketch::bytes(entries),
        }
    }

    /// Which policy.
    #[inline]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The lists that its entries need, as [`Entries::new`] takes them.
    pub fn names(policy: Policy) -> u32 {
        match policy {
            Policy::Lru | Policy::Sieve => 0,
            Policy::S3Fifo => 1,
            Policy::WTinyLfu => 2,
        }
    }

    /// An entry was read or written.
    #[inline]
    pub fn used(&mut self, entries: &mut Entries, at: At) {
        if self.policy == Policy::Lru {
            entries.touch(at);
        } else {
            self.used_otherwise(entries, at);
        }
    }

    /// Somebody new comes with that hash: the list for them.
    #[inline]
    pub fn admit(&mut self, hash: u32) -> usize {
        if matches!(self.policy, Policy::Lru | Policy::Sieve) { NEW } else { self.admit_otherwise(hash) }
    }

    /// Who goes. There must be somebody, and it must be taken out.
    #[inline]
    pub fn victim(&mut self, entries: &mut Entries) -> At {
        let victim = if self.policy == Policy::Lru { entries.oldest(NEW) } else { self.victim_otherwise(entries) };
        victim.expect("what is above a limit is something")
    }

    /// Would the victim of the window go, and not that of the main part?
    pub fn refuses(&self, entries: &Entries, candidate: At, victim: At) -> bool {
        self.sketch.frequency(entries.hash(candidate)) <= self.sketch.frequency(entries.hash(victim))
    }

    #[inline(never)]
    fn used_otherwise(&mut self, entries: &mut Entries, at: At) {
        match self.policy {
            Policy::Lru => {}
            Policy::Sieve => entries.set_uses(at, 1),
            Policy::S3Fifo => entries.set_uses(at, (entries.uses(at) + 1).min(3)),
            Policy::WTinyLfu => {
                self.sketch.add(entries.hash(at));
                match entries.list(at) {
                    MAIN => {
                        entries.move_to(at, PROTECTED);
                        let most = u64::from(main_share(entries.len())) * 4 / 5;
                        while u64::from(entries.len_of(PROTECTED)) > most
                            && let Some(oldest) = entries.oldest(PROTECTED)
                        {
                            entries.move_to(oldest, MAIN);
                        }
                    }
                    list => entries.touch_in(at, list),
                }
            }
        }
    }

    #[inline(never)]
    fn admit_otherwise(&mut self, hash: u32) -> usize {
        if self.policy == Policy::S3Fifo {
            return usize::from(self.ghosts.take(hash));
        }
        self.sketch.add(hash);
        NEW
    }

    #[inline(never)]
    fn victim_otherwise(&mut self, entries: &mut Entries) -> Option<At> {
        match self.policy {
            Policy::Lru | Policy::Sieve => sieve(entries),
            Policy::S3Fifo => self.s3_fifo(entries),
            Policy::WTinyLfu => self.w_tiny_lfu(entries),
        }
    }

    fn s3_fifo(&mut self, entries: &mut Entries) -> Option<At> {
        let held = entries.len();
        loop {
            if main_goes_first(entries) {
                while let Some(at) = entries.oldest(MAIN) {
                    let uses = entries.uses(at);
                    if uses == 0 {
                        return Some(at);
                    }
                    entries.move_to(at, MAIN);
                    entries.set_uses(at, uses - 1);
                }
                return None;
            }
            while let Some(at) = entries.oldest(NEW) {
                if entries.uses(at) < USED_ENOUGH {
                    self.ghosts.insert(entries.hash(at), most_ghosts(held));
                    return Some(at);
                }
                entries.move_to(at, MAIN);
                entries.set_uses(at, 0);
            }
        }
    }

    fn w_tiny_lfu(&mut self, entries: &mut Entries) -> Option<At> {
        while overflow(entries) > 0
            && let Some(at) = entries.oldest(NEW)
        {
            entries.move_to(at, MAIN);
        }
        let victim = entries.oldest(MAIN).or(entries.oldest(PROTECTED));
        match (entries.oldest(NEW), victim) {
            (Some(candidate), Some(victim)) if !self.refuses(entries, candidate, victim) => {
                entries.move_to(candidate, MAIN);
                Some(victim)
            }
            (Some(candidate), _) => Some(candidate),
            (None, victim) => victim,
        }
    }
}

fn sieve(entries: &mut Entries) -> Option<At> {
    let mut at = entries.hand().or(entries.oldest(NEW))?;
    while entries.uses(at) > 0 {
        entries.set_uses(at, 0);
        at = entries.newer(at).or(entries.oldest(NEW))?;
    }
    // Taking it out moves the hand on.
    entries.set_hand(at);
    Some(at)
}

/// Is S3-FIFO's main queue above its share, nine tenths, or the small one empty?
pub fn main_goes_first(entries: &Entries) -> bool {
    let (held, main) = (entries.len(), entries.len_of(MAIN));
    main > held - held / 10 || main == held
}

/// How many more than its share W-TinyLFU's window has.
pub fn overflow(entries: &Entries) -> u32 {
    main_share(entries.len()).saturating_sub(entries.len_of(MAIN) + entries.len_of(PROTECTED))
}

/// The share of W-TinyLFU's main part: all but a hundredth, and at least one, of which the protected part is four
/// fifths.
fn main_share(held: u32) -> u32 {
    held - (held / 100).max(1).min(held)
}

/// S3-FIFO remembers as many as its main queue's share.
fn most_ghosts(held: u32) -> u32 {
    held - held.div_ceil(10)
}
