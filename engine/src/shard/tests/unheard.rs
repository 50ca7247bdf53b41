//! Somebody who is not heard tells another one what it had not told this node: that one is asked for it.

use super::coming_back::moment;
use super::*;
use crate::id::Slot;
use crate::map::Phase;
use crate::view::Pull;

/// A node hears those alive, and has lost these once more: what they wrote up to that version it was told.
fn hears(trio: &mut Trio, node: NodeId, alive: &[NodeId], lost: &[NodeId], since: Version) {
    let view = &mut trio.views[usize::from(node.0) - 1];
    let pull = |other| {
        let pull = view.pull(other).unwrap();
        let Pull { round, losses, .. } = pull;
        if lost.contains(&other) { Pull { round: round + 1, losses: losses + 1, since, ..pull } } else { pull }
    };
    *view = view.with(|other| alive.contains(&other), pull);
    trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
}

/// n1 talks with those.
fn talk(trio: &mut Trio, with: &[NodeId]) {
    let is_heard = |node| node == N1 || with.contains(&node);
    for _ in 0..20 {
        trio.wait(100);
        trio.carry(|from, to, _| [from, to].contains(&N1) && is_heard(from) && is_heard(to));
    }
}

/// n1 and n3 have heard each other out, who have nothing, and not n2. Then n1 hears n2 for a while, which n3 does not;
/// `apart`: nor does it hear n1.
fn hear_of_n2_by_n1(trio: &mut Trio, key: &Key, since: Version, apart: bool) {
    let held = |trio: &Trio| [N1, N2, N3].map(|node| trio.held(node, key).is_some());
    talk(trio, &[N3]);
    assert_eq!(held(trio), [false, true, false]);
    if apart {
        hears(trio, N3, &[N3], &[N1], since);
    }
    hears(trio, N1, if apart { &[N1, N2] } else { &[N1, N2, N3] }, &[], since);
    hears(trio, N2, &[N1, N2], &[N1, N3], since);
    talk(trio, if apart { &[N2] } else { &[N2, N3] });
    assert_eq!(held(trio), [true, true, false]);
    hears(trio, N1, &[N1, N3], &[N2], since);
    hears(trio, N3, &[N1, N3], if apart { &[N1] } else { &[N2] }, since);
    talk(trio, &[N3]);
    assert_eq!(held(trio), [true; 3], "it has been told by n1; apart: {apart}");
}

#[test]
fn who_has_heard_one_that_is_not_heard_is_asked_for_all_that_it_has_yet_to_say() {
    for apart in [true, false] {
        let mut trio = Trio::new(Limits::default());
        let key = Key::new("k").unwrap();
        trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
        // All that is written up to here n3 has been told by whoever wrote it, when it loses them.
        let since = moment(&mut trio);
        trio.wait(20_000);
        for node in [N1, N3] {
            trio.shards[usize::from(node.0) - 1] = trio.shard(node);
            hears(&mut trio, node, &[N1, N3], &[], since);
        }
        hear_of_n2_by_n1(&mut trio, &key, since, apart);
    }
}

#[test]
fn it_is_asked_again_for_a_slot_that_comes_to_be_kept_here() {
    for apart in [true, false] {
        let mut trio = Trio::with(Limits::default(), 2);
        let mut map = (*trio.views[0].map).clone();
        (map.epoch.0, map.phase) = (map.epoch.0 + 1, Phase::Filling);
        (map.members[1].weight, map.members[1].leaving) = (0, true);
        let map = Arc::new(map);
        let next = View::first(N3, Arc::clone(&map));
        let given = |slot: Slot| trio.views[0].replicas(slot) == [N1, N2] && next.gains(N3, slot);
        let key = (0..).map(|number| Key::new(format!("k{number}")).unwrap()).find(|key| given(key.slot())).unwrap();
        trio.done(N1, &key, set("v", WriteLevel::All)).unwrap();
        let since = moment(&mut trio);
        trio.wait(20_000);
        // n2 is gone, and given up. n1 has started again with nothing.
        trio.shards[0] = trio.shard(N1);
        hears(&mut trio, N1, &[N1, N3], &[], since);
        hears(&mut trio, N3, &[N1, N3], &[N2], since);
        for node in [N1, N2, N3] {
            let view = &mut trio.views[usize::from(node.0) - 1];
            *view = view.on(Arc::clone(&map), |other| other != N2, |other| view.pull(other).unwrap());
            trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
        }
        hear_of_n2_by_n1(&mut trio, &key, since, apart);
    }
}
