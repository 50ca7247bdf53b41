use alloc::format;
use alloc::string::ToString;

use super::*;

fn map(ids: &[u16]) -> Map {
    Map::first(ids.iter().map(|id| Member::new(NodeId(*id), format!("n{id}"))).collect(), 2, 16)
}

fn join(name: &str) -> Wish {
    Wish::Join {
        name: name.into(),
        weight: 1,
        zone: String::new(),
        peer_address: format!("{name}:1"),
        http_address: format!("{name}:2"),
    }
}

fn zone(name: &str, zone: &str) -> Wish {
    Wish::Zone { name: name.into(), zone: zone.into() }
}

fn leave(name: &str) -> Wish {
    Wish::Leave { name: name.into(), force: false }
}

/// `n1 n2+ n3- …`: a plus for a member that gains its first slots, a minus for one that loses its last.
fn print(map: &Map) -> String {
    let members = map.members.iter().map(|m| match (m.was, m.weight) {
        (was, weight) if was == weight => match &m.moved_from {
            Some(before) => format!("{} {before}>{}", m.name, m.zone),
            None => m.name.clone(),
        },
        (0, _) => format!("{}+", m.name),
        (_, 0) => format!("{}-", m.name),
        (was, weight) => format!("{} {was}>{weight}", m.name),
    });
    format!("{} {}: {}", map.epoch.0, map.phase, members.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_change_takes_three_editions() {
    let check = |ids: &[u16], wish: Wish, expected: [&str; 3]| {
        let filling = map(ids).with(&wish, NodeId(1)).expect("granted").expect("a change");
        let handing = filling.advanced(NodeId(2)).expect("under way");
        let steady = handing.advanced(NodeId(1)).expect("under way");
        assert_eq!([&filling, &handing, &steady].map(print), expected);
        assert_eq!(steady.advanced(NodeId(1)), None);
        for edition in [&filling, &handing, &steady] {
            assert_eq!(edition.flaw(), None);
            assert!(edition.grants(&wish), "once granted it is not asked for again");
            assert_eq!(edition.with(&wish, NodeId(1)), Ok(None));
        }
        assert!(steady.replaces(&handing) && handing.replaces(&filling) && !filling.replaces(&handing));
    };
    check(&[1, 2], join("n7"), ["2 filling: n1 n2 n7+", "3 handing over: n1 n2 n7+", "4 steady: n1 n2 n7"]);
    check(&[1, 2, 3], leave("n2"), ["2 filling: n1 n2- n3", "3 handing over: n1 n2- n3", "4 steady: n1 n3"]);
    let drain = Wish::Weight { name: "n1".into(), weight: 0 };
    check(&[1, 2], drain, ["2 filling: n1- n2", "3 handing over: n1- n2", "4 steady: n1 n2"]);
    let more = Wish::Weight { name: "n1".into(), weight: 3 };
    check(&[1, 2], more, ["2 filling: n1 1>3 n2", "3 handing over: n1 1>3 n2", "4 steady: n1 n2"]);
    check(&[1, 2], zone("n2", "b"), ["2 filling: n1 n2 >b", "3 handing over: n1 n2 >b", "4 steady: n1 n2"]);
}

#[test]
fn another_zone_counts_before_and_after_as_what_it_was_and_is() {
    let of = |map: &Map| map.members.iter().map(|m| [m.zone(false), m.zone(true)].join(">")).collect::<Vec<_>>();
    let first = map(&[1, 2]).with(&zone("n1", "a"), NodeId(1)).expect("granted").expect("a change");
    assert_eq!(of(&first), [">a", ">"]);
    assert_eq!(first.with(&zone("n2", "b"), NodeId(1)), Err(Refusal::Moving));
    let steady = first.advanced(NodeId(1)).and_then(|handing| handing.advanced(NodeId(1))).expect("two more");
    assert_eq!(of(&steady), ["a>a", ">"]);
    // One that keeps no slots has nothing to move.
    let mut drained = steady.clone();
    (drained.members[1].was, drained.members[1].weight) = (0, 0);
    let zoned = drained.with(&zone("n2", "b"), NodeId(1)).expect("granted").expect("a change");
    assert_eq!((zoned.phase, zoned.flaw()), (Phase::Steady, None));
    assert_eq!(of(&zoned), ["a>a", "b>b"]);
    let long = "z".repeat(limits::MAX_NAME + 1);
    assert_eq!(steady.with(&zone("n1", &long), NodeId(1)), Err(Refusal::Form { field: "zone" }));
    assert_eq!(steady.with(&zone("n9", "a"), NodeId(1)), Ok(None), "nobody of that name has another one");
    let unfinished = Map { phase: Phase::Steady, ..first };
    assert_eq!(unfinished.flaw(), Some("a change without a phase"));
}

#[test]
fn what_moves_nothing_takes_one() {
    let check = |map: &Map, wish: Wish, expected: &str| {
        let next = map.with(&wish, NodeId(1)).expect("granted").expect("a change");
        assert_eq!(print(&next), expected);
        assert_eq!(next.flaw(), None);
        next
    };
    // It is known already, and comes back under another address.
    let moved = check(&map(&[1, 2]), join("n2"), "2 steady: n1 n2");
    assert_eq!(moved.named("n2").map(|m| m.peer_address.as_str()), Some("n2:1"));
    let drained = map(&[1, 2]).with(&Wish::Weight { name: "n2".into(), weight: 0 }, NodeId(1));
    let filling = drained.expect("granted").expect("a change");
    let steady = filling.advanced(NodeId(1)).and_then(|handing| handing.advanced(NodeId(1))).expect("two more");
    check(&steady, leave("n2"), "5 steady: n1");
}

#[test]
fn who_makes_the_edition_by_which_it_leaves_stays_in_it() {
    let mut before = map(&[1, 2, 3]);
    (before.members[0].was, before.members[0].weight) = (0, 0);
    let check = |by, first: &str, second: Option<&str>| {
        let next = before.with(&leave("n1"), NodeId(by)).expect("granted").expect("a change");
        assert_eq!((print(&next).as_str(), next.flaw()), (first, None));
        assert!(next.grants(&leave("n1")));
        assert_eq!(next.without_left(NodeId(1)), None, "not by itself either");
        assert_eq!(next.without_left(NodeId(2)).map(|map| print(&map)).as_deref(), second);
    };
    check(1, "2 steady: n1 n2 n3", Some("3 steady: n2 n3"));
    check(2, "2 steady: n2 n3", None);
}

#[test]
fn wishes_are_refused_with_a_reason() {
    let check = |map: &Map, wish: Wish, expected: &str| {
        let refusal = map.with(&wish, NodeId(1)).expect_err("refused");
        assert_eq!(refusal.to_string(), expected);
    };
    let one = map(&[1]);
    check(&one, leave("n1"), "without `n1` nobody would keep the slots");
    check(&one, Wish::Weight { name: "n1".into(), weight: 0 }, "without `n1` nobody would keep the slots");
    check(&one, join(""), "the name is empty or longer than 255 bytes");
    check(&one, join(&"x".repeat(256)), "the name is empty or longer than 255 bytes");
    let filling = one.with(&join("n2"), NodeId(1)).expect("granted").expect("a change");
    check(&filling, join("n3"), "another change is under way");
    // Nobody of that name is to leave, or to weigh more: it is so already.
    assert_eq!(one.with(&leave("n9"), NodeId(1)), Ok(None));
}

#[test]
fn numbers_are_not_given_again_while_others_are_free() {
    let id =
        |map: &Map| map.with(&join("new"), NodeId(1)).expect("granted").expect("a change").named("new").map(|m| m.id);
    assert_eq!(id(&map(&[1, 2, 5])), Some(NodeId(6)));
    assert_eq!(id(&map(&[1, 2, 65_534])), Some(NodeId(3)));
}

#[test]
fn a_new_member_is_told_from_one_that_was_drained_and_left_out_again() {
    let filling = map(&[1, 2]).with(&join("n3"), NodeId(1)).expect("granted").expect("a change");
    assert!(filling.is_new(NodeId(3)) && !filling.is_new(NodeId(2)));
    let without = filling.without_new(NodeId(3), NodeId(2)).expect("it is new");
    assert_eq!((print(&without).as_str(), without.flaw()), ("3 steady: n1 n2", None));
    assert!(without.replaces(&filling) && without.highest == NodeId(3), "its number is not given again");
    assert_eq!(filling.without_new(NodeId(2), NodeId(2)), None);
    // It is drained, and given slots again: it was a member before.
    let through = |map: Map| map.advanced(NodeId(1)).and_then(|handing| handing.advanced(NodeId(1))).expect("two more");
    let weight = |map: &Map, weight| map.with(&Wish::Weight { name: "n3".into(), weight }, NodeId(1));
    assert!(!filling.advanced(NodeId(1)).expect("under way").is_new(NodeId(3)), "it has slots from here on");
    let drained = through(weight(&through(filling), 0).expect("granted").expect("a change"));
    let again = weight(&drained, 2).expect("granted").expect("a change");
    assert_eq!(print(&again), "8 filling: n1 n2 n3+");
    assert!(!again.is_new(NodeId(3)) && again.without_new(NodeId(3), NodeId(1)).is_none());
}

#[test]
fn flaws_are_found() {
    let check = |change: fn(&mut Map), expected| {
        let mut map = map(&[1, 2, 3]);
        change(&mut map);
        assert_eq!(map.flaw(), expected);
    };
    check(|_| {}, None);
    check(|map| map.members.swap(0, 1), Some("members out of order"));
    check(|map| map.members[2].id = NOBODY, Some("a member without a number"));
    check(|map| map.members[1].name.clear(), Some("a name or an address too long"));
    check(|map| map.members[1].zone = "x".repeat(256), Some("a name or an address too long"));
    check(|map| map.members.iter_mut().for_each(|m| m.weight = 0), Some("nobody to keep the slots"));
    check(|map| map.members.iter_mut().for_each(|m| m.was = 0), Some("nobody who kept the slots"));
    check(|map| map.members[0].weight = 2_000, Some("a weight too large"));
    check(|map| map.members[0].weight = 2, Some("a change without a phase"));
    check(|map| map.replicas = 9, Some("a number of copies"));
    check(|map| map.virtual_nodes = 0, Some("no points on the ring"));
}

#[test]
fn where_a_member_is_may_change_while_slots_move() {
    let first = map(&[1, 2]);
    let join = |name: &str, address: &str| Wish::Join {
        name: name.into(),
        weight: 7,
        zone: "z".into(),
        peer_address: address.into(),
        http_address: address.into(),
    };
    let filling = first.with(&join("n3", "a:1"), NodeId(1)).expect("granted").expect("a change");
    let handing = filling.advanced(NodeId(1)).expect("under way");
    for map in [&first, &filling, &handing] {
        let moved = map.with(&join("n2", "b:2"), NodeId(2)).expect("granted").expect("a change");
        let mut expected = Map { epoch: Epoch(map.epoch.0 + 1), by: NodeId(2), ..map.clone() };
        (expected.members[1].peer_address, expected.members[1].http_address) = ("b:2".into(), "b:2".into());
        assert_eq!(moved, expected, "nothing else is different");
        assert!(moved.replaces(map) && moved.flaw().is_none() && moved.grants(&join("n2", "b:2")));
    }
    assert_eq!(filling.with(&join("n4", "c:3"), NodeId(1)), Err(Refusal::Moving), "a new member waits");
    let long = "x".repeat(300);
    assert_eq!(filling.with(&join("n2", &long), NodeId(1)), Err(Refusal::Form { field: "address" }));
}
