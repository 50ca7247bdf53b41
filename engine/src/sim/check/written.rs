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
    /// A write reaches a node: from now on its value may be read. `since` is when the oldest operation was asked that
    /// is under way on the key.
    pub(super) fn reached(&mut self, known: &mut Known, ask: &Ask, (since, at): (Instant, Instant), skew: Duration) {
        let (Verb::Set { ttl, .. } | Verb::Touch { ttl, .. }) = &ask.verb else { return };
        let until = ttl.and_then(|ttl| truth(at).checked_add(ttl)).and_then(|until| until.checked_add(skew));
        // The same value may be written twice: the later of two deadlines counts, and none is later than any.
        if let Some(until) = until {
            self.deadlines.insert(until);
            // Nobody asks for those that had passed by then.
            while self.deadlines.len() > DEADLINES || self.deadlines.first().is_some_and(|first| *first < truth(since))
            {
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
        if known.was_read(key, entry.version, value).is_some() {
            let what = format!("{key:?}: two values were read at version {}", entry.version);
            return Some((Promise::OneTruth, what));
        }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::id::NodeId;
    use crate::request::{Condition, WriteLevel};

    #[test]
    fn a_deadline_is_remembered_for_as_long_as_something_is_under_way_that_was_asked_before_it() {
        let ask = |ms| Ask {
            id: 1,
            client: 1,
            node: NodeId(1),
            key: Key::new("k").expect("a key"),
            verb: Verb::Set {
                value: Bytes::from_static(b"v"),
                ttl: Some(Duration::from_millis(ms)),
                condition: Condition::Always,
                level: WriteLevel::Live,
            },
            timeout: Duration::from_secs(2),
        };
        let at = |ms: u64| Instant(ms * 1_000);
        // The second write comes when the first one's deadline has passed; what was asked at that moment waits still.
        let expires = |oldest: u64| {
            let (mut written, mut known) = (Written::default(), Known::default());
            written.reached(&mut known, &ask(10), (at(0), at(0)), Duration::ZERO);
            written.reached(&mut known, &ask(1_000), (at(oldest), at(100)), Duration::ZERO);
            written.expires_between(truth(at(5)), truth(at(101)), Duration::ZERO)
        };
        assert!(expires(5) && !expires(50));
    }
}
