//! Writes that are passed on are carried out once at most, whatever copies of them come, and whenever.

use super::*;
use crate::view::Pull;

/// Every node hears of these starts; who has another one than before is a node that has just started.
pub(super) fn start(trio: &mut Trio, boots: [u64; 3]) {
    for node in [N1, N2, N3] {
        let index = usize::from(node.0) - 1;
        let view = &trio.views[index];
        let pull = |other: NodeId| {
            let (boot, pull) = (boots[usize::from(other.0) - 1], view.pull(other).unwrap());
            let lost = u64::from(pull.boot != boot);
            Pull { round: pull.round + lost, losses: pull.losses + lost, boot, tells: true, ..pull }
        };
        let (next, before) = (view.with(|_| true, pull), view.boot(node));
        trio.views[index] = next;
        if before != boots[index] {
            trio.shards[index] = trio.shard(node);
        }
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
}

fn delete() -> Operation {
    Operation::Delete { condition: Condition::Always, level: WriteLevel::Live }
}

/// What n2 has passed on to n1, as it is under way.
fn passed_on(trio: &mut Trio, key: &Key, value: &'static str) -> (u64, Message) {
    let client = trio.ask(N2, key, set(value, WriteLevel::Live));
    let place = trio.bus.iter().position(|(_, to, message)| *to == N1 && matches!(message, Message::Forward { .. }));
    (client, trio.bus.remove(place.expect("it is passed on")).unwrap().2)
}

#[test]
fn a_copy_is_not_carried_out_by_the_next_start_of_the_primary() {
    let (mut trio, key) = Trio::with_key();
    start(&mut trio, [11, 12, 13]);
    trio.carry_all();
    let (client, forward) = passed_on(&mut trio, &key, "v");
    trio.bus.push_back((N2, N1, forward.clone()));
    trio.carry_all();
    assert_eq!(copies(&trio.reply(client).unwrap()), 3);
    start(&mut trio, [21, 12, 13]);
    trio.carry_all();
    assert_eq!(trio.held(N1, &key), Some(&b"v"[..]), "it has made up for what it lost");
    trio.done(N1, &key, delete()).unwrap();
    trio.bus.push_back((N2, N1, forward));
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
}

#[test]
fn what_an_earlier_start_may_have_done_ends_as_unknown() {
    // The coordinator hears of the start before its message arrives, or after.
    for heard_first in [true, false] {
        let (mut trio, key) = Trio::with_key();
        start(&mut trio, [11, 12, 13]);
        trio.carry_all();
        let (client, forward) = passed_on(&mut trio, &key, "v");
        if heard_first {
            start(&mut trio, [21, 12, 13]);
        } else {
            trio.shards[0] = trio.shard(N1);
            let boot = |node: NodeId| [21, 12, 13][usize::from(node.0) - 1];
            let view = &trio.views[0];
            trio.views[0] = view.with(|_| true, |node| Pull { boot: boot(node), ..view.pull(node).unwrap() });
        }
        trio.bus.push_back((N2, N1, forward));
        trio.carry_all();
        assert_eq!(trio.reply(client), Some(Err(Failure::Indeterminate { copies: 0 })), "heard first: {heard_first}");
        assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
        // What is passed on to the new start is done.
        start(&mut trio, [21, 12, 13]);
        trio.done(N2, &key, set("w", WriteLevel::Live)).unwrap();
        assert_eq!(trio.held(N1, &key), Some(&b"w"[..]));
    }
}

#[test]
fn who_had_not_heard_the_primary_yet_asks_again() {
    let (mut trio, key) = Trio::with_key();
    // n1 and n3 know everybody; n2 has just started, and has heard nobody.
    start(&mut trio, [11, 12, 13]);
    let view = &trio.views[1];
    trio.views[1] = view.with(|_| true, |node| Pull { boot: u64::from(node == N2) * 12, ..view.pull(node).unwrap() });
    let client = trio.ask(N2, &key, set("v", WriteLevel::Live));
    trio.carry_all();
    assert_eq!((trio.reply(client), trio.held(N1, &key)), (None, None));
    start(&mut trio, [11, 12, 13]);
    trio.carry_all();
    assert_eq!(copies(&trio.reply(client).unwrap()), 3);
}

#[test]
fn a_copy_of_what_was_turned_away_is_turned_away() {
    let (mut trio, key) = Trio::with_key();
    // n1 takes n2 for dead, and turns away what it sends.
    trio.views[0] = trio.views[0].with_alive(|node| node != N2);
    let (client, forward) = passed_on(&mut trio, &key, "v");
    trio.bus.push_back((N2, N1, forward.clone()));
    trio.carry_all();
    assert_eq!((trio.reply(client), trio.held(N1, &key)), (None, None));
    trio.views[0] = trio.views[0].with_alive(|_| true);
    trio.wait(400);
    trio.carry_all();
    assert_eq!(copies(&trio.reply(client).unwrap()), 3, "it is asked again under another name");
    trio.done(N1, &key, delete()).unwrap();
    trio.bus.push_back((N2, N1, forward));
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
}

#[test]
fn what_was_sent_before_the_receiver_was_heard_is_repeated_once_it_is() {
    let (mut trio, key) = Trio::with_key();
    let heard = |view: &View, tells| view.with(|_| true, |other| Pull { boot: 7, tells, ..view.pull(other).unwrap() });
    for view in &mut trio.views {
        *view = heard(view, true);
    }
    // n2 has started. It passes one request on, decides another, and nobody listens to it yet.
    trio.views[1] = heard(&trio.views[1], false);
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    let own = (0..).map(|number| Key::new(format!("own{number}")).unwrap());
    let own = own.into_iter().find(|key| trio.views[1].primary(key.slot()) == Some(N2)).unwrap();
    let clients = [&key, &own].map(|key| trio.ask(N2, key, set("v", WriteLevel::All)));
    trio.carry(|from, _, _| from != N2);
    assert_eq!(clients.map(|client| trio.reply(client)), [None, None]);
    trio.views[1] = heard(&trio.views[1], true);
    trio.at(N2, |shard, time, view, out| shard.view_changed(time, view, out));
    trio.wait(0);
    trio.carry_all();
    assert!(clients.iter().all(|client| matches!(trio.reply(*client), Some(Ok(Answer::Stored { copies: 3, .. })))));
}
