//! P1 and P6: what was written to a key, and until when it may be served.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::kept::{Known, name};
use super::{Content, Promise, hash};
use crate::request::{Entry, Key};
use crate::sim::client::{Ask, Verb};
use crate::sim::clock::truth;
use crate::sorted::SortedSet;
use crate::time::{Instant, UnixMs};

/// The deadlines of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Those of values that have not expired.
    deadlines: SortedSet<UnixMs>,
    /// Until when what is there may be served at most since its deadline was moved: `None` inside is for ever.
    touched: Option<Option<UnixMs>>,
}

/// Deadlines remembered of one key.
const DEADLINES: usize = 256;

impl Written {
    /// A write reaches a node: from now on its value may be read.
    pub(super) fn reached(&mut self, known: &mut Known, ask: &Ask, at: Instant, skew: Duration) {
        let (Verb::Set { ttl, .. } | Verb::Touch { ttl, .. }) = &ask.verb else { return };
        let until = ttl.and_then(|ttl| truth(at).checked_add(ttl)).and_then(|until| until.checked_add(skew));
        // The same value may be written twice: the later of two deadlines counts, and none is later than any.
        if let Some(until) = until {
            self.deadlines.insert(until);
            // Nobody asks for those that have passed.
            while self.deadlines.len() > DEADLINES || self.deadlines.first().is_some_and(|first| *first < truth(at)) {
                self.deadlines.pop_first();
            }
        }
        match &ask.verb {
            Verb::Set { value, .. } => {
                let name = name(&ask.key, hash(value));
                known.until.set(name, known.until.get(name).map_or(until, |before| later(before, until)));
            }
            _ => self.touched = Some(self.touched.map_or(until, |before| later(before, until))),
        }
    }

    /// A client is given that entry, which counting may have made. What is wrong with it?
    pub(super) fn found(
        &self,
        known: &mut Known,
        (key, entry): (&Key, &Entry),
        at: Instant,
        skew: Duration,
        counted: bool,
    ) -> Option<(Promise, String)> {
        let value = Content::of(&entry.value.bytes);
        if known.value_of(key, entry.version).is_some_and(|known| known != value) {
            let what = format!("{key:?}: two values were read at version {}", entry.version);
            return Some((Promise::OneTruth, what));
        }
        known.was_read(key, entry.version, value);
        let served_late = |until: UnixMs| {
            let late = truth(at).0.saturating_sub(until.0);
            let what = || format!("{key:?} was served {late} ms after its deadline and the skew");
            (late > 0).then(|| (Promise::Ttl, what()))
        };
        // A sum has the deadline of what it was added to, whichever that was.
        let own = entry.deadline.and_then(|deadline| deadline.checked_add(skew));
        match known.until.get(name(key, hash(&entry.value.bytes))) {
            _ if counted => own.and_then(served_late),
            None => {
                let what = format!("{key:?} gave a value that nobody wrote to it: {:?}", entry.value.bytes);
                Some((Promise::NoInvention, what))
            }
            Some(until) => {
                let until = self.touched.map_or(until, |touched| later(until, touched));
                until.and_then(served_late).or_else(|| own.and_then(served_late))
            }
        }
    }

    /// Does some value expire, by one clock or another, between these moments?
    pub(super) fn expires_between(&self, from: UnixMs, to: UnixMs, skew: Duration) -> bool {
        let latest = to.checked_add(skew * 2).unwrap_or(to);
        // Of the earliest nothing is known where there were too many.
        self.deadlines.len() >= DEADLINES || self.deadlines.first_within(from..=latest).is_some()
    }
}

/// The later of two moments, of which `None` is none at all.
fn later(one: Option<UnixMs>, other: Option<UnixMs>) -> Option<UnixMs> {
    one.zip(other).map(|(one, other)| one.max(other))
}
