//! Exact LRU at every size, in one pass: Mattson's stack distances (IBM Systems Journal 9(2), 1970).
//!
//! Depends on nothing but the requests. A cache by exact LRU holds the keys that were asked for last, whatever its
//! size: a larger one holds all that a smaller one does. So a request is a hit of every cache that is larger than the
//! number of other keys since the last request for the same one. A binary indexed tree counts those: n requests take
//! n log n steps.

use alloc::vec;
use alloc::vec::Vec;

use super::Course;

impl Course {
    /// The hits of exact LRU at every size: of one entry first, of as many as there are keys last.
    pub fn lru_hits(&self) -> Vec<u32> {
        let mut hits = vec![0; self.keys() as usize];
        let mut firsts = Counts::new(self.requests());
        // From the end on, the firsts of all keys are marked, and those before the next request for this key are
        // the other keys between the two.
        for (at, next) in (0..self.requests()).zip(self.next.iter().copied()).rev() {
            if next < self.requests() {
                hits[firsts.below(next) as usize] += 1;
                firsts.add(next, -1);
            }
            firsts.add(at, 1);
        }
        let mut sum = 0;
        for hits in &mut hits {
            sum += *hits;
            *hits = sum;
        }
        hits
    }
}

/// Numbers at places, and their sums up to any place (Fenwick, 1994).
struct Counts(Vec<u32>);

impl Counts {
    fn new(places: u32) -> Counts {
        Counts(vec![0; places as usize + 1])
    }

    fn add(&mut self, place: u32, number: i32) {
        let mut at = place as usize + 1;
        while let Some(count) = self.0.get_mut(at) {
            *count = count.wrapping_add_signed(number);
            at += at & at.wrapping_neg();
        }
    }

    /// The sum of the places before that one.
    fn below(&self, place: u32) -> u32 {
        let (mut at, mut sum) = (place as usize, 0_u32);
        while at > 0 {
            sum = sum.wrapping_add(self.0[at]);
            at &= at - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, Race, Racer};
    use super::*;
    use crate::rng::Rng;
    use crate::store::Policy;

    #[test]
    fn one_pass_has_the_hits_of_a_store_at_every_size() {
        let mut rng = Rng::new(1, "stack");
        for round in 0..if cfg!(miri) { 2 } else { 40 } {
            let (requests, keys) = (rng.between(1, 400), rng.between(1, 60));
            let mut trace = Keys::new();
            (0..requests).for_each(|at| {
                // Some by chance, and some in a loop.
                let key = if round % 2 == 0 && at % 3 > 0 { at % keys } else { rng.below(keys) };
                assert!(trace.push(&key.to_be_bytes()));
            });
            let course = trace.finish();
            let mut race = Race::new(&course, (1..=course.keys()).map(|size| (Racer::Policy(Policy::Lru), size)));
            race.advance(u32::MAX);
            assert_eq!(course.lru_hits(), race.hits().collect::<Vec<u32>>(), "round {round}");
            assert_eq!(course.lru_hits().last(), Some(&(course.requests() - course.keys())));
        }
        assert!(Keys::new().finish().lru_hits().is_empty());
    }
}
