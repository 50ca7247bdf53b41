//! Who is removed, by whom it is asked for, and who is waited for instead.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;

use super::*;

const NOW: Instant = Instant(1_000_000);
const N3: NodeId = NodeId(3);

/// What n1 sees, of three members with so many copies of each slot; n4 is being filled where slots move.
fn view(replicas: u8, moving: bool) -> View {
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let first = Map::first((1..=3).map(member).collect(), replicas, 16);
    let text = String::new;
    let join = Wish::Join { name: "n4".into(), weight: 1, zone: text(), peer_address: text(), http_address: text() };
    let filling = first.with(&join, NodeId(1)).expect("granted").expect("a change");
    View::first(NodeId(1), Arc::new(if moving { filling } else { first }))
}

fn without_n3(view: &View) -> View {
    view.with(|node| node != N3, |node| view.pull(node).unwrap_or_default())
}

/// `2 filling: n1 n2 n3- n4+`: a minus for who has no slots in the end, a plus for who had none, `!` for who leaves.
fn print(map: &Map) -> String {
    let member = |m: &Member| {
        let change = if m.weight == 0 { "-" } else { ["", "+"][usize::from(m.was == 0)] };
        format!(" {}{change}{}", m.name, if m.leaving { "!" } else { "" })
    };
    format!("{} {}:{}", map.epoch.0, map.phase, map.members.iter().map(member).collect::<String>())
}

/// What is answered to who wants n3 removed, and the edition that n1 makes then.
fn asked(view: &View, force: bool) -> (String, String) {
    let mut editions = Editions::new(&Heartbeat::default());
    let answer = editions.wish(NOW, view, Wish::Leave { name: "n3".into(), force });
    let answer = answer.map_or_else(|refusal| refusal.to_string(), |()| "taken".into());
    let next = editions.act(NOW, view, |_| true, |_| false, &mut Outbox::new());
    (answer, next.map_or_else(|| "none".into(), |map| print(&map)))
}

#[test]
fn what_only_one_that_is_away_has_is_given_up_by_force_alone() {
    let check = |replicas: u8, moving: bool, away: bool, force: bool, answer: &str, next: &str| {
        let all = view(replicas, moving);
        let seen = if away { without_n3(&all) } else { all };
        let (said, made) = asked(&seen, force);
        let row = format!("{replicas} copies, moving {moving}, away {away}, force {force}");
        assert!(said.contains(answer), "{row}: {said}");
        assert_eq!(made, next, "{row}");
    };
    let leaves = "2 filling: n1 n2 n3-!";
    // It is there, and hands over what it has, or waits for its turn to.
    for force in [false, true] {
        check(2, false, false, force, "taken", leaves);
        check(1, false, false, force, "taken", leaves);
        check(2, true, false, force, "taken", "none");
    }
    // It is away: others have all that it has, or they have not.
    check(2, false, true, false, "taken", leaves);
    check(1, false, true, false, " slots have no copy with anybody else", "none");
    check(1, false, true, true, "taken", leaves);
    // It is away while slots move.
    check(2, true, true, false, "`n3` does not answer while slots move", "none");
    check(2, true, true, true, "taken", "3 filling: n1 n2 n3! n4+");
}

#[test]
fn a_wish_without_force_waits_for_one_that_goes_away_later() {
    let mut editions = Editions::new(&Heartbeat::default());
    let (moving, steady) = (view(1, true), view(1, false));
    let leave = |force| Wish::Leave { name: "n3".into(), force };
    editions.wish(NOW, &moving, leave(false)).expect("it is there");
    let out = &mut Outbox::new();
    assert_eq!(editions.act(NOW, &without_n3(&moving), |_| true, |_| false, out), None);
    assert_eq!(editions.wishes().count(), 1, "it may come back, and leave");
    // What nobody else has would be gone with the next edition: whoever wants that has to say it.
    assert_eq!(editions.act(NOW, &without_n3(&steady), |_| true, |_| false, out), None);
    assert_eq!(editions.wishes().count(), 0);
    editions.wish(NOW, &without_n3(&moving), leave(true)).expect("it is said");
    let given_up = editions.act(NOW, &without_n3(&moving), |_| true, |_| false, out).expect("an edition");
    assert_eq!(print(&given_up), "3 filling: n1 n2 n3! n4+");
}

#[test]
fn a_change_ends_without_one_that_was_given_up_and_removes_it_then() {
    let mut editions = Editions::new(&Heartbeat::default());
    let mut seen = without_n3(&view(2, true));
    let mut made = Vec::new();
    let out = &mut Outbox::new();
    editions.wish(NOW, &seen, Wish::Leave { name: "n3".into(), force: true }).expect("taken");
    // All others say at once that they have done what each edition is for.
    while let Some(map) = editions.act(NOW, &seen, |_| true, |_| false, out) {
        made.push(print(&map));
        seen = seen.on(Arc::new(map), |node| node != N3, |node| seen.pull(node).unwrap_or_default());
        editions.note_filled(seen.generation, true);
        [2, 4].into_iter().for_each(|id| editions.heard(NodeId(id), seen.map.edition(), true));
    }
    let expected = [
        "3 filling: n1 n2 n3! n4+",
        "4 handing over: n1 n2 n3! n4+",
        "5 steady: n1 n2 n3! n4",
        "6 filling: n1 n2 n3-! n4",
        "7 handing over: n1 n2 n3-! n4",
        "8 steady: n1 n2 n4",
    ];
    assert_eq!(made, expected);
    // And nothing of it goes on while it is neither there nor given up.
    let mut editions = Editions::new(&Heartbeat::default());
    let seen = without_n3(&view(2, true));
    editions.note_filled(seen.generation, true);
    [2, 4].into_iter().for_each(|id| editions.heard(NodeId(id), seen.map.edition(), true));
    assert_eq!(editions.act(NOW, &seen, |_| true, |_| false, out), None);
    assert_eq!(editions.awaited(&seen), [N3]);
}

#[test]
fn a_new_member_that_never_came_is_left_out_again() {
    const N4: NodeId = NodeId(4);
    let all = view(2, true);
    let seen = all.with(|node| node != N4, |node| all.pull(node).unwrap_or_default());
    // What n1 makes of it, at first and once it has waited: who has filled, whether n4 was ever heard, and whether
    // somebody says that it is reached.
    let check = |filled: &[u16], heard: bool, reached: bool, expected: &str| {
        let mut editions = Editions::new(&Heartbeat::default());
        let edition = seen.map.edition();
        if heard {
            editions.heard(N4, edition, false);
        }
        editions.note_filled(seen.generation, true);
        [2, 3].into_iter().for_each(|id| editions.heard(NodeId(id), edition, filled.contains(&id)));
        let out = &mut Outbox::new();
        let mut made = |now| editions.act(now, &seen, |_| true, |node| reached && node == N4, out);
        let row = format!("filled {filled:?}, heard {heard}, reached {reached}");
        assert_eq!(made(NOW), None, "{row}");
        assert_eq!(made(NOW + ARRIVAL / 2), None, "{row}");
        let made = made(NOW + ARRIVAL).map_or_else(|| "none".into(), |map| print(&map));
        assert_eq!(made, expected, "{row}");
        assert!(editions.awaited(&seen).contains(&N4), "{row}");
    };
    check(&[2, 3], false, false, "3 steady: n1 n2 n3");
    // Somebody does not know all that there is of its slots, or hears n4, or has heard it.
    check(&[2], false, false, "none");
    check(&[2, 3], false, true, "none");
    check(&[2, 3], true, false, "none");
}

#[test]
fn a_member_alone_waits_for_no_majority_of_who_never_came() {
    let text = String::new;
    let join = Wish::Join { name: "n2".into(), weight: 1, zone: text(), peer_address: text(), http_address: text() };
    let first = Map::first(vec![Member::new(NodeId(1), "n1")], 2, 16);
    let filling = first.with(&join, NodeId(1)).expect("granted").expect("a change");
    let all = View::first(NodeId(1), Arc::new(filling));
    let seen = all.with(|_| false, |node| all.pull(node).unwrap_or_default());
    let check = |heard: bool, expected: Option<&str>| {
        let mut editions = Editions::new(&Heartbeat::default());
        if heard {
            editions.heard(NodeId(2), seen.map.edition(), false);
        }
        editions.note_filled(seen.generation, true);
        let out = &mut Outbox::new();
        assert_eq!(editions.act(NOW, &seen, |_| true, |_| false, out), None);
        let made = editions.act(NOW + ARRIVAL, &seen, |_| true, |_| false, out);
        assert_eq!(made.map(|map| print(&map)).as_deref(), expected);
    };
    check(false, Some("3 steady: n1"));
    check(true, None);
}

#[test]
fn who_is_heard_by_somebody_else_is_neither_given_up_nor_gone_without() {
    let grace = Duration::from_secs(10);
    let steady = without_n3(&view(2, false));
    let leaving = view(2, false).map.with(&Wish::Leave { name: "n3".into(), force: true }, NodeId(1));
    let all = View::first(NodeId(1), Arc::new(leaving.expect("granted").expect("a change")));
    let moving = without_n3(&all);
    let check = |view: &View, reached: bool, expected: &str| {
        let mut editions = Editions::new(&Heartbeat { remove_after: Some(grace), ..Heartbeat::default() });
        editions.note_filled(view.generation, true);
        editions.heard(NodeId(2), view.map.edition(), true);
        let out = &mut Outbox::new();
        let mut made = |now| editions.act(now, view, |_| true, |node| reached && node == N3, out);
        made(NOW);
        assert_eq!(made(NOW + grace).map_or_else(|| "none".into(), |map| print(&map)), expected, "reached {reached}");
    };
    check(&steady, false, "2 filling: n1 n2 n3-!");
    check(&steady, true, "none");
    check(&moving, false, "3 handing over: n1 n2 n3-!");
    check(&moving, true, "none");
}

#[test]
fn a_wish_that_nobody_repeats_is_forgotten() {
    let seen = view(2, true);
    let check = |wish: Wish, seconds: u64| {
        let mut editions = Editions::new(&Heartbeat::default());
        editions.wish(NOW, &seen, wish).expect("taken");
        let mut left_after = |seconds| {
            editions.act(NOW + Duration::from_secs(seconds), &seen, |_| true, |_| false, &mut Outbox::new());
            editions.wishes().count()
        };
        assert_eq!((left_after(seconds - 1), left_after(seconds)), (1, 0));
    };
    let text = String::new;
    check(Wish::Join { name: "n5".into(), weight: 1, zone: text(), peer_address: text(), http_address: text() }, 60);
    check(Wish::Weight { name: "n3".into(), weight: 2 }, 300);
}
