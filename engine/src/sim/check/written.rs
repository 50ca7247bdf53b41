//! P1 and P6: what was written to a key, and until when it may be served.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::{Promise, hash};
use crate::id::Version;
use crate::request::{Entry, Key};
use crate::sim::client::{Ask, Verb};
use crate::sim::clock::truth;
use crate::time::{Instant, UnixMs};

/// The values of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// A hash of each, and the true moment after which it must not be served.
    values: BTreeMap<u64, Option<UnixMs>>,
    /// The latest of these moments.
    deadlines: BTreeSet<UnixMs>,
    /// The values of versions that were read lately.
    versions: VecDeque<(Version, u64)>,
}

/// Deadlines, and versions, remembered of one key.
const DEADLINES: usize = 256;
const VERSIONS: usize = 64;

impl Written {
    /// A write reaches a node: from now on its value may be read.
    pub(super) fn reached(&mut self, ask: &Ask, at: Instant, skew: Duration) {
        let Verb::Set { value, ttl, .. } = &ask.verb else { return };
        let until = ttl.and_then(|ttl| truth(at).checked_add(ttl)).and_then(|until| until.checked_add(skew));
        // The same value may be written twice: the later of two deadlines counts, and none is later than any.
        if let Some(until) = until {
            self.deadlines.insert(until);
            if self.deadlines.len() > DEADLINES {
                self.deadlines.pop_first();
            }
        }
        let known = self.values.entry(hash(value)).or_insert(until);
        *known = match (*known, until) {
            (Some(known), Some(until)) => Some(known.max(until)),
            _ => None,
        };
    }

    /// A client is given that entry. What is wrong with it?
    pub(super) fn found(&mut self, key: &Key, entry: &Entry, at: Instant) -> Option<(Promise, String)> {
        let value = hash(&entry.value.bytes);
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
        match self.values.get(&value) {
            None => {
                let what = format!("{key:?} gave a value that nobody wrote to it: {:?}", entry.value.bytes);
                Some((Promise::NoInvention, what))
            }
            Some(Some(until)) if *until < truth(at) => {
                let what = format!("{key:?} was served {} ms after its deadline and the skew", truth(at).0 - until.0);
                Some((Promise::Ttl, what))
            }
            Some(_) => None,
        }
    }

    /// The value that was read under that version, if that is remembered.
    pub(super) fn value_of(&self, version: Version) -> Option<u64> {
        self.versions.iter().rev().find(|(known, _)| *known == version).map(|(_, value)| *value)
    }

    /// Does some value expire, by one clock or another, between these moments?
    pub(super) fn expires_between(&self, from: UnixMs, to: UnixMs, skew: Duration) -> bool {
        let latest = to.checked_add(skew * 2).unwrap_or(to);
        self.deadlines.range(from..=latest).next().is_some()
    }
}
