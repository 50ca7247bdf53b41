//! What a view says, by the map and by who is alive.

extern crate std;

use super::*;
use crate::id::{Epoch, Lanes, RequestId};
use crate::message::{Change, Origin, Wanted};
use crate::request::Key;
use alloc::format;
use alloc::string::String;
use alloc::vec;

fn view(me: u16, ids: &[u16], replicas: u8) -> View {
    let member = |id: &u16| Member {
        id: NodeId(*id),
        name: format!("n{id}"),
        weight: 1,
        was: 1,
        peer_address: format!("10.0.0.{id}:7000"),
        ..Member::default()
    };
    let members = ids.iter().map(member).collect();
    View::first(NodeId(me), Arc::new(Map { epoch: Epoch(4), ..Map::first(members, replicas, 64) }))
}

#[test]
fn the_primary_is_the_first_replica_alive() {
    let first = view(1, &[1, 2, 3, 4, 5], 3);
    let check = |dead: &[u16]| {
        let view = first.with_alive(|node| !dead.contains(&node.0));
        let alive = |node: &NodeId| !dead.contains(&node.0) || *node == view.me;
        for slot in Slot::all() {
            assert_eq!(view.replicas(slot), first.replicas(slot), "liveness moves no data");
            let expected = view.replicas(slot).iter().copied().find(alive);
            assert_eq!(view.primary(slot), expected, "slot {slot}, dead {dead:?}");
            assert_eq!(view.is_primary(slot), expected == Some(NodeId(1)));
            assert_eq!(view.is_replica(slot), view.replicas(slot).contains(&NodeId(1)));
            let count = view.replicas(slot).iter().filter(|node| alive(node)).count();
            assert_eq!(usize::from(view.alive_replicas(slot)), count);
        }
        for node in (0..8).map(NodeId) {
            assert_eq!(view.is_alive(node), (1..=5).contains(&node.0) && alive(&node), "{node}, dead {dead:?}");
        }
        view
    };
    check(&[]);
    check(&[3]);
    check(&[2, 5]);
    // A node believes in itself, whatever it is told.
    assert!(check(&[1]).is_alive(NodeId(1)));
    // With everybody else dead, the slots that this node has no replica of have no primary.
    let alone = check(&[2, 3, 4, 5]);
    let orphans = Slot::all().filter(|slot| alone.primary(*slot).is_none());
    assert_eq!(orphans.count(), Slot::all().filter(|slot| !alone.is_replica(*slot)).count());
    assert!(Slot::all().any(|slot| alone.primary(slot).is_none()));
}

#[test]
fn who_hears_no_majority_of_those_who_stay_may_be_passed_by() {
    let check = |leaving: &[u16], alive: &[u16], expected| {
        let mut map = (*view(3, &[1, 2, 3, 4, 5], 1).map).clone();
        map.members.iter_mut().for_each(|member| member.leaving = leaving.contains(&member.id.0));
        let view = View::first(NodeId(3), Arc::new(map)).with_alive(|node| alive.contains(&node.0));
        assert_eq!(view.may_be_passed_by(), expected, "leaving {leaving:?}, alive {alive:?}");
    };
    check(&[], &[1, 2, 4, 5], false);
    check(&[], &[1, 2], false);
    check(&[], &[4], true);
    check(&[], &[], true);
    // Who leaves does not count, neither for one side nor for the other.
    check(&[1, 2], &[1, 2], true);
    check(&[1, 2], &[4], false);
    check(&[3], &[1, 2], true);
    check(&[3], &[1, 2, 4], false);
    assert!(!view(1, &[1], 1).may_be_passed_by(), "there is nobody else");
}

#[test]
fn fewer_members_are_fewer_replicas() {
    let check = |ids: &[u16], replicas, expected| {
        let view = view(ids[0], ids, replicas);
        assert!(Slot::all().all(|slot| view.replicas(slot).len() == expected), "{ids:?}, {replicas} replicas");
    };
    check(&[9], 3, 1);
    check(&[1, 2], 3, 2);
    check(&[1, 2, 3], 3, 3);
    check(&[1, 2, 3, 4], 3, 3);
    check(&[1, 2, 3, 4], 1, 1);
}

#[test]
fn slots_on_their_way_have_old_and_new_owners_and_one_primary() {
    let steady = view(1, &[1, 2, 3], 2);
    let wish = crate::map::Wish::Join {
        name: "n4".into(),
        weight: 1,
        zone: String::new(),
        peer_address: String::new(),
        http_address: String::new(),
    };
    let map = steady.map.with(&wish, NodeId(1)).expect("granted").expect("a change");
    let filling = steady.on(Arc::new(map), |_| true, |_| Pull::default());
    let handing = filling.map.advanced(NodeId(1)).expect("under way");
    let handing = filling.on(Arc::new(handing), |_| true, |_| Pull::default());
    let all = handing.with_switched(|_| true, |_| true);
    let done = all.map.advanced(NodeId(1)).expect("under way");
    let done = all.on(Arc::new(done), |_| true, |_| Pull::default());
    assert_eq!(done.ring, view(1, &[1, 2, 3, 4], 2).ring, "where a ring that was there from the start is");
    let mut moved = 0;
    for slot in Slot::all() {
        let (before, after) = (steady.replicas(slot), done.replicas(slot));
        let both = |one: &[NodeId], other: &[NodeId]| {
            let new = other.iter().filter(|node| !one.contains(node));
            one.iter().chain(new).copied().collect::<Vec<_>>()
        };
        assert_eq!(filling.replicas(slot), both(before, after));
        assert_eq!(handing.replicas(slot), both(after, before));
        assert_eq!(filling.primary(slot), steady.primary(slot), "the old owners answer");
        // The others may still hold the map before: their slots' primaries go on, and this node has stopped.
        let goes_on = if before[0] == NodeId(1) { after[0] } else { before[0] };
        assert_eq!(handing.primary(slot), Some(goes_on));
        assert_eq!(all.primary(slot), done.primary(slot));
        // Who hands a slot over answers nothing about it; until then every old owner does.
        let keeps = after.contains(&NodeId(1));
        assert_eq!(handing.answers(slot), keeps);
        assert_eq!(filling.answers(slot), keeps || before.contains(&NodeId(1)));
        assert_eq!((steady.answers(slot), done.answers(slot)), (before.contains(&NodeId(1)), keeps));
        for node in (1..=4).map(NodeId) {
            assert_eq!(filling.gains(node, slot), after.contains(&node) && !before.contains(&node));
            assert!(!done.gains(node, slot) && !steady.gains(node, slot));
        }
        // Any two sets of that size meet, whichever placement one of them was counted by.
        let needed = usize::from(filling.majority(slot));
        let owners = filling.replicas(slot).len();
        for placement in [before, after] {
            assert!(needed + placement.len() / 2 + 1 > owners, "{needed} of {owners}");
        }
        assert_eq!(handing.majority(slot), filling.majority(slot));
        moved += u32::from(before != after);
    }
    assert!(moved > 4_000, "{moved} slots moved");
    // Where an old primary is known to be gone, the new one does not wait for it.
    let without = handing.with_alive(|node| node != NodeId(2));
    for slot in Slot::all().filter(|slot| steady.replicas(*slot)[0] == NodeId(2)) {
        assert_ne!(without.primary(slot), Some(NodeId(2)));
    }
    assert!(filling.can_move() && without.can_move());
    assert!(!filling.with_alive(|_| false).can_move(), "slots of others would have nobody");
}

#[test]
fn messages_of_other_editions_are_taken_where_they_mean_the_same() {
    // n1 keeps some of the slots and not others.
    let view = view(1, &[1, 2, 3], 2);
    let mut keys = (0..).map(|number| Key::new(format!("k{number}")).expect("a short key"));
    let kept = keys.clone().find(|key| view.is_replica(key.slot())).expect("two of three");
    let other = keys.find(|key| !view.is_replica(key.slot())).expect("one of three");
    let id = RequestId::default();
    let replicate = |key: &Key| {
        let change = Change::Remove { version: Version::ZERO };
        Message::Replicate { id, key: key.clone(), change }
    };
    let fetch = |key: &Key| Message::Fetch { id, key: key.clone(), wanted: Wanted::Version };
    let lanes = Lanes::ALL;
    let sync =
        Message::Sync { id, lanes, since: Version::ZERO, cursor: 0, gained: false, slots: None, lives: Vec::new() };
    // For each message: is it taken, where the sender's map is of two editions before to two after?
    let rows = [
        (replicate(&kept), [false, true, true, true, false]),
        (replicate(&other), [false, false, true, true, false]),
        (fetch(&other), [false, true, true, true, false]),
        (sync, [false, true, true, false, false]),
    ];
    for (message, expected) in rows {
        let taken =
            [2, 3, 4, 5, 6].map(|epoch| view.admits(NodeId(2), Origin { boot: 0, epoch: Epoch(epoch) }, &message));
        assert_eq!(taken, expected, "{message:?}");
    }
}

#[test]
fn views_follow_one_another() {
    let first = view(2, &[2, 70, 65_534], 2);
    assert_eq!((first.generation, first.map.epoch), (1, Epoch(4)));
    let second = first.with_alive(|node| node != NodeId(65_534));
    assert_eq!((second.generation, second.is_alive(NodeId(65_534)), second.is_alive(NodeId(70))), (2, false, true));
    // Back to where it was: the same routes under a later number.
    let third = second.with_alive(|_| true);
    assert_eq!(View { generation: 1, ..third }, first);
    assert_eq!(first.member(NodeId(70)).map(|m| m.name.as_str()), Some("n70"));
    assert_eq!(first.member(NodeId(3)), None);
}

#[test]
fn nodes_of_one_map_share_its_ring() {
    let ids = [1, 2, 3];
    let one = view(1, &ids, 2).with_alive(|_| false);
    let two = one.seen_by(NodeId(2));
    assert_eq!(two, view(2, &ids, 2));
    assert!(Arc::ptr_eq(&one.ring, &two.ring) && Arc::ptr_eq(&one.map, &two.map));
    // Where nobody's liveness changes, nothing is worked out again.
    assert!(Arc::ptr_eq(&two.primaries, &two.with_alive(|_| true).primaries));
}

#[test]
fn maps_that_cannot_be_are_refused() {
    let refused = |me, ids: Vec<u16>| {
        let outcome = std::panic::catch_unwind(|| view(me, &ids, 1));
        assert!(outcome.is_err(), "{me} in {ids:?}");
    };
    refused(3, vec![1, 2]);
    refused(1, vec![1, 1]);
    refused(1, vec![2, 1]);
    refused(1, vec![1, 65_535]);
}

#[test]
fn who_is_to_stand_in_decides_nothing_before_it_is_filled() {
    let steady = view(1, &[1, 2, 3, 4], 2);
    let map = |map: Option<Map>| Arc::new(map.expect("a change"));
    let filling = map(steady.map.stood_in_for(&[NodeId(2)], true, &[], NodeId(1)));
    let others = |node: NodeId| node != NodeId(2);
    let filling = steady.on(filling, others, |_| Pull::default());
    // The last owner goes down while others are being filled.
    let without_both = filling.with_alive(|node| node.0 != 2 && node.0 != 3);
    let handing = filling.on(map(filling.map.advanced(NodeId(1))), others, |_| Pull::default());
    let done = handing.on(map(handing.map.advanced(NodeId(1))), others, |_| Pull::default());
    let mut stood_in = 0;
    for slot in Slot::all() {
        let owners = steady.replicas(slot);
        let away = owners.contains(&NodeId(2));
        assert_eq!(filling.replicas(slot).len(), owners.len() + usize::from(away));
        assert_eq!(&filling.replicas(slot)[..2], owners, "nobody loses the slot, and the order stays");
        assert_eq!((handing.replicas(slot), done.replicas(slot)), (filling.replicas(slot), filling.replicas(slot)));
        let first = owners.iter().copied().find(|node| others(*node));
        assert_eq!((filling.primary(slot), done.primary(slot)), (first, first));
        let left = owners.iter().copied().find(|node| node.0 != 2 && node.0 != 3);
        assert_eq!(without_both.primary(slot), left, "slot {slot}");
        // All copies are those that are configured, and a majority has one in common with any other.
        assert_eq!((done.all(slot), steady.all(slot)), (2, 2));
        assert_eq!(done.majority(slot), 2);
        stood_in += u32::from(away);
    }
    assert!(stood_in > 6_000, "{stood_in}");
    assert!((1..=4).all(|id| !filling.loses(NodeId(id))), "all keep what they kept");
    let back = map(done.map.stood_in_for(&[NodeId(2)], false, &[], NodeId(1)));
    let back = done.on(back, |_| true, |_| Pull::default());
    assert!(!back.loses(NodeId(2)) && back.loses(NodeId(1)), "who stood in hands back");
    // With one member, all is two all the same.
    assert_eq!(view(1, &[1], 2).all(Slot::all().next().expect("a slot")), 2);
}

#[test]
fn a_peer_is_listened_to_from_the_start_that_is_known() {
    let first = view(1, &[1, 2], 2);
    let heard = |boot| first.with(|_| true, |node| Pull { boot, ..first.pull(node).unwrap() });
    let key = Key::new("k").unwrap();
    let message = Message::Fetch { id: RequestId::default(), key, wanted: Wanted::Version };
    // What it knows of the other's start, and of which start the message is.
    for (known, boot, expected) in [(0, 0, true), (7, 7, true), (7, 6, false), (6, 7, false), (0, 7, false)] {
        let origin = Origin { boot, epoch: Epoch(4) };
        assert_eq!(heard(known).admits(NodeId(2), origin, &message), expected, "{boot} where {known} is known");
    }
    let unheard = first.clone().started(5);
    assert!(!unheard.tells(NodeId(2)) && first.tells(NodeId(2)) && !heard(7).started(5).tells(NodeId(2)));
    let told = first.with(|_| true, |node| Pull { boot: 7, tells: true, ..first.pull(node).unwrap() });
    assert!(told.clone().started(5).tells(NodeId(2)));
}
