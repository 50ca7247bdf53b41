//! Digests of slots: where two nodes hold the same nothing is listed, and only there.

use super::coming_back::{delete, keys, meet, moment, part};
use super::*;
use crate::limits::MAX_PAGE_DIGESTS;
use crate::message::Slots;
use alloc::collections::BTreeSet;

/// What n3 and n1 said to each other of a pull by n3.
#[derive(Default)]
struct Heard {
    compares: usize,
    /// Digests that n1 told.
    digests: usize,
    /// Slots that the first page was asked for.
    asked: Option<usize>,
    /// Keys that n1 listed.
    listed: Vec<Key>,
}

/// Carries everything, waits, and says what was heard.
fn heard(trio: &mut Trio) -> Heard {
    let mut heard = Heard::default();
    for _ in 0..300 {
        trio.carry(|from, to, message| {
            match (from, to, message) {
                (N3, N1, Message::Compare { .. }) => heard.compares += 1,
                (N1, N3, Message::Compared { digests, .. }) => {
                    assert!(digests.len() <= MAX_PAGE_DIGESTS);
                    heard.digests += digests.len();
                }
                (N3, N1, Message::Sync { slots, .. }) if heard.asked.is_none() => {
                    heard.asked = slots.as_ref().map(Slots::len);
                }
                (N1, N3, Message::Listed { keys, .. }) => {
                    heard.listed.extend(keys.iter().map(|(key, _)| key.clone()));
                }
                _ => {}
            }
            true
        });
        trio.wait(50);
    }
    coming_back::check_quiet(trio);
    heard
}

fn shard_of(trio: &Trio, node: NodeId) -> &Shard {
    &trio.shards[usize::from(node.0) - 1]
}

fn write(trio: &mut Trio, key: &Key, operation: Operation) {
    let primary = trio.views[0].primary(key.slot()).unwrap();
    trio.done(primary, key, operation).unwrap();
}

/// All three have so many keys. Then n3 is parted from the others.
fn away(count: usize) -> (Trio, Vec<Key>) {
    let mut trio = Trio::new(Limits::default());
    let keys = keys(count, 5);
    keys.iter().for_each(|key| write(&mut trio, key, set("old", WriteLevel::All)));
    moment(&mut trio);
    part(&mut trio);
    (trio, keys)
}

/// n3 comes back, and may have missed anything.
fn back(trio: &mut Trio) -> Heard {
    meet(trio, Version::ZERO);
    heard(trio)
}

#[test]
fn where_nothing_differs_nothing_is_listed() {
    let (mut trio, keys) = away(400);
    let heard = back(&mut trio);
    assert_eq!((heard.asked, heard.listed.len()), (Some(0), 0));
    let slots: BTreeSet<Slot> = keys.iter().map(Key::slot).collect();
    assert_eq!(heard.digests, slots.len());
    assert_eq!(trio.counters(N3).slots_same, 2 * slots.len() as u64, "of two others");
    // Nobody asks any more: nothing is kept of it.
    trio.wait(11_000);
    assert!([N1, N2, N3].iter().all(|node| !shard_of(&trio, *node).store().has_digests()));
}

#[test]
fn what_differs_is_listed_whatever_it_is() {
    let (mut trio, keys) = away(100);
    let later = |trio: &Trio, ms| {
        let Operation::Set { value, condition, level, .. } = set("new", WriteLevel::Live) else { unreachable!() };
        Operation::Set { value, deadline: Some(UnixMs(trio.now.unix.0 + ms)), condition, level }
    };
    write(&mut trio, &keys[0], set("new", WriteLevel::Live));
    write(&mut trio, &keys[1], delete());
    let touch = Operation::Touch { deadline: Some(UnixMs(trio.now.unix.0 + 90_000)), level: WriteLevel::Live };
    write(&mut trio, &keys[2], touch);
    let brief = later(&trio, 300);
    write(&mut trio, &keys[3], brief);
    trio.wait(1_000);
    let added = Key::new("added").unwrap();
    write(&mut trio, &added, set("new", WriteLevel::Live));
    // n3 wrote as well, without the others.
    trio.done(N3, &keys[5], set("alone", WriteLevel::One)).unwrap();
    let heard = back(&mut trio);
    let slots: BTreeSet<Slot> = keys[..4].iter().chain([&added, &keys[5]]).map(Key::slot).collect();
    assert_eq!(heard.asked, Some(slots.len()));
    assert!(heard.listed.iter().all(|key| slots.contains(&key.slot())), "{:?}", heard.listed);
    for node in [N1, N2, N3] {
        assert_eq!(trio.held(node, &keys[0]), Some(&b"new"[..]));
        assert_eq!((trio.held(node, &keys[1]), trio.held(node, &keys[3])), (None, None));
        assert_eq!(trio.held(node, &added), Some(&b"new"[..]));
        assert_eq!(trio.held(node, &keys[5]), Some(&b"alone"[..]));
        assert_eq!(trio.held(node, &keys[6]), Some(&b"old"[..]));
    }
    let versions = [N1, N2, N3].map(|node| {
        let at = |key: &Key| {
            shard_of(&trio, node).peek(trio.now.unix, key, shard_of(&trio, node).place(key)).map(|e| e.deadline)
        };
        at(&keys[2]).expect("it is there")
    });
    assert!(versions[0].is_some() && versions == [versions[0]; 3], "the deadline was moved: {versions:?}");
}

#[test]
fn what_was_seen_go_is_a_part_of_the_digest() {
    let (mut trio, keys) = away(50);
    // A key that n3 never had comes and goes: both hold the same, and know of different things that have gone.
    let brief = Key::new("brief").unwrap();
    write(&mut trio, &brief, set("new", WriteLevel::Live));
    write(&mut trio, &brief, delete());
    let before = shard_of(&trio, N3).gone.floor(brief.slot());
    assert_eq!(back(&mut trio).asked, Some(1));
    let [one, three] = [N1, N3].map(|node| shard_of(&trio, node).gone.floor(brief.slot()));
    assert!(three > before && three == one);
    assert!(keys.iter().all(|key| trio.held(N3, key) == Some(&b"old"[..])));
}

#[test]
fn digests_come_a_part_at_a_time_and_any_answer_may_be_lost_or_come_twice() {
    for lost in ["compare", "compared", "none"] {
        let (mut trio, keys) = away(200);
        trio.shards.iter_mut().for_each(|shard| shard.tune(Tuning { batch: 1, ..Tuning::default() }));
        write(&mut trio, &keys[7], set("new", WriteLevel::Live));
        meet(&mut trio, Version::ZERO);
        let (mut number, mut again) = (0, Vec::new());
        trio.carry(|from, to, message| {
            number += usize::from(message.kind() == lost);
            if message.kind() == "compared" {
                again.push((from, to, message.clone()));
            }
            !(message.kind() == lost && number % 3 == 0)
        });
        // What came is no answer to what is asked now.
        trio.bus.extend(again);
        let heard = heard(&mut trio);
        assert!(lost == "none" || heard.compares > 0);
        // None where it came by the pull from n2 before.
        assert!(heard.asked.unwrap_or(0) <= 1, "without each third {lost}");
        assert!([N1, N2, N3].iter().all(|node| trio.held(*node, &keys[7]) == Some(&b"new"[..])));
        assert!(trio.counters(N3).slots_same > 100);
    }
}

#[test]
fn an_answer_is_compared_with_what_is_held_when_it_comes() {
    let (mut trio, keys) = away(50);
    meet(&mut trio, Version::ZERO);
    let mut late = Vec::new();
    trio.carry(|from, to, message| {
        let holds = to == N3 && message.kind() == "compared";
        if holds {
            late.push((from, to, message.clone()));
        }
        !holds
    });
    // n3 forgets a key in the meantime: it is told of it, as it would be by a listing.
    let key = keys[9].clone();
    trio.at(N3, |shard, time, _, out| shard.evict(time, &key, out));
    trio.bus.extend(late);
    assert_eq!(heard(&mut trio).asked, Some(1));
}

#[test]
fn who_has_little_or_was_away_for_a_moment_is_listed_everything_at_once() {
    let (mut trio, keys) = away(10);
    write(&mut trio, &keys[0], set("new", WriteLevel::Live));
    let few = back(&mut trio);
    assert_eq!((few.compares, few.asked), (0, None));
    let (mut trio, keys) = away(400);
    let since = moment(&mut trio);
    write(&mut trio, &keys[0], set("new", WriteLevel::Live));
    meet(&mut trio, since);
    let blip = heard(&mut trio);
    assert_eq!((blip.compares, blip.asked, blip.listed.len()), (0, None, 1));
    // Unless it turns out that much was written.
    part(&mut trio);
    keys.iter().for_each(|key| write(&mut trio, key, set("newer", WriteLevel::Live)));
    meet(&mut trio, since);
    assert!(heard(&mut trio).compares > 0);
    assert!(keys.iter().all(|key| trio.held(N3, key) == Some(&b"newer"[..])));
}

#[test]
fn who_is_suspected_is_told_no_digests() {
    let (mut trio, _) = away(20);
    let id = RequestId { node: N3, serial: 1 };
    trio.bus.push_back((
        N3,
        N1,
        Message::Compare { id, lanes: Lanes::ALL, since: Version::ZERO, cursor: 0, lives: Vec::new() },
    ));
    let mut told = false;
    trio.carry(|_, _, message| {
        told |= message.kind() == "compared";
        true
    });
    assert!(!told);
}

#[test]
fn lanes_of_another_stripe_over_there_are_compared_by_themselves() {
    let (mut trio, keys) = away(60);
    write(&mut trio, &keys[0], set("new", WriteLevel::Live));
    write(&mut trio, &keys[1], set("new", WriteLevel::Live));
    meet(&mut trio, Version::ZERO);
    let half = lanes_of(0, 2);
    let (mut narrowed, mut asked) = (0, Lanes::NONE);
    while let Some((from, to, mut message)) = trio.bus.pop_front() {
        match &mut message {
            Message::Compare { lanes, .. } if (from, to) == (N3, N1) => asked = asked.or(*lanes),
            // n1 answers as if it had two stripes.
            Message::Compared { lanes, digests, .. } if (from, to) == (N1, N3) && *lanes == Lanes::ALL => {
                *lanes = half;
                digests.retain(|(slot, _)| half.contains(*slot));
                narrowed += 1;
            }
            _ => {}
        }
        trio.at(to, |shard, time, view, out| shard.receive(time, view, from, message, out));
    }
    assert_eq!((narrowed, asked), (1, Lanes::ALL));
    coming_back::check_quiet(&trio);
    assert!(keys[..2].iter().all(|key| trio.held(N3, key) == Some(&b"new"[..])));
}

#[test]
fn what_is_held_of_a_key_counts_before_what_has_gone_from_its_slot() {
    let mut trio = Trio::new(Limits::default());
    let [one, other] = ["{k}1", "{k}2"].map(|key| Key::new(key).unwrap());
    let latest = |trio: &Trio, key: &Key| shard_of(trio, N1).latest_of(key);
    assert_eq!(latest(&trio, &one), Version::ZERO);
    let delete = || Operation::Delete { condition: Condition::Always, level: WriteLevel::All };
    for key in [&one, &other] {
        write(&mut trio, key, set("v", WriteLevel::All));
    }
    let held = latest(&trio, &one);
    assert!(Version::ZERO < held && held < latest(&trio, &other));
    write(&mut trio, &other, delete());
    let gone = latest(&trio, &other);
    assert!(gone > held, "it has seen the other one go");
    assert_eq!(latest(&trio, &one), held, "and has been told nothing later of this one");
    write(&mut trio, &one, delete());
    assert!(latest(&trio, &one) > gone);
    assert_eq!(latest(&trio, &other), latest(&trio, &one), "of what is not held it knows what the slot knows");
}
