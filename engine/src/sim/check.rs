//! The promises, each checked by code of its own while a world runs.
//!
//! The checkers see what clients were told and what nodes hold, and share nothing with the code that they check but the
//! types. A broken promise is noted once, with the moment, and the world goes on.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::client::{Ask, Reply, Verb};
use super::clock::truth;
use crate::effect::Event;
use crate::id::{NodeId, Version};
use crate::node::Node;
use crate::request::{Answer, Entry, Key};
use crate::time::{Instant, UnixMs};

/// A promise of the cache, by its name in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// P1: a read returns only what some client wrote to that key, whole.
    NoInvention,
    /// P2: an acknowledged write is where its answer says, and stays there until something explains its going.
    NoLoss,
    /// P6: a value is never served later than its deadline and the clock skew.
    Ttl,
    /// P7: accounted bytes never exceed the limit by more than one entry.
    BoundedMemory,
    /// P8: every request ends.
    Progress,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When.
    pub at: Instant,
    /// What was seen.
    pub what: String,
}

/// The checkers and what they remember.
#[derive(Clone, Debug)]
pub struct Checks {
    skew: Duration,
    keys: BTreeMap<Key, Ledger>,
    /// The first violations, in order; more are not kept.
    violations: Vec<Violation>,
    /// Something that was promised without crashes only has been suspended by one.
    crashed: bool,
    /// The largest entry that any client has asked to store.
    largest: u64,
    /// Values remembered over all keys.
    written: u64,
}

/// What clients did to one key, and what became of it.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// What was written: a hash of the value, and the true moment after which it must not be served.
    writes: BTreeMap<u64, Option<UnixMs>>,
    /// The highest version that a client was told is stored, with its key's holders at that moment still to be seen.
    acknowledged: Version,
    /// For each node, the highest version that it has removed, evicted, expired or replaced.
    gone: BTreeMap<NodeId, Version>,
}

const KEPT: usize = 32;
/// Values remembered at most: a world that runs for ever checks the later ones only by what it still knows.
const REMEMBERED: u64 = 4_000_000;

impl Checks {
    pub(super) fn new(skew: Duration) -> Checks {
        Checks { skew, keys: BTreeMap::new(), violations: Vec::new(), crashed: false, largest: 0, written: 0 }
    }

    /// The promises that were broken, in order; the first ones only when there are many.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// A write reaches a node: from now on its value may be read.
    pub(super) fn asked(&mut self, ask: &Ask, at: Instant) {
        let Verb::Set { value, ttl, .. } = &ask.verb else { return };
        let size = crate::store::Store::entry_bytes(ask.key.as_bytes().len(), value.len(), 0, ttl.is_some());
        self.largest = self.largest.max(size);
        if self.written >= REMEMBERED {
            return;
        }
        self.written += 1;
        let until = ttl.and_then(|ttl| truth(at).checked_add(ttl)).and_then(|until| until.checked_add(self.skew));
        let ledger = self.keys.entry(ask.key.clone()).or_default();
        // The same value may be written twice: the later of two deadlines counts, and none is later than any.
        let known = ledger.writes.entry(hash(value)).or_insert(until);
        *known = match (*known, until) {
            (Some(known), Some(until)) => Some(known.max(until)),
            _ => None,
        };
    }

    /// A client is told something.
    pub(super) fn told<'a>(
        &mut self,
        ask: &Ask,
        reply: &Reply,
        at: Instant,
        nodes: impl Iterator<Item = (NodeId, &'a Node)>,
    ) {
        match reply {
            Reply::Outcome(Ok(Answer::Found(entry))) => self.found(&ask.key, entry, at),
            Reply::Outcome(Ok(Answer::Stored { version, copies, .. })) => {
                let ledger = self.keys.entry(ask.key.clone()).or_default();
                ledger.acknowledged = ledger.acknowledged.max(*version);
                if self.crashed {
                    return;
                }
                let has = |(id, node): &(NodeId, &Node)| ledger.has(*id, node, &ask.key, *version);
                let holders = nodes.filter(has).count();
                if holders < usize::from(*copies) {
                    let what =
                        format!("{:?} at {version} was acknowledged with {copies} copies, {holders} have it", ask.key);
                    self.broken(Promise::NoLoss, at, what);
                }
            }
            _ => {}
        }
    }

    /// Something happened in a node.
    pub(super) fn happened(&mut self, node: NodeId, event: &Event) {
        let (key, version) = match event {
            Event::Applied { key, version, removed: true, .. } | Event::Dropped { key, version, .. } => (key, version),
            _ => return,
        };
        if let Some(ledger) = self.keys.get_mut(key) {
            let gone = ledger.gone.entry(node).or_default();
            *gone = (*gone).max(*version);
        }
    }

    /// A node has done something.
    pub(super) fn node(&mut self, id: NodeId, node: &Node, at: Instant) {
        for shard in node.shards() {
            let (store, limits) = (shard.store(), shard.store().limits());
            let bytes = limits.bytes.is_some_and(|limit| store.bytes() > limit.saturating_add(self.largest));
            let entries = limits.entries.is_some_and(|limit| store.len() > limit + 1);
            if bytes || entries {
                let what = format!("{id} holds {} entries and {} bytes of {limits:?}", store.len(), store.bytes());
                self.broken(Promise::BoundedMemory, at, what);
            }
        }
    }

    pub(super) fn crash(&mut self) {
        self.crashed = true;
    }

    /// At the end of a run without crashes: every acknowledged write is somewhere, or something explains its going.
    pub(super) fn end<'a>(&mut self, at: Instant, nodes: impl Iterator<Item = (NodeId, &'a Node)> + Clone) {
        if self.crashed {
            return;
        }
        let lost = self.keys.iter().filter(|(key, ledger)| {
            let version = ledger.acknowledged;
            version > Version::ZERO && !nodes.clone().any(|(id, node)| ledger.has(id, node, key, version))
        });
        let lost: Vec<String> = lost
            .map(|(key, ledger)| format!("{key:?} at {} is nowhere, and nothing says why", ledger.acknowledged))
            .collect();
        for what in lost {
            self.broken(Promise::NoLoss, at, what);
        }
    }

    /// Faults have stopped for long enough: nothing may be waiting.
    pub(super) fn stuck(&mut self, at: Instant, what: String) {
        self.broken(Promise::Progress, at, what);
    }

    fn found(&mut self, key: &Key, entry: &Entry, at: Instant) {
        if self.written >= REMEMBERED {
            return;
        }
        let written = self.keys.get(key).and_then(|ledger| ledger.writes.get(&hash(&entry.value.bytes)));
        match written {
            None => {
                let what = format!("{key:?} gave a value that nobody wrote to it: {:?}", entry.value.bytes);
                self.broken(Promise::NoInvention, at, what);
            }
            Some(Some(until)) if *until < truth(at) => {
                let what = format!("{key:?} was served {} ms after its deadline and the skew", truth(at).0 - until.0);
                self.broken(Promise::Ttl, at, what);
            }
            Some(_) => {}
        }
    }

    fn broken(&mut self, promise: Promise, at: Instant, what: String) {
        if self.violations.len() < KEPT {
            self.violations.push(Violation { promise, at, what });
        }
    }
}

impl Ledger {
    /// Does the node hold that version or a later one, or has it held one that then went?
    fn has(&self, id: NodeId, node: &Node, key: &Key, version: Version) -> bool {
        let gone = self.gone.get(&id).is_some_and(|gone| *gone >= version);
        gone || node.shards().iter().any(|shard| {
            let store = shard.store();
            // At the beginning of time nothing has expired: what is still in the store is seen, deadline or not.
            let held = store.peek(UnixMs(0), store.hash(key.as_bytes()), key.as_bytes());
            held.is_some_and(|entry| entry.version >= version)
        })
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Promise::NoInvention => "P1 no invention",
            Promise::NoLoss => "P2 no loss",
            Promise::Ttl => "P6 TTL",
            Promise::BoundedMemory => "P7 bounded memory",
            Promise::Progress => "P8 progress",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}.{:03} ms: {}", self.promise, self.at.0 / 1_000, self.at.0 % 1_000, self.what)
    }
}

fn hash(value: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(value)
}
