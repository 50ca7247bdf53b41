//! Who expires when: a hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987).
//!
//! Depends on `time` and `chunks`. Ten levels of 64 slots over ticks of 128 ms reach the end of 64-bit
//! time, so no deadline is too far. A level's slots stand for the ticks that first differ from the wheel's position in
//! that level's six bits; a bitmap for each level finds the next one at once, however far it is. Only those entries
//! cost memory that have a deadline.
//!
//! The position is not a clock. When the wall clock goes back and a deadline comes in that lies before the position,
//! the position goes back too: everything below the highest differing level then belongs into one slot of that level,
//! so that this is a matter of joining lists, not of visiting timers.

use super::chunks::Chunked;
use crate::time::UnixMs;

/// Timers by deadline. An owner is whatever the caller knows its things by.
#[derive(Clone)]
pub struct Wheel<T> {
    /// The heads of all lists first, then the timers. Empty until the first timer comes.
    timers: Chunked<Timer<T>, CHUNK>,
    free: u32,
    len: u32,
    /// Every tick before this one is done; every timer's tick is this one or later.
    position: u64,
    /// The slots of each level that have timers. Past level 0 a slot is always after the position's own.
    occupied: [u64; LEVELS],
}

/// A member of a circular list.
#[derive(Clone, Copy)]
struct Timer<T> {
    deadline: UnixMs,
    /// `None` in the head of a list, and in a place that is free.
    owner: Option<T>,
    next: u32,
    prev: u32,
}

/// What [`Wheel::due`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<T> {
    /// This owner's deadline has passed. Its timer is gone.
    Owner(T),
    /// There is more to do, but the budget is used up.
    Later,
    /// Nothing is due.
    Nothing,
}

impl<T: Copy> Wheel<T> {
    /// No timers, and nothing allocated for them.
    pub fn new() -> Wheel<T> {
        Wheel { timers: Chunked::new(), free: NIL, len: 0, position: 0, occupied: [0; LEVELS] }
    }

    /// Sets a timer for an owner and returns its number.
    pub fn insert(&mut self, now: UnixMs, deadline: UnixMs, owner: T) -> u32 {
        while self.timers.len() < HEADS {
            let head = self.timers.len();
            self.timers.push(Timer { deadline: UnixMs(0), owner: None, next: head, prev: head });
        }
        if self.len == 0 {
            self.position = now.0 / TICK_MS;
        }
        self.len += 1;
        let timer = Timer { deadline, owner: Some(owner), next: NIL, prev: NIL };
        let id = self.free;
        let id = if id == NIL {
            self.timers.push(timer)
        } else {
            self.free = self.timers[id].next;
            self.timers[id] = timer;
            id
        };
        self.place(now, id);
        id
    }

    /// Takes a timer away.
    pub fn remove(&mut self, id: u32) {
        self.unlink(id);
        self.timers[id].owner = None;
        self.timers[id].next = self.free;
        self.free = id;
        self.len -= 1;
    }

    /// When a timer is due.
    #[inline]
    pub fn deadline(&self, id: u32) -> UnixMs {
        self.timers[id].deadline
    }

    /// Changes when a timer is due.
    pub fn set_deadline(&mut self, now: UnixMs, id: u32, deadline: UnixMs) {
        self.unlink(id);
        self.timers[id].deadline = deadline;
        self.place(now, id);
    }

    /// Says who owns a timer from now on.
    pub fn set_owner(&mut self, id: u32, owner: T) {
        self.timers[id].owner = Some(owner);
    }

    /// The next owner whose deadline's tick has passed, up to one tick late, never early. Each timer that is taken or
    /// moved to a finer level costs one of the budget; every timer moves at most nine times in its life.
    pub fn due(&mut self, now: UnixMs, budget: &mut u32) -> Due<T> {
        let tick = now.0 / TICK_MS;
        loop {
            let moving = if self.len == 0 { MOVING } else { self.timers[MOVING].next };
            let (first, start) = if moving != MOVING {
                (moving, self.position)
            } else {
                match self.earliest() {
                    Some((0, slot, start)) if start <= tick => (self.timers[slot].next, start),
                    Some((level, slot, start)) if start <= tick => {
                        // These wait for their turn on a list of their own, so that the budget can end in the midst.
                        self.position = start;
                        self.occupied[level] &= !(1 << (slot % SLOTS));
                        self.join(slot, MOVING);
                        continue;
                    }
                    _ => {
                        self.position = self.position.max(tick);
                        return Due::Nothing;
                    }
                }
            };
            if *budget == 0 {
                return Due::Later;
            }
            *budget -= 1;
            self.position = start;
            if self.deadline(first) <= now {
                let owner = self.timers[first].owner.expect("a timer in a list has its owner");
                self.remove(first);
                return Due::Owner(owner);
            }
            self.unlink(first);
            self.place(now, first);
        }
    }

    /// When [`Wheel::due`] has something to do next.
    pub fn next(&self) -> Option<UnixMs> {
        if self.len == 0 {
            return None;
        }
        let tick = match self.timers[MOVING].next {
            MOVING => self.earliest()?.2,
            _ => self.position,
        };
        Some(UnixMs(tick.saturating_mul(TICK_MS)))
    }

    /// The level, list and first tick of the slot that comes first. Lower levels always come before higher ones.
    fn earliest(&self) -> Option<(usize, u32, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = level as u32 * SLOT_BITS;
        let before = self.position >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        Some((level, level as u32 * SLOTS + slot, before | u64::from(slot) << shift))
    }

    /// Hangs a timer, which is in no list, where its deadline belongs. What is overdue must not put the position back
    /// further than the clock has gone back, or many of those would have everybody moved again and again.
    fn place(&mut self, now: UnixMs, id: u32) {
        let mut tick = self.deadline(id).0.div_ceil(TICK_MS);
        if tick < self.position {
            tick = tick.max(self.position.min(now.0 / TICK_MS));
            self.rewind(tick);
        }
        let level = level(tick ^ self.position);
        let slot = digit(tick, level);
        self.occupied[level] |= 1 << slot;
        let head = level as u32 * SLOTS + slot;
        let last = self.timers[head].prev;
        self.timers[id].prev = last;
        self.timers[id].next = head;
        self.timers[last].next = id;
        self.timers[head].prev = id;
    }

    /// Puts the position back to an earlier tick, or leaves it.
    fn rewind(&mut self, tick: u64) {
        let highest = level(tick ^ self.position);
        let target = digit(self.position, highest);
        for level in 0..highest {
            let mut slots = core::mem::take(&mut self.occupied[level]);
            if slots != 0 {
                self.occupied[highest] |= 1 << target;
            }
            while slots != 0 {
                let slot = slots.trailing_zeros();
                slots &= slots - 1;
                self.join(level as u32 * SLOTS + slot, highest as u32 * SLOTS + target);
            }
        }
        self.position = tick;
    }

    /// Moves a whole list, which is not empty, to the end of another.
    fn join(&mut self, from: u32, to: u32) {
        let Timer { next: first, prev: last, .. } = self.timers[from];
        self.timers[from].next = from;
        self.timers[from].prev = from;
        let before = self.timers[to].prev;
        self.timers[before].next = first;
        self.timers[first].prev = before;
        self.timers[last].next = to;
        self.timers[to].prev = last;
    }

    fn unlink(&mut self, id: u32) {
        let Timer { next, prev, .. } = self.timers[id];
        self.timers[prev].next = next;
        self.timers[next].prev = prev;
        if next == prev && next < MOVING {
            // Both neighbours are the head: the list is empty now.
            self.occupied[(next / SLOTS) as usize] &= !(1 << (next % SLOTS));
        }
    }
}

/// The level whose six bits are the highest that differ.
fn level(difference: u64) -> usize {
    ((difference | 1).ilog2() / SLOT_BITS) as usize
}

fn digit(tick: u64, level: usize) -> u32 {
    (tick >> (level as u32 * SLOT_BITS)) as u32 % SLOTS
}

/// Milliseconds that share a slot of the finest level: how late an entry may be freed.
pub const TICK_MS: u64 = 128;
const SLOT_BITS: u32 = 6;
const SLOTS: u32 = 1 << SLOT_BITS;
const LEVELS: usize = 10;
/// Timers of a chunk: 6 kB.
const CHUNK: usize = 256;
/// The list of those that are on their way to a finer level.
const MOVING: u32 = LEVELS as u32 * SLOTS;
const HEADS: u32 = MOVING + 1;
/// No timer: the end of the list of those that are free.
const NIL: u32 = u32::MAX;
const _: () = assert!(LEVELS as u32 * SLOT_BITS > 64 - TICK_MS.ilog2());

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    /// All owners due at `now`, taken with a budget of `step` at a time.
    fn drain(wheel: &mut Wheel<u32>, now: u64, step: u32) -> Vec<u32> {
        let mut owners = Vec::new();
        loop {
            let mut budget = step;
            loop {
                match wheel.due(UnixMs(now), &mut budget) {
                    Due::Owner(owner) => owners.push(owner),
                    Due::Later => break,
                    Due::Nothing => return owners,
                }
            }
        }
    }

    #[test]
    fn deadlines_at_every_distance_come_in_order_and_in_time() {
        for start in [0, 1, 127, 1_700_000_000_123] {
            let mut wheel = Wheel::new();
            let mut deadlines: Vec<u64> = (0..60).map(|bit| start + (1_u64 << bit)).collect();
            deadlines.push(u64::MAX);
            for (owner, deadline) in deadlines.iter().enumerate() {
                wheel.insert(UnixMs(start), UnixMs(*deadline), owner as u32);
            }
            let mut expired = Vec::new();
            while let Some(next) = wheel.next() {
                let found = drain(&mut wheel, next.0, 1);
                for owner in &found {
                    let deadline = deadlines[*owner as usize];
                    let late = next.0 - deadline;
                    assert!(late < TICK_MS, "{deadline} freed {late} ms late");
                }
                expired.extend(found);
                if next.0 == u64::MAX {
                    break;
                }
            }
            // The very end of time lies within the last tick, which never ends.
            assert_eq!(expired, (0..60).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn nothing_is_early_or_forgotten_when_the_clock_jumps_about() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut wheel, mut now) = (Wheel::new(), 1_700_000_000_000_u64);
        let mut live: BTreeSet<(u32, u32)> = BTreeSet::new();
        for step in 0..if cfg!(miri) { 500 } else { 100_000 } {
            let reach = 1 << random(36);
            match random(20) {
                0..=9 => {
                    let deadline = (now + random(reach)).saturating_sub(random(3) * 100);
                    let timer = wheel.insert(UnixMs(now), UnixMs(deadline), step);
                    assert!(live.insert((step, timer)));
                }
                10..=12 => {
                    if let Some(pair) = live.iter().nth(random(10) as usize).copied() {
                        live.remove(&pair);
                        wheel.remove(pair.1);
                    }
                }
                13 => {
                    if let Some((_, timer)) = live.iter().next() {
                        wheel.set_deadline(UnixMs(now), *timer, UnixMs(now + random(reach)));
                    }
                }
                14 => now -= random(reach).min(now),
                15 => now += random(reach),
                _ => now += random(300),
            }
            let deadline = |wheel: &Wheel<u32>, pair: &(u32, u32)| wheel.deadline(pair.1).0;
            let before: Vec<(u32, u64)> = live.iter().map(|pair| (pair.0, deadline(&wheel, pair))).collect();
            for owner in drain(&mut wheel, now, 1 + random(5) as u32) {
                let (_, deadline) = before.iter().find(|(o, _)| *o == owner).expect("is set");
                assert!(*deadline <= now, "early");
                let pair = *live.range((owner, 0)..).next().expect("is set");
                live.remove(&pair);
            }
            assert!(live.iter().all(|pair| deadline(&wheel, pair).div_ceil(TICK_MS) > now / TICK_MS), "forgotten");
            assert_eq!(wheel.len as usize, live.len());
            if live.len() > 300 {
                now += 1 << 34;
            }
        }
    }
}
