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
    let keys = (0..).map(|number| Key::new(format!("k{number}")).unwrap());
    let key = keys.filter(|key| trio.views[2].replicas(key.slot()) == [N1, N2]).next().unwrap();
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
