//! The promises, each checked by code of its own while a world runs.
//!
//! The checkers see what clients were told and what nodes hold, and share nothing with the code that they check but the
//! types. A broken promise is noted once, with the moment, and the world goes on. P9, that a run can be repeated, is
//! checked where runs are repeated: by fingerprints.

mod calm;
mod counted;
mod deadline;
mod did;
mod events;
mod ghosts;
mod kept;
mod ledgers;
mod loss;
mod memory;
mod order;
mod placement;
mod progress;
mod promise;
mod record;
mod removed;
#[cfg(test)]
mod tests;
mod truth;
mod written;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use self::calm::Calm;
pub use self::calm::RECONCILES;
use self::counted::Counted;
use self::deadline::{Deadline, Ended};
use self::did::{Content, did, is_unknown};
use self::ghosts::Past;
use self::kept::{Known, name};
use self::ledgers::Ledgers;
use self::loss::{Copies, Crashes, UNNOTICED};
use self::order::{Found, LATE, Register, Time};
pub use self::promise::{Checked, Promise, Violation};
pub use self::record::Record;
use self::removed::Removed;
use self::written::Written;
use super::client::{Ask, PATIENCE, Reply, Verb};
use super::clock::truth as true_time;
use super::mark::{Mark, Marks};
use crate::cluster::Heartbeat;
use crate::error::Failure;
use crate::id::{Epoch, NodeId, Version};
use crate::map::Phase;
use crate::node::Node;
use crate::request::{Answer, Condition, Key, ReadLevel};
use crate::store::EntryRef;
use crate::time::{Instant, UnixMs};
use crate::view::View;

/// The checkers and what they remember.
#[derive(Clone, Debug)]
pub struct Checks {
    skew: Duration,
    /// A crash is found out within that time.
    unnoticed: Duration,
    /// Entries are freed that long after their deadline at the latest.
    expires_within: Duration,
    /// Hold the time after a heal to P3, P4 and P5.
    reconciles: bool,
    calm: Calm,
    crashes: Crashes,
    keys: Ledgers,
    known: Known,
    /// The first violations, in order; more are not kept.
    violations: Vec<Violation>,
    checked: Checked,
    marks: Marks,
    /// The latest edition of the map in which nothing moves, and when the first node held it.
    settled: (Epoch, Instant),
    /// The largest entry that any client has asked to store.
    largest: u64,
    /// The longest that any client waits for an answer.
    patience: Duration,
    /// Values remembered over all keys.
    remembered: u64,
    /// What nobody can vouch for is served: [`OnDoubt::Serve`].
    pub(super) serves_doubtful: bool,
    /// Who is away for long is given up: `remove_after` is set.
    pub(super) gives_up: bool,
    /// What happens inside nodes is told.
    sees_nodes: bool,
}

/// What clients did to one key, and what became of it: a part for each checker.
#[derive(Clone, Debug, Default)]
struct Ledger {
    written: Written,
    copies: Copies,
    past: Past,
    register: Register,
    counted: Counted,
    deadline: Deadline,
    removed: Removed,
    /// The node that decided last about the key.
    primary: Option<NodeId>,
}

impl Ledger {
    /// Some node has let the key go, of its own accord or because it was told to.
    fn let_go(&mut self, at: Instant) {
        self.counted.let_go(at);
        self.register.let_go(at);
    }
}

const KEPT: usize = 32;
/// Values remembered at most: a world that runs for ever checks the later ones only by what it still knows.
const REMEMBERED: u64 = 4_000_000;

impl Checks {
    pub(super) fn new(skew: Duration) -> Checks {
        Checks {
            skew,
            unnoticed: UNNOTICED,
            expires_within: EXPIRES_WITHIN,
            reconciles: RECONCILES,
            calm: Calm::new(),
            crashes: Crashes::default(),
            keys: Ledgers::default(),
            known: Known::default(),
            violations: Vec::new(),
            checked: Checked::default(),
            marks: Marks::default(),
            settled: (Epoch::default(), Instant(0)),
            largest: 0,
            patience: Duration::ZERO,
            remembered: 0,
            serves_doubtful: false,
            gives_up: false,
            sees_nodes: true,
        }
    }

    /// The same where members are suspected after that time, and timers fire up to so much late.
    #[must_use]
    pub(super) fn with_timers(mut self, suspect_after: Duration, late: Duration) -> Checks {
        self.unnoticed = UNNOTICED.max(suspect_after + (UNNOTICED - Heartbeat::default().suspect_after)) + late * 3;
        self.expires_within = EXPIRES_WITHIN + late;
        self
    }

    /// The promises that were broken, in order; the first ones only when there are many.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often each promise has been looked at.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What the checkers have come across.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// A client asks.
    pub(super) fn asked(&mut self, ask: &Ask, at: Instant) {
        if self.remembered >= REMEMBERED {
            return;
        }
        if matches!(ask.verb, Verb::Set { .. } | Verb::Increment { .. }) {
            self.remembered += 1;
        }
        self.patience = self.patience.max(ask.timeout + PATIENCE);
        let ledger = self.keys.get_or_default(&ask.key);
        if !matches!(ask.verb, Verb::Get(_)) {
            ledger.deadline.asked(&ask.verb);
        }
        match &ask.verb {
            Verb::Set { value, .. } => {
                Past::begun(&mut self.known, name(&ask.key, hash(value)));
                ledger.register.asked(ask.id, at);
            }
            Verb::Increment { .. } => {
                ledger.past.adds();
                ledger.register.asked(ask.id, at);
            }
            Verb::Delete(_) | Verb::Touch { .. } | Verb::Get(ReadLevel::Primary) => {
                ledger.register.asked(ask.id, at);
            }
            Verb::Get(_) => {}
        }
    }

    /// A request reaches a node: from now on what it writes may be read.
    pub(super) fn reached(&mut self, ask: &Ask, at: Instant) {
        let length = match &ask.verb {
            Verb::Set { value, .. } => value.len(),
            Verb::Increment { .. } => i64::MIN.to_string().len(),
            Verb::Touch { .. } => 0,
            Verb::Get(_) | Verb::Delete(_) => return,
        };
        // Whatever has none may be given a deadline.
        let size = crate::store::Store::entry_bytes(ask.key.as_bytes().len(), length, 0, true);
        self.largest = self.largest.max(size);
        let Some(ledger) = self.keys.get_mut(&ask.key) else { return };
        match &ask.verb {
            Verb::Set { value, .. } => ledger.counted.written(Content::of(value)),
            Verb::Increment { by, .. } => ledger.counted.reached(*by),
            _ => {}
        }
        let since = ledger.register.oldest().unwrap_or(at);
        ledger.written.reached(&mut self.known, ask, (since, at), self.skew);
    }

    /// A node answers what was asked at that moment.
    pub(super) fn answered<'a>(
        &mut self,
        ask: &Ask,
        asked: Instant,
        reply: &Reply,
        at: Instant,
        nodes: impl Iterator<Item = (NodeId, &'a Node)> + Clone,
    ) {
        let Some(ledger) = self.keys.get_mut(&ask.key) else { return };
        match reply {
            Reply::Outcome(Ok(Answer::Found(entry))) if self.remembered < REMEMBERED => {
                let counted = ledger.counted.reaches(Content::of(&entry.value.bytes));
                self.checked.note(Promise::NoInvention);
                self.checked.note(Promise::Ttl);
                if let Some((promise, what)) =
                    ledger.written.found(&mut self.known, (&ask.key, entry), at, self.skew, counted)
                {
                    self.broken(promise, Some(&ask.key), at, what);
                }
            }
            Reply::Outcome(Ok(
                Answer::Stored { version, copies, .. }
                | Answer::Added { version, copies, .. }
                | Answer::Touched { version, copies },
            )) => {
                let has = |(id, node): &(NodeId, &Node)| {
                    held(node, &ask.key).is_some_and(|held| held >= *version) || ledger.copies.had(*id) >= *version
                };
                let holders: Vec<NodeId> = nodes.filter(has).map(|(id, _)| id).collect();
                let kept = holders.iter().copied().filter(|id| !ledger.copies.has_freed(*id, *version));
                ledger.past.decided(*version, at, kept.collect());
                let crashed = self.crashes.times_since(asked);
                self.checked.note(Promise::NoLoss);
                if let Some(what) = ledger.copies.acknowledged(&ask.key, *version, *copies, &crashed, holders) {
                    self.broken(Promise::NoLoss, Some(&ask.key), at, what);
                }
            }
            Reply::Outcome(Ok(Answer::Deleted { copies, .. })) => {
                let version = ledger.removed.last();
                let has = |id: &NodeId| ledger.copies.had(*id) >= version && !ledger.copies.has_freed(*id, version);
                let holders: Vec<NodeId> = nodes.clone().map(|(id, _)| id).filter(has).collect();
                if version > Version::ZERO {
                    ledger.past.decided(version, at, holders);
                }
                let knows = |(id, node): &(NodeId, &Node), version| {
                    held(node, &ask.key).map_or(ledger.copies.had(*id) >= version, |held| held > version)
                };
                let known = |version| nodes.clone().filter(|node| knows(node, version)).count();
                let crashed = self.crashes.since(asked);
                self.checked.note(Promise::NoLoss);
                if let Some(what) = ledger.removed.acknowledged(&ask.key, asked, *copies, crashed, known) {
                    self.broken(Promise::NoLoss, Some(&ask.key), at, what);
                }
            }
            _ => {}
        }
    }

    /// A client has been told what it had asked at that moment.
    pub(super) fn told(&mut self, ask: &Ask, asked: Instant, reply: &Reply, at: Instant) {
        self.checked.note(Promise::Progress);
        if let Some(what) = progress::late(ask, asked, at) {
            self.broken(Promise::Progress, Some(&ask.key), at, what);
        }
        self.note(ask, reply);
        if self.calm.look(at, self.reconciles) {
            self.marks.note(Mark::CalmAgain);
        }
        let (round, calm) = (self.calm.round(), self.calm.is_calm());
        let steady = self.calm.steady_since().filter(|_| self.sees_nodes);
        let Some(ledger) = self.keys.get_mut(&ask.key) else { return };
        let mut wrong: Vec<(Promise, String)> = Vec::new();
        match (&ask.verb, reply) {
            (Verb::Get(level), Reply::Outcome(Ok(Answer::Found(entry)))) if self.calm.since(asked) => {
                self.checked.note(Promise::NoGhosts);
                let ghost = ledger.past.read(&self.known, round, (&ask.key, hash(&entry.value.bytes)), *level, asked);
                wrong.extend(ghost.map(|what| (Promise::NoGhosts, what)));
                if *level == ReadLevel::Primary && self.sees_nodes {
                    let is_calm_since = |since| self.calm.since(since);
                    let other = ledger.deadline.read(&ask.key, entry, asked, is_calm_since);
                    wrong.extend(other.map(|what| (Promise::Ttl, what)));
                }
                if *level == ReadLevel::Primary {
                    let ghost = ledger.past.older(&ask.key, entry.version, asked, |_| true);
                    wrong.extend(ghost.map(|what| (Promise::NoGhosts, what)));
                }
            }
            (Verb::Set { level, .. }, Reply::Outcome(Ok(Answer::Stored { .. })))
            | (Verb::Delete(level), Reply::Outcome(Ok(Answer::Deleted { .. })))
            | (Verb::Increment { level, .. }, Reply::Outcome(Ok(Answer::Added { .. })))
                if self.calm.since(asked) =>
            {
                ledger.past.changed(round, *level, (asked, at), self.patience);
            }
            _ => {}
        }
        if let (Verb::Set { value, .. }, false) = (&ask.verb, is_unknown(reply)) {
            Past::ended(&mut self.known, name(&ask.key, hash(value)), at);
        }
        if let Reply::Outcome(Ok(Answer::Deleted { .. })) = reply {
            ledger.counted.let_go(at);
        }
        if !matches!(ask.verb, Verb::Get(_)) {
            let refused = matches!(reply, Reply::Outcome(Err(Failure::NotANumber | Failure::Overflow)));
            let how = Ended { unknown: is_unknown(reply), refused, calm: self.calm.since(asked), skew: self.skew };
            ledger.deadline.told(&ask.verb, reply, (asked, at), how);
        }
        if let Verb::Increment { .. } = ask.verb {
            match reply {
                Reply::Outcome(Ok(Answer::Added { value, created, .. })) => {
                    let sum = name(&ask.key, hash(value.to_string().as_bytes()));
                    ledger.past.added(&mut self.known, Some(sum), at);
                    let invented = ledger.counted.invented(&ask.key, *value);
                    wrong.extend(invented.map(|what| (Promise::NoInvention, what)));
                    let is_calm_since = |since| self.calm.since(since);
                    if *created {
                        let anew = ledger.counted.began_anew(&ask.key, asked, is_calm_since);
                        wrong.extend(anew.map(|what| (Promise::NoLoss, what)));
                    }
                    ledger.counted.there(asked, at);
                }
                reply if is_unknown(reply) => ledger.past.may_add(Instant(at.0.saturating_add(LATE))),
                _ => ledger.past.added(&mut self.known, None, at),
            }
        }
        let did = did(ask, reply, &self.known);
        // Who passes an answer on may have a clock by which it has expired on the way.
        let may_expire = ledger.written.expires_between(true_time(asked), true_time(at), self.skew);
        let steady = steady.filter(|_| !may_expire);
        match ledger.register.answered(ask.id, at, did, Time { round, calm, steady }) {
            Found::Plain => {}
            Found::Order => {
                self.checked.note(Promise::Order);
                self.marks.note(Mark::Ordered);
            }
            Found::TooMany => self.marks.note(Mark::OrderGivenUp),
            Found::None => {
                let what = format!("{:?}: what clients were told until operation {} has no order", ask.key, ask.id);
                wrong.push((Promise::Order, what));
            }
        }
        for (promise, what) in wrong {
            self.broken(promise, Some(&ask.key), at, what);
        }
    }

    /// A node has done something.
    pub(super) fn node(&mut self, id: NodeId, node: &Node, at: Instant) {
        for shard in node.shards() {
            let store = shard.store();
            self.checked.note(Promise::BoundedMemory);
            let bytes = store.bytes() + store.reserved();
            if let Some(what) = memory::exceeded(store.len(), bytes, store.limits(), self.largest) {
                self.broken(Promise::BoundedMemory, None, at, format!("{id}: {what}"));
            }
        }
    }

    /// A node believes in others than before. `knows`: the version that a node has of a key, or where it has none
    /// the highest that it has seen go from its slot.
    pub(super) fn believes(&mut self, first: &View, view: &View, at: Instant, knows: &dyn Fn(NodeId, &Key) -> Version) {
        self.checked.note(Promise::Placement);
        if let Some(what) = placement::moved(first, view).or_else(|| placement::crowded(view)) {
            self.broken(Promise::Placement, None, at, what);
        }
        // Who was given up, and is back before it has left, goes by what the others decided without it: what it alone
        // had of slots that are not its own any more is lost.
        let me = view.me;
        let leaves = self.gives_up || view.member(me).is_none_or(|member| member.leaving);
        for (key, ledger) in self.keys.iter_mut().filter(|(key, _)| !view.is_replica(key.slot())) {
            match leaves {
                true => ledger.past.passed_by(me),
                false => ledger.past.handed_over(me, view.replicas(key.slot()), &|node| knows(node, key)),
            }
        }
    }

    /// In the end, with no load and everybody of `core` up and connected for long: every acknowledged write is
    /// somewhere, or something explains its going, and replicas agree.
    pub(super) fn end(&mut self, at: Instant, nodes: &[(NodeId, &Node)], core: &[NodeId]) {
        let mut broken = Vec::new();
        let agreed = self.reconciles || self.calm.is_calm() && self.calm.is_first();
        let unix = true_time(at);
        // A core that is cut off may go by an older map than those who have taken its slots over.
        let newest = nodes.iter().map(|(_, node)| node.view()).max_by_key(|view| (view.map.epoch, view.map.by));
        let goes_by =
            |(_, node): &(NodeId, &Node)| newest.is_some_and(|view| view.map.edition() == node.view().map.edition());
        let told = nodes.iter().filter(|(id, _)| core.contains(id)).any(goes_by);
        for (key, ledger) in self.keys.iter() {
            self.checked.note(Promise::NoLoss);
            match ledger.copies.end(key, nodes) {
                Ok(None) => {}
                Ok(Some(mark)) => self.marks.note(mark),
                Err(what) => broken.push((key.clone(), Promise::NoLoss, what)),
            }
            // What expires just now is gone on some and not on others.
            if !agreed || ledger.written.expires_between(unix, unix, self.skew + self.expires_within) {
                continue;
            }
            let Some(replicas) = newest.map(|view| view.replicas(key.slot())) else { continue };
            let replicas: Vec<(NodeId, &Node)> =
                nodes.iter().filter(|(id, _)| replicas.contains(id)).copied().collect();
            // Who was to have them by a map that nobody of the core has heard of has not heard of it either.
            if !told && !replicas.iter().all(goes_by) {
                continue;
            }
            // Somebody whom some of them reach and others do not may still write to these only: that is no heal.
            if replicas.iter().any(|(id, _)| !core.contains(id)) {
                continue;
            }
            // Where only a core is healed, slots may move as the verdict comes: who is being told has yet to agree.
            let moves = newest.is_some_and(|view| view.map.phase != Phase::Steady);
            if !(moves && replicas.iter().any(|(_, node)| node.in_doubt().contains(key.slot()))) {
                self.checked.note(Promise::OneTruth);
                let may_lack = |id, version| ledger.copies.may_lack(id, version);
                let different = truth::disagree(key, &replicas, may_lack);
                broken.extend(different.map(|what| (key.clone(), Promise::OneTruth, what)));
            }
            let (round, calm) = (self.calm.round(), self.calm.is_calm());
            // What nobody vouches for is not served.
            let served = replicas.iter().filter_map(|(_, node)| stored(node, key).filter(|e| is_served(node, key, e)));
            let contents = served.clone().map(|entry| Content::of(entry.value));
            for content in contents.filter(|content| calm && !ledger.register.may_be(*content, round)) {
                let what = format!("{key:?} holds {content:?}, and no order of what was told ends so");
                broken.push((key.clone(), Promise::Order, what));
            }
            // Whom nobody reaches, or who is no member any more and has not heard of it, tells nobody.
            let asked = |id| core.contains(&id) && newest.is_some_and(|view| view.map.member(id).is_some());
            for version in served.map(|entry| entry.version) {
                let ghost = ledger.past.older(key, version, at, asked);
                broken.extend(ghost.map(|what| (key.clone(), Promise::NoGhosts, what)));
            }
        }
        for (key, promise, what) in broken {
            self.broken(promise, Some(&key), at, what);
        }
    }

    /// A node takes in what another has sent about a slot, each by the map that it goes by.
    pub(super) fn taken(&mut self, from: (NodeId, Epoch), to: (NodeId, Epoch), at: Instant) {
        if let Some(what) = placement::apart(from, to) {
            self.broken(Promise::Placement, None, at, what);
        }
    }

    /// What the checkers take for trouble that is not over.
    pub(super) fn unsettled(&self) -> Option<String> {
        self.calm.unsettled()
    }

    /// Faults have stopped for long enough: nothing may be waiting.
    pub(super) fn stuck(&mut self, at: Instant, what: String) {
        self.broken(Promise::Progress, None, at, what);
    }

    fn note(&mut self, ask: &Ask, reply: &Reply) {
        if matches!(ask.verb, Verb::Increment { .. }) && is_unknown(reply) {
            self.marks.note(Mark::CountUnknown);
        }
        let mark = match (reply, &ask.verb) {
            (Reply::Outcome(Ok(Answer::Added { .. })), _) => Mark::Counted,
            (Reply::Outcome(Ok(Answer::Touched { .. })), _) => Mark::Touched,
            (Reply::Outcome(Ok(Answer::Unmet { .. })), _) => Mark::Unmet,
            (Reply::Outcome(Ok(Answer::Stored { .. })), Verb::Set { condition: Condition::Is(_), .. }) => Mark::Swapped,
            (Reply::Outcome(Ok(Answer::Found(_))), Verb::Get(ReadLevel::Quorum)) => Mark::QuorumHit,
            (Reply::Outcome(Ok(Answer::Found(_))), Verb::Get(ReadLevel::One)) => Mark::ReplicaHit,
            (Reply::Outcome(Err(Failure::Indeterminate { .. })), _) => Mark::Indeterminate,
            (Reply::Outcome(Err(Failure::Unavailable { .. })), _) => Mark::Unavailable,
            (Reply::Outcome(Err(Failure::Timeout)), _) => Mark::TimedOut,
            (Reply::Outcome(Err(Failure::Busy { limit: "MAX_LOG_BYTES" })), _) => Mark::LogFull,
            (Reply::Outcome(Err(Failure::Busy { .. })), _) => Mark::Busy,
            (Reply::Outcome(Err(Failure::ReadOnly)), _) => Mark::RefusedReadOnly,
            _ => return,
        };
        self.marks.note(mark);
    }

    fn broken(&mut self, promise: Promise, key: Option<&Key>, at: Instant, what: String) {
        if self.violations.len() < KEPT {
            self.violations.push(Violation { promise, key: key.cloned(), at, what });
        }
    }
}

/// Entries are freed that long after their deadline at the latest, by timers that are in time.
const EXPIRES_WITHIN: Duration = Duration::from_secs(1);

/// What a node holds for a key, whether its deadline has passed or not.
fn stored<'a>(node: &'a Node, key: &Key) -> Option<EntryRef<'a>> {
    node.shards().iter().find_map(|shard| {
        let store = shard.store();
        // At the beginning of time nothing has expired: what is still in the store is seen, deadline or not.
        store.peek(UnixMs(0), store.hash(key.as_bytes()), key.as_bytes())
    })
}

/// Would a client be told of it, and not that there is nothing?
fn is_served(node: &Node, key: &Key, entry: &EntryRef<'_>) -> bool {
    node.shards().iter().all(|shard| !shard.may_hide(key.slot(), entry.version))
}

fn held(node: &Node, key: &Key) -> Option<Version> {
    stored(node, key).map(|entry| entry.version)
}

fn hash(value: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(value)
}
