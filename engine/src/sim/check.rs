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

use super::client::{Ask, PATIENCE, Reply, Verb};
use super::clock::truth;
use crate::effect::Event;
use crate::id::{NodeId, Version};
use crate::node::Node;
use crate::request::{Answer, Entry, Key};
use crate::store::Limits;
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
            let store = shard.store();
            self.bounded(id, store.len(), store.bytes(), store.limits(), at);
        }
    }

    fn bounded(&mut self, id: NodeId, entries: u32, bytes: u64, limits: Limits, at: Instant) {
        let too_many = limits.entries.is_some_and(|limit| entries > limit + 1);
        let too_large = limits.bytes.is_some_and(|limit| bytes > limit.saturating_add(self.largest));
        if too_many || too_large {
            self.broken(
                Promise::BoundedMemory,
                at,
                format!("{id} holds {entries} entries and {bytes} bytes of {limits:?}"),
            );
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

    /// A client has been told something: in time, by the request's own timeout and some for the way there and back.
    pub(super) fn waited(&mut self, ask: &Ask, asked: Instant, at: Instant) {
        if at.since(asked) > ask.timeout + PATIENCE {
            let what = format!("{:?} was answered after {} ms", ask.key, at.since(asked).as_millis());
            self.broken(Promise::Progress, at, what);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;
    use crate::node::{Input, NodeConfig};
    use crate::request::{Condition, Operation, Request, Value, WriteLevel};
    use crate::shard::ShardConfig;
    use crate::time::Time;
    use crate::view::{Map, Member};
    use alloc::sync::Arc;
    use alloc::vec;
    use bytes::Bytes;

    const AT: Instant = Instant(10_000_000);

    fn ask(value: &'static str, ttl_ms: Option<u64>) -> Ask {
        let verb = Verb::Set {
            value: Bytes::from_static(value.as_bytes()),
            ttl: ttl_ms.map(Duration::from_millis),
            condition: Condition::Always,
            level: WriteLevel::Live,
        };
        Ask { id: 1, client: 1, node: NodeId(1), key: key(), verb, timeout: Duration::from_secs(2) }
    }

    fn key() -> Key {
        Key::new("k").unwrap()
    }

    fn found(value: &'static str) -> Reply {
        let value = Value { bytes: Bytes::from_static(value.as_bytes()), media: Bytes::new() };
        Reply::Outcome(Ok(Answer::Found(Entry { value, version: Version::ZERO, deadline: None })))
    }

    fn stored(version: Version, copies: u8) -> Reply {
        Reply::Outcome(Ok(Answer::Stored { version, copies, created: true }))
    }

    /// A node of its own, with one entry in it if so wished, and that entry's version.
    fn node(filled: bool) -> (Node, Version) {
        let member = Member {
            id: NodeId(1),
            name: "n1".into(),
            weight: 1,
            peer_address: String::new(),
            http_address: String::new(),
        };
        let map = Arc::new(Map { epoch: Epoch(1), members: vec![member], replicas: 1, virtual_nodes: 8 });
        let shard = ShardConfig {
            me: NodeId(1),
            limits: Limits::default(),
            seed: 1,
            hash_seed: (1, 2),
            retry: crate::shard::Retry::default(),
            clock_skew: Duration::ZERO,
        };
        let time = Time { instant: Instant(0), unix: truth(Instant(0)) };
        let config = NodeConfig { shard, stripes: 1, heartbeat: crate::cluster::Heartbeat::default() };
        let mut node = Node::new(&config, map, time);
        let mut out = crate::effect::Outbox::new();
        let operation = Operation::Set {
            value: Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() },
            deadline: None,
            condition: Condition::Always,
            level: WriteLevel::One,
        };
        let request = Request { key: key(), operation, timeout: Duration::from_secs(1) };
        if !filled {
            return (node, Version::ZERO);
        }
        node.handle(time, Input::Client { client: crate::id::ClientToken(1), request }, &mut out);
        let store = node.shards()[0].store();
        let version = store.peek(UnixMs(0), store.hash(b"k"), b"k").map(|entry| entry.version).unwrap();
        (node, version)
    }

    /// What the checker says after the steps: the promises broken, in order.
    fn check(steps: impl FnOnce(&mut Checks), expected: &[Promise]) {
        let mut checks = Checks::new(Duration::from_millis(100));
        steps(&mut checks);
        let broken: Vec<Promise> = checks.violations().iter().map(|violation| violation.promise).collect();
        assert_eq!(broken, expected);
    }

    #[test]
    fn each_promise_can_be_broken() {
        let nobody = || core::iter::empty::<(NodeId, &Node)>();
        let read = |checks: &mut Checks, value, at| checks.told(&ask("", None), &found(value), at, nobody());
        check(|checks| read(checks, "never written", AT), &[Promise::NoInvention]);
        let written = |checks: &mut Checks| checks.asked(&ask("v", Some(1_000)), AT);
        check(|checks| (written(checks), read(checks, "v", AT + Duration::from_millis(1_100))).1, &[]);
        check(|checks| (written(checks), read(checks, "v", AT + Duration::from_millis(1_101))).1, &[Promise::Ttl]);

        let (one, version) = node(true);
        let later = Version { stamp: version.stamp + 1, ..version };
        let write = |checks: &mut Checks, version, copies| {
            checks.told(&ask("v", None), &stored(version, copies), AT, [(NodeId(1), &one)].into_iter());
        };
        check(|checks| write(checks, version, 1), &[]);
        check(|checks| write(checks, version, 2), &[Promise::NoLoss]);
        check(|checks| write(checks, later, 1), &[Promise::NoLoss]);
        let end = |checks: &mut Checks| checks.end(AT, [(NodeId(1), &one)].into_iter());
        check(|checks| (write(checks, version, 1), end(checks)).1, &[]);
        check(|checks| (write(checks, version, 1), checks.end(AT, nobody())).1, &[Promise::NoLoss]);
        check(|checks| (write(checks, version, 1), checks.crash(), checks.end(AT, nobody())).2, &[]);
        let elsewhere = node(false).0;
        let end_elsewhere = |checks: &mut Checks| checks.end(AT, [(NodeId(2), &elsewhere)].into_iter());
        check(|checks| (write(checks, version, 1), end_elsewhere(checks)).1, &[Promise::NoLoss]);
        let evicted = Event::Dropped { key: key(), version, cause: crate::store::Cause::Entries };
        let evict = |checks: &mut Checks| checks.happened(NodeId(2), &evicted);
        check(|checks| (write(checks, version, 1), evict(checks), end_elsewhere(checks)).2, &[]);

        let limits = Limits { entries: Some(5), bytes: Some(1_000) };
        let hold = |checks: &mut Checks, entries, bytes| checks.bounded(NodeId(1), entries, bytes, limits, AT);
        check(|checks| hold(checks, 6, 1_000), &[]);
        check(|checks| hold(checks, 7, 1_000), &[Promise::BoundedMemory]);
        check(|checks| hold(checks, 5, 1_001), &[Promise::BoundedMemory]);
        check(|checks| (written(checks), hold(checks, 5, 1_001)).1, &[]);

        let waited = |checks: &mut Checks, ms| checks.waited(&ask("v", None), AT, AT + Duration::from_millis(ms));
        check(|checks| waited(checks, 3_000), &[]);
        check(|checks| waited(checks, 3_001), &[Promise::Progress]);
        check(|checks| checks.stuck(AT, "a request has no end".into()), &[Promise::Progress]);
    }
}
