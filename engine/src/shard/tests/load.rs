//! What a shard does when there is more to do than it can: it bounds what waits, shares what can be shared, and does
//! not press those who do not answer.

use alloc::vec;

use super::*;
use crate::request::Holding;

/// How many messages of that kind are on the bus to that node.
fn on_the_bus(trio: &Trio, to: NodeId, kind: &str) -> usize {
    trio.bus.iter().filter(|(_, receiver, message)| *receiver == to && message.kind() == kind).count()
}

/// A key whose replicas are those, in this order.
fn key_of(trio: &Trio, replicas: [NodeId; 3], name: &str) -> Key {
    let mut keys = (0..).map(|number| Key::new(format!("{name}{number}")).unwrap());
    keys.find(|key| trio.views[0].replicas(key.slot()) == replicas).unwrap()
}

#[test]
fn too_many_requests_are_turned_away_and_none_is_forgotten() {
    let (mut trio, key) = Trio::with_key();
    for _ in 0..limits::MAX_PENDING_FOR_PEER {
        trio.ask(N1, &key, set("v", WriteLevel::Live));
    }
    // Writes, quorum reads and, at the other nodes, whatever is passed on: each is turned away before it does anything.
    let refused = Some(Err(Failure::Busy { limit: "MAX_PENDING_FOR_PEER" }));
    for operation in [set("w", WriteLevel::Live), set("w", WriteLevel::One), get(ReadLevel::Quorum)] {
        let client = trio.ask(N1, &key, operation);
        assert_eq!(trio.reply(client), refused);
    }
    assert_eq!((trio.replies.len(), trio.counters(N1).busy), (3, 3));
    // It is known before a value is taken in: at the primary, and at a node that would pass it on, for itself.
    let full = |node: usize| trio.shards[node].full(&trio.views[node], key.slot());
    assert_eq!((full(0), full(1)), (Some("MAX_PENDING_FOR_PEER"), None));
    // What waits for nobody is answered all the same.
    let client = trio.ask(N1, &key, get(ReadLevel::Primary));
    assert_eq!(value(trio.reply(client).unwrap()).as_deref(), Some(&b"v"[..]));
    trio.carry_all();
    assert_eq!(trio.replies.len(), limits::MAX_PENDING_FOR_PEER + 4);
    assert_eq!(copies(&trio.done(N1, &key, set("v", WriteLevel::Live))), 3);
}

#[test]
fn a_silent_peer_leaves_room_for_what_others_answer() {
    let (mut trio, key) = Trio::with_key();
    let elsewhere = key_of(&trio, [N3, N2, N1], "other");
    let mut refused = None;
    for _ in 0..=limits::MAX_PENDING_FOR_PEER {
        // n1 says nothing: everybody who asks n2 for its keys waits.
        refused = Some(trio.ask(N2, &key, get(ReadLevel::Primary)));
        trio.bus.clear();
    }
    let limit = "MAX_PENDING_FOR_PEER";
    assert_eq!(trio.reply(refused.unwrap()), Some(Err(Failure::Busy { limit })));
    // n3 does, and is asked.
    assert_eq!(value(trio.done(N2, &elsewhere, get(ReadLevel::Primary))), None);
    // Those who wait are told when their time is over, and their room is there for others.
    for _ in 0..25 {
        trio.wait(100);
        trio.bus.clear();
    }
    assert_eq!((trio.shards[1].in_flight(), trio.replies.len()), (0, limits::MAX_PENDING_FOR_PEER + 2));
    assert_eq!(value(trio.done(N2, &key, get(ReadLevel::Primary))), None);
}

#[test]
fn reads_of_one_key_are_sent_one_at_a_time() {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("old", WriteLevel::All)).unwrap();
    let first = trio.ask(N2, &key, get(ReadLevel::Primary));
    // The primary answers it, and then takes a write: whoever asks from here on must not be told "old".
    trio.carry(|_, to, message| to == N1 && matches!(message, Message::Forward { .. }) || to == N2);
    assert_eq!(value(trio.reply(first).unwrap()).as_deref(), Some(&b"old"[..]));
    let second = trio.ask(N2, &key, get(ReadLevel::Primary));
    let (from, to, forward) = trio.bus.pop_front().expect("the second is sent at once");
    trio.at(to, |shard, time, view, out| shard.receive(time, view, from, forward, out));
    let answer = trio.bus.pop_front().expect("an answer that is not delivered yet");
    trio.done(N1, &key, set("new", WriteLevel::All)).unwrap();
    let later: Vec<u64> = (0..100).map(|_| trio.ask(N2, &key, get(ReadLevel::Primary))).collect();
    assert_eq!(trio.bus.len(), 0, "while one is under way, no other is sent");
    trio.bus.push_back(answer);
    trio.carry(|_, to, _| to == N2);
    assert_eq!(value(trio.reply(second).unwrap()).as_deref(), Some(&b"old"[..]));
    assert!(later.iter().all(|client| trio.reply(*client).is_none()), "what was sent before they asked is not theirs");
    // The next one went out for all of them when that answer came; it was lost on the way, and is repeated.
    trio.wait(200);
    assert_eq!(on_the_bus(&trio, N1, "forward"), 1);
    trio.carry_all();
    for client in &later {
        assert_eq!(value(trio.reply(*client).unwrap()).as_deref(), Some(&b"new"[..]));
        assert_eq!(trio.served[client].by, N1);
    }
    assert_eq!((trio.counters(N2).shared, trio.shards[1].in_flight()), (100, 0));
}

#[test]
fn whoever_shares_a_read_keeps_its_own_deadline() {
    let (mut trio, key) = Trio::with_key();
    let mut within = |node, ms| {
        trio.clients += 1;
        let client = ClientToken(trio.clients);
        let timeout = Duration::from_millis(ms);
        let request = Request { key: key.clone(), operation: get(ReadLevel::Primary), timeout };
        trio.at(node, |shard, time, view, out| shard.submit(time, view, client, request, out));
        client.0
    };
    let (leader, short, long) = (within(N2, 300), within(N2, 50), within(N2, 1_000));
    trio.bus.clear();
    trio.wait(60);
    assert_eq!((trio.reply(short), trio.reply(leader)), (Some(Err(Failure::Timeout)), None));
    trio.wait(250);
    assert_eq!((trio.reply(leader), trio.reply(long)), (Some(Err(Failure::Timeout)), None));
    // The one that has time left is sent for itself.
    assert!(on_the_bus(&trio, N1, "forward") >= 1);
    trio.carry_all();
    assert_eq!(trio.reply(long), Some(Ok(Answer::Missing)));
    assert_eq!(trio.shards[1].in_flight(), 0);
}

#[test]
fn reads_that_share_go_where_the_slot_goes() {
    let cases: [(&[NodeId], Option<NodeId>); 3] = [(&[N2, N3], Some(N2)), (&[N3], Some(N3)), (&[], None)];
    for (alive, expected) in cases {
        let (mut trio, key) = Trio::with_key();
        trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
        let asking = if expected.is_some() { N3 } else { N2 };
        let reads: Vec<u64> = (0..10).map(|_| trio.ask(asking, &key, get(ReadLevel::Primary))).collect();
        trio.bus.clear();
        if expected.is_some() {
            trio.alive(alive);
        } else {
            // Both others are gone, one after the other: it answers for itself.
            trio.alive(&[N2, N3]);
            trio.alive(&[N2]);
        }
        trio.carry_all();
        for client in reads {
            assert_eq!(value(trio.reply(client).unwrap()).as_deref(), Some(&b"v"[..]), "alive: {alive:?}");
            assert_eq!(trio.served[&client].by, expected.unwrap_or(N2));
        }
        assert_eq!(trio.shards[usize::from(asking.0) - 1].in_flight(), 0);
    }
}

#[test]
fn repetitions_are_few_while_a_peer_is_silent_and_many_when_it_answers() {
    let (mut trio, key) = Trio::with_key();
    let writes = 1_000;
    for _ in 0..writes {
        trio.ask(N1, &key, set("v", WriteLevel::Live));
    }
    trio.carry(|_, to, _| to != N3);
    let mut repeated = 0;
    for _ in 0..12 {
        trio.wait(100);
        repeated += on_the_bus(&trio, N3, "replicate");
        trio.bus.clear();
    }
    // 1.2 seconds, after which a silent peer is suspected: without a budget each of the 1,000 is repeated three times.
    assert!((1..=writes / 4).contains(&repeated), "{repeated} repetitions of {writes} writes");
    assert!(trio.counters(N1).held_back > 0);
    // It is back: all get through at its pace, though none of them is due before long.
    for _ in 0..20 {
        trio.wait(100);
        trio.carry_all();
    }
    assert_eq!((trio.shards[0].in_flight(), trio.replies.len()), (0, writes));
    assert_eq!(trio.held(N3, &key), Some(&b"v"[..]));
}

#[test]
fn one_message_that_is_never_answered_holds_up_no_other() {
    let (mut trio, key) = Trio::with_key();
    let other = key_of(&trio, [N1, N2, N3], "other");
    for _ in 0..limits::MAX_REPEATING {
        trio.ask(N1, &key, set("v", WriteLevel::One));
    }
    let stuck = |message: &Message| matches!(message, Message::Replicate { key: about, .. } if *about == key);
    trio.bus.clear();
    trio.wait(200);
    // As many as may be repeated are, and none of them ever arrives.
    trio.ask(N1, &other, set("w", WriteLevel::One));
    trio.bus.clear();
    for _ in 0..20 {
        trio.wait(500);
        trio.carry(|_, to, message| !(to == N3 && stuck(message)));
    }
    assert_eq!((trio.held(N3, &key), trio.held(N3, &other)), (None, Some(&b"w"[..])));
    assert_eq!(trio.shards[0].in_flight() as usize, limits::MAX_REPEATING);
    // It is N3 alone that they wait for.
    assert_eq!(trio.shards[0].in_flight_without(&[N2], true) as usize, limits::MAX_REPEATING);
    assert_eq!(trio.shards[0].in_flight_without(&[N2, N3], true), 0);
}

#[test]
fn values_that_wait_for_other_replicas_are_bounded() {
    let (mut trio, key) = Trio::with_key();
    let value = Value { bytes: vec![7; 64 << 20].into(), media: Bytes::new() };
    let version = Version::new(UnixMs(START), 1, N1);
    let reads: Vec<u64> = (0..5).map(|_| trio.ask(N1, &key, get(ReadLevel::Quorum))).collect();
    let asked: Vec<_> = trio.bus.drain(..).filter(|(_, to, _)| *to == N2).collect();
    for (_, _, message) in asked {
        let Message::Fetch { id, .. } = message else { panic!("{message:?}") };
        // It may have missed something: so the third is waited for, and the value is kept so long.
        let holding = Holding { version: Some(version), doubt: true, ..Holding::default() };
        let entry = Some(Entry { value: value.clone(), version, deadline: None });
        trio.bus.push_back((N2, N1, Message::Fetched { id, slot: key.slot(), holding, entry }));
    }
    trio.carry_all();
    let (last, others) = reads.split_last().unwrap();
    assert_eq!(trio.reply(*last), Some(Err(Failure::Busy { limit: "MAX_PENDING_BYTES" })));
    assert!(others.iter().all(|client| trio.reply(*client).is_none()));
    // With the third given up they are asked anew and done, and there is room again. What the second has said before
    // counts no longer, and it holds nothing.
    let write = trio.ask(N2, &key, set("v", WriteLevel::Live));
    trio.alive(&[N1, N2]);
    trio.carry_all();
    assert!(others.iter().all(|client| matches!(trio.reply(*client), Some(Ok(Answer::Missing)))));
    assert!(trio.reply(write).is_some_and(|outcome| outcome.is_ok()));
    assert_eq!(trio.shards[0].in_flight(), 0);
}

#[test]
fn a_version_that_is_given_twice_is_not_taken_for_the_first() {
    let (mut trio, key) = Trio::with_key();
    let Ok(Answer::Stored { version, .. }) = trio.done(N1, &key, set("before", WriteLevel::All)) else { panic!() };
    // n1 starts anew with nothing, and with its clock set back; by chance it gives the same version again.
    let entry = |value| Entry { value: Value { bytes: value, media: Bytes::new() }, version, deadline: None };
    let verdict_on = |trio: &mut Trio, change: Change| {
        trio.bus.push_back((N1, N2, Message::Replicate { id: RequestId::default(), key: key.clone(), change }));
        let mut verdicts = Vec::new();
        trio.carry(|_, _, message| {
            if let Message::Replicated { verdict, .. } = message {
                verdicts.push(*verdict);
            }
            true
        });
        verdicts
    };
    let again = Change::Put(entry(Bytes::from_static(b"before")));
    assert_eq!(verdict_on(&mut trio, again), [Verdict::Applied]);
    let other = Change::Put(entry(Bytes::from_static(b"after")));
    assert_eq!(verdict_on(&mut trio, other), [Verdict::Refused { held: version }]);
    assert_eq!(verdict_on(&mut trio, Change::Remove { version }), [Verdict::Refused { held: version }]);
    assert_eq!(trio.held(N2, &key), Some(&b"before"[..]));
}

#[test]
fn a_node_that_starts_above_a_floor_gives_no_version_below_it() {
    let (mut trio, key) = Trio::with_key();
    let floor = Version::new(UnixMs(START + 3_000_000), 9, N3);
    trio.at(N1, |shard, _, _, _| shard.start_above(floor));
    let Ok(Answer::Stored { version, .. }) = trio.done(N1, &key, set("v", WriteLevel::All)) else { panic!() };
    assert!(version > floor && trio.shards[0].latest() >= version);
    assert!(trio.shards[0].latest().unix().since(floor.unix()) < Duration::from_millis(10), "and none far above");
}

#[test]
fn answers_are_remembered_up_to_a_share_of_the_bound() {
    let map = Arc::clone(&Trio::new(Limits::default()).views[0].map);
    let view = View::first(N1, map);
    let now = Time { instant: Instant(0), unix: UnixMs(START) };
    let config = ShardConfig {
        me: N1,
        limits: Limits::default(),
        seed: 1,
        hash_seed: (1, 2),
        retry: Retry::default(),
        clock_skew: Duration::ZERO,
    };
    // One stripe of sixty-four.
    let lanes = lanes_of(5, LANES);
    let mut shard = Shard::new(config, lanes, now);
    let mut keys = (0..).map(|number| Key::new(format!("key{number}")).unwrap());
    let key = keys.find(|key| lanes.contains(key.slot()) && view.is_primary(key.slot())).unwrap();
    let mut out = Outbox::new();
    let mut forward = |serial, time: Time| {
        let operation = set_if("v", Condition::Present, WriteLevel::One);
        let request = Request { key: key.clone(), operation, timeout: Duration::from_secs(2) };
        let id = RequestId { node: N2, serial };
        out.effects.clear();
        shard.tick(time, &view, &mut out);
        out.effects.clear();
        shard.receive(time, &view, N2, Message::Forward { id, boot: 0, hops: 1, request }, &mut out);
        // In doubt it asks first, and answers nothing yet; what is remembered is the same.
        out.effects.iter().find_map(|effect| match effect {
            Effect::Send { message: Message::Answer { outcome, .. }, .. } => Some(outcome.clone()),
            _ => None,
        })
    };
    let share = limits::MAX_ANSWERED as u64 / u64::from(LANES);
    let busy = Some(Err(Failure::Busy { limit: "MAX_ANSWERED" }));
    let turned_away = (0..share + 5).filter(|serial| forward(*serial, now) == busy).count();
    assert_eq!(turned_away, 5);
    // When nobody repeats them any more, they are forgotten.
    let later = Time { instant: now.instant + Duration::from_secs(6), unix: UnixMs(START + 6_000) };
    assert_ne!(forward(share + 10, later), busy);
}

#[test]
fn many_writes_of_one_key_that_are_repeated_at_once_do_not_drive_each_other_on() {
    for removes in [false, true] {
        let (mut trio, key) = Trio::with_key();
        trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
        for _ in 0..100 {
            let operation = match removes {
                true => Operation::Delete { condition: Condition::Always, level: WriteLevel::One },
                false => set("w", WriteLevel::One),
            };
            let client = trio.ask(N1, &key, operation);
            trio.carry(|_, _, message| !matches!(message, Message::Replicate { .. }));
            assert!(trio.reply(client).is_some_and(|outcome| outcome.is_ok()));
        }
        // The replicas are reached again; messages overtake each other.
        let (mut carried, mut rng) = (0, Rng::new(7, "overtaken"));
        for _ in 0..20 {
            trio.wait(200);
            while carried < 20_000 && !trio.bus.is_empty() {
                let last = trio.bus.len() - 1;
                trio.bus.swap(last, rng.below(last as u64 + 1) as usize);
                let (from, to, message) = trio.bus.pop_back().expect("it is not empty");
                trio.at(to, |shard, time, view, out| shard.receive(time, view, from, message, out));
                carried += 1;
            }
        }
        // Each is told to both a few times, and confirmed.
        assert!(carried <= 100 * 2 * 2 * 3, "{carried} messages");
        assert_eq!(trio.shards[0].in_flight(), 0);
        let expected = if removes { None } else { Some(&b"w"[..]) };
        assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [expected; 3]);
    }
}
