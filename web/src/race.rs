//! Policies side by side on the trace that was opened, for the page: numbers out, and nothing drawn here.
//!
//! ```js
//! const race = playground.race(new Uint32Array([500, 1000]))   // sizes in entries; none at all: a dozen for a curve
//! race.requests(); race.keys()        // of the whole trace
//! race.sizes()                        // Uint32Array, as they were named, or the dozen, ascending
//! while (!race.advance(2000)) {       // asks so many requests of every cache; true at the end of the trace
//!     race.asked()                    // requests so far
//!     race.hits()                     // Uint32Array: a row for LRU, SIEVE, S3-FIFO, W-TinyLFU and Belady's bound, in
//! }                                   // this order; each row has the hits so far at each of race.sizes()
//! race.gone()                         // Float64Array, a pair for each cache, in the order of race.hits(): a request
//!                                     // of the key that it let go last, NaN while nobody had to go, and how many
//!                                     // requests later it is asked for again, Infinity where it never is
//! const other = race.again(new Uint32Array([200]))    // over the same requests, from the start
//! race.free()
//! ```
//!
//! Hits by `asked` is a hit ratio: of one size as the race goes on, and of all sizes, at the end, a curve. A race holds
//! its own numbers of the trace, 8 bytes a request and some 100 a key, and for each size 5 caches of so many entries.
//! It reads all keys when it begins; another trace may be opened meanwhile.

use vitrine_engine::race::{Course, Gone, Keys, Race as Running, Racer};
use vitrine_engine::request::Key;
use vitrine_engine::store::Policy;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Wrong;

/// A race. See the module for what its methods give.
#[wasm_bindgen]
pub struct Race {
    course: Course,
    running: Running,
    sizes: Vec<u32>,
}

/// Entries of all caches of one race.
const MOST_ENTRIES: u64 = 4_000_000;
/// Sizes of a curve.
const CURVE: u32 = 12;

impl Race {
    /// At the start, over those requests.
    pub fn over(requests: &[Key], sizes: &[u32]) -> Result<Race, String> {
        let mut keys = Keys::new();
        requests.iter().for_each(|key| {
            keys.push(key.as_bytes());
        });
        Race::on(keys.finish(), sizes)
    }

    fn on(course: Course, sizes: &[u32]) -> Result<Race, String> {
        // No cache holds more than there are keys.
        let held = |sizes: &[u32]| sizes.iter().map(|size| u64::from(*size.min(&course.keys())) * 5).sum::<u64>();
        let curve = sizes.is_empty();
        let mut sizes = if curve { course.sizes(CURVE) } else { sizes.to_vec() };
        // A curve leaves out the largest sizes where there is no room for them.
        while curve && held(&sizes) > MOST_ENTRIES && sizes.pop().is_some() {}
        let entries = held(&sizes);
        if entries > MOST_ENTRIES {
            return Err(format!(
                "the caches of this race hold {entries} entries; the page has room for {MOST_ENTRIES}"
            ));
        }
        let racers = Policy::ALL.map(Racer::Policy).into_iter().chain([Racer::Belady]);
        let caches = racers.flat_map(|racer| sizes.iter().map(move |size| (racer, *size)));
        Ok(Race { running: Running::new(&course, caches), course, sizes })
    }
}

#[wasm_bindgen]
impl Race {
    /// Requests of the trace.
    pub fn requests(&self) -> u32 {
        self.course.requests()
    }

    /// Keys that they are for.
    pub fn keys(&self) -> u32 {
        self.course.keys()
    }

    /// Entries that the caches hold.
    pub fn sizes(&self) -> Vec<u32> {
        self.sizes.clone()
    }

    /// Asks the next requests of every cache. True at the end.
    pub fn advance(&mut self, most: u32) -> bool {
        self.running.advance(most)
    }

    /// Requests so far.
    pub fn asked(&self) -> u32 {
        self.running.requests()
    }

    /// Hits so far, by racer and size.
    pub fn hits(&self) -> Vec<u32> {
        self.running.hits().collect()
    }

    /// Whom each cache let go last: see the module.
    pub fn gone(&self) -> Vec<f64> {
        let pair = |gone: Option<Gone>| match gone {
            Some(Gone { asked, at, again }) => {
                [f64::from(asked), again.map_or(f64::INFINITY, |again| f64::from(again - at))]
            }
            None => [f64::NAN; 2],
        };
        self.running.gone().flat_map(pair).collect()
    }

    /// Another race over the same requests, from the start, at those sizes.
    ///
    /// # Errors
    /// When the caches would hold too much together.
    pub fn again(&self, sizes: &[u32]) -> Result<Race, Wrong> {
        Race::on(self.course.clone(), sizes).map_err(crate::wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_race_that_is_too_large_is_refused() {
        let keys: Vec<Key> = (0..100_u32).map(|key| Key::new(key.to_be_bytes().to_vec()).expect("a key")).collect();
        let race = Race::over(&keys, &[]).expect("a small race");
        assert_eq!((race.requests(), race.keys(), race.sizes().last()), (100, 100, Some(&100)));
        assert_eq!(race.hits(), vec![0; 5 * race.sizes().len()]);
        assert!(Race::over(&keys, &[u32::MAX]).is_ok(), "it holds a hundred keys, whatever it may");
        assert!(Race::over(&keys, &vec![100; 8_001]).is_err());
        let many: Vec<Key> = (0..400_000_u32).map(|key| Key::new(key.to_be_bytes().to_vec()).expect("a key")).collect();
        let sizes = Race::over(&many, &[]).expect("a curve of what there is room for").sizes();
        assert_eq!((sizes.len(), sizes.last()), (10, Some(&200_000)), "the largest are left out");
    }
}
