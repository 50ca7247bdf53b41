//! What a person reads about a run: its latest events, gathered as it goes, and the notable among them for longer.

use std::collections::VecDeque;

use vitrine_engine::effect::Event;
use vitrine_engine::sim::{TraceEvent, What, World};
use vitrine_engine::sorted::sort_by_key;

/// The latest events, and the latest of those that matter most.
#[derive(Default)]
pub struct Journal {
    usual: VecDeque<TraceEvent>,
    notable: VecDeque<TraceEvent>,
    /// The number of the last event that was looked at.
    read: u64,
}

const MOST_USUAL: usize = 400;
/// Faults and what nodes make of them are kept longer than the requests around them.
const MOST_NOTABLE: usize = 100;

impl Journal {
    /// Takes in what has happened since the last time, or forgets what has not happened yet.
    pub fn follow(&mut self, world: &World) {
        let latest = world.trace().latest();
        if latest < self.read {
            self.usual.retain(|event| event.seq <= latest);
            self.notable.retain(|event| event.seq <= latest);
        } else {
            for event in world.trace().since(self.read) {
                let (kept, most) = if is_notable(&event.what) {
                    (&mut self.notable, MOST_NOTABLE)
                } else {
                    (&mut self.usual, MOST_USUAL)
                };
                if kept.len() == most {
                    kept.pop_front();
                }
                kept.push_back(event.clone());
            }
        }
        self.read = latest;
    }

    /// The events after that number, oldest first.
    pub fn since(&self, seq: u64) -> Vec<&TraceEvent> {
        let mut events: Vec<_> = self.usual.iter().chain(&self.notable).filter(|event| event.seq > seq).collect();
        sort_by_key(&mut events, |event| event.seq);
        events
    }

    /// The number of the last event that was taken in.
    pub fn latest(&self) -> u64 {
        self.read
    }
}

fn is_notable(what: &What) -> bool {
    matches!(
        what,
        What::Crashed(_)
            | What::Started(_)
            | What::Recovered { .. }
            | What::Disk(..)
            | What::Left(_)
            | What::Denied { .. }
            | What::Paused(_)
            | What::Resumed(_)
            | What::Clogged(..)
            | What::Unclogged(..)
            | What::Cut(..)
            | What::Healed(..)
            | What::Clock(..)
            | What::Violated(_)
            | What::Node {
                event: Event::Suspected { .. } | Event::Alive { .. } | Event::Reconciled { .. } | Event::Mapped { .. },
                ..
            }
    )
}
