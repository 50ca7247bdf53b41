//! Increments and touches: decided at the primary, replicated as what came of them, and carried out once at most,
//! message by message.

use super::forwarded::start;
use super::*;

fn increment(by: i64) -> Operation {
    Operation::Increment { by, level: WriteLevel::Live }
}

fn touch(deadline: Option<u64>) -> Operation {
    Operation::Touch { deadline: deadline.map(UnixMs), level: WriteLevel::Live }
}

/// The sum that a client was told, and whether there was nothing before.
fn told(reply: Option<Outcome>) -> Option<(i64, bool)> {
    match reply {
        Some(Ok(Answer::Added { value, created, .. })) => Some((value, created)),
        None => None,
        other => panic!("{other:?} is no sum"),
    }
}

/// The sum that a client was told.
fn sum(reply: Option<Outcome>) -> Option<i64> {
    told(reply).map(|(sum, _)| sum)
}

fn added(trio: &mut Trio, node: NodeId, key: &Key, by: i64) -> i64 {
    sum(Some(trio.done(node, key, increment(by)))).expect("a sum")
}

/// What every node has, which is the same.
fn agreed(trio: &Trio, key: &Key) -> Option<Entry> {
    let held = [N1, N2, N3].map(|node| {
        let shard = &trio.shards[usize::from(node.0) - 1];
        shard.peek(trio.now.unix, key, shard.place(key)).map(|entry| local::owned(&entry))
    });
    assert!(held[0] == held[1] && held[1] == held[2], "{held:?}");
    let [entry, ..] = held;
    entry
}

fn text(entry: Option<Entry>) -> Option<(Bytes, Option<UnixMs>)> {
    entry.map(|entry| (entry.value.bytes, entry.deadline))
}

/// The one message of that kind on the bus, taken off it.
fn taken(trio: &mut Trio, is: impl Fn(NodeId, NodeId, &Message) -> bool) -> (NodeId, NodeId, Message) {
    let place = trio.bus.iter().position(|(from, to, message)| is(*from, *to, message)).expect("it is under way");
    trio.bus.remove(place).expect("it is there")
}

#[test]
fn a_sum_is_made_once_and_the_replicas_get_the_sum() {
    let (mut trio, key) = Trio::with_key();
    let client = trio.ask(N1, &key, increment(5));
    let sent: Vec<_> = trio.bus.iter().map(|(_, to, message)| (*to, message.clone())).collect();
    assert_eq!(sent.len(), 2);
    for (to, message) in sent {
        let Message::Replicate { change: Change::Put(entry), .. } = message else { panic!("{message:?} for {to}") };
        assert_eq!(&entry.value.bytes[..], b"5");
    }
    trio.carry_all();
    let version = agreed(&trio, &key).expect("it is there").version;
    let first = Ok(Answer::Added { value: 5, version, copies: 3, created: true });
    assert_eq!(trio.reply(client), Some(first));
    // From each node, and down as well as up.
    assert_eq!([(N2, 3), (N3, -10), (N1, 1)].map(|(node, by)| added(&mut trio, node, &key, by)), [8, -2, -1]);
    let entry = agreed(&trio, &key).expect("it is there");
    assert!(entry.version > version && &entry.value.bytes[..] == b"-1");
}

#[test]
fn what_cannot_be_added_to_is_left_as_it_is() {
    let (mut trio, key) = Trio::with_key();
    for (value, by, expected) in [
        ("seven", 1, Failure::NotANumber),
        ("9223372036854775807", 1, Failure::Overflow),
        ("-9223372036854775808", -1, Failure::Overflow),
    ] {
        trio.done(N2, &key, set(value, WriteLevel::Live)).unwrap();
        let before = agreed(&trio, &key);
        for node in [N1, N2] {
            assert_eq!(trio.done(node, &key, increment(by)), Err(expected.clone()));
        }
        assert_eq!(agreed(&trio, &key), before);
    }
}

#[test]
fn a_sum_keeps_the_deadline_and_a_touch_moves_it() {
    let (mut trio, key) = Trio::with_key();
    let value = || Bytes::from_static(b"7");
    assert_eq!(trio.done(N2, &key, touch(None)), Ok(Answer::Missing));
    trio.done(N1, &key, set("7", WriteLevel::Live)).unwrap();
    let first = agreed(&trio, &key).unwrap().version;
    let told = trio.done(N2, &key, touch(Some(START + 5_000)));
    let version = agreed(&trio, &key).unwrap().version;
    assert!(version > first, "it is a write of its own");
    assert_eq!(told, Ok(Answer::Touched { version, copies: 3 }));
    assert_eq!(text(agreed(&trio, &key)), Some((value(), Some(UnixMs(START + 5_000)))));
    added(&mut trio, N3, &key, 1);
    assert_eq!(text(agreed(&trio, &key)), Some((Bytes::from_static(b"8"), Some(UnixMs(START + 5_000)))));
    trio.done(N3, &key, touch(None)).unwrap();
    assert_eq!(text(agreed(&trio, &key)), Some((Bytes::from_static(b"8"), None)));
    // Past its deadline it counts from nothing again, without one; a deadline that has passed removes.
    trio.done(N1, &key, touch(Some(START + 50))).unwrap();
    trio.wait(50);
    assert_eq!(added(&mut trio, N1, &key, 2), 2);
    assert_eq!(text(agreed(&trio, &key)), Some((Bytes::from_static(b"2"), None)));
    trio.done(N2, &key, touch(Some(START))).unwrap();
    assert_eq!(agreed(&trio, &key), None);
}

#[test]
fn a_repeated_forward_adds_once() {
    let (mut trio, key) = Trio::with_key();
    let is_forward = |_: NodeId, to: NodeId, message: &Message| to == N1 && matches!(message, Message::Forward { .. });
    // Two copies of it, then one more after its answer, then one after others have counted on.
    let client = trio.ask(N2, &key, increment(1));
    let forward = taken(&mut trio, is_forward);
    trio.bus.extend([forward.clone(), forward.clone()]);
    trio.carry_all();
    assert_eq!(told(trio.reply(client)), Some((1, true)));
    trio.bus.push_back(forward.clone());
    trio.carry_all();
    assert_eq!(added(&mut trio, N3, &key, 10), 11);
    trio.bus.push_back(forward.clone());
    trio.carry_all();
    assert_eq!(text(agreed(&trio, &key)).unwrap().0, "11");
    // And when the answer is long forgotten.
    trio.wait(60_000);
    trio.carry_all();
    trio.bus.push_back(forward);
    trio.carry_all();
    assert_eq!(text(agreed(&trio, &key)).unwrap().0, "11");
}

#[test]
fn a_lost_answer_is_given_again_and_nothing_is_added() {
    let (mut trio, key) = Trio::with_key();
    // It is there by the time that the answer arrives, and was not when the sum was made; the other way round the next.
    for (value, expected) in [("4", (4, true)), ("8", (8, false))] {
        let client = trio.ask(N2, &key, increment(4));
        trio.carry(|_, _, message| !matches!(message, Message::Answer { .. }));
        assert_eq!((told(trio.reply(client)), text(agreed(&trio, &key)).unwrap().0), (None, value.into()));
        trio.wait(200);
        trio.carry_all();
        assert_eq!((told(trio.reply(client)), text(agreed(&trio, &key)).unwrap().0), (Some(expected), value.into()));
    }
}

#[test]
fn a_copy_is_not_added_by_the_next_start_of_the_primary() {
    let (mut trio, key) = Trio::with_key();
    start(&mut trio, [11, 12, 13]);
    trio.carry_all();
    let client = trio.ask(N2, &key, increment(1));
    let is_forward = |_: NodeId, to: NodeId, message: &Message| to == N1 && matches!(message, Message::Forward { .. });
    let forward = taken(&mut trio, is_forward);
    trio.bus.push_back(forward.clone());
    trio.carry_all();
    assert_eq!(sum(trio.reply(client)), Some(1));
    start(&mut trio, [21, 12, 13]);
    trio.carry_all();
    trio.bus.push_back(forward);
    trio.carry_all();
    assert_eq!(text(agreed(&trio, &key)).unwrap().0, "1");
    assert_eq!(added(&mut trio, N2, &key, 1), 2, "the new start counts on");
}

#[test]
fn a_primary_in_doubt_asks_what_there_is_before_it_adds() {
    let (mut trio, key) = Trio::with_key();
    start(&mut trio, [11, 12, 13]);
    trio.carry_all();
    assert_eq!(added(&mut trio, N1, &key, 41), 41);
    // It has lost everything, and is asked before it has heard the others out.
    start(&mut trio, [21, 12, 13]);
    trio.bus.clear();
    assert!(!trio.shards[0].in_doubt().is_empty());
    let client = trio.ask(N1, &key, increment(1));
    assert_eq!(trio.reply(client), None);
    let asked = trio.bus.iter().filter(|(_, _, message)| matches!(message, Message::Fetch { .. })).count();
    assert_eq!(asked, 2);
    trio.carry_all();
    assert_eq!(told(trio.reply(client)), Some((42, false)), "it is not made anew");
    assert_eq!(trio.done(N1, &key, touch(None)).map(|answer| matches!(answer, Answer::Touched { .. })), Ok(true));
    trio.wait(400);
    trio.carry_all();
    assert_eq!(text(agreed(&trio, &key)).unwrap().0, "42");
}

#[test]
fn a_replica_that_repeats_or_overtakes_has_the_last_sum() {
    let (mut trio, key) = Trio::with_key();
    let first = trio.ask(N1, &key, increment(1));
    let to_n3 = |_: NodeId, to: NodeId, message: &Message| to == N3 && matches!(message, Message::Replicate { .. });
    let late = taken(&mut trio, to_n3);
    let second = trio.ask(N1, &key, increment(1));
    trio.carry_all();
    trio.bus.extend([late.clone(), late]);
    trio.carry_all();
    assert_eq!([first, second].map(|client| sum(trio.reply(client))), [Some(1), Some(2)]);
    assert_eq!(text(agreed(&trio, &key)).unwrap().0, "2");
}
