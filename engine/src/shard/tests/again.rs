//! What was withheld is asked for again, and what was said by those who have started again since.

use super::coming_back::{check_quiet, moment};
use super::*;
use crate::view::{Absence, Pull};

/// All of them go by that map, and each believes those alive whom `hears` says.
fn go_by(trio: &mut Trio, map: &Arc<Map>, hears: impl Fn(NodeId, NodeId) -> bool) {
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.on(Arc::clone(map), |other| hears(node, other), |other| view.pull(other).unwrap());
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
}

/// The next map of the trio, by which the slots of n2 are stood in for.
fn standing_in(trio: &Trio) -> Arc<Map> {
    let mut map = (*trio.views[0].map).clone();
    (map.epoch.0, map.phase) = (map.epoch.0 + 1, Phase::Filling);
    (map.members[1].away, map.members[1].was_away) = (true, false);
    Arc::new(map)
}

/// A key that n1 and n2 keep, and n3 is given by that map.
fn given_to_n3(trio: &Trio, map: &Arc<Map>) -> Key {
    let gains = |key: &Key| View::first(N3, Arc::clone(map)).gains(N3, key.slot());
    let mut keys = (0..).map(|number| Key::new(format!("k{number}")).unwrap());
    keys.find(|key| trio.views[0].replicas(key.slot()) == [N1, N2] && gains(key)).unwrap()
}

#[test]
fn what_both_owners_withheld_while_they_did_not_hear_each_other_is_told_once_they_have() {
    let mut trio = Trio::with(Limits::default(), 2);
    let map = standing_in(&trio);
    let key = given_to_n3(&trio, &map);
    trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
    trio.wait(1_000);
    // Both stood still for long, and neither hears the other.
    for node in [N1, N2] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let pull = |other| Pull { round: 2, ..view.pull(other).unwrap() };
        let away = view.clone().after(Absence { count: 1, long: true, over: true });
        *view = away.with(|_| true, pull);
    }
    let apart = [(N1, N2), (N2, N1)];
    go_by(&mut trio, &map, |node, other| !apart.contains(&(node, other)));
    let talk = |trio: &mut Trio| {
        for _ in 0..20 {
            trio.wait(200);
            trio.carry_all();
        }
    };
    talk(&mut trio);
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key).is_some()), [true, true, false], "nobody vouches for it");
    assert!(trio.shards[2].sources.is_filling(key.slot()), "they may yet");
    go_by(&mut trio, &map, |_, _| true);
    talk(&mut trio);
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [Some(&b"v"[..]); 3]);
    assert!(!trio.shards[2].sources.is_filling(key.slot()));
}

#[test]
fn who_joined_is_asked_for_what_it_was_told_by_somebody_who_is_lost() {
    let mut trio = Trio::new(Limits::default());
    let alone = |trio: &Trio, phase, weight| {
        let mut map = (*trio.views[0].map).clone();
        (map.epoch.0, map.phase) = (map.epoch.0 + 1, phase);
        match weight {
            0 => drop(map.members.pop()),
            _ => map.members.push(Member { was: 0, ..Member::new(N3, "n3") }),
        }
        Arc::new(map)
    };
    let before = alone(&trio, Phase::Steady, 0);
    for node in [N1, N2] {
        let index = usize::from(node.0) - 1;
        trio.views[index] =
            trio.views[index].on(Arc::clone(&before), |_| true, |_| Pull { round: 1, ..Pull::default() });
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    trio.carry_all();
    let filling = alone(&trio, Phase::Filling, 1);
    let key = Key::new("k").unwrap();
    // n1 goes by the next map, and n2 does not hear of it. What n1 decides it tells n3, and is gone with it.
    trio.shards[2] = trio.shard(N3);
    trio.views[2] = View::first(N3, Arc::clone(&filling));
    trio.views[0] = trio.views[0].on(
        Arc::clone(&filling),
        |other| other != N2,
        |other| trio.views[0].pull(other).unwrap_or(Pull { round: 1, ..Pull::default() }),
    );
    for node in [N1, N3] {
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    let since = moment(&mut trio);
    trio.carry(|_, to, _| to != N2);
    let client = trio.ask(N1, &key, set("v", WriteLevel::Live));
    trio.carry(|_, to, _| to != N2);
    assert!(trio.reply(client).is_some_and(|outcome| copies(&outcome) == 2));
    // n2 hears another start of n1, which knows nothing, and only then of the map.
    trio.shards[0] = trio.shard(N1);
    let lost = |view: &View, other| {
        let pull = view.pull(other).unwrap_or(Pull { round: 1, ..Pull::default() });
        if other == N1 { Pull { round: 2, losses: 1, since, ..pull } } else { pull }
    };
    trio.views[1] = trio.views[1].with(|_| true, |other| lost(&trio.views[1], other));
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.views[1] = trio.views[1].on(Arc::clone(&filling), |_| true, |other| lost(&trio.views[1], other));
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    for _ in 0..10 {
        trio.wait(200);
        // Whatever n1 is told by n3 it does not tell n2.
        trio.carry(|from, to, message| !(from == N3 && to == N1 && matches!(message, Message::Listed { .. })));
    }
    assert_eq!(trio.held(N2, &key), Some(&b"v"[..]));
}

/// That node hears n1 lead that life, and the others their first.
fn leads(trio: &mut Trio, node: NodeId, life: u64) {
    let view = &mut trio.views[usize::from(node.0) - 1];
    let pull = |other| Pull { life: if other == N1 { life } else { 1 }, ..view.pull(other).unwrap() };
    *view = view.with(|_| true, pull);
    trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
}

#[test]
fn what_an_earlier_start_has_sent_is_refused_once_who_has_heard_the_next_one_asks() {
    let (mut trio, key) = Trio::with_key();
    for node in [N2, N3] {
        leads(&mut trio, node, 5);
    }
    let client = trio.ask(N1, &key, set("v", WriteLevel::Live));
    let held_up = core::mem::take(&mut trio.bus);
    // n1 starts again. n2 knows, and asks n3, which does not, what n1 has told it.
    leads(&mut trio, N2, 6);
    let pull = |view: &View, other| Pull { round: 2, losses: 1, ..view.pull(other).unwrap() };
    trio.views[1] = trio.views[1].with(|_| true, |other| pull(&trio.views[1], other));
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.carry(|from, to, _| from != N1 && to != N1);
    assert_eq!(trio.shards[1].in_doubt(), Lanes::ALL, "n1 has to be heard");
    let to_n3 = |trio: &mut Trio| {
        trio.bus.extend(held_up.iter().filter(|(_, to, _)| *to == N3).cloned());
        trio.carry(|_, to, _| to != N1);
        trio.held(N3, &key).is_some()
    };
    assert!(!to_n3(&mut trio), "it would be told to nobody");
    assert_eq!(trio.reply(client), None);
    // The same from the start that is known to both is listened to.
    leads(&mut trio, N3, 6);
    assert!(to_n3(&mut trio));
}

#[test]
fn what_an_earlier_start_has_answered_counts_no_longer_once_who_has_heard_the_next_one_asks() {
    let (mut trio, key) = Trio::with_key();
    let leads = |trio: &mut Trio, node: NodeId, life: u64, lost: bool| {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let pull = |other| {
            let pull = view.pull(other).unwrap();
            let (life, lost) = if other == N1 { (life, u64::from(lost)) } else { (1, 0) };
            Pull { life, round: pull.round + lost, losses: pull.losses + lost, ..pull }
        };
        *view = view.with(|_| true, pull);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    };
    for node in [N1, N2, N3] {
        leads(&mut trio, node, 5, false);
    }
    // n1 alone has something. n3 asks what it missed, and has yet to hear n2.
    trio.ask(N1, &key, set("v", WriteLevel::One));
    trio.bus.clear();
    leads(&mut trio, N3, 5, true);
    let mut held_up = Vec::new();
    trio.carry(|from, to, message| {
        let holds = (from, to) == (N2, N3) && matches!(message, Message::Fetched { .. });
        held_up.extend(holds.then(|| (from, to, message.clone())));
        !holds
    });
    assert!(!held_up.is_empty());
    // n1 starts again, with nothing. n2 hears that, and asks n3, which has not heard it, what n1 has told it.
    trio.shards[0] = trio.shard(N1);
    leads(&mut trio, N2, 6, true);
    trio.carry(|from, to, _| from != N1 && to != N1);
    trio.bus.extend(held_up);
    trio.carry(|from, to, _| from != N1 && to != N1);
    assert_eq!(trio.held(N3, &key), None, "it would be told to nobody");
    leads(&mut trio, N3, 6, true);
    for _ in 0..30 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
    check_quiet(&trio);
}

#[test]
fn who_refuses_a_write_of_which_nothing_is_left_does_not_keep_what_it_replaced() {
    for refuses_first in [false, true] {
        let (mut trio, key) = Trio::with_key();
        trio.done(N1, &key, set("old", WriteLevel::All)).unwrap();
        moment(&mut trio);
        // n3 starts again with nothing, and is told of what there is.
        trio.shards[2] = trio.shard(N3);
        let ahead = UnixMs(trio.now.unix.0 + 10_000);
        trio.shards[2].start_above(Version::new(ahead, 0, N3));
        trio.views[2] = trio.views[2].clone().after(Absence { count: 1, long: true, over: true });
        trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
        let mut answers = Vec::new();
        trio.carry(|from, to, message| {
            let holds = to == N3 && matches!(message, Message::Fetched { .. });
            answers.extend(holds.then(|| (from, to, message.clone())));
            !holds
        });
        assert!(!answers.is_empty());
        // What comes in its place has expired at once.
        let touch = Operation::Touch { deadline: Some(trio.now.unix), level: WriteLevel::Live };
        let client = trio.ask(N1, &key, touch);
        match refuses_first {
            true => trio.carry_all(),
            false => trio.bus.extend(core::mem::take(&mut answers)),
        }
        trio.bus.extend(answers);
        trio.carry_all();
        assert!(matches!(trio.reply(client), Some(Ok(Answer::Touched { .. }))), "{:?}", trio.reply(client));
        assert!(trio.counters(N3).refused > 0, "it knows of nothing newer");
        assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3], "{refuses_first}");
        check_quiet(&trio);
    }
}

#[test]
fn who_is_given_a_slot_asks_all_where_the_one_it_asks_has_seen_something_newer_go() {
    let mut trio = Trio::with(Limits::default(), 2);
    let map = standing_in(&trio);
    let key = given_to_n3(&trio, &map);
    trio.done(N1, &key, set("old", WriteLevel::All)).unwrap();
    let since = moment(&mut trio);
    // n2 decides alone while it hears nobody, and n3 is given the slot by n1.
    go_by(&mut trio, &map, |node, other| node == other || (node != N2 && other != N2));
    trio.done(N2, &key, set("new", WriteLevel::One)).unwrap();
    trio.wait(0);
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [&b"old"[..], b"new", b"old"].map(Some));
    // n3 has missed nothing: it is given what there is.
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let missed = |other| Pull { round: 2, losses: 1, since, ..view.pull(other).unwrap() };
        let pull = |other| if node == N3 { view.pull(other).unwrap() } else { missed(other) };
        *view = view.with(|_| true, pull);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    // n1 is told of that, and has let it go before n3 is told.
    let mut held_up = Vec::new();
    trio.carry(|from, to, message| {
        let holds = from != N1 && to != N1;
        held_up.extend(holds.then(|| (from, to, message.clone())));
        !holds
    });
    assert_eq!([N1, N3].map(|node| trio.held(node, &key)), [Some(&b"new"[..]), Some(&b"old"[..])]);
    trio.at(N1, |shard, time, _, out| shard.evict(time, &key, out));
    trio.bus.extend(held_up);
    trio.carry_all();
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!([N2, N3].map(|node| trio.held(node, &key)), [Some(&b"new"[..]); 2]);
}

#[test]
fn who_is_taken_for_an_earlier_start_counts_again_once_it_answers() {
    let (mut trio, key) = Trio::with_key();
    // n2 has heard of a start of n1 that was before the one which n3 hears, by a clock that has been set back since.
    for (node, life) in [(N1, 5), (N2, 6), (N3, 5)] {
        leads(&mut trio, node, life);
    }
    let pull = |view: &View, other| Pull { round: 2, losses: 1, ..view.pull(other).unwrap() };
    trio.views[1] = trio.views[1].with(|_| true, |other| pull(&trio.views[1], other));
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.carry_all();
    // Whoever is asked by each message that is dropped would be asked for ever.
    let carry_some = |trio: &mut Trio| {
        let mut messages = 0;
        trio.carry(|_, _, _| {
            messages += 1;
            messages < 100
        });
        assert!(messages < 100, "{messages}");
    };
    let client = trio.ask(N1, &key, set("v", WriteLevel::All));
    carry_some(&mut trio);
    assert_eq!(trio.held(N3, &key), None, "it may be what was sent before");
    trio.wait(400);
    carry_some(&mut trio);
    assert_eq!(copies(&trio.reply(client).unwrap()), 3);
    check_quiet(&trio);
    // Two that take each other for earlier starts ask each other once for each message, and no more.
    for (node, other) in [(N1, N3), (N3, N1)] {
        trio.at(node, |shard, time, view, out| shard.outlived(time, view, &[(other, 9)], out));
    }
    let client = trio.ask(N1, &key, set("w", WriteLevel::All));
    carry_some(&mut trio);
    trio.wait(400);
    carry_some(&mut trio);
    assert_eq!(copies(&trio.reply(client).unwrap()), 3);
}

#[test]
fn who_was_being_filled_when_editions_pass_it_by_asks_for_what_it_still_lacks() {
    let mut trio = Trio::new(Limits::default());
    let key = Key::new("k").unwrap();
    trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
    trio.wait(1_000);
    let edition = |epochs, phase, change: fn(&mut Map)| {
        let mut map = (*trio.views[0].map).clone();
        (map.epoch.0, map.phase) = (map.epoch.0 + epochs, phase);
        change(&mut map);
        Arc::new(map)
    };
    // n3 starts again as its slots are handed over to it, and has nothing. Before anybody answers it, the change is
    // through, and the next has begun: n2 leaves.
    let handing = edition(1, Phase::Handing, |map| map.members[2].was = 0);
    let leaving = edition(3, Phase::Filling, |map| {
        (map.members[1].weight, map.members[1].leaving) = (0, true);
    });
    trio.shards[2] = trio.shard(N3);
    trio.views[2] = View::first(N3, handing);
    trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
    assert!(trio.shards[2].sources.is_filling(key.slot()));
    trio.carry(|_, _, _| false);
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.on(Arc::clone(&leaving), |_| true, |other| view.pull(other).unwrap_or_default());
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    for _ in 0..20 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!(trio.held(N3, &key), Some(&b"v"[..]));
    assert!(!trio.shards[2].sources.is_filling(key.slot()));
}
