//! P1 and P6: what was written to a key, and until when it may be served.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::{Content, Promise, hash};
use crate::id::Version;
use crate::request::{Entry, Key};
use crate::sim::client::{Ask, Verb};
use crate::sim::clock::truth;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Instant, UnixMs};

/// The values of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// A hash of each, and the true moment after which it must not be served.
    values: SortedMap<u64, Option<UnixMs>>,
    /// The latest of these moments.
    deadlines: SortedSet<UnixMs>,
    /// The values of versions that were read lately.
    versions: VecDeque<(Version, Content)>,
    /// Until when what is there may be served at most since its deadline was moved: `None` inside is for ever.
    touched: Option<Option<UnixMs>>,
}

/// Deadlines, and versions, remembered of one key.
const DEADLINES: usize = 256;
const VERSIONS: usize = 64;

impl Written {
    /// A write reaches a node: from now on its value may be read.
    pub(super) fn reached(&mut self, ask: &Ask, at: Instant, skew: Duration) {
        let (Verb::Set { ttl, .. } | Verb::Touch { ttl, .. }) = &ask.verb else { return };
        let until = ttl.and_then(|ttl| truth(at).checked_add(ttl)).and_then(|until| until.checked_add(skew));
        // The same value may be written twice: the later of two deadlines counts, and none is later than any.
        if let Some(until) = until {
            self.deadlines.insert(until);
            if self.deadlines.len() > DEADLINES {
                self.deadlines.pop_first();
            }
        }
        let known = match &ask.verb {
            Verb::Set { value, .. } => self.values.get_or_insert_with(hash(value), || until),
            _ => self.touched.get_or_insert(until),
        };
        *known = later(*known, until);
    }

    /// A client is given that entry, which counting may have made. What is wrong with it?
    pub(super) fn found(
        &mut self,
        key: &Key,
        entry: &Entry,
        at: Instant,
        skew: Duration,
        counted: bool,
    ) -> Option<(Promise, String)> {
        let value = Content::of(&entry.value.bytes);
        if self.value_of(entry.version).is_some_and(|known| known != value) {
            let what = format!("{key:?}: two values were read at version {}", entry.version);
            return Some((Promise::OneTruth, what));
        }
        if self.versions.back() != Some(&(entry.version, value)) {
            if self.versions.len() == VERSIONS {
                self.versions.pop_front();
            }
            self.versions.push_back((entry.version, value));
        }
        let served_late = |until: UnixMs| {
            let late = truth(at).0.saturating_sub(until.0);
            let what = || format!("{key:?} was served {late} ms after its deadline and the skew");
            (late > 0).then(|| (Promise::Ttl, what()))
        };
        // A sum has the deadline of what it was added to, whichever that was.
        let own = entry.deadline.and_then(|deadline| deadline.checked_add(skew));
        match self.values.get(&hash(&entry.value.bytes)) {
            _ if counted => own.and_then(served_late),
            None => {
                let what = format!("{key:?} gave a value that nobody wrote to it: {:?}", entry.value.bytes);
                Some((Promise::NoInvention, what))
            }
            Some(until) => {
                let until = self.touched.map_or(*until, |touched| later(*until, touched));
                until.and_then(served_late).or_else(|| own.and_then(served_late))
            }
        }
    }

    /// The value that was read under that version, if that is remembered.
    pub(super) fn value_of(&self, version: Version) -> Option<Content> {
        self.versions.iter().rev().find(|(known, _)| *known == version).map(|(_, value)| *value)
    }

    /// Does some value expire, by one clock or another, between these moments?
    pub(super) fn expires_between(&self, from: UnixMs, to: UnixMs, skew: Duration) -> bool {
        let latest = to.checked_add(skew * 2).unwrap_or(to);
        self.deadlines.first_within(from..=latest).is_some()
    }
}

/// The later of two moments, of which `None` is none at all.
fn later(one: Option<UnixMs>, other: Option<UnixMs>) -> Option<UnixMs> {
    one.zip(other).map(|(one, other)| one.max(other))
}
