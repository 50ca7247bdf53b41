//! The promises by their names, how one was broken, and how often each was looked at.

use alloc::string::String;
use core::fmt;

use crate::request::Key;
use crate::time::Instant;

/// A promise of the cache, by its name in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// P1: a read returns only what some client wrote to that key, whole.
    NoInvention,
    /// P2: an acknowledged write is where its answer says, and stays there until something explains its going.
    NoLoss,
    /// P3: what was deleted, expired or overwritten does not come back.
    NoGhosts,
    /// P4: replicas that have reconciled hold the same version of a key, or nothing.
    OneTruth,
    /// P5: reads and writes of a key through its primary have an order.
    Order,
    /// P6: a value is never served later than its deadline and the clock skew.
    Ttl,
    /// P7: accounted bytes never exceed the limit by more than one entry.
    BoundedMemory,
    /// P8: every request ends.
    Progress,
    /// Slots stay where the map puts them, whoever is alive: a blip moves no data.
    Placement,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// The key that it is about, if it is about one.
    pub key: Option<Key>,
    /// When.
    pub at: Instant,
    /// What was seen.
    pub what: String,
}

/// How often each promise was looked at: a promise that nobody looks at is kept by nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked([u64; Promise::ALL.len()]);

impl Promise {
    /// Every one, in order.
    pub const ALL: [Promise; 9] = [
        Promise::NoInvention,
        Promise::NoLoss,
        Promise::NoGhosts,
        Promise::OneTruth,
        Promise::Order,
        Promise::Ttl,
        Promise::BoundedMemory,
        Promise::Progress,
        Promise::Placement,
    ];
}

impl Checked {
    pub(super) fn note(&mut self, promise: Promise) {
        self.0[promise as usize] += 1;
    }

    /// How often that one was.
    pub fn of(&self, promise: Promise) -> u64 {
        self.0[promise as usize]
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Promise::NoInvention => "P1 no invention",
            Promise::NoLoss => "P2 no loss",
            Promise::NoGhosts => "P3 no ghosts",
            Promise::OneTruth => "P4 one truth",
            Promise::Order => "P5 order",
            Promise::Ttl => "P6 TTL",
            Promise::BoundedMemory => "P7 bounded memory",
            Promise::Progress => "P8 progress",
            Promise::Placement => "placement",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}.{:03} ms: {}", self.promise, self.at.0 / 1_000, self.at.0 % 1_000, self.what)
    }
}
