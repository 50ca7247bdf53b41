//! What leaves a store when somebody may not know of it, what nobody vouches for, and slots that came while nobody
//! was heard.

use super::coming_back::{moment, part};
use super::*;
use crate::effect::Event;
use crate::view::{Absence, Pull};

#[test]
fn what_goes_before_who_came_back_has_asked_is_news_to_it() {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("old", WriteLevel::All)).unwrap();
    let since = moment(&mut trio);
    part(&mut trio);
    trio.done(N1, &key, set("new", WriteLevel::Live)).unwrap();
    // Old enough that its going is news to nobody who was there all the time.
    trio.wait(20_000);
    trio.carry_all();
    // The two others have missed nothing of each other.
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let pull = |other| match view.pull(other).unwrap() {
            pull if node == N3 || other == N3 => Pull { round: pull.round + 1, since, ..pull },
            pull => pull,
        };
        *view = view.with(|_| true, pull);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    // The others have heard n3 out, which has not been able to ask yet.
    let asks = |message: &Message| matches!(message, Message::Sync { .. } | Message::Compare { .. });
    trio.carry(|from, _, message| !(from == N3 && asks(message)));
    assert!([0, 1].iter().all(|node| trio.shards[*node].in_doubt().is_empty()));
    for node in [N1, N2] {
        trio.at(node, |shard, time, _, out| shard.evict(time, &key, out));
    }
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    assert!(trio.shards[2].in_doubt().is_empty());
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
}

#[test]
fn of_a_slot_that_moves_away_as_an_orphan_what_nobody_vouched_for_is_lost_and_the_rest_has_moved() {
    let (mut trio, before) = Trio::with_key();
    let slot = before.slot();
    let after = (0..).map(|number| Key::new(format!("after{number}")).unwrap()).find(|key| key.slot() == slot).unwrap();
    trio.done(N1, &before, set("v", WriteLevel::All)).unwrap();
    trio.wait(1);
    // n1 was away, and nobody is left who could say what it missed; then it takes a write.
    let alone = |node| node == N1;
    let missed = |view: &View, node| Pull { round: 2, ..view.pull(node).unwrap() };
    let view = trio.views[0].clone().after(Absence { count: 1, long: true, over: true });
    trio.views[0] = view.with(alone, |node| missed(&view, node));
    trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    assert!(trio.shards[0].orphans() > 0);
    trio.done(N1, &after, set("w", WriteLevel::Live)).unwrap();
    // It keeps nothing by the next map.
    let mut map = (*trio.views[0].map).clone();
    map.epoch.0 += 1;
    (map.members[0].weight, map.members[0].was) = (0, 0);
    let pull = |node| trio.views[0].pull(node).unwrap();
    let view = trio.views[0].on(Arc::new(map), alone, pull);
    let mut out = Outbox::watching();
    trio.shards[0].view_changed(trio.now, &view, &mut out);
    for _ in 0..1_000 {
        trio.now.instant.0 += 1_000;
        trio.shards[0].tick(trio.now, &view, &mut out);
    }
    let gone = out.events.iter().filter_map(|event| match event {
        Event::Unvouched { key, .. } => Some((key, "unvouched")),
        Event::Moved { key, .. } => Some((key, "moved")),
        _ => None,
    });
    assert_eq!(gone.collect::<BTreeMap<_, _>>(), BTreeMap::from([(&before, "unvouched"), (&after, "moved")]));
}

#[test]
fn what_nobody_vouches_for_is_not_there_for_a_client_and_is_kept_for_who_may_come_back() {
    let (mut trio, key) = Trio::with_key();
    let slot = key.slot();
    let other = (0..).map(|number| Key::new(format!("other{number}")).unwrap()).find(|key| key.slot() == slot).unwrap();
    for key in [&key, &other] {
        trio.done(N1, key, set("7", WriteLevel::All)).unwrap();
    }
    trio.wait(1);
    // n1 and n2 start again, and n3 is down: it may have decided something alone meanwhile.
    for node in [N1, N2] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let pull = |other| Pull { round: 2, ..view.pull(other).unwrap() };
        let away = view.clone().after(Absence { count: 1, long: true, over: true });
        *view = away.with(|other| other != N3, pull);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    // They have not heard each other out yet, and answer all that is asked about a key.
    let passes = |_, to, message: &Message| to != N3 && !matches!(message, Message::Sync { .. });
    let level = WriteLevel::Live;
    for (operation, expected) in [
        (get(ReadLevel::Primary), Answer::Missing),
        (Operation::Touch { deadline: None, level }, Answer::Missing),
        (set_if("8", Condition::Present, level), Answer::Unmet { present: None }),
    ] {
        let client = trio.ask(N1, &other, operation);
        trio.carry(passes);
        assert_eq!(trio.reply(client), Some(Ok(expected)));
        assert_eq!([N1, N2].map(|node| trio.held(node, &other)), [Some(&b"7"[..]); 2]);
    }
    let client = trio.ask(N1, &key, Operation::Increment { by: 1, level });
    trio.carry(passes);
    assert!(matches!(trio.reply(client), Some(Ok(Answer::Added { value: 1, created: true, copies: 2, .. }))));
    // n3 is back, and has what they have: it is current.
    for node in [N1, N2] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.with_alive(|_| true);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!(value(trio.done(N1, &other, get(ReadLevel::Primary))).as_deref(), Some(&b"7"[..]));
    assert_eq!(value(trio.done(N1, &key, get(ReadLevel::Primary))).as_deref(), Some(&b"1"[..]));
}

#[test]
fn who_came_to_keep_a_slot_while_it_heard_nobody_asks_for_it_also_while_something_else_moves() {
    let mut trio = Trio::with(Limits::default(), 2);
    // It shares other slots of the same lane with both.
    let mut keys = (0..).map(|number| Key::new(format!("k{number}")).unwrap());
    let key = keys.find(|key| trio.views[2].replicas(key.slot()) == [N1, N2]).unwrap();
    trio.done(N1, &key, set("v", WriteLevel::Live)).unwrap();
    assert_eq!(trio.held(N3, &key), None);
    trio.wait(1_000);
    let since = moment(&mut trio);
    // It came to stand in for n2 by editions of which it has not heard, and hears of the next change.
    let mut map = (*trio.views[0].map).clone();
    map.epoch.0 += 5;
    map.phase = Phase::Filling;
    (map.members[1].away, map.members[1].was_away) = (true, true);
    let map = Arc::new(map);
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        // Of what they shared before it has missed nothing up to now.
        *view = view.on(Arc::clone(&map), |_| true, |other| Pull { since, ..view.pull(other).unwrap() });
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    let view = &trio.views[2];
    assert!(view.is_replica(key.slot()) && !view.gains(N3, key.slot()));
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!(trio.held(N3, &key), Some(&b"v"[..]));
    assert_eq!(trio.shards[2].orphans(), 0);
}

#[test]
fn what_a_new_owner_has_deleted_does_not_come_back_with_what_it_is_given_late() {
    let mut trio = Trio::new(Limits::default());
    let later = |trio: &Trio, phase| {
        let mut map = (*trio.views[0].map).clone();
        (map.epoch.0, map.phase) = (map.epoch.0 + 1, phase);
        (map.members[2].weight, map.members[2].was) = (u32::from(phase == Phase::Handing), 0);
        Arc::new(map)
    };
    let go_by = |trio: &mut Trio, map: &Arc<Map>| {
        for node in [N1, N2, N3] {
            let view = &mut trio.views[usize::from(node.0) - 1];
            let on = view.on(Arc::clone(map), |_| true, |other| view.pull(other).unwrap());
            *view = on.with_switched(|_| true, |_| true);
            trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
        }
    };
    let alone = later(&trio, Phase::Steady);
    go_by(&mut trio, &alone);
    trio.carry_all();
    let handing = later(&trio, Phase::Handing);
    let leads =
        |key: &Key| View::first(N3, Arc::clone(&handing)).with_switched(|_| true, |_| true).is_primary(key.slot());
    let key = (0..).map(|number| Key::new(format!("k{number}")).unwrap()).find(leads).unwrap();
    trio.done(N1, &key, set("v", WriteLevel::Live)).unwrap();
    go_by(&mut trio, &handing);
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    // The slot is handed over to n3, which starts once more before that is done. It is asked to delete the key, and
    // those who hand the slot over do not hear of that yet.
    trio.shards[2] = trio.shard(N3);
    trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
    assert!(trio.views[2].is_primary(key.slot()) && trio.views[2].gains(N3, key.slot()));
    let told = |_, _, message: &Message| !matches!(message, Message::Replicate { .. });
    let client = trio.ask(N3, &key, Operation::Delete { level: WriteLevel::One, condition: Condition::Always });
    trio.carry(|from, to, message| told(from, to, message) && !matches!(message, Message::Listed { .. }));
    assert!(matches!(trio.reply(client), Some(Ok(Answer::Deleted { existed: true, .. }))));
    for _ in 0..10 {
        trio.wait(200);
        trio.carry(told);
    }
    assert_eq!([N1, N3].map(|node| trio.held(node, &key)), [Some(&b"v"[..]), None]);
}

#[test]
fn what_expires_elsewhere_once_it_was_listed_is_known_to_whoever_asked_for_it() {
    let (mut trio, key) = Trio::with_key();
    let value = Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() };
    let (deadline, condition, level) = (Some(UnixMs(trio.now.unix.0 + 50)), Condition::Always, WriteLevel::All);
    let stored = trio.done(N1, &key, Operation::Set { value, deadline, condition, level });
    let Ok(Answer::Stored { version, .. }) = stored else { panic!("{stored:?}") };
    // n3 starts again, and is told of the key while it is there. It asks for it when it has gone.
    trio.shards[2] = trio.shard(N3);
    trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.carry(|_, _, message| !matches!(message, Message::Fetch { .. }));
    assert_eq!(trio.held(N1, &key).map(<[u8]>::len), Some(1));
    for _ in 0..10 {
        trio.wait(100);
        trio.carry_all();
    }
    assert!(trio.shards[2].in_doubt().is_empty());
    assert_eq!([N1, N3].map(|node| trio.held(node, &key)), [None; 2]);
    assert!(trio.shards[2].gone.floor(key.slot()) >= version, "who comes back with something older hears of it here");
}

#[test]
fn what_is_hidden_is_dropped_where_somebody_vouches_that_there_is_nothing() {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
    trio.wait(1);
    // n1 was away, and n3 is given up before it is heard.
    let missed = |view: &View, node| Pull { round: 2, ..view.pull(node).unwrap() };
    let view = trio.views[0].clone().after(Absence { count: 1, long: true, over: true });
    trio.views[0] = view.with(|node| node == N1, |node| missed(&view, node));
    trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    let mut map = (*trio.views[0].map).clone();
    map.epoch.0 += 1;
    map.members.pop();
    let map = Arc::new(map);
    // n2 has lost its memory, and what n1 has is all that it could be told.
    trio.shards[1] = trio.shard(N2);
    for node in [N1, N2] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.on(Arc::clone(&map), |_| true, |other| missed(view, other));
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    for round in 2..5 {
        for _ in 0..10 {
            trio.wait(200);
            trio.carry(|_, to, _| to != N3);
        }
        // n2 knows all that there is by now. When n1 hears it again, it is told so.
        let view = &mut trio.views[0];
        *view = view.with(|_| true, |other| Pull { round, ..view.pull(other).unwrap() });
        trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    assert_eq!([0, 1].map(|node| trio.shards[node].orphans()), [0, 0]);
    assert_eq!([N1, N2].map(|node| trio.held(node, &key)), [None; 2]);
}

#[test]
fn what_an_owner_has_deleted_that_suspects_the_primary_does_not_come_back_from_the_primary() {
    let (mut trio, key) = Trio::with_key();
    let stored = trio.done(N1, &key, set("v", WriteLevel::All));
    let Ok(Answer::Stored { version, .. }) = stored else { panic!("{stored:?}") };
    // n3 comes to keep the key, and has nothing yet.
    let mut map = (*trio.views[0].map).clone();
    (map.epoch.0, map.phase) = (map.epoch.0 + 1, Phase::Filling);
    map.members[2].was = 0;
    let map = Arc::new(map);
    trio.shards[2] = trio.shard(N3);
    let mut away = (*map).clone();
    (away.epoch.0, away.phase, away.members[2].weight) = (map.epoch.0 - 1, Phase::Steady, 0);
    trio.views[2] = trio.views[2].on(Arc::new(away), |_| true, |other| trio.views[2].pull(other).unwrap());
    trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.bus.clear();
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.on(Arc::clone(&map), |_| true, |other| view.pull(other).unwrap());
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    assert_eq!(trio.views[2].primary(key.slot()), Some(N1));
    assert!(trio.views[2].gains(N3, key.slot()) && trio.shards[2].sources.is_filling(key.slot()));
    // n2 suspects n1, and tells n3 of what it has deleted. n3 asks n1, which has heard nothing of that.
    let change = Change::Remove { version: Version { stamp: version.stamp + 1, node: N2 } };
    let id = RequestId { node: N2, serial: 1 };
    trio.bus.push_front((N2, N3, Message::Replicate { id, key: key.clone(), change }));
    for _ in 0..10 {
        trio.carry(|from, to, message| from == N3 || to == N3 && !matches!(message, Message::Sync { .. }));
        trio.wait(200);
    }
    assert!(!trio.shards[2].sources.is_filling(key.slot()));
    assert_eq!([N1, N3].map(|node| trio.held(node, &key)), [Some(&b"v"[..]), None]);
}

#[test]
fn what_was_written_since_a_replica_left_unheard_is_told_to_those_who_are_left_and_the_rest_is_dropped() {
    let (mut trio, key) = Trio::with_key();
    let slot = key.slot();
    let rest = (0..).map(|number| Key::new(format!("rest{number}")).unwrap()).find(|key| key.slot() == slot).unwrap();
    for key in [&key, &rest] {
        trio.done(N1, key, set("old", WriteLevel::All)).unwrap();
    }
    trio.wait(1);
    let missed = |view: &View, node, round| Pull { round, ..view.pull(node).unwrap() };
    let adopt = |trio: &mut Trio, node: NodeId, change: &dyn Fn(&View) -> View| {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = change(view);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    };
    let talk = |trio: &mut Trio| {
        for _ in 0..10 {
            trio.wait(200);
            trio.carry(|from, to, _| from != N3 && to != N3);
        }
    };
    // Both were away, and n3 leaves before it is heard.
    let away = |view: &View, count| view.clone().after(Absence { count, long: true, over: true });
    for node in [N1, N2] {
        adopt(&mut trio, node, &|view| {
            let view = away(view, 1);
            view.with(|other| other != N3, |other| missed(&view, other, 2))
        });
    }
    let mut map = (*trio.views[0].map).clone();
    map.epoch.0 += 1;
    map.members.pop();
    let map = Arc::new(map);
    for node in [N1, N2] {
        adopt(&mut trio, node, &|view| view.on(Arc::clone(&map), |_| true, |other| view.pull(other).unwrap()));
    }
    let orphans = |trio: &Trio| [0, 1].map(|node| trio.shards[node].orphans() > 0);
    assert_eq!(orphans(&trio), [true; 2], "what n3 may have replaced nobody knows");
    assert_eq!([N1, N2].map(|node| trio.held(node, &rest)), [Some(&b"old"[..]); 2], "each may yet hear the other");
    // n1 decides alone, and stands still before n2 is back.
    adopt(&mut trio, N1, &|view| view.with(|other| other == N1, |other| view.pull(other).unwrap()));
    trio.done(N1, &key, set("new", WriteLevel::Live)).unwrap();
    trio.bus.clear();
    trio.wait(5_000);
    for node in [N1, N2] {
        adopt(&mut trio, node, &|view| {
            let view = if node == N1 { away(view, 2) } else { view.clone() };
            view.with(|_| true, |other| missed(&view, other, 3))
        });
    }
    talk(&mut trio);
    assert_eq!([N1, N2].map(|node| trio.held(node, &key)), [Some(&b"new"[..]); 2]);
    // Who might have vouched for what was there before has been heard. It is gone, and would not be back after a start.
    assert_eq!([N1, N2].map(|node| trio.held(node, &rest)), [None; 2]);
    assert_eq!(orphans(&trio), [false; 2]);
    assert!(matches!(trio.done(N1, &key, get(ReadLevel::One)), Ok(Answer::Found(entry)) if entry.value.bytes == "new"));
}

#[test]
fn who_hears_too_late_that_it_has_handed_a_slot_over_and_is_given_it_again_asks_for_all_of_it() {
    let mut trio = Trio::with(Limits::default(), 2);
    let mut keys = (0..).map(|number| Key::new(format!("k{number}")).unwrap());
    let key = keys.find(|key| trio.views[2].replicas(key.slot()) == [N1, N3]).unwrap();
    trio.done(N1, &key, set("old", WriteLevel::All)).unwrap();
    assert_eq!(trio.held(N3, &key), Some(&b"old"[..]));
    let first = Arc::clone(&trio.views[0].map);
    // What n3 has of the ring by the map of that number, and had before.
    let go_by = |trio: &mut Trio, nodes: &[NodeId], (after, phase): (u64, Phase), (weight, was): (u32, u32)| {
        let mut map = (*first).clone();
        (map.epoch.0, map.phase) = (map.epoch.0 + after, phase);
        (map.members[2].weight, map.members[2].was) = (weight, was);
        let map = Arc::new(map);
        for node in nodes {
            let view = &mut trio.views[usize::from(node.0) - 1];
            let on = view.on(Arc::clone(&map), |_| true, |other| view.pull(other).unwrap());
            *view = on.with_switched(|_| true, |_| true);
            trio.at(*node, |shard, time, view, out| shard.view_changed(time, view, out));
        }
        trio.carry_all();
    };
    go_by(&mut trio, &[N1, N2, N3], (1, Phase::Filling), (0, 1));
    go_by(&mut trio, &[N1, N2, N3], (2, Phase::Handing), (0, 1));
    // n3 has yet to hear that it keeps nothing.
    go_by(&mut trio, &[N1, N2], (3, Phase::Steady), (0, 0));
    trio.done(N1, &key, set("new", WriteLevel::All)).unwrap();
    assert_eq!([N2, N3].map(|node| trio.held(node, &key)), [Some(&b"new"[..]), Some(&b"old"[..])]);
    go_by(&mut trio, &[N1, N2, N3], (4, Phase::Filling), (1, 0));
    assert!(trio.views[2].gains(N3, key.slot()));
    for _ in 0..10 {
        trio.wait(200);
        trio.carry_all();
    }
    assert_eq!(trio.held(N3, &key), Some(&b"new"[..]));
    assert!(!trio.shards[2].sources.is_filling(key.slot()));
}
