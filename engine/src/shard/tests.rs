//! Shards of three nodes, their messages carried by hand.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::effect::{Effect, Served};
use crate::error::Failure;
use crate::id::Version;
use crate::message::{Change, Verdict};
use crate::request::Outcome;
use crate::request::{Answer, Condition, Entry, Key, Value, WriteLevel};
use crate::view::{Map, Member};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const START: u64 = 1_700_000_000_000;

/// Three shards, of one node each, that see each other as `views` say.
struct Trio {
    shards: Vec<Shard>,
    views: Vec<View>,
    now: Time,
    bus: VecDeque<(NodeId, NodeId, Message)>,
    replies: Vec<(u64, Outcome)>,
    served: BTreeMap<u64, Served>,
    clients: u64,
}

fn shard(me: NodeId, limits: Limits, now: Time) -> Shard {
    let config = ShardConfig {
        me,
        limits,
        seed: u64::from(me.0) ^ now.unix.0,
        hash_seed: (1, 2),
        retry: Retry::default(),
        clock_skew: Duration::ZERO,
    };
    Shard::new(config, Lanes::ALL, now)
}

impl Trio {
    fn new(limits: Limits) -> Trio {
        Trio::with(limits, 3)
    }

    fn with(limits: Limits, replicas: u8) -> Trio {
        let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
        let members = (1..=3).map(member).collect();
        let map = Arc::new(Map::first(members, replicas, 16));
        let now = Time { instant: Instant(0), unix: UnixMs(START) };
        let mut trio = Trio {
            shards: (1..=3).map(|id| shard(NodeId(id), limits, now)).collect(),
            views: (1..=3).map(|id| View::first(NodeId(id), Arc::clone(&map))).collect(),
            now,
            bus: VecDeque::new(),
            replies: Vec::new(),
            served: BTreeMap::new(),
            clients: 0,
        };
        // Each asks the others what there is, and hears that there is nothing.
        trio.wait(0);
        trio.carry_all();
        assert!(trio.shards.iter().all(|shard| shard.in_doubt().is_empty() && shard.in_flight() == 0));
        trio
    }

    /// Three nodes and no limits, and a key whose replicas are n1, n2 and n3 in this order.
    fn with_key() -> (Trio, Key) {
        let trio = Trio::new(Limits::default());
        let ordered = |key: &Key| trio.views[0].replicas(key.slot()) == [N1, N2, N3];
        let mut keys = (0..).map(|number| Key::new(format!("key{number}")).unwrap());
        let key = keys.find(ordered).unwrap();
        (trio, key)
    }

    /// A node as it is when it has just started.
    fn shard(&self, node: NodeId) -> Shard {
        shard(node, self.shards[0].store().limits(), self.now)
    }

    fn wait(&mut self, ms: u64) {
        self.now.instant = Instant(self.now.instant.0 + ms * 1_000);
        self.now.unix = UnixMs(self.now.unix.0 + ms);
        for node in [N1, N2, N3] {
            self.at(node, |shard, time, view, out| shard.tick(time, view, out));
        }
    }

    fn at(&mut self, node: NodeId, act: impl FnOnce(&mut Shard, Time, &View, &mut Outbox)) {
        let index = usize::from(node.0) - 1;
        let mut out = Outbox::new();
        act(&mut self.shards[index], self.now, &self.views[index], &mut out);
        for effect in out.effects {
            match effect {
                Effect::Send { to, message, .. } => self.bus.push_back((node, to, message)),
                Effect::Reply { client, outcome, served, .. } => {
                    self.replies.push((client.0, outcome));
                    self.served.insert(client.0, served);
                }
                Effect::Publish(_) => panic!("a shard publishes nothing"),
            }
        }
    }

    /// A client of that node asks; its number.
    fn ask(&mut self, node: NodeId, key: &Key, operation: Operation) -> u64 {
        self.clients += 1;
        let client = ClientToken(self.clients);
        let request = Request { key: key.clone(), operation, timeout: Duration::from_secs(2) };
        self.at(node, |shard, time, view, out| shard.submit(time, view, client, request, out));
        client.0
    }

    /// Delivers what is on the bus, and what follows from it, as long as the filter lets it through.
    fn carry(&mut self, mut passes: impl FnMut(NodeId, NodeId, &Message) -> bool) {
        while let Some((from, to, message)) = self.bus.pop_front() {
            if passes(from, to, &message) {
                self.at(to, |shard, time, view, out| shard.receive(time, view, from, message, out));
            }
        }
    }

    fn carry_all(&mut self) {
        self.carry(|_, _, _| true);
    }

    /// Asks, delivers everything, and returns the answer.
    fn done(&mut self, node: NodeId, key: &Key, operation: Operation) -> Outcome {
        let client = self.ask(node, key, operation);
        self.carry_all();
        self.reply(client).expect("an answer")
    }

    fn reply(&self, client: u64) -> Option<Outcome> {
        let mut replies = self.replies.iter().filter(|(to, _)| *to == client);
        let reply = replies.next().map(|(_, outcome)| outcome.clone());
        assert_eq!(replies.next(), None, "a client is answered once");
        reply
    }

    /// Every node believes that these are alive, and nobody else.
    fn alive(&mut self, alive: &[NodeId]) {
        for node in [N1, N2, N3] {
            let index = usize::from(node.0) - 1;
            self.views[index] = self.views[index].with_alive(|other| alive.contains(&other));
            self.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
        }
    }

    fn held(&self, node: NodeId, key: &Key) -> Option<&[u8]> {
        let store = self.shards[usize::from(node.0) - 1].store();
        store.peek(self.now.unix, store.hash(key.as_bytes()), key.as_bytes()).map(|entry| entry.value)
    }

    fn counters(&self, node: NodeId) -> &Counters {
        self.shards[usize::from(node.0) - 1].counters()
    }
}

fn set(value: &'static str, level: WriteLevel) -> Operation {
    set_if(value, Condition::Always, level)
}

fn set_if(value: &'static str, condition: Condition, level: WriteLevel) -> Operation {
    let value = Value { bytes: Bytes::from_static(value.as_bytes()), media: Bytes::new() };
    Operation::Set { value, deadline: None, condition, level }
}

fn get(level: ReadLevel) -> Operation {
    Operation::Get { level }
}

fn copies(outcome: &Outcome) -> u8 {
    match outcome {
        Ok(Answer::Stored { copies, .. } | Answer::Deleted { copies, .. }) => *copies,
        other => panic!("not a write's answer: {other:?}"),
    }
}

fn value(outcome: Outcome) -> Option<Bytes> {
    match outcome {
        Ok(Answer::Found(entry)) => Some(entry.value.bytes),
        Ok(Answer::Missing) => None,
        other => panic!("not a read's answer: {other:?}"),
    }
}

#[test]
fn a_write_is_acknowledged_at_its_level_and_not_before() {
    // For each level: whether it is answered with no confirmation, with one, and with both.
    let rows = [
        (WriteLevel::One, [true, true, true]),
        (WriteLevel::Live, [false, false, true]),
        (WriteLevel::Quorum, [false, true, true]),
        (WriteLevel::All, [false, false, true]),
    ];
    for (level, expected) in rows {
        for (confirmed, expected) in expected.into_iter().enumerate() {
            let (mut trio, key) = Trio::with_key();
            let client = trio.ask(N1, &key, set("v", level));
            let reach = &[N2, N3][..confirmed];
            trio.carry(|_, to, _| to == N1 || reach.contains(&to));
            assert_eq!(trio.reply(client).is_some(), expected, "{level:?} with {confirmed} confirmations");
        }
    }
}

#[test]
fn a_level_that_cannot_be_met_stores_nothing() {
    let rows = [
        (&[N1, N2][..], WriteLevel::All, Some((3, 2))),
        (&[N1], WriteLevel::Quorum, Some((2, 1))),
        (&[N1], WriteLevel::Live, None),
        (&[N1], WriteLevel::One, None),
    ];
    for (alive, level, expected) in rows {
        let (mut trio, key) = Trio::with_key();
        trio.alive(alive);
        let outcome = trio.done(N1, &key, set("v", level));
        match expected {
            Some((needed, alive)) => {
                assert_eq!(outcome, Err(Failure::Unavailable { needed, alive }), "{level:?}");
                assert_eq!(trio.held(N1, &key), None);
            }
            None => assert_eq!(copies(&outcome), 1, "{level:?}"),
        }
    }
}

#[test]
fn a_replica_that_is_given_up_is_waited_for_no_longer() {
    let (mut trio, key) = Trio::with_key();
    let live = trio.ask(N1, &key, set("v", WriteLevel::Live));
    let all = trio.ask(N1, &key, set("w", WriteLevel::All));
    trio.carry(|_, to, _| to != N3);
    assert_eq!((trio.reply(live), trio.reply(all)), (None, None));
    trio.alive(&[N1, N2]);
    assert_eq!(copies(&trio.reply(live).unwrap()), 2);
    assert_eq!(trio.reply(all), Some(Err(Failure::Indeterminate { copies: 2 })));
}

#[test]
fn an_unanswered_write_is_repeated_and_ends_as_unknown() {
    let (mut trio, key) = Trio::with_key();
    let client = trio.ask(N1, &key, set("v", WriteLevel::Live));
    trio.bus.clear();
    trio.wait(400);
    let repeated = trio.bus.iter().filter(|(_, _, message)| matches!(message, Message::Replicate { .. })).count();
    assert_eq!((repeated, trio.counters(N1).retries), (2, 1));
    trio.carry(|_, to, _| to != N3);
    for _ in 0..20 {
        trio.wait(100);
        trio.bus.clear();
    }
    assert_eq!(trio.reply(client), Some(Err(Failure::Indeterminate { copies: 2 })));
    // The replica still gets it: a later primary must not serve what the write has replaced.
    trio.wait(5_000);
    trio.carry_all();
    assert_eq!(trio.held(N3, &key), Some(&b"v"[..]));
    assert_eq!(trio.shards[0].in_flight(), 0);
}

#[test]
fn a_repeated_forward_is_one_write() {
    let (mut trio, key) = Trio::with_key();
    let client = trio.ask(N2, &key, set_if("v", Condition::Absent, WriteLevel::Live));
    let (from, to, forward) = trio.bus.pop_front().unwrap();
    for _ in 0..3 {
        trio.bus.push_back((from, to, forward.clone()));
    }
    trio.carry_all();
    assert!(matches!(trio.reply(client), Some(Ok(Answer::Stored { created: true, copies: 3, .. }))));
    // Somebody deletes it; the copy that comes last must not write it again.
    trio.done(N1, &key, Operation::Delete { condition: Condition::Always, level: WriteLevel::Live }).unwrap();
    trio.bus.push_back((from, to, forward));
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
}

#[test]
fn a_request_is_passed_on_once() {
    let (mut trio, key) = Trio::with_key();
    let request = Request { key: key.clone(), operation: get(ReadLevel::Primary), timeout: Duration::from_secs(1) };
    let id = RequestId { node: N3, serial: 9 };
    for (hops, node) in [(1, N2), (2, N1)] {
        trio.bus.push_back((N3, node, Message::Forward { id, boot: 0, hops, request: request.clone() }));
        trio.carry(|_, to, _| to != N3);
    }
    // n2 is not the primary; n1 is, but the request has come too far: neither passes it on.
    assert_eq!(trio.bus.len(), 0);
    // Views differ: n2 believes that n3 is the primary, and asks again until it is told otherwise.
    trio.views[1] = trio.views[1].with_alive(|node| node != N1);
    let client = trio.ask(N2, &key, get(ReadLevel::Primary));
    assert_eq!(trio.reply(client), Some(Ok(Answer::Missing)), "n2 takes itself for the primary");
    trio.views[1] = trio.views[1].with_alive(|_| true);
    trio.views[0] = trio.views[0].with_alive(|_| true);
    trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
    assert_eq!(value(trio.done(N2, &key, get(ReadLevel::Primary))).as_deref(), Some(&b"v"[..]));
}

#[test]
fn an_answer_says_that_its_primary_has_lost_the_majority_whoever_was_asked() {
    let mut trio = Trio::with(Limits::default(), 2);
    let ordered = |key: &Key| trio.views[0].replicas(key.slot()) == [N1, N2];
    let key = (0..).map(|number| Key::new(format!("key{number}")).unwrap()).find(ordered).unwrap();
    // Only the primary has lost touch with the other replica: n3, which is none, still hears both.
    trio.views[0] = trio.views[0].with_alive(|node| node != N2);
    let passed_on = [set("v", WriteLevel::Live), get(ReadLevel::Primary), set("w", WriteLevel::Quorum)];
    for (node, operation) in [N1, N3].into_iter().flat_map(|node| passed_on.clone().map(|done| (node, done))) {
        let client = trio.ask(node, &key, operation);
        trio.carry_all();
        assert_eq!(trio.served.get(&client), Some(&Served { by: N1, isolated: true }), "{:?}", trio.reply(client));
    }
    trio.views[0] = trio.views[0].with_alive(|_| true);
    let client = trio.ask(N3, &key, set("x", WriteLevel::Live));
    trio.carry_all();
    assert_eq!(trio.served.get(&client), Some(&Served { by: N1, isolated: false }), "{:?}", trio.reply(client));
}

#[test]
fn an_answer_says_who_gave_it() {
    let (mut trio, key) = Trio::with_key();
    let check = |trio: &mut Trio, node, operation: Operation, expected| {
        let client = trio.ask(node, &key, operation);
        trio.carry_all();
        let served = Some(Served { by: expected, isolated: false });
        assert_eq!(trio.served.get(&client).copied(), served, "{:?}", trio.reply(client));
    };
    check(&mut trio, N1, set("v", WriteLevel::All), N1);
    check(&mut trio, N3, set("v", WriteLevel::All), N1);
    check(&mut trio, N3, get(ReadLevel::Primary), N1);
    check(&mut trio, N3, get(ReadLevel::One), N3);
    check(&mut trio, N3, get(ReadLevel::Quorum), N3);
    // The primary dies with a read on its way: who answers in its place is named.
    let read = trio.ask(N3, &key, get(ReadLevel::Primary));
    let written = trio.ask(N3, &key, set("w", WriteLevel::One));
    trio.bus.clear();
    trio.alive(&[N2, N3]);
    trio.carry_all();
    assert_eq!((value(trio.reply(read).unwrap()).as_deref(), trio.served[&read].by), (Some(&b"v"[..]), N2));
    // Nobody else knows what became of the write.
    assert_eq!((trio.reply(written).unwrap().is_err(), trio.served[&written].by), (true, N3));
    // And when this node takes over itself, it is the one.
    let read = trio.ask(N3, &key, get(ReadLevel::Primary));
    trio.bus.clear();
    trio.alive(&[N3]);
    assert_eq!((value(trio.reply(read).unwrap()).as_deref(), trio.served[&read].by), (Some(&b"v"[..]), N3));
}

#[test]
fn what_was_removed_does_not_come_back_by_a_late_message() {
    let (mut trio, key) = Trio::with_key();
    trio.ask(N1, &key, set("old", WriteLevel::Live));
    let late: Vec<_> = trio.bus.iter().cloned().collect();
    trio.carry_all();
    trio.done(N1, &key, Operation::Delete { condition: Condition::Always, level: WriteLevel::Live }).unwrap();
    trio.bus.extend(late);
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
    assert_eq!(trio.counters(N2).refused, 1);
}

#[test]
fn a_refused_primary_moves_on_above_what_the_replica_holds() {
    let (mut trio, key) = Trio::with_key();
    let ahead = Version::new(UnixMs(START + 60_000), 0, N3);
    let entry = Entry {
        value: Value { bytes: Bytes::from_static(b"old"), media: Bytes::new() },
        version: ahead,
        deadline: None,
    };
    let id = RequestId { node: N3, serial: 1 };
    let change = Change::Put(entry);
    trio.bus.push_back((N3, N2, Message::Replicate { id, key: key.clone(), change }));
    trio.carry_all();
    let outcome = trio.done(N1, &key, set("new", WriteLevel::All));
    assert!(matches!(outcome, Ok(Answer::Stored { version, copies: 3, .. }) if version > ahead), "{outcome:?}");
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [Some(&b"new"[..]); 3]);
}

#[test]
fn a_version_from_the_far_future_is_not_followed() {
    let (mut trio, key) = Trio::with_key();
    let wild = Version { stamp: u64::MAX, node: N3 };
    let id = RequestId { node: N3, serial: 1 };
    let verdict = Verdict::Refused { held: wild };
    let slot = key.slot();
    trio.bus.push_back((N3, N1, Message::Replicate { id, key: key.clone(), change: Change::Remove { version: wild } }));
    trio.bus.push_back((N3, N1, Message::Replicated { id, slot, version: Version::ZERO, verdict }));
    trio.carry_all();
    assert_eq!(trio.counters(N1).incredible, 2);
    assert_eq!(copies(&trio.done(N1, &key, set("v", WriteLevel::All))), 3);
}

#[test]
fn a_majority_finds_the_newest_and_repairs_the_rest() {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("one", WriteLevel::All)).unwrap();
    // n3 misses the second write, and n1 and n2 forget nothing.
    trio.ask(N1, &key, set("two", WriteLevel::Quorum));
    trio.carry(|_, to, _| to != N3);
    assert_eq!(trio.held(N3, &key), Some(&b"one"[..]));
    assert_eq!(value(trio.done(N3, &key, get(ReadLevel::One))).as_deref(), Some(&b"one"[..]));
    assert_eq!(value(trio.done(N3, &key, get(ReadLevel::Quorum))).as_deref(), Some(&b"two"[..]));
    assert_eq!(trio.held(N3, &key), Some(&b"two"[..]));
    trio.alive(&[N3]);
    let outcome = trio.done(N3, &key, get(ReadLevel::Quorum));
    assert_eq!(outcome, Err(Failure::Unavailable { needed: 2, alive: 1 }));
}

#[test]
fn a_value_that_a_replica_has_seen_go_is_not_vouched_for() {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
    // n3 misses the deletion.
    trio.ask(N1, &key, Operation::Delete { condition: Condition::Always, level: WriteLevel::Quorum });
    trio.carry(|_, to, _| to != N3);
    assert_eq!(trio.held(N3, &key), Some(&b"v"[..]));
    assert_eq!(value(trio.done(N3, &key, get(ReadLevel::Quorum))), None);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut trio = Trio::new(Limits { entries: None, bytes: Some(100) });
    let key = Key::new("k").unwrap();
    let primary = trio.views[0].primary(key.slot()).unwrap();
    let large = set("0123456789012345678901234567890123456789", WriteLevel::Live);
    assert_eq!(copies(&trio.done(primary, &key, set("v", WriteLevel::Live))), 3);
    let outcome = trio.done(primary, &key, large);
    assert!(matches!(outcome, Err(Failure::TooLarge { limit: 100, .. })), "{outcome:?}");
    assert_eq!(trio.held(primary, &key), Some(&b"v"[..]));
}

#[test]
fn conditions_are_decided_by_what_is_there() {
    let (mut trio, key) = Trio::with_key();
    let outcome = |trio: &mut Trio, condition| trio.done(N2, &key, set_if("v", condition, WriteLevel::Live));
    assert_eq!(outcome(&mut trio, Condition::Present), Ok(Answer::Unmet { present: None }));
    let Ok(Answer::Stored { version, created: true, .. }) = outcome(&mut trio, Condition::Absent) else { panic!() };
    assert_eq!(outcome(&mut trio, Condition::Absent), Ok(Answer::Unmet { present: Some(version) }));
    assert_eq!(outcome(&mut trio, Condition::OlderThan(version)), Ok(Answer::Unmet { present: Some(version) }));
    let Ok(Answer::Stored { version: next, created: false, .. }) = outcome(&mut trio, Condition::Is(version)) else {
        panic!()
    };
    assert!(next > version);
    assert_eq!(outcome(&mut trio, Condition::Is(version)), Ok(Answer::Unmet { present: Some(next) }));
}

mod again;
mod coming_back;
mod comparing;
mod counting;
mod forwarded;
mod journal;
mod leaving;
mod load;
mod unheard;
mod walk;

#[test]
fn who_keeps_the_slot_no_more_counts_no_more() {
    let (mut trio, key) = Trio::with_key();
    let client = trio.ask(N1, &key, set("v", WriteLevel::All));
    let mut late = Vec::new();
    trio.carry(|from, to, message| {
        let passes = to != N3;
        if !passes {
            late.push((from, to, message.clone()));
        }
        passes
    });
    // n2 has confirmed; then its place is n4's, and there cannot be three any more, whoever confirms.
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let map = Map { epoch: crate::id::Epoch(4), ..Map::first([1, 3, 4].map(member).to_vec(), 3, 16) };
    let view = &mut trio.views[0];
    *view = view.on(Arc::new(map), |_| true, |_| crate::view::Pull::default());
    trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.bus.extend(late);
    trio.carry(|_, to, _| to != NodeId(4));
    assert_eq!(trio.reply(client), Some(Err(Failure::Indeterminate { copies: 1 })));
    // Nor is it waited for any longer: a slot that is one node's alone has nobody to tell.
    let (mut trio, key) = Trio::with_key();
    let client = trio.ask(N1, &key, set("v", WriteLevel::Live));
    trio.bus.clear();
    let map = Map { epoch: crate::id::Epoch(4), ..Map::first([1].map(member).to_vec(), 3, 16) };
    let view = &mut trio.views[0];
    *view = view.on(Arc::new(map), |_| true, |_| crate::view::Pull::default());
    trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    assert_eq!((copies(&trio.reply(client).unwrap()), trio.shards[0].in_flight()), (1, 0));
}
