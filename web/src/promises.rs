//! The promises as the page shows them: how often each was looked at, how it was broken, and what led to that.

use vitrine_engine::sim::Promise;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::picture::{self, text};
use crate::{Playground, causes};

#[wasm_bindgen]
impl Playground {
    /// How often each promise has been looked at so far, P1 to P8, then the placement of slots; and how often the run
    /// has come to where it had been before, and was another one then: P9.
    pub fn checked(&self) -> Vec<f64> {
        let (same, other) = self.history.repeated();
        let looked = Promise::ALL.map(|promise| self.world().checked().of(promise) as f64);
        looked.into_iter().chain([same as f64, other as f64]).collect()
    }

    /// Whether the run has just stopped because a promise was broken that was not broken before.
    pub fn stopped(&self) -> bool {
        self.history.stopped()
    }

    /// The promises that are broken by now, 5 texts each: its number from 0, the number of the event, the moment in
    /// microseconds, the key or nothing, and what was seen.
    pub fn violations(&self) -> Vec<String> {
        let seq_of = |what: &str| {
            let marks = self.history.marks().all().iter();
            marks.rev().find(|mark| mark.what.ends_with(what)).map_or(0, |mark| mark.seq)
        };
        let of = |violation: &vitrine_engine::sim::Violation| {
            let key = violation.key.as_ref().map_or_else(String::new, |key| text(key.as_bytes()));
            let number = (violation.promise as u8).to_string();
            [number, seq_of(&violation.what).to_string(), violation.at.0.to_string(), key, violation.what.clone()]
        };
        self.world().violations().iter().flat_map(of).collect()
    }

    /// What led to the violation that the event of that number tells of, as [`picture::log`].
    pub fn causes(&self, seq: f64) -> Vec<f64> {
        picture::log(&self.past(seq).iter().collect::<Vec<_>>())
    }

    /// The words of the same events, as [`picture::log_words`].
    pub fn cause_words(&self, seq: f64) -> Vec<String> {
        picture::log_words(&self.past(seq).iter().collect::<Vec<_>>())
    }
}

impl Playground {
    fn past(&self, seq: f64) -> Vec<vitrine_engine::sim::TraceEvent> {
        let seq = seq as u64;
        let key = causes::violation(&self.history, seq).and_then(|violation| violation.key);
        causes::past(&self.history, seq, key.as_ref())
    }
}
