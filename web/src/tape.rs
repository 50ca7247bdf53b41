//! Every event of the trace as numbers, for a diagram of space and time: recorded while somebody looks at one.

use vitrine_engine::sim::{TraceEvent, What, World};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Playground;
use crate::picture::{CLIENTS, happened, place, text};

/// What has been recorded and not yet been taken.
#[derive(Default)]
pub struct Tape {
    is_on: bool,
    /// The number of the last event that was recorded.
    read: u64,
    numbers: Vec<f64>,
    words: Vec<String>,
}

/// Numbers of an event.
const WIDTH: usize = 6;
/// Events that wait to be taken; the page takes them ten times a second.
const MOST_WAITING: usize = 100_000;

/// How an event is drawn: something that a node does, a message that came, one that did not come.
#[derive(Clone, Copy)]
enum Shape {
    Point,
    Arrow,
    Lost,
}

impl Tape {
    /// Another run: what was recorded is not of it.
    pub fn restart(&mut self) {
        *self = Tape { is_on: self.is_on, ..Tape::default() };
    }

    /// Records what has happened since the last time, or goes back.
    pub fn follow(&mut self, world: &World) {
        if !self.is_on {
            return;
        }
        let latest = world.trace().latest();
        if latest < self.read {
            let kept = self.numbers.chunks(WIDTH).take_while(|event| event[0] <= latest as f64).count();
            self.numbers.truncate(kept * WIDTH);
            self.words.truncate(kept * 2);
        } else {
            let first = world.trace().since(self.read).next().map_or(latest, |event| event.seq);
            if first > self.read + 1 {
                // It was gone on to another moment, and what lies between is not known any more.
                self.restart();
            }
            for event in world.trace().since(self.read) {
                self.record(event);
            }
        }
        self.read = latest;
    }

    fn record(&mut self, event: &TraceEvent) {
        if self.numbers.len() >= MOST_WAITING * WIDTH {
            return;
        }
        let (at, kind, key) = happened(&event.what);
        let (from, to, shape) = match &event.what {
            What::Delivered { from, to, .. } => (f64::from(from.0), f64::from(to.0), Shape::Arrow),
            What::Told { node, .. } => (f64::from(node.0), CLIENTS, Shape::Arrow),
            What::Dropped { from, to, .. } => (place(*from), place(*to), Shape::Lost),
            _ => (at, at, Shape::Point),
        };
        self.numbers.extend([event.seq as f64, event.at.0 as f64, event.sent.0 as f64, from, to]);
        self.numbers.push(f64::from(shape as u8));
        self.words.push(kind.into());
        self.words.push(key.map_or_else(String::new, |key| text(key.as_bytes())));
    }
}

#[wasm_bindgen]
impl Playground {
    /// Begins to record, with what is still known of the run, or ends it.
    pub fn record(&mut self, is_on: bool) {
        self.tape = Tape { is_on, ..Tape::default() };
        self.follow();
    }

    /// The number of the latest event, then of each that was recorded since the last time 6 numbers: its own, when it
    /// was, when its message was sent, from, to, and how it is drawn: 0 a point, 1 an arrow, 2 an arrow that was lost.
    pub fn tape(&mut self) -> Vec<f64> {
        let mut numbers = vec![self.tape.read as f64];
        numbers.append(&mut self.tape.numbers);
        numbers
    }

    /// The kinds and the keys of the same events; to be asked for after the numbers.
    pub fn tape_words(&mut self) -> Vec<String> {
        core::mem::take(&mut self.tape.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn every_event_is_recorded_once_and_gone_back_on() {
        let mut playground = Playground::new(Settings::default()).expect("good settings");
        playground.record(true);
        playground.workload("zipf", 60, 1_500, 35, 0).expect("a workload");
        let (mut seen, mut arrows) = (0.0, 0);
        while playground.now() < 200_000.0 {
            playground.run(200_000.0, 250);
            let numbers = playground.tape();
            assert_eq!(playground.tape_words().len(), (numbers.len() - 1) / WIDTH * 2);
            for event in numbers[1..].chunks(WIDTH) {
                assert_eq!(event[0], seen + 1.0);
                seen = event[0];
                if event[5] == 1.0 {
                    assert!(event[2] < event[1], "{event:?} came before it was sent");
                    arrows += 1;
                }
            }
            assert_eq!(numbers[0], seen);
        }
        assert!(arrows > 100, "{arrows} arrows");
        playground.step_back().expect("a way back");
        let numbers = playground.tape();
        assert!(numbers.len() == 1 && numbers[0] < seen);
        playground.step_forward();
        assert_eq!(playground.tape()[1], numbers[0] + 1.0);
    }
}
